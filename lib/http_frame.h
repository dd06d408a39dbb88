/* Inside lib/http_server*: WebSocket frames (RFC 6455 section 5.2), strictly. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum http_frame_opcode {
    HTTP_FRAME_CONTINUATION = 0x0,
    HTTP_FRAME_TEXT = 0x1,
    HTTP_FRAME_BINARY = 0x2,
    HTTP_FRAME_CLOSE = 0x8,
    HTTP_FRAME_PING = 0x9,
    HTTP_FRAME_PONG = 0xa,
};

/* Codes of RFC 6455 section 7.4.1. */
enum http_frame_close {
    HTTP_CLOSE_NORMAL = 1000,
    HTTP_CLOSE_GOING_AWAY = 1001,
    HTTP_CLOSE_PROTOCOL = 1002,
    HTTP_CLOSE_UNSUPPORTED = 1003,
    HTTP_CLOSE_NOT_UTF8 = 1007,
    HTTP_CLOSE_POLICY = 1008,
    HTTP_CLOSE_TOO_BIG = 1009,
};

struct http_frame {
    bool final;
    enum http_frame_opcode opcode;
    size_t header_length;
    size_t length; /* of the payload */
    unsigned char mask[4];
};

/* Reads the header of a client's frame. 0: *out is valid, -1: more bytes are needed, else the code
 * to close with: unmasked, reserved bits or opcodes, long or split control frames, lengths not
 * written in the shortest way, more than max_length. */
int http_frame_parse(const char *bytes, size_t available, size_t max_length,
                     struct http_frame *out);

void http_frame_unmask(char *payload, size_t length, const unsigned char mask[4]);

#define HTTP_FRAME_HEADER_MAX 10
/* The header of a server's whole, unmasked frame; returns its length. */
size_t http_frame_header(enum http_frame_opcode opcode, size_t length,
                         unsigned char out[HTTP_FRAME_HEADER_MAX]);
