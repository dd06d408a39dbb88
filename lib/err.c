#include "lib/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct err_row {
    const char *name;
    const char *title;
    int http_status;
    int exit_code;
} rows[] = {
#define ERR_ROW(code, name, status, title, exit_code) [code] = {name, title, status, exit_code},
    ERR_CODES(ERR_ROW)
#undef ERR_ROW
};

static const struct err_row *row(enum err_code code) {
    assert((size_t)code < sizeof rows / sizeof rows[0]);
    return &rows[code];
}

/* vsnprintf that cuts between UTF-8 characters, so that a cut text can still be sent as JSON. */
static void format_cut(char *out, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
static void format_cut(char *out, size_t size, const char *format, va_list arguments) {
    int length = vsnprintf(out, size, format, arguments);
    if (length < 0) out[0] = '\0';
    if (length < (int)size) return;
    size_t end = size - 1;
    size_t start = end;
    while (start > 0 && ((unsigned char)out[start - 1] & 0xC0) == 0x80) start--;
    if (start == 0) return;
    unsigned char lead = (unsigned char)out[start - 1];
    size_t needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (start - 1 + needed > end) out[start - 1] = '\0';
}

/* Appends as much of words to the text as fits, cut between characters. */
static void append_cut(char *out, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
static void append_cut(char *out, size_t size, const char *format, ...) {
    size_t used = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    format_cut(out + used, size - used, format, arguments);
    va_end(arguments);
}

bool err_set(struct err *e, enum err_code code, const char *format, ...) {
    if (e == NULL) return false;
    char text[sizeof e->text]; /* the arguments may point into *e */
    va_list arguments;
    va_start(arguments, format);
    format_cut(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(e->text, text, sizeof text);
    e->hint[0] = '\0';
    e->code = code;
    return false;
}

static enum err_code code_of_errno(int errno_value) {
    switch (errno_value) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case EEXIST:
        return ERR_CONFLICT;
    default:
        return ERR_IO;
    }
}

bool err_errno(struct err *e, int errno_value, const char *format, ...) {
    if (e == NULL) return false;
    char text[sizeof e->text];
    va_list arguments;
    va_start(arguments, format);
    format_cut(text, sizeof text, format, arguments);
    va_end(arguments);
    char buffer[64];
    append_cut(text, sizeof text, ": %s", strerror_r(errno_value, buffer, sizeof buffer));
    return err_set(e, code_of_errno(errno_value), "%s", text);
}

bool err_wrap(struct err *e, const char *format, ...) {
    if (e == NULL) return false;
    char text[sizeof e->text];
    va_list arguments;
    va_start(arguments, format);
    format_cut(text, sizeof text, format, arguments);
    va_end(arguments);
    append_cut(text, sizeof text, ": %s", e->text);
    memcpy(e->text, text, sizeof text);
    return false;
}

bool err_hint(struct err *e, const char *format, ...) {
    if (e == NULL) return false;
    char hint[sizeof e->hint];
    va_list arguments;
    va_start(arguments, format);
    format_cut(hint, sizeof hint, format, arguments);
    va_end(arguments);
    memcpy(e->hint, hint, sizeof hint);
    return false;
}

const char *err_code_name(enum err_code code) {
    return row(code)->name;
}

const char *err_code_title(enum err_code code) {
    return row(code)->title;
}

int err_http_status(enum err_code code) {
    return row(code)->http_status;
}

int err_exit_code(enum err_code code) {
    return row(code)->exit_code;
}

const struct err_exit err_exits[] = {
    {0,   "done"                                          },
    {1,   "failed"                                        },
    {2,   "wrong usage"                                   },
    {3,   "not found"                                     },
    {4,   "not allowed"                                   },
    {5,   "conflict with what is there"                   },
    {6,   "the master cannot be reached"                  },
    {7,   "the rollout failed, was rolled back or stopped"},
    {8,   "some of several were done, others failed"      },
    {124, "took too long"                                 },
    {130, "interrupted"                                   },
};
const size_t err_exit_count = sizeof err_exits / sizeof err_exits[0];

int err_report(const char *program, const struct err *e) {
    fprintf(stderr, "%s: %s\n", program, e->text);
    if (e->hint[0] != '\0') fprintf(stderr, "Next: %s\n", e->hint);
    return err_exit_code(e->code);
}

enum err_code err_code_by_name(const char *name) {
    for (size_t i = 0; name != NULL && i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, name) == 0) return (enum err_code)i;
    return ERR_INTERNAL;
}
