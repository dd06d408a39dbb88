/* Inside lib/http_server*: the chunked transfer coding (RFC 9112 section 7.1), strictly: no chunk
 * extensions, no trailer fields, CRLF only, at most 15 hexadecimal digits of size. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum http_chunked_state {
    HTTP_CHUNKED_SIZE,
    HTTP_CHUNKED_SIZE_LF,
    HTTP_CHUNKED_DATA,
    HTTP_CHUNKED_DATA_CR,
    HTTP_CHUNKED_DATA_LF,
    HTTP_CHUNKED_END_CR,
    HTTP_CHUNKED_END_LF,
    HTTP_CHUNKED_ENDED,
    HTTP_CHUNKED_BROKEN,
};

/* Begins as {0}. */
struct http_chunked {
    enum http_chunked_state state;
    int digits;
    int64_t left; /* of the chunk */
};

/* Takes bytes up to and with the next run of data: returns how many it took, the last *data_length
 * of them being data, at most data_max. Call it again until all is taken or state is ENDED or
 * BROKEN. */
size_t http_chunked_take(struct http_chunked *c, const char *bytes, size_t length, size_t data_max,
                         size_t *data_length);
