/* Errors: what went wrong, in words, and what to try next. They live on the caller's stack. Any
 * thread. */
#pragma once

#include "lib/own.h"

#include <stdbool.h>
#include <stddef.h>

/* code, stable name (REST `code`), HTTP status, title, exit code of our programs.
 * HTTP statuses: RFC 9110, 429: RFC 6585, 507: RFC 4918. */
#define ERR_CODES(X)                                                                               \
    X(ERR_NONE, "none", 200, "No error", 0)                                                        \
    X(ERR_INVALID, "invalid", 400, "Invalid input", 1)                                             \
    X(ERR_USAGE, "usage", 400, "Wrong usage", 2)                                                   \
    X(ERR_UNAUTHENTICATED, "unauthenticated", 401, "No valid token", 4)                            \
    X(ERR_DENIED, "denied", 403, "Not allowed", 4)                                                 \
    X(ERR_NOT_FOUND, "not_found", 404, "Not found", 3)                                             \
    X(ERR_METHOD, "method_not_allowed", 405, "Method not allowed", 1)                              \
    X(ERR_CONFLICT, "conflict", 409, "Conflict", 5)                                                \
    X(ERR_PRECONDITION, "precondition_failed", 412, "Precondition failed", 5)                      \
    X(ERR_TOO_LARGE, "too_large", 413, "Too large", 1)                                             \
    X(ERR_MEDIA_TYPE, "unsupported_media_type", 415, "Unsupported media type", 1)                  \
    X(ERR_RANGE, "range_not_satisfiable", 416, "Range not satisfiable", 1)                         \
    X(ERR_UNTRUSTED, "untrusted", 422, "Not proven authentic", 1)                                  \
    X(ERR_RATE_LIMITED, "rate_limited", 429, "Too many requests", 1)                               \
    X(ERR_IO, "io", 500, "Input or output failed", 1)                                              \
    X(ERR_CORRUPT, "corrupt", 500, "Stored data is damaged", 1)                                    \
    X(ERR_INTERNAL, "internal", 500, "Internal error", 1)                                          \
    X(ERR_UNAVAILABLE, "unavailable", 503, "Not available now", 1)                                 \
    X(ERR_UNREACHABLE, "unreachable", 502, "Other side not reachable", 6)                          \
    X(ERR_TIMEOUT, "timeout", 504, "Took too long", 124)                                           \
    X(ERR_NO_SPACE, "no_space", 507, "No space left", 1)

enum err_code {
#define ERR_ENUM(code, name, status, title, exit_code) code,
    ERR_CODES(ERR_ENUM)
#undef ERR_ENUM
};

struct err {
    enum err_code code;
    char text[256]; /* one sentence without a final stop, names the thing; cut when longer */
    char hint[192]; /* what to try next, "" when there is nothing to say */
};

/* Sets code and text, clears the hint. Returns false always, so `return err_set(...)` reads well. e
 * may be NULL. */
bool err_set(struct err *e, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* As err_set with ": " and the text of errno_value behind; the code follows errno (ENOENT ->
 * ERR_NOT_FOUND, ENOSPC/EDQUOT -> ERR_NO_SPACE, EACCES/EPERM -> ERR_DENIED, EEXIST -> ERR_CONFLICT,
 * else ERR_IO). Returns false. */
bool err_errno(struct err *e, int errno_value, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " before the text; code and hint stay. Returns false always. */
bool err_wrap(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);

/* Adds what to try next. Returns false always. */
bool err_hint(struct err *e, const char *format, ...) PRINTF_LIKE(2, 3);

const char *err_code_name(enum err_code code);
const char *err_code_title(enum err_code code);
int err_http_status(enum err_code code);
int err_exit_code(enum err_code code);

/* What the exit codes of our programs mean, in order; gridctl alone ends with those that no
 * err_code has. */
struct err_exit {
    int code;
    const char *means;
};
extern const struct err_exit err_exits[];
extern const size_t err_exit_count;

/* "grid-agent: what went wrong" and "Next: what to try" on stderr. Returns the exit code. */
int err_report(const char *program, const struct err *e);

/* The code with this stable name; ERR_INTERNAL when there is none. */
enum err_code err_code_by_name(const char *name);
