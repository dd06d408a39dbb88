#include "lib/encode.h"

#include "lib/text.h"
#include "tests/unit/lib/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4648 section 10. */
static const struct {
    const char *plain;
    const char *base64;
    const char *base64url;
} vectors[] = {
    {"",             "",         ""        },
    {"f",            "Zg==",     "Zg"      },
    {"fo",           "Zm8=",     "Zm8"     },
    {"foo",          "Zm9v",     "Zm9v"    },
    {"foob",         "Zm9vYg==", "Zm9vYg"  },
    {"fooba",        "Zm9vYmE=", "Zm9vYmE" },
    {"foobar",       "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+",     "-__-"    },
};

static void base64_agrees_with_the_standard(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        size_t length = strlen(vectors[i].plain);
        char out[ENCODE_BASE64_SIZE(8)];
        assert_string_equal(encode_base64(vectors[i].plain, length, out), vectors[i].base64);
        assert_string_equal(encode_base64url(vectors[i].plain, length, out), vectors[i].base64url);
        char plain[8];
        size_t decoded = 99;
        assert_true(decode_base64(vectors[i].base64, plain, sizeof plain, &decoded));
        assert_int_equal(decoded, length);
        assert_memory_equal(plain, vectors[i].plain, length);
        assert_true(decode_base64url(vectors[i].base64url, plain, sizeof plain, &decoded));
        assert_int_equal(decoded, length);
        assert_memory_equal(plain, vectors[i].plain, length);
    }
}

static void base64_is_strict(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "Z",      "Zg",   "Zg=",  "Zg===", "Zh==", "Zm9=",  "Zm9v ",    " Zm9v",  "Zm\n9v",
        "Zm9v==", "Zm-v", "Zm_v", "====",  "=Zm9", "Zm9v=", "Zg==Zg==", "Zm9\xc3"};
    char out[16];
    size_t length;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (decode_base64(wrong[i], out, sizeof out, &length)) fail_msg("taken: %s", wrong[i]);
    static const char *const wrong_url[] = {"Z", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm9v\n"};
    for (size_t i = 0; i < sizeof wrong_url / sizeof wrong_url[0]; i++)
        if (decode_base64url(wrong_url[i], out, sizeof out, &length))
            fail_msg("taken: %s", wrong_url[i]);
}

static void part_of_base64_ends_where_it_is_told(void **state) {
    (void)state;
    char out[8];
    size_t length;
    assert_true(decode_base64_part("Zm9v!!!!", 4, out, sizeof out, &length));
    assert_int_equal(length, 3);
    assert_memory_equal(out, "foo", 3);
    assert_false(decode_base64_part("Zm9v!!!!", 5, out, sizeof out, &length));
}

/* Of all 256 bytes exactly the alphabet is taken, at each of the four places of a group. */
static void base64_takes_its_alphabet_alone(void **state) {
    (void)state;
    static const char common[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (int byte = 1; byte < 256; byte++)
        for (int place = 0; place < 4; place++) {
            char text[] = "AAAAAAAA";
            text[place] = (char)byte;
            char out[8];
            size_t length;
            bool both = strchr(common, byte) != NULL;
            assert_int_equal(decode_base64(text, out, sizeof out, &length),
                             both || byte == '+' || byte == '/');
            assert_int_equal(decode_base64url(text, out, sizeof out, &length),
                             both || byte == '-' || byte == '_');
        }
}

static void base64_never_writes_beyond_its_target(void **state) {
    (void)state;
    char out[4] = "...";
    size_t length;
    assert_true(decode_base64("Zm8=", out, 2, &length));
    assert_int_equal(length, 2);
    assert_int_equal(out[2], '.');
    assert_false(decode_base64("Zm9v", out, 2, &length));
    assert_int_equal(out[2], '.');
    assert_true(decode_base64("", out, 0, &length));
    assert_false(decode_base64("Zg==", out, 0, &length));
}

static void any_bytes_survive_every_encoding(void **state) {
    (void)state;
    for (size_t length = 0; length < 200; length++) {
        unsigned char bytes[200];
        unsigned char back[200];
        char text[401];
        size_t decoded;
        for (size_t i = 0; i < length; i++) bytes[i] = (unsigned char)random_below(256);
        assert_true(decode_hex(encode_hex(bytes, length, text), back, length));
        assert_memory_equal(bytes, back, length);
        encode_base64(bytes, length, text);
        assert_int_equal(strlen(text) + 1, ENCODE_BASE64_SIZE(length));
        assert_true(decode_base64(text, back, length, &decoded));
        assert_int_equal(decoded, length);
        assert_memory_equal(bytes, back, length);
        assert_true(
            decode_base64url(encode_base64url(bytes, length, text), back, length, &decoded));
        assert_int_equal(decoded, length);
        assert_memory_equal(bytes, back, length);
    }
}

static void hex_is_lower_case_out_and_either_in(void **state) {
    (void)state;
    unsigned char bytes[3];
    char out[7];
    assert_string_equal(encode_hex("\x00\xab\xff", 3, out), "00abff");
    assert_string_equal(encode_hex("", 0, out), "");
    assert_true(decode_hex("00aBFf", bytes, 3));
    assert_memory_equal(bytes, "\x00\xab\xff", 3);
    assert_true(decode_hex("", bytes, 0));
}

static void hex_of_another_length_or_alphabet_is_refused(void **state) {
    (void)state;
    unsigned char bytes[3];
    static const char *const wrong[] = {"",       "00aabb0", "00aab",  "00aabbcc", "00aagg",
                                        " 0aabb", "00aab ",  "0x00aa", "00 abb",   "00:abb"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (decode_hex(wrong[i], bytes, 3)) fail_msg("taken: %s", wrong[i]);
}

static void url_keeps_only_the_unreserved(void **state) {
    (void)state;
    OWN_TEXT struct text out = TEXT_EMPTY;
    text_add(&out, "?q=");
    encode_url(&out, "AZaz09-._~ /+%&=\xc3\xa9\x01");
    assert_string_equal(out.data, "?q=AZaz09-._~%20%2F%2B%25%26%3D%C3%A9%01");
}

static void url_is_decoded_in_place(void **state) {
    (void)state;
    char value[] = "a%20b%2fc+%7E%C3%a9";
    assert_true(decode_url(value));
    assert_string_equal(value, "a b/c+~\xc3\xa9");
    char twice[] = "%2525";
    assert_true(decode_url(twice));
    assert_string_equal(twice, "%25");
    char empty[] = "";
    assert_true(decode_url(empty));
}

static void url_with_broken_escapes_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"%",   "a%",    "%4",   "%4g", "%g4",
                                        "%00", "x%00y", "%%41", "% 41"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        OWN_MEMORY char *value = text_duplicate(wrong[i]); /* on the heap: reading on is seen */
        if (decode_url(value)) fail_msg("taken: %s", wrong[i]);
    }
}

static void any_text_survives_url_encoding(void **state) {
    (void)state;
    for (int round = 0; round < 500; round++) {
        char value[40] = "";
        size_t length = random_below(sizeof value);
        for (size_t i = 0; i < length; i++) value[i] = (char)(1 + random_below(255));
        OWN_TEXT struct text out = TEXT_EMPTY;
        text_add(&out, "");
        encode_url(&out, value);
        assert_true(decode_url(out.data));
        assert_string_equal(out.data, value);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_agrees_with_the_standard),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(part_of_base64_ends_where_it_is_told),
        cmocka_unit_test(base64_takes_its_alphabet_alone),
        cmocka_unit_test(base64_never_writes_beyond_its_target),
        cmocka_unit_test(any_bytes_survive_every_encoding),
        cmocka_unit_test(hex_is_lower_case_out_and_either_in),
        cmocka_unit_test(hex_of_another_length_or_alphabet_is_refused),
        cmocka_unit_test(url_keeps_only_the_unreserved),
        cmocka_unit_test(url_is_decoded_in_place),
        cmocka_unit_test(url_with_broken_escapes_is_refused),
        cmocka_unit_test(any_text_survives_url_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
