#include "lib/http_chunked.h"

#include <assert.h>

/*  SIZE --CR--> SIZE_LF --LF--> DATA --all--> DATA_CR --CR--> DATA_LF --LF--> SIZE
 *                     \--(size 0)--> END_CR --CR--> END_LF --LF--> ENDED            */

static enum http_chunked_state expect(char given, char wanted, enum http_chunked_state next) {
    return given == wanted ? next : HTTP_CHUNKED_BROKEN;
}

static enum http_chunked_state take_size(struct http_chunked *c, char given) {
    if (given == '\r') return c->digits > 0 ? HTTP_CHUNKED_SIZE_LF : HTTP_CHUNKED_BROKEN;
    int value = -1;
    if (given >= '0' && given <= '9') value = given - '0';
    if (given >= 'a' && given <= 'f') value = given - 'a' + 10;
    if (given >= 'A' && given <= 'F') value = given - 'A' + 10;
    if (value < 0 || ++c->digits > 15) return HTTP_CHUNKED_BROKEN;
    c->left = c->left * 16 + value;
    return HTTP_CHUNKED_SIZE;
}

static enum http_chunked_state take_framing(struct http_chunked *c, char given) {
    switch (c->state) {
    case HTTP_CHUNKED_SIZE:
        return take_size(c, given);
    case HTTP_CHUNKED_SIZE_LF:
        c->digits = 0;
        return expect(given, '\n', c->left > 0 ? HTTP_CHUNKED_DATA : HTTP_CHUNKED_END_CR);
    case HTTP_CHUNKED_DATA_CR:
        return expect(given, '\r', HTTP_CHUNKED_DATA_LF);
    case HTTP_CHUNKED_DATA_LF:
        return expect(given, '\n', HTTP_CHUNKED_SIZE);
    case HTTP_CHUNKED_END_CR:
        return expect(given, '\r', HTTP_CHUNKED_END_LF);
    case HTTP_CHUNKED_END_LF:
        return expect(given, '\n', HTTP_CHUNKED_ENDED);
    default:
        return HTTP_CHUNKED_BROKEN;
    }
}

static size_t smallest(size_t a, size_t b) {
    return a < b ? a : b;
}

size_t http_chunked_take(struct http_chunked *c, const char *bytes, size_t length, size_t data_max,
                         size_t *data_length) {
    size_t taken = 0;
    *data_length = 0;
    while (taken < length && c->state != HTTP_CHUNKED_ENDED && c->state != HTTP_CHUNKED_BROKEN) {
        if (c->state != HTTP_CHUNKED_DATA) {
            c->state = take_framing(c, bytes[taken++]);
            continue;
        }
        *data_length = smallest(smallest(length - taken, data_max), (size_t)c->left);
        assert(c->left > 0); /* a chunk without data has no DATA */
        c->left -= (int64_t)*data_length;
        if (c->left == 0) c->state = HTTP_CHUNKED_DATA_CR;
        return taken + *data_length;
    }
    return taken;
}
