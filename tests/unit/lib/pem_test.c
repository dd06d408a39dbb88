#include "lib/pem.h"

#include "tests/unit/lib/temporary.h"

static void digest_is_of_the_bytes_between_the_lines(void **state) {
    (void)state;
    struct err e = {0};
    char digest[SHA256_HEX_SIZE];
    char expected[SHA256_HEX_SIZE];
    OWN(sha256) struct sha256 *hash = sha256_begin();
    sha256_add(hash, "grid", 4);
    sha256_hex(hash, expected);
    assert_true(pem_certificate_sha256("words before\n-----BEGIN CERTIFICATE-----\nZ3Jp\r\nZA==\n"
                                       "-----END CERTIFICATE-----\n"
                                       "-----BEGIN CERTIFICATE-----\nb3RoZXI=\n"
                                       "-----END CERTIFICATE-----\n",
                                       digest, &e));
    assert_string_equal(digest, expected);
}

static void what_is_no_certificate_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "-----BEGIN CERTIFICATE-----\nZ3JpZA==\n",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nZ3Jp!A==\n-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\nZ3JpZA==\n-----END PRIVATE KEY-----\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err e = {0};
        char digest[SHA256_HEX_SIZE];
        assert_false(pem_certificate_sha256(bad[i], digest, &e));
        assert_int_equal(e.code, ERR_INVALID);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digest_is_of_the_bytes_between_the_lines),
        cmocka_unit_test(what_is_no_certificate_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
