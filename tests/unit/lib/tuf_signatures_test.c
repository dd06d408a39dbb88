/* Which signatures count, over which bytes. */
#include "lib/encode.h"
#include "lib/tuf_metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The key of RFC 8032, section 7.1, test 1; the signature was made by OpenSSL (pkeyutl -rawin) over
 *   {"_type":"timestamp","expires":"2030-01-31T12:00:00Z","meta":{"snapshot.json":{"version":7}},
 *   "name":"U+00E4 \"q\" /U+000A","spec_version":"1.0.33","version":2}
 * without the line break and blanks after the first comma, U+00E4 and the line feed being bytes. */
#define RFC8032_PUBLIC "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define OPENSSL_SIGNATURE                                                                          \
    "cf531f668522fb5caaf3be1ee66919e969d9a07c2f6d08f2d0e1f3b9e4327bb7"                             \
    "a757c7543215890f7e26f0e7ba1b0582876ffe78a8346bc09964ba911737fe0d"
/* The point of order one, under which a signature of anything is easily made. */
#define SMALL_ORDER_PUBLIC "0100000000000000000000000000000000000000000000000000000000000000"
#define SIGNATURE_BY(id, hex) "{\"keyid\":\"" id "\",\"sig\":\"" hex "\"}"

enum { SECRETS = 3 };
static struct sign_secret *secrets[SECRETS];
static struct tuf_key keys[SECRETS];

static int make_secrets(void **state) {
    (void)state;
    struct err e;
    sign_setup();
    for (int i = 0; i < SECRETS; i++) {
        assert_true(sign_generate(&secrets[i], &e));
        tuf_key_of(sign_secret_public(secrets[i]), &keys[i]);
    }
    return 0;
}

static int free_secrets(void **state) {
    (void)state;
    for (int i = 0; i < SECRETS; i++) {
        sign_secret_free(secrets[i]);
        tuf_key_clear(&keys[i]);
    }
    return 0;
}

struct role {
    struct tuf_keys keys;
    struct tuf_signers signers;
};

static void role_add(struct role *r, const struct tuf_key *key) {
    tuf_keys_add(&r->keys, key);
    tuf_signers_add(&r->signers, key->id);
}

/* The first two secrets' keys, of which both must sign. */
static struct role role_of_two(void) {
    struct role r = {.signers = {.threshold = 2}};
    role_add(&r, &keys[0]);
    role_add(&r, &keys[1]);
    return r;
}

/* One key of that id, and nobody else. */
static struct role role_of(const char *id, const char *keytype, const char *scheme,
                           const char *value) {
    struct role r = {.signers = {.threshold = 1}};
    struct tuf_key key = {.value = (char *)value};
    text_cut(key.id, sizeof key.id, id);
    text_cut(key.keytype, sizeof key.keytype, keytype);
    text_cut(key.scheme, sizeof key.scheme, scheme);
    role_add(&r, &key);
    return r;
}

static void role_clear(struct role *r) {
    for (size_t i = 0; i < r->keys.count; i++) tuf_key_clear(&r->keys.list[i]);
    free(r->keys.list);
    free(r->signers.key_ids);
}

static size_t count(const char *file, const struct role *r) {
    return tuf_count_signers(file, strlen(file), &r->keys, &r->signers, NULL);
}

static bool verify(const char *file, const struct role *r, struct err *e) {
    return tuf_verify(file, strlen(file), "timestamp", &r->keys, &r->signers, NULL, e);
}

#define PART(name)                                                                                 \
    "{\"_type\":\"timestamp\",\"expires\":\"2030-01-31T12:00:00Z\",\"meta\":"                      \
    "{\"snapshot.json\":{\"version\":7}}," name "\"spec_version\":\"1.0.33\",\"version\":2}"
static const char as_signed[] = PART("\"name\":\"\xC3\xA4 \\\"q\\\" /\\n\",");
static const char spelled_otherwise[] =
    "{ \"version\" : 2 ,\n\"spec_version\":\"1.0.33\",\t\"name\":\"\\u00E4 \\u0022q\\\" "
    "\\/\\u000a\", "
    "\"meta\":{\"snapshot.json\":{\"version\":7}},\"expires\":\"2030-01-31T12:00:00Z\","
    "\"_\\u0074ype\":\"timestamp\"}";
static const char altered[] = PART("\"name\":\"a \\\"q\\\" /\\n\",");
static const char left_out[] = PART("");

/* "name" is a member that nobody here knows. */
static void signature_covers_the_canonical_form_however_it_is_written(void **state) {
    (void)state;
    static const struct {
        const char *part;
        size_t count;
    } cases[] = {
        {as_signed,         1},
        {spelled_otherwise, 1},
        {altered,           0},
        {left_out,          0},
    };
    struct role r = role_of("k", "ed25519", "ed25519", RFC8032_PUBLIC);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        OWN_TEXT struct text file = TEXT_EMPTY;
        text_add_format(&file, "{\"signed\": %s , \"signatures\":[%s]}", cases[i].part,
                        SIGNATURE_BY("k", OPENSSL_SIGNATURE));
        if (count(file.data, &r) != cases[i].count) fail_msg("%s", file.data);
    }
    role_clear(&r);
}

static const char plain_part[] = "{\"_type\":\"timestamp\",\"version\":2}";

static void sign_or_fail(struct text *file, int secret) {
    struct err e = {0};
    if (!tuf_sign(file, secrets[secret], &e)) fail_msg("%s", e.text);
}

/* Signed by the first `signers` secrets. */
static void make_file(int signers, struct text *out) {
    text_add_format(out, "{\"signatures\":[],\"signed\":%s}", plain_part);
    for (int i = 0; i < signers; i++) sign_or_fail(out, i);
}

static void so_many_keys_as_are_asked_for_must_sign(void **state) {
    (void)state;
    struct role r = role_of_two();
    OWN_TEXT struct text file = TEXT_EMPTY;
    make_file(0, &file);
    struct err e = {0};
    assert_false(verify(file.data, &r, &e));
    assert_string_equal(e.text, "timestamp: 0 of 2 signatures");
    assert_int_equal(e.code, ERR_UNTRUSTED);
    sign_or_fail(&file, 0);
    sign_or_fail(&file, 2); /* a stranger */
    assert_false(verify(file.data, &r, &e));
    assert_string_equal(e.text, "timestamp: 1 of 2 signatures");
    sign_or_fail(&file, 1);
    assert_true(verify(file.data, &r, &e));
    r.signers.threshold = 3; /* beyond the keys that there are */
    assert_false(verify(file.data, &r, &e));
    assert_string_equal(e.text, "timestamp: 2 of 3 signatures");
    r.signers.threshold = 0;
    assert_false(verify(file.data, &r, &e));
    r.signers.threshold = -1;
    assert_false(verify(file.data, &r, &e));
    role_clear(&r);
}

static void one_key_under_two_ids_counts_once(void **state) {
    (void)state;
    for (int upper_case = 0; upper_case < 2; upper_case++) {
        struct role r = {.signers = {.threshold = 2}};
        role_add(&r, &keys[0]);
        char value[2 * SIGN_PUBLIC_SIZE + 1] = "";
        const unsigned char *bytes = sign_secret_public(secrets[0])->key;
        for (size_t i = 0; i < SIGN_PUBLIC_SIZE; i++)
            snprintf(value + 2 * i, 3, upper_case ? "%02X" : "%02x", bytes[i]);
        struct tuf_key other = keys[0];
        other.value = value;
        text_cut(other.id, sizeof other.id, "other");
        role_add(&r, &other);
        assert_int_equal(r.keys.count, 2);
        OWN_TEXT struct text file = TEXT_EMPTY;
        make_file(1, &file);
        const char *hex = strstr(file.data, "\"sig\":\"") + strlen("\"sig\":\"");
        OWN_TEXT struct text both = TEXT_EMPTY;
        text_add_format(&both,
                        "{\"signatures\":[{\"keyid\":\"%s\",\"sig\":\"%.128s\"},"
                        "{\"keyid\":\"other\",\"sig\":\"%.128s\"}],\"signed\":%s}",
                        keys[0].id, hex, hex, plain_part);
        assert_int_equal(count(both.data, &r), 1);
        role_clear(&r);
    }
}

static void a_key_that_signs_twice_makes_the_file_invalid(void **state) {
    (void)state;
    struct role r = role_of_two();
    OWN_TEXT struct text file = TEXT_EMPTY;
    OWN_TEXT struct text twice = TEXT_EMPTY;
    struct err e = {0};
    make_file(2, &file);
    text_add_format(&twice, "{\"signatures\":[{\"keyid\":\"%s\",\"sig\":\"\"},%s", keys[0].id,
                    strchr(file.data, '[') + 1);
    assert_int_equal(count(file.data, &r), 2);
    assert_int_equal(count(twice.data, &r), 0);
    assert_false(verify(twice.data, &r, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_non_null(strstr(e.text, "timestamp: signatures: key "));
    assert_non_null(strstr(e.text, " signs twice"));
    role_clear(&r);
}

/* The last one is of another file. */
static void signatures_that_are_none_count_for_nothing(void **state) {
    (void)state;
    static const char *const hexes[] = {
        "", "00", "c", "zz531f668522fb5c", OPENSSL_SIGNATURE "00", OPENSSL_SIGNATURE,
    };
    struct role r = role_of("k", "ed25519", "ed25519", RFC8032_PUBLIC);
    for (size_t i = 0; i < sizeof hexes / sizeof hexes[0]; i++) {
        struct err e = {0};
        OWN_TEXT struct text file = TEXT_EMPTY;
        text_add_format(&file, "{\"signatures\":[{\"keyid\":\"k\",\"sig\":\"%s\"}],\"signed\":%s}",
                        hexes[i], plain_part);
        assert_false(verify(file.data, &r, &e));
        assert_string_equal(e.text, "timestamp: 0 of 1 signatures");
    }
    role_clear(&r);
}

static void keys_that_are_none_verify_nothing(void **state) {
    (void)state;
    static const struct {
        const char *keytype, *scheme, *value;
        size_t count;
    } cases[] = {
        {"ed25519", "ed25519",             RFC8032_PUBLIC,                 1},
        {"ed25519", "unknown",             RFC8032_PUBLIC,                 0},
        {"unknown", "ed25519",             RFC8032_PUBLIC,                 0},
        {"ecdsa",   "ecdsa-sha2-nistp256", RFC8032_PUBLIC,                 0},
        {"ed25519", "ed25519",             "",                             0},
        {"ed25519", "ed25519",             RFC8032_PUBLIC "00",            0},
        {"ed25519", "ed25519",             "d75a980182b10ab7d54bfed3c964", 0},
        {"ed25519", "ed25519",             SMALL_ORDER_PUBLIC,             0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct role r = role_of("k", cases[i].keytype, cases[i].scheme, cases[i].value);
        OWN_TEXT struct text file = TEXT_EMPTY;
        text_add_format(&file, "{\"signatures\":[%s],\"signed\":%s}",
                        SIGNATURE_BY("k", OPENSSL_SIGNATURE), as_signed);
        if (count(file.data, &r) != cases[i].count) fail_msg("case %zu", i);
        role_clear(&r);
    }
}

static void what_has_no_canonical_form_is_neither_verified_nor_signed(void **state) {
    (void)state;
    static const struct {
        const char *file;
        const char *text;
    } cases[] = {
        {"{\"signatures\":[],\"signed\":{\"a\":1,\"a\":1}}",                "key \"a\" is there twice"       },
        {"{\"signatures\":[],\"signed\":{\"a\":1.5}}",                      "1.5 is not a whole number"      },
        {"{\"signatures\":[],\"signed\":{\"a\":9007199254740992}}",         "is not a whole number"          },
        {"{\"signatures\":[],\"signed\":{\"a\":\"\xFF\"}}",                 "not UTF-8"                      },
        {"{\"signatures\":[],\"signed\":{\"a\":1}} {}",                     "something follows the value"    },
        {"{\"signatures\":[{\"keyid\":\"k\"}],\"signed\":{}}",              "signatures: [0]: sig is missing"},
        {"{\"signatures\":[{\"sig\":\"00\"}],\"signed\":{}}",               "[0]: keyid is missing"          },
        {"{\"signatures\":[{\"keyid\":1,\"sig\":\"00\"}],\"signed\":{}}",   "keyid: not a string"            },
        {"{\"signatures\":[{\"keyid\":\"k\",\"sig\":null}],\"signed\":{}}", "sig: not a string"              },
        {"{\"signatures\":[[]],\"signed\":{}}",                             "[0]: not an object"             },
        {"{\"signed\":{}}",                                                 "signatures is missing"          },
        {"{\"signatures\":[]}",                                             "signed is missing"              },
        {"{\"signatures\":[],\"signed\":[]}",                               "signed: not an object"          },
        {"[]",                                                              "not an object"                  },
        {"",                                                                "it is empty"                    },
    };
    struct role r = role_of_two();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = {0};
        OWN_TEXT struct text file = TEXT_EMPTY;
        text_add(&file, cases[i].file);
        assert_false(verify(file.data, &r, &e));
        assert_int_equal(e.code, ERR_INVALID);
        if (strstr(e.text, cases[i].text) == NULL) fail_msg("%s: %s", cases[i].file, e.text);
        assert_int_equal(count(file.data, &r), 0);
        assert_false(tuf_sign(&file, secrets[0], &e));
        assert_int_equal(e.code, ERR_INVALID);
        if (strstr(e.text, cases[i].text) == NULL) fail_msg("%s: %s", cases[i].file, e.text);
        assert_string_equal(file.data, cases[i].file);
    }
    role_clear(&r);
}

static void more_signatures_than_keys_can_be_are_refused(void **state) {
    (void)state;
    struct err e = {0};
    struct role r = role_of_two();
    OWN_TEXT struct text file = TEXT_EMPTY;
    text_add(&file, "{\"signatures\":[");
    for (int i = 0; i <= TUF_KEYS_MAX; i++)
        text_add_format(&file, "%s{\"keyid\":\"%d\",\"sig\":\"\"}", i > 0 ? "," : "", i);
    text_add_format(&file, "],\"signed\":%s}", plain_part);
    assert_false(verify(file.data, &r, &e));
    assert_string_equal(e.text, "timestamp: signatures: more than 256 elements");
    role_clear(&r);
}

/* Whoever signs second must not need to know what the first one wrote. */
static void signing_leaves_all_else_byte_for_byte(void **state) {
    (void)state;
    static const char other[] = "{ \"keyid\":\"x\", \"sig\":\"\", \"more\":[1.5] }";
    static const char part[] = "{ \"version\" : 2,\"\\u005ftype\":\"timestamp\" }";
    OWN_TEXT struct text file = TEXT_EMPTY;
    OWN_TEXT struct text before = TEXT_EMPTY;
    text_add_format(&file, "{\"signed\":%s,\"signatures\":[%s]}", part, other);
    sign_or_fail(&file, 0);
    assert_non_null(strstr(file.data, other));
    assert_non_null(strstr(file.data, part));
    text_add(&before, file.data);
    sign_or_fail(&file, 0);
    assert_string_equal(file.data, before.data); /* Ed25519 signs the same way each time */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature_covers_the_canonical_form_however_it_is_written),
        cmocka_unit_test(so_many_keys_as_are_asked_for_must_sign),
        cmocka_unit_test(one_key_under_two_ids_counts_once),
        cmocka_unit_test(a_key_that_signs_twice_makes_the_file_invalid),
        cmocka_unit_test(signatures_that_are_none_count_for_nothing),
        cmocka_unit_test(keys_that_are_none_verify_nothing),
        cmocka_unit_test(what_has_no_canonical_form_is_neither_verified_nor_signed),
        cmocka_unit_test(more_signatures_than_keys_can_be_are_refused),
        cmocka_unit_test(signing_leaves_all_else_byte_for_byte),
    };
    return cmocka_run_group_tests(tests, make_secrets, free_secrets);
}
