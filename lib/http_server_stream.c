#include "lib/http_server_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool http_stream_begin(struct http_request *r, int status, const char *content_type,
                       int64_t length) {
    bool old = strcmp(r->info->http_version, "1.0") == 0;
    r->stream = length >= 0 ? HTTP_STREAM_LENGTH : (old ? HTTP_STREAM_RAW : HTTP_STREAM_CHUNKED);
    r->stream_left = length;
    if (r->stream == HTTP_STREAM_RAW) r->close = true; /* only the end of it all can end the body */
    OWN_TEXT struct text head = TEXT_EMPTY;
    http_reply_head(r, status, &head);
    if (content_type != NULL) text_add_format(&head, "Content-Type: %s\r\n", content_type);
    if (length >= 0) text_add_format(&head, "Content-Length: %" PRId64 "\r\n", length);
    if (r->stream == HTTP_STREAM_CHUNKED) text_add(&head, "Transfer-Encoding: chunked\r\n");
    text_add(&head, "\r\n");
    struct iovec part = {head.data, head.length};
    return http_send(r, &part, 1, false);
}

bool http_stream_write(struct http_request *r, const void *bytes, size_t length) {
    assert(r->stream != HTTP_STREAM_NONE);
    if (length == 0 || http_is_head(r)) return !r->gone;
    char size[24];
    struct iovec parts[3] = {
        {size,                     0     },
        {(void *)(uintptr_t)bytes, length},
        {(char[]){"\r\n"},         0     },
    };
    if (r->stream == HTTP_STREAM_CHUNKED) {
        parts[0].iov_len = (size_t)snprintf(size, sizeof size, "%zx\r\n", length);
        parts[2].iov_len = 2;
    } else if (r->stream == HTTP_STREAM_LENGTH) {
        r->stream_left -= (int64_t)length;
        assert(r->stream_left >= 0);
    }
    return http_send(r, parts, 3, false);
}

void http_stream_end(struct http_request *r) {
    assert(r->stream != HTTP_STREAM_NONE);
    bool complete = r->stream != HTTP_STREAM_LENGTH || r->stream_left == 0 || http_is_head(r);
    if (r->stream == HTTP_STREAM_CHUNKED && !http_is_head(r)) {
        static char last[] = "0\r\n\r\n";
        struct iovec part = {last, sizeof last - 1};
        complete = http_send(r, &part, 1, false);
    }
    if (!complete) r->keep = false;
    r->stream = HTTP_STREAM_NONE;
}
