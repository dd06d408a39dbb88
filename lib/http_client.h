/* HTTP client over libcurl: total deadlines, stall detection, resume, no redirects to other
 * schemes. Any thread; every call blocks. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

#include <stddef.h>
#include <stdint.h>

/* Whom to take for the server of an https URL; nothing set: a certificate that the system's CAs
 * vouch for, of the URL's name. Whoever else answers is ERR_UNREACHABLE: who is meant was not
 * reached. */
struct http_trust {
    const char *pin; /* "sha256//BASE64", several joined by ';': the server's key is one of these,
                        whatever its certificate says */
    const char *ca_pem; /* else its certificate is signed by this CA, for the URL's name (over
                           mbedTLS a host name, as it knows no certificates of addresses) */
    bool anybody;       /* else whoever answers: for what is proven by other means. No token is sent
                           to them */
    const char *certificate; /* PEM file of our own certificate and its key, shown to servers that
                                ask for one; NULL for none */
};

struct http_call {
    const char *method; /* "GET" when NULL */
    const char *url;
    struct http_trust trust;
    const char *token;          /* sent as Authorization: Bearer; NULL for none */
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    const char *content_type;   /* of the body */
    const void *body;           /* in memory ... */
    size_t body_length;
    int body_fd; /* ... or from this descriptor's position when body_fd_length > 0 */
    int64_t body_fd_length;
    int64_t timeout_ms; /* total; 0: 30 s for small answers, unlimited for file bodies and downloads
                           (answer_fd too) */
    int64_t stall_timeout_ms; /* no byte for this long ends it; 0: 15 s */
    size_t answer_max_bytes;  /* 0: 64 MiB */
    int answer_fd; /* > 0: the body of a 2xx answer goes to this descriptor's position, not to
                    * memory, without a cap; http_answer.file_bytes says how long it was. Other
                    * statuses keep theirs in memory. */
    /* Called as bytes move; returning false cancels (ERR_UNAVAILABLE "cancelled"). total is 0 when
     * unknown. May be NULL. */
    bool (*progress)(void *argument, int64_t done_bytes, int64_t total_bytes);
    void *progress_argument;
};

struct http_answer {
    int status;
    struct text body;
    char etag[128];
    char content_type[128];
    int64_t upload_offset; /* Upload-Offset header; -1 when absent */
    int64_t retry_after_s; /* -1 when absent */
    int64_t total_count;   /* X-Total-Count; -1 when absent */
    int64_t file_bytes;    /* written to answer_fd */
    char location[512];
};
void http_answer_fini(struct http_answer *a);
#define OWN_HTTP_ANSWER __attribute__((cleanup(http_answer_fini)))

/* Once per program, before threads. */
void http_client_setup(void);

/* Any HTTP status is an answer, not an error. ERR_UNREACHABLE (refused, no such host, reset),
 * ERR_TIMEOUT (total or stall). */
MUST_CHECK bool http_call(const struct http_call *call, struct http_answer *out, struct err *e);

/* As http_call, and a status of 400 and above becomes *e: code, detail and hint of its problem+json
 * when it has one. */
MUST_CHECK bool http_call_ok(const struct http_call *call, struct http_answer *out, struct err *e);

struct http_download {
    const char *url;
    struct http_trust trust;
    const char *token;
    int fd;             /* written by pwrite from offset on */
    int64_t offset;     /* bytes already there; > 0 asks for a Range with If-Range: etag */
    const char *etag;   /* quoted strong ETag of what is already there; NULL: none */
    int64_t size_bytes; /* exact expected size: more is ERR_UNTRUSTED, a shorter body
                           ERR_UNREACHABLE (resume it) */
    int64_t timeout_ms;
    int64_t stall_timeout_ms; /* less than 64 bytes per second for this long ends it; 0: 15 s */
    int64_t max_rate_bps;     /* bytes per second; 0 = unlimited */
    bool (*progress)(void *argument, int64_t done_bytes, int64_t total_bytes);
    void *progress_argument;
    bool *unwritable; /* set when it ends because fd cannot be written; may be NULL */
};

/* Downloads into fd. *received is how many bytes from offset 0 are there when it returns, whether
 * true or false: when the server did not honour the range, writing began again at 0. */
MUST_CHECK bool http_download(const struct http_download *d, int64_t *received, struct err *e);
