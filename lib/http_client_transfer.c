#include "lib/clock.h"
#include "lib/http_client_internal.h"
#include "lib/text.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

/* Progress is asked for at least so often, so that whoever wants to cancel need not wait long. */
#define LOOK_MS 200

void http_client_setup(void) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) abort();
}

void http_answer_fini(struct http_answer *a) {
    text_fini(&a->body);
}

static void copy_value(char *out, size_t size, const char *value) {
    if (!text_copy(out, size, value)) out[0] = '\0'; /* not one that we could use */
}

static int64_t parse_number(const char *value) {
    char *end = NULL;
    if (value[0] < '0' || value[0] > '9') return -1;
    long long number = strtoll(value, &end, 10);
    return *end == '\0' ? number : -1;
}

static void take_header(struct http_transfer *t, const char *name, const char *value) {
    struct http_answer *a = t->answer;
    if (strcasecmp(name, "ETag") == 0)
        copy_value(a->etag, sizeof a->etag, value);
    else if (strcasecmp(name, "Content-Type") == 0)
        copy_value(a->content_type, sizeof a->content_type, value);
    else if (strcasecmp(name, "Location") == 0)
        copy_value(a->location, sizeof a->location, value);
    else if (strcasecmp(name, "Content-Range") == 0)
        copy_value(t->content_range, sizeof t->content_range, value);
    else if (strcasecmp(name, "Content-Length") == 0)
        t->content_length = parse_number(value);
    else if (strcasecmp(name, "Upload-Offset") == 0)
        a->upload_offset = parse_number(value);
    else if (strcasecmp(name, "Retry-After") == 0)
        a->retry_after_s = parse_number(value);
    else if (strcasecmp(name, "X-Total-Count") == 0)
        a->total_count = parse_number(value);
}

static void forget_headers(struct http_transfer *t) {
    struct text body = t->answer->body;
    *t->answer = (struct http_answer){
        .body = body, .upload_offset = -1, .retry_after_s = -1, .total_count = -1};
    t->content_range[0] = '\0';
    t->content_length = -1;
}

static size_t on_header(char *bytes, size_t one, size_t length, void *argument) {
    struct http_transfer *t = argument;
    char line[1024];
    size_t kept = one * length;
    if (kept >= sizeof line) return one * length; /* none that we read is that long */
    memcpy(line, bytes, kept);
    while (kept > 0 && strchr("\r\n \t", line[kept - 1]) != NULL) kept--;
    line[kept] = '\0';
    if (strncmp(line, "HTTP/", 5) == 0) {
        forget_headers(t);
        return one * length;
    }
    char *value = strchr(line, ':');
    if (value == NULL) return one * length;
    *value++ = '\0';
    take_header(t, line, value + strspn(value, " \t"));
    return one * length;
}

static size_t on_body(char *bytes, size_t one, size_t length, void *argument) {
    struct http_transfer *t = argument;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->answer->status = (int)status;
    if (t->take(t, bytes, one * length)) return one * length;
    t->failed = true;
    return CURL_WRITEFUNC_ERROR;
}

static int64_t least_bytes(const struct http_transfer *t) {
    int64_t bytes = t->least_bps * t->stall_timeout_ms / 1000;
    return bytes > 0 ? bytes : 1;
}

static void note_moved(struct http_transfer *t, int64_t bytes) {
    t->moved_bytes = bytes;
    if (bytes - t->marked_bytes < least_bytes(t)) return;
    t->marked_bytes = bytes;
    t->marked_at_ms = clock_monotonic_ms();
}

static int on_progress(void *argument, curl_off_t download_total, curl_off_t downloaded,
                       curl_off_t upload_total, curl_off_t uploaded) {
    struct http_transfer *t = argument;
    note_moved(t, downloaded + uploaded);
    if (t->progress == NULL) return 0;
    int64_t done = t->progress_begin + (t->uploads ? uploaded : downloaded);
    int64_t total =
        t->progress_total > 0 ? t->progress_total : (t->uploads ? upload_total : download_total);
    if (t->progress(t->progress_argument, done, total)) return 0;
    err_set(t->e, ERR_UNAVAILABLE, "cancelled");
    t->failed = true;
    return 1;
}

void http_transfer_header(struct http_transfer *t, const char *line) {
    struct curl_slist *more = curl_slist_append(t->headers, line);
    if (more == NULL) abort();
    t->headers = more;
}

static void add_token(struct http_transfer *t) {
    OWN_TEXT struct text line = TEXT_SECRET;
    if (t->token == NULL || http_trusts_anybody(&t->trust)) return;
    text_add_format(&line, "Authorization: Bearer %s", t->token);
    http_transfer_header(t, line.data);
}

bool http_transfer_open(struct http_transfer *t) {
    t->easy = curl_easy_init();
    if (t->easy == NULL) return err_set(t->e, ERR_INTERNAL, "libcurl gives no handle");
    forget_headers(t);
    add_token(t);
    CURL *easy = t->easy;
    curl_easy_setopt(easy, CURLOPT_URL, t->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); /* a redirect would take the token along */
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* what runs must not depend on the environment */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->curl_error);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    http_transfer_set_trust(t);
    return true;
}

void http_transfer_close(struct http_transfer *t) {
    curl_easy_cleanup(t->easy);
    for (struct curl_slist *line = t->headers; line != NULL; line = line->next)
        explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(t->headers);
}

static bool explain(struct http_transfer *t, CURLcode code) {
    const char *words = t->curl_error[0] != '\0' ? t->curl_error : curl_easy_strerror(code);
    if (t->failed) return false; /* the callback has said why */
    if (http_transfer_distrusts(t, code)) return false;
    switch (code) {
    case CURLE_OK:
        return true;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return err_set(t->e, ERR_INVALID, "%.120s: %s", t->url, words);
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(t->e, ERR_TIMEOUT, "%.120s: %s", t->url, words);
    default:
        return err_set(t->e, ERR_UNREACHABLE, "%.120s: %s", t->url, words);
    }
}

/* How long may be waited for something to happen; 0 with *e set when a deadline has passed. */
static int time_left(struct http_transfer *t, int64_t started_ms) {
    int64_t now = clock_monotonic_ms();
    int64_t stall_left = t->stall_timeout_ms - (now - t->marked_at_ms);
    int64_t left = stall_left;
    if (t->timeout_ms > 0 && t->timeout_ms - (now - started_ms) < left)
        left = t->timeout_ms - (now - started_ms);
    if (left > 0) return left < LOOK_MS ? (int)left : LOOK_MS;
    if (stall_left <= 0 && t->moved_bytes > t->marked_bytes)
        err_set(t->e, ERR_TIMEOUT,
                "%.120s: no more than %" PRId64 " bytes moved within %" PRId64 " ms", t->url,
                t->moved_bytes - t->marked_bytes, t->stall_timeout_ms);
    else if (stall_left <= 0)
        err_set(t->e, ERR_TIMEOUT,
                "%.120s: no byte moved for %" PRId64 " ms, %" PRId64 " did before", t->url,
                t->stall_timeout_ms, t->moved_bytes);
    else
        err_set(t->e, ERR_TIMEOUT,
                "%.120s: not done within %" PRId64 " ms, %" PRId64 " bytes moved", t->url,
                t->timeout_ms, t->moved_bytes);
    return 0;
}

static bool finished(CURLM *multi, CURLcode *code) {
    int left = 0;
    const CURLMsg *message = curl_multi_info_read(multi, &left);
    if (message == NULL || message->msg != CURLMSG_DONE) return false;
    *code = message->data.result;
    return true;
}

static bool run(struct http_transfer *t, CURLM *multi) {
    int64_t started_ms = clock_monotonic_ms();
    t->marked_at_ms = started_ms;
    for (;;) {
        int running = 0;
        CURLcode code = CURLE_OK;
        CURLMcode trouble = curl_multi_perform(multi, &running);
        if (trouble == CURLM_OK && finished(multi, &code)) return explain(t, code);
        int wait_ms = time_left(t, started_ms);
        if (wait_ms == 0) return false;
        if (trouble == CURLM_OK) trouble = curl_multi_poll(multi, NULL, 0, wait_ms, NULL);
        if (trouble != CURLM_OK)
            return err_set(t->e, ERR_INTERNAL, "%.120s: %s", t->url, curl_multi_strerror(trouble));
    }
}

bool http_transfer_run(struct http_transfer *t) {
    CURLM *multi = curl_multi_init();
    if (multi == NULL) return err_set(t->e, ERR_INTERNAL, "libcurl gives no handle");
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)t->stall_timeout_ms);
    curl_multi_add_handle(multi, t->easy);
    bool done = run(t, multi);
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->answer->status = (int)status;
    curl_multi_remove_handle(multi, t->easy);
    curl_multi_cleanup(multi);
    return done;
}
