/* The chunked coding and WebSocket frames: what arrives in pieces means what it means whole. The
 * first byte chooses. */
#include "lib/http_chunked.h"
#include "lib/http_frame.h"
#include "tests/fuzz/fuzz.h"

static bool is_over(const struct http_chunked *c) {
    return c->state == HTTP_CHUNKED_ENDED || c->state == HTTP_CHUNKED_BROKEN;
}

/* Decodes, offering at most step bytes at once; returns how many it took. */
static size_t decode(const char *bytes, size_t size, size_t step, size_t data_max,
                     struct http_chunked *c, struct text *out) {
    size_t at = 0;
    *c = (struct http_chunked){0};
    while (at < size && !is_over(c)) {
        size_t offered = size - at < step ? size - at : step;
        size_t data_length = 0;
        size_t taken = http_chunked_take(c, bytes + at, offered, data_max, &data_length);
        assert(taken <= offered && data_length <= taken && data_length <= data_max);
        assert(taken > 0 || is_over(c));
        text_add_bytes(out, bytes + at + taken - data_length, data_length);
        at += taken;
    }
    return at;
}

static void check_chunked(const uint8_t *data, size_t size) {
    struct http_chunked whole, pieces;
    OWN_TEXT struct text whole_data = TEXT_EMPTY;
    OWN_TEXT struct text pieces_data = TEXT_EMPTY;
    size_t step = fuzz_byte(&data, &size) % 7 + 1;
    size_t data_max = fuzz_byte(&data, &size) % 31 + 1;
    const char *bytes = (const char *)data;
    size_t taken = decode(bytes, size, size + 1, size + 1, &whole, &whole_data);
    size_t taken_in_pieces = decode(bytes, size, step, data_max, &pieces, &pieces_data);
    assert(whole.state == pieces.state);
    if (whole.state != HTTP_CHUNKED_BROKEN) assert(taken == taken_in_pieces);
    assert(whole_data.length == pieces_data.length && whole_data.length <= size);
    assert(strcmp(text_value(&whole_data), text_value(&pieces_data)) == 0);
}

/* A header that is cut wants more, or is refused already; whole, it means the same every time. */
static void check_frame(const uint8_t *data, size_t size) {
    struct http_frame frame, cut;
    const char *bytes = (const char *)data;
    int whole = http_frame_parse(bytes, size, 65536, &frame);
    for (size_t length = 0; length < size && length < 16; length++) {
        int early = http_frame_parse(bytes, length, 65536, &cut);
        if (early != -1) assert(early == whole);
    }
    if (whole != 0) return;
    assert(frame.length <= 65536 && frame.header_length <= size && frame.header_length <= 14);
    bool control = frame.opcode >= HTTP_FRAME_CLOSE;
    if (control) assert(frame.final && frame.length <= 125);
    unsigned char own[HTTP_FRAME_HEADER_MAX];
    assert(http_frame_header(frame.opcode, frame.length, own) + 4 == frame.header_length);
    OWN_MEMORY char *payload = fuzz_string(data, size);
    http_frame_unmask(payload, size, frame.mask);
    http_frame_unmask(payload, size, frame.mask);
    assert(memcmp(payload, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (fuzz_byte(&data, &size) % 2 == 0)
        check_chunked(data, size);
    else
        check_frame(data, size);
    return 0;
}
