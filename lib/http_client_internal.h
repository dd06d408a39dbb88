/* Inside lib/http_client*: one exchange with a server, from the request to the last byte. */
#pragma once

#include "lib/http_client.h"

#include <curl/curl.h>

#define HTTP_CLIENT_TIMEOUT_MS 30000
#define HTTP_CLIENT_STALL_MS 15000
#define HTTP_CLIENT_DOWNLOAD_LEAST_BPS 64 /* bytes per second; a day for 5 MB */
#define HTTP_CLIENT_ANSWER_MAX (64 * 1024 * 1024)
#define HTTP_CLIENT_PROBLEM_MAX (64 * 1024) /* of an error's body where no other is kept */

struct http_transfer {
    const char *url;
    struct http_trust trust;
    const char *token;
    int64_t timeout_ms; /* 0: none */
    int64_t stall_timeout_ms;
    int64_t least_bps; /* slower than this for stall_timeout_ms is a stall; 0: any byte will do */
    bool (*progress)(void *argument, int64_t done_bytes, int64_t total_bytes);
    void *progress_argument;
    int64_t progress_begin; /* bytes there before, counted as done */
    int64_t progress_total; /* 0: as the server says */
    bool uploads;           /* what moves is the request's body */

    /* Takes a piece of the body; answer.status and content_range are known. False ends it, *e set.
     */
    bool (*take)(struct http_transfer *t, const char *bytes, size_t length);
    void *take_argument;

    CURL *easy;
    struct curl_slist *headers;
    struct http_answer *answer;
    char content_range[96];
    int64_t content_length; /* announced; -1 when not */
    struct err *e;

    bool failed; /* a callback ended it and *e says why */
    int64_t moved_bytes;
    int64_t marked_bytes; /* moved when as much had moved as must within stall_timeout_ms */
    int64_t marked_at_ms;
    char curl_error[CURL_ERROR_SIZE];
};

/* Prepares t->easy from the fields above it; the caller may set more options. */
MUST_CHECK bool http_transfer_open(struct http_transfer *t);
void http_transfer_header(struct http_transfer *t, const char *line);

/* Runs it to its end within its deadlines. */
MUST_CHECK bool http_transfer_run(struct http_transfer *t);
void http_transfer_close(struct http_transfer *t);
#define OWN_TRANSFER __attribute__((cleanup(http_transfer_close)))

/* http_client_trust.c */
bool http_trusts_anybody(const struct http_trust *trust);
void http_transfer_set_trust(const struct http_transfer *t);
/* Whether code says that the server is not the one to trust; then *e says so. */
bool http_transfer_distrusts(struct http_transfer *t, CURLcode code);

/* The error that an answer of status 400 and above stands for. */
bool http_answer_err(const struct http_answer *a, const char *url, struct err *e);

/* Keeps a piece of a body in memory, up to max bytes. */
MUST_CHECK bool http_answer_keep(struct http_transfer *t, const char *bytes, size_t length,
                                 size_t max);
