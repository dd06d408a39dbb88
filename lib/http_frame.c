#include "lib/http_frame.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define CONTROL_MAX 125

static bool is_control(unsigned opcode) {
    return (opcode & 0x8U) != 0;
}

static bool is_known(unsigned opcode) {
    return opcode <= HTTP_FRAME_BINARY || (opcode >= HTTP_FRAME_CLOSE && opcode <= HTTP_FRAME_PONG);
}

/* The payload's length, written in the 7 bits of the second byte or in width bytes behind it. */
static uint64_t read_length(const unsigned char *bytes, size_t width) {
    if (width == 0) return bytes[1] & 0x7fU;
    uint64_t length = 0;
    for (size_t i = 0; i < width; i++) length = length << 8 | bytes[2 + i];
    return length;
}

static size_t length_width(unsigned short_length) {
    if (short_length < 126) return 0;
    return short_length == 126 ? 2 : 8;
}

static bool is_shortest(uint64_t length, size_t width) {
    return width == 0 || (width == 2 && length > CONTROL_MAX) || (width == 8 && length > 0xffff);
}

int http_frame_parse(const char *bytes, size_t available, size_t max_length,
                     struct http_frame *out) {
    const unsigned char *at = (const unsigned char *)bytes;
    if (available < 2) return -1;
    unsigned opcode = at[0] & 0x0fU;
    bool final = (at[0] & 0x80U) != 0;
    bool masked = (at[1] & 0x80U) != 0;
    size_t width = length_width(at[1] & 0x7fU);
    if ((at[0] & 0x70U) != 0 || !is_known(opcode) || !masked) return HTTP_CLOSE_PROTOCOL;
    if (is_control(opcode) && (!final || width > 0)) return HTTP_CLOSE_PROTOCOL;
    if (available < 2 + width) return -1;
    uint64_t length = read_length(at, width);
    if (!is_shortest(length, width)) return HTTP_CLOSE_PROTOCOL;
    if (length > max_length) return HTTP_CLOSE_TOO_BIG;
    if (available < 2 + width + sizeof out->mask) return -1;
    *out = (struct http_frame){.final = final,
                               .opcode = (enum http_frame_opcode)opcode,
                               .header_length = 2 + width + sizeof out->mask,
                               .length = (size_t)length};
    memcpy(out->mask, at + 2 + width, sizeof out->mask);
    return 0;
}

void http_frame_unmask(char *payload, size_t length, const unsigned char mask[4]) {
    for (size_t i = 0; i < length; i++)
        payload[i] = (char)((unsigned char)payload[i] ^ mask[i % 4]);
}

size_t http_frame_header(enum http_frame_opcode opcode, size_t length,
                         unsigned char out[HTTP_FRAME_HEADER_MAX]) {
    size_t width = length <= CONTROL_MAX ? 0 : (length <= 0xffff ? 2 : 8);
    out[0] = (unsigned char)(0x80U | (unsigned)opcode);
    out[1] = (unsigned char)(width == 0 ? length : (width == 2 ? 126 : 127));
    for (size_t i = 0; i < width; i++) out[2 + i] = (unsigned char)(length >> 8 * (width - 1 - i));
    assert(2 + width <= HTTP_FRAME_HEADER_MAX);
    return 2 + width;
}
