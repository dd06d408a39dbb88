#include "lib/http_client.h"

#include "lib/file.h"

#include "lib/http_client_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

bool http_answer_keep(struct http_transfer *t, const char *bytes, size_t length, size_t max) {
    struct text *body = &t->answer->body;
    if (length > max - body->length)
        return err_set(t->e, ERR_TOO_LARGE, "%.120s: the answer is larger than %zu bytes", t->url,
                       max);
    text_add_bytes(body, bytes, length);
    return true;
}

static bool take_answer(struct http_transfer *t, const char *bytes, size_t length) {
    const struct http_call *call = t->take_argument;
    struct http_answer *a = t->answer;
    if (call->answer_fd > 0 && a->status >= 200 && a->status < 300) {
        if (!file_write_all(call->answer_fd, bytes, length))
            return err_errno(t->e, errno, "write the answer");
        a->file_bytes += (int64_t)length;
        return true;
    }
    size_t max = call->answer_max_bytes > 0 ? call->answer_max_bytes : HTTP_CLIENT_ANSWER_MAX;
    return http_answer_keep(t, bytes, length, max);
}

struct upload {
    struct http_transfer *transfer;
    int fd;
    off_t begin;
    int64_t left;
};

static size_t on_read(char *out, size_t one, size_t size, void *argument) {
    struct upload *u = argument;
    size_t wanted = one * size;
    if (u->left == 0) return 0;
    if ((uint64_t)u->left < wanted) wanted = (size_t)u->left;
    ssize_t got = 0;
    do got = read(u->fd, out, wanted);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        u->left -= got;
        return (size_t)got;
    }
    if (got < 0)
        err_errno(u->transfer->e, errno, "read what is to be sent");
    else
        err_set(u->transfer->e, ERR_IO, "what is to be sent ended %" PRId64 " bytes too early",
                u->left);
    u->transfer->failed = true;
    return CURL_READFUNC_ABORT;
}

/* libcurl begins again, after a kept connection turned out to be closed for instance. */
static int on_seek(void *argument, curl_off_t offset, int origin) {
    struct upload *u = argument;
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    off_t now = lseek(u->fd, 0, SEEK_CUR);
    if (now < 0 || lseek(u->fd, u->begin + offset, SEEK_SET) < 0) return CURL_SEEKFUNC_CANTSEEK;
    u->left += now - (u->begin + offset);
    return CURL_SEEKFUNC_OK;
}

static bool takes_body(const char *method) {
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

static void set_body(struct http_transfer *t, const struct http_call *call, struct upload *u) {
    const char *method = call->method != NULL ? call->method : "GET";
    CURL *easy = t->easy;
    if (call->body_fd_length > 0) {
        *u = (struct upload){t, call->body_fd, lseek(call->body_fd, 0, SEEK_CUR),
                             call->body_fd_length};
        t->uploads = true;
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(easy, CURLOPT_READDATA, u);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, u);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->body_fd_length);
    } else if (call->body_length > 0 || takes_body(method)) {
        t->uploads = call->body_length > 0;
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_length);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body_length > 0 ? call->body : "");
    } else if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_headers(struct http_transfer *t, const struct http_call *call) {
    OWN_TEXT struct text type = TEXT_EMPTY;
    if (call->content_type != NULL)
        text_add_format(&type, "Content-Type: %s", call->content_type);
    else
        text_add(&type, "Content-Type:"); /* none: libcurl would name a form */
    http_transfer_header(t, type.data);
    for (const char *const *line = call->headers; line != NULL && *line != NULL; line++)
        http_transfer_header(t, *line);
}

bool http_call(const struct http_call *call, struct http_answer *out, struct err *e) {
    bool large = call->body_fd_length > 0 || call->answer_fd > 0;
    int64_t usual_ms = large ? 0 : HTTP_CLIENT_TIMEOUT_MS;
    OWN_TRANSFER struct http_transfer t = {
        .url = call->url,
        .trust = call->trust,
        .token = call->token,
        .timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : usual_ms,
        .stall_timeout_ms =
            call->stall_timeout_ms > 0 ? call->stall_timeout_ms : HTTP_CLIENT_STALL_MS,
        .progress = call->progress,
        .progress_argument = call->progress_argument,
        .take = take_answer,
        .take_argument = (void *)(uintptr_t)call,
        .answer = out,
        .e = e};
    struct upload u = {0};
    *out = (struct http_answer){0};
    if (!http_transfer_open(&t)) return false;
    set_headers(&t, call);
    set_body(&t, call, &u);
    if (http_transfer_run(&t)) return true;
    http_answer_fini(out);
    return false;
}

bool http_call_ok(const struct http_call *call, struct http_answer *out, struct err *e) {
    if (!http_call(call, out, e)) return false;
    if (out->status < 400) return true;
    http_answer_err(out, call->url, e);
    return false;
}
