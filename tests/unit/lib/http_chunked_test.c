#include "lib/http_chunked.h"

#include "lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Decodes by pieces of at most step bytes; what follows the end of the body stays untaken. */
static enum http_chunked_state decode(const char *bytes, size_t length, size_t step,
                                      struct text *out, size_t *taken) {
    struct http_chunked c = {0};
    *taken = 0;
    text_clear(out);
    while (*taken < length && c.state != HTTP_CHUNKED_ENDED && c.state != HTTP_CHUNKED_BROKEN) {
        size_t data_length = 0;
        size_t offered = length - *taken < step ? length - *taken : step;
        *taken += http_chunked_take(&c, bytes + *taken, offered, 7, &data_length);
        assert_true(data_length <= 7);
        text_add_bytes(out, bytes + *taken - data_length, data_length);
    }
    return c.state;
}

static void bodies_are_decoded_however_they_are_cut(void **state) {
    (void)state;
    static const char body[] = "5\r\nhello\r\nA\r\n0123456789\r\n001\r\n \r\n0\r\n\r\nGET / HTTP";
    size_t end = strlen(body) - strlen("GET / HTTP");
    for (size_t step = 1; step <= sizeof body; step++) {
        OWN_TEXT struct text out = TEXT_EMPTY;
        size_t taken = 0;
        assert_int_equal(decode(body, sizeof body - 1, step, &out, &taken), HTTP_CHUNKED_ENDED);
        assert_string_equal(out.data, "hello0123456789 ");
        assert_int_equal(taken, end);
    }
}

static void a_body_cut_anywhere_is_not_ended(void **state) {
    (void)state;
    static const char body[] = "5\r\nhello\r\n0\r\n\r\n";
    for (size_t length = 0; length < sizeof body - 1; length++) {
        OWN_TEXT struct text out = TEXT_EMPTY;
        size_t taken = 0;
        enum http_chunked_state end = decode(body, length, 100, &out, &taken);
        assert_int_not_equal(end, HTTP_CHUNKED_ENDED);
        assert_int_not_equal(end, HTTP_CHUNKED_BROKEN);
    }
}

static void malformed_bodies_are_broken(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "\r\n",
        "-1\r\n",
        "+5\r\nhello\r\n",
        " 5\r\nhello\r\n",
        "5 \r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "g\r\n",
        "5\nhello\r\n",
        "5\r\rhello",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5;ext=1\r\nhello\r\n",
        "0;a\r\n\r\n",
        "0\r\nTrailer: x\r\n\r\n",
        "0\r\n\n",
        "ffffffffffffffff\r\nx",
        "8000000000000000\r\nx",
        "0000000000000000\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        OWN_TEXT struct text out = TEXT_EMPTY;
        size_t taken = 0;
        if (decode(bodies[i], strlen(bodies[i]), 100, &out, &taken) != HTTP_CHUNKED_BROKEN)
            fail_msg("taken: %s", bodies[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_decoded_however_they_are_cut),
        cmocka_unit_test(a_body_cut_anywhere_is_not_ended),
        cmocka_unit_test(malformed_bodies_are_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
