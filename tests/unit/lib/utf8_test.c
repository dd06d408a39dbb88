#include "lib/utf8.h"

#include "lib/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The pattern of RFC 3629 section 3 filled in without asking whether it may be. */
static void write_pattern(unsigned code, size_t length, char *out) {
    static const unsigned char lead[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
    for (size_t i = length - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(lead[length] | code);
}

static void every_code_has_exactly_its_shortest_form(void **state) {
    (void)state;
    static const unsigned limits[] = {0, 0x80, 0x800, 0x10000, 0x200000};
    for (size_t length = 2; length <= 4; length++) {
        for (unsigned code = 0; code < limits[length]; code++) {
            bool surrogate = code >= 0xD800 && code <= 0xDFFF;
            bool valid = code >= limits[length - 1] && code <= 0x10FFFF && !surrogate;
            char bytes[4];
            write_pattern(code, length, bytes);
            if (utf8_character(bytes, length) != (valid ? length : 0))
                fail_msg("U+%04X in %zu bytes", code, length);
        }
    }
}

static void single_bytes_are_ascii_or_nothing(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        OWN_MEMORY char *one = malloc(1);
        *one = (char)byte;
        assert_int_equal(utf8_character(one, 1), byte < 0x80 ? 1 : 0);
    }
    assert_int_equal(utf8_character(NULL, 0), 0);
}

static void cut_and_broken_sequences_are_nothing(void **state) {
    (void)state;
    static const char *const whole[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        size_t length = strlen(whole[i]);
        for (size_t cut = 1; cut < length; cut++) {
            OWN_MEMORY char *bytes = malloc(cut);
            memcpy(bytes, whole[i], cut);
            assert_int_equal(utf8_character(bytes, cut), 0);
        }
        for (size_t at = 1; at < length; at++) {
            char broken[5] = {0};
            memcpy(broken, whole[i], length);
            broken[at] = 'x';
            assert_int_equal(utf8_character(broken, length), 0);
        }
        assert_int_equal(utf8_character(whole[i], length + 1), length);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_exactly_its_shortest_form),
        cmocka_unit_test(single_bytes_are_ascii_or_nothing),
        cmocka_unit_test(cut_and_broken_sequences_are_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
