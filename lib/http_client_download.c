#include "lib/http_client_internal.h"
#include "lib/http_range.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct download {
    const struct http_download *wanted;
    bool begun; /* the answer's head has been judged */
    bool keeps; /* its body is the file, not an error's words */
    int64_t received;
};

static bool too_large(struct http_transfer *t, int64_t size_bytes) {
    return err_set(t->e, ERR_UNTRUSTED, "%.120s is larger than the %" PRId64 " bytes expected",
                   t->url, size_bytes);
}

/* "bytes FIRST-LAST/TOTAL" must be the rest of the file that is wanted. */
static bool check_range(struct http_transfer *t, const struct http_download *d) {
    int64_t first = -1;
    int64_t last = -1;
    int64_t total = -1;
    if (!http_content_range_parse(t->content_range, &first, &last, &total) || first != d->offset ||
        last < first)
        return err_set(t->e, ERR_UNREACHABLE, "%.120s answered with another range than asked: %s",
                       t->url, t->content_range);
    if (total > d->size_bytes) return too_large(t, d->size_bytes);
    return true;
}

static bool begin(struct http_transfer *t, struct download *state) {
    const struct http_download *d = state->wanted;
    state->begun = true;
    if (t->answer->status == 206) {
        state->keeps = true;
        return check_range(t, d);
    }
    if (t->answer->status != 200) return true;
    state->keeps = true;
    state->received = 0; /* the whole file, from its beginning */
    t->progress_begin = 0;
    return t->content_length <= d->size_bytes || too_large(t, d->size_bytes);
}

static bool write_at(struct http_transfer *t, struct download *state, const char *bytes,
                     size_t length) {
    while (length > 0) {
        ssize_t written = pwrite(state->wanted->fd, bytes, length, state->received);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            if (state->wanted->unwritable != NULL) *state->wanted->unwritable = true;
            return err_errno(t->e, errno, "write what is downloaded");
        }
        state->received += written;
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

static bool take_piece(struct http_transfer *t, const char *bytes, size_t length) {
    struct download *state = t->take_argument;
    if (!state->begun && !begin(t, state)) return false;
    if (!state->keeps) return http_answer_keep(t, bytes, length, HTTP_CLIENT_PROBLEM_MAX);
    if ((int64_t)length > state->wanted->size_bytes - state->received)
        return too_large(t, state->wanted->size_bytes);
    return write_at(t, state, bytes, length);
}

static void set_range(struct http_transfer *t, const struct http_download *d) {
    char range[32];
    if (d->offset <= 0) return;
    snprintf(range, sizeof range, "%" PRId64 "-", d->offset);
    curl_easy_setopt(t->easy, CURLOPT_RANGE, range);
    if (d->etag == NULL) return;
    OWN_TEXT struct text line = TEXT_EMPTY;
    text_add_format(&line, "If-Range: %s", d->etag);
    http_transfer_header(t, line.data);
}

/* Small reads at small rates: a large one would be followed by a pause that looks like a stall. */
static void set_rate(struct http_transfer *t, int64_t max_rate_bps) {
    long buffer = 256L * 1024;
    if (max_rate_bps > 0) {
        curl_easy_setopt(t->easy, CURLOPT_MAX_RECV_SPEED_LARGE, (curl_off_t)max_rate_bps);
        if (max_rate_bps / 4 < buffer) buffer = (long)(max_rate_bps / 4);
        if (buffer < 1024) buffer = 1024;
    }
    curl_easy_setopt(t->easy, CURLOPT_BUFFERSIZE, buffer);
}

/* libcurl reads ahead what the socket holds and then pauses until the rate is kept again: such a
 * pause is no stall. */
#define READ_AHEAD_BYTES (INT64_C(256) * 1024)

static int64_t patience_ms(const struct http_download *d) {
    int64_t stall_ms = d->stall_timeout_ms > 0 ? d->stall_timeout_ms : HTTP_CLIENT_STALL_MS;
    return d->max_rate_bps > 0 ? stall_ms + READ_AHEAD_BYTES * 1000 / d->max_rate_bps : stall_ms;
}

/* A server that drips must not keep its client waiting for weeks. */
static int64_t least_bps(const struct http_download *d) {
    bool limited = d->max_rate_bps > 0 && d->max_rate_bps / 2 < HTTP_CLIENT_DOWNLOAD_LEAST_BPS;
    return limited ? d->max_rate_bps / 2 : HTTP_CLIENT_DOWNLOAD_LEAST_BPS;
}

static bool check_end(struct http_transfer *t, struct download *state) {
    const struct http_download *d = state->wanted;
    int status = t->answer->status;
    if (!state->begun && !begin(t, state)) return false; /* an answer without a body */
    if (status == 416) { /* what is there is no beginning of what the server has */
        state->received = 0;
        return err_set(t->e, ERR_UNREACHABLE, "%.120s has no byte %" PRId64 ": begin again", t->url,
                       d->offset);
    }
    if (status >= 400) return http_answer_err(t->answer, t->url, t->e);
    if (!state->keeps)
        return err_set(t->e, ERR_UNREACHABLE, "%.120s answered with status %d", t->url, status);
    if (state->received == d->size_bytes) return true;
    return err_set(t->e, ERR_UNREACHABLE, "%.120s ended after %" PRId64 " of %" PRId64 " bytes",
                   t->url, state->received, d->size_bytes);
}

bool http_download(const struct http_download *d, int64_t *received, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct download state = {.wanted = d, .received = d->offset};
    OWN_TRANSFER struct http_transfer t = {.url = d->url,
                                           .trust = d->trust,
                                           .token = d->token,
                                           .timeout_ms = d->timeout_ms,
                                           .stall_timeout_ms = patience_ms(d),
                                           .least_bps = least_bps(d),
                                           .progress = d->progress,
                                           .progress_argument = d->progress_argument,
                                           .progress_begin = d->offset,
                                           .progress_total = d->size_bytes,
                                           .take = take_piece,
                                           .take_argument = &state,
                                           .answer = &answer,
                                           .e = e};
    *received = d->offset;
    if (d->offset > 0 && d->offset == d->size_bytes) return true;
    if (!http_transfer_open(&t)) return false;
    set_range(&t, d);
    set_rate(&t, d->max_rate_bps);
    bool done = http_transfer_run(&t) && check_end(&t, &state);
    *received = state.received;
    return done;
}
