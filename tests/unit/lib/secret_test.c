#include "lib/secret.h"

#include "lib/encode.h"

#include "lib/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void secret_has_the_documented_form(void **state) {
    (void)state;
    char id[SECRET_ID_SIZE], text[SECRET_TEXT_SIZE], hash[SECRET_HASH_SIZE];
    secret_generate("gt", id, text, hash);
    assert_int_equal(strlen(id), 16);
    assert_int_equal(strspn(id, "0123456789abcdef"), 16);
    assert_int_equal(strlen(text), 3 + 16 + 1 + 43);
    assert_memory_equal(text, "gt_", 3);
    assert_memory_equal(text + 3, id, 16);
    assert_int_equal(text[19], '.');
    assert_int_equal(strlen(hash), 64);
}

static void secrets_differ(void **state) {
    (void)state;
    char id[2][SECRET_ID_SIZE], text[2][SECRET_TEXT_SIZE], hash[2][SECRET_HASH_SIZE];
    secret_generate("gj", id[0], text[0], hash[0]);
    secret_generate("gj", id[1], text[1], hash[1]);
    assert_string_not_equal(id[0], id[1]);
    assert_string_not_equal(text[0] + 20, text[1] + 20);
    assert_string_not_equal(hash[0], hash[1]);
}

static void secret_id_reads_what_was_generated(void **state) {
    (void)state;
    char id[SECRET_ID_SIZE], text[SECRET_TEXT_SIZE], hash[SECRET_HASH_SIZE];
    char read_id[SECRET_ID_SIZE], again[SECRET_HASH_SIZE];
    struct err e = {0};
    secret_generate("gt", id, text, hash);
    assert_true(secret_id("gt", text, read_id, &e));
    assert_string_equal(read_id, id);
    secret_hash(text, again);
    assert_string_equal(again, hash);
}

/* RFC 7693 does not list a 32-byte digest of "abc"; this one is b2sum -l 256's. */
static void secret_hash_is_blake2b_256(void **state) {
    (void)state;
    char hash[SECRET_HASH_SIZE];
    secret_hash("abc", hash);
    assert_string_equal(hash, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

static void malformed_secrets_are_refused_without_echo(void **state) {
    (void)state;
    char id[SECRET_ID_SIZE], text[SECRET_TEXT_SIZE], hash[SECRET_HASH_SIZE];
    secret_generate("gt", id, text, hash);
    char longer[SECRET_TEXT_SIZE + 8], shorter[SECRET_TEXT_SIZE], bad[SECRET_TEXT_SIZE];
    static char endless[10000];
    memset(endless, 'a', sizeof endless - 1);
    memcpy(endless, text, strlen(text));
    strcpy(longer, text);
    strcat(longer, "A");
    strcpy(shorter, text);
    shorter[strlen(shorter) - 1] = '\0';
    strcpy(bad, text);
    bad[30] = '+';
    const char *wrong[] = {"",     "g",     "gt",    "gt_",      id,  "gt_.",
                           longer, shorter, endless, "gt_0.abc", bad, "Bearer gt_0"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err e = {0};
        char read_id[SECRET_ID_SIZE];
        assert_false(secret_id("gt", wrong[i], read_id, &e));
        assert_int_equal(e.code, ERR_UNAUTHENTICATED);
        assert_null(strstr(e.text, text + 20));
        assert_string_equal(read_id, "");
    }
}

static void a_secret_of_another_kind_is_refused(void **state) {
    (void)state;
    char id[SECRET_ID_SIZE], text[SECRET_TEXT_SIZE], hash[SECRET_HASH_SIZE];
    struct err e = {0};
    secret_generate("gj", id, text, hash);
    assert_false(secret_id("gt", text, id, &e));
    text[3] = 'A'; /* ids are lower case */
    assert_false(secret_id("gj", text, id, &e));
}

static void equality_sees_every_byte(void **state) {
    (void)state;
    char a[] = "0123456789abcdef", b[] = "0123456789abcdef";
    assert_true(secret_equal(a, b));
    for (size_t i = 0; i < sizeof b - 1; i++) {
        b[i] ^= 1;
        assert_false(secret_equal(a, b));
        b[i] ^= 1;
    }
    assert_false(secret_equal(a, "0123456789abcde"));
    assert_false(secret_equal("", "x"));
    assert_true(secret_equal("", ""));
}

static void random_values_stay_in_their_bounds(void **state) {
    (void)state;
    unsigned seen = 0;
    for (int i = 0; i < 1000; i++) {
        unsigned n = random_below(5);
        assert_true(n < 5);
        seen |= 1u << n;
    }
    assert_int_equal(seen, 31);
    assert_int_equal(random_below(1), 0);
    char hex[RANDOM_HEX_SIZE(16)];
    random_hex(16, hex);
    assert_int_equal(strlen(hex), 32);
    unsigned char bytes[32] = {0}, none[32] = {0};
    random_bytes(bytes, sizeof bytes);
    assert_memory_not_equal(bytes, none, sizeof bytes);
    secret_wipe(bytes, sizeof bytes);
    assert_memory_equal(bytes, none, sizeof bytes);
}

/* Python: hashlib.blake2b(b"grid", key=bytes(range(32)), digest_size=24).hexdigest() */
static void mac_is_keyed_blake2b(void **state) {
    (void)state;
    unsigned char key[SECRET_MAC_KEY_SIZE], mac[24], expected[24];
    for (size_t i = 0; i < sizeof key; i++) key[i] = (unsigned char)i;
    secret_mac(key, "grid", 4, mac, sizeof mac);
    assert_true(
        decode_hex("24bb6a214470703e3410c927d7c08949f8e8384cd84c454d", expected, sizeof expected));
    assert_memory_equal(mac, expected, sizeof mac);
    key[31] ^= 1;
    secret_mac(key, "grid", 4, mac, sizeof mac);
    assert_memory_not_equal(mac, expected, sizeof mac);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret_has_the_documented_form),
        cmocka_unit_test(secrets_differ),
        cmocka_unit_test(secret_id_reads_what_was_generated),
        cmocka_unit_test(secret_hash_is_blake2b_256),
        cmocka_unit_test(malformed_secrets_are_refused_without_echo),
        cmocka_unit_test(a_secret_of_another_kind_is_refused),
        cmocka_unit_test(equality_sees_every_byte),
        cmocka_unit_test(mac_is_keyed_blake2b),
        cmocka_unit_test(random_values_stay_in_their_bounds),
    };
    sign_setup();
    return cmocka_run_group_tests_name("lib/secret", tests, NULL, NULL);
}
