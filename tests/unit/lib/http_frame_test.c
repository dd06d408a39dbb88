#include "lib/http_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void frames_of_clients_are_read(void **state) {
    (void)state;
    /* RFC 6455 section 5.7: a masked "Hello". */
    char bytes[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    struct http_frame frame;
    for (size_t available = 0; available < 6; available++)
        assert_int_equal(http_frame_parse(bytes, available, 1024, &frame), -1);
    assert_int_equal(http_frame_parse(bytes, 6, 1024, &frame), 0);
    assert_true(frame.final);
    assert_int_equal(frame.opcode, HTTP_FRAME_TEXT);
    assert_int_equal(frame.header_length, 6);
    assert_int_equal(frame.length, 5);
    http_frame_unmask(bytes + frame.header_length, frame.length, frame.mask);
    assert_memory_equal(bytes + 6, "Hello", 5);
}

static void long_lengths_are_read(void **state) {
    (void)state;
    struct http_frame frame;
    assert_int_equal(http_frame_parse("\x02\xfe\x01\x00mask", 8, 1024, &frame), 0);
    assert_false(frame.final);
    assert_int_equal(frame.opcode, HTTP_FRAME_BINARY);
    assert_int_equal(frame.length, 256);
    assert_int_equal(frame.header_length, 8);
    assert_memory_equal(frame.mask, "mask", 4);
    const char *wide = "\x81\xff\0\0\0\0\0\x01\0\0mask";
    assert_int_equal(http_frame_parse(wide, 13, 1 << 20, &frame), -1);
    assert_int_equal(http_frame_parse(wide, 14, 1 << 20, &frame), 0);
    assert_int_equal(frame.length, 65536);
    assert_int_equal(frame.header_length, 14);
}

static void frames_against_the_standard_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *what;
        const char *bytes;
        size_t length;
        int code;
    } cases[] = {
        {"unmasked",               "\x81\x05Hello",                             7,  HTTP_CLOSE_PROTOCOL},
        {"reserved bit 1",         "\xc1\x80mask",                              6,  HTTP_CLOSE_PROTOCOL},
        {"reserved bit 3",         "\x91\x80mask",                              6,  HTTP_CLOSE_PROTOCOL},
        {"reserved opcode 3",      "\x83\x80mask",                              6,  HTTP_CLOSE_PROTOCOL},
        {"reserved opcode 11",     "\x8b\x80mask",                              6,  HTTP_CLOSE_PROTOCOL},
        {"split ping",             "\x09\x80mask",                              6,  HTTP_CLOSE_PROTOCOL},
        {"long ping",              "\x89\xfe\x00\x7emask",                      8,  HTTP_CLOSE_PROTOCOL},
        {"125 in two bytes",       "\x81\xfe\x00\x7dmask",                      8,  HTTP_CLOSE_PROTOCOL},
        {"65535 in eight bytes",   "\x81\xff\0\0\0\0\0\0\xff\xffmask",          14, HTTP_CLOSE_PROTOCOL},
        {"one byte too many",      "\x81\xfe\x04\x01mask",                      8,  HTTP_CLOSE_TOO_BIG },
        {"2 GB",                   "\x81\xff\0\0\0\0\x7f\xff\0\0mask",          14, HTTP_CLOSE_TOO_BIG },
        {"all bits of the length", "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xffm", 11,
         HTTP_CLOSE_TOO_BIG                                                                            },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_frame frame;
        int code = http_frame_parse(cases[i].bytes, cases[i].length, 1024, &frame);
        if (code != cases[i].code) fail_msg("%s: %d", cases[i].what, code);
    }
}

static void headers_are_written_in_the_shortest_way(void **state) {
    (void)state;
    unsigned char out[HTTP_FRAME_HEADER_MAX];
    assert_int_equal(http_frame_header(HTTP_FRAME_TEXT, 125, out), 2);
    assert_memory_equal(out, "\x81\x7d", 2);
    assert_int_equal(http_frame_header(HTTP_FRAME_TEXT, 126, out), 4);
    assert_memory_equal(out, "\x81\x7e\x00\x7e", 4);
    assert_int_equal(http_frame_header(HTTP_FRAME_TEXT, 65535, out), 4);
    assert_memory_equal(out, "\x81\x7e\xff\xff", 4);
    assert_int_equal(http_frame_header(HTTP_FRAME_CLOSE, 65536, out), 10);
    assert_memory_equal(out, "\x88\x7f\0\0\0\0\0\x01\0\0", 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_clients_are_read),
        cmocka_unit_test(long_lengths_are_read),
        cmocka_unit_test(frames_against_the_standard_are_refused),
        cmocka_unit_test(headers_are_written_in_the_shortest_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
