/* Keys and signatures of other kinds, made by the openssl command when the test runs. */
#include "lib/tuf_foreign.h"

#include "lib/encode.h"
#include "tests/unit/lib/temporary.h"

#define MESSAGE "{\"_type\":\"root\"}"
#define RSA(bits) "-algorithm RSA -pkeyopt rsa_keygen_bits:" #bits
#define CURVE(name) "-algorithm EC -pkeyopt ec_paramgen_curve:" name
#define PSS "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest"
static const char p256[] = "ecdsa-sha2-nistp256";
static const char p384[] = "ecdsa-sha2-nistp384";
static const char pss[] = "rsassa-pss-sha256";

static int begin(void **state) {
    if (temporary_begin(state) != 0 || chdir(temporary_directory) != 0) return -1;
    sign_setup();
    struct err e;
    return file_write_durable("message", MESSAGE, strlen(MESSAGE), 0644, &e) ? 0 : -1;
}

/* Commands are fixed words of this test, run in its own directory. */
static void shell(const char *command) {
    int status = system(command); /* NOLINT(cert-env33-c) */
    if (status != 0) fail_msg("%s: ended with %d", command, status);
}

static void make_key(const char *arguments) {
    OWN_TEXT struct text command = TEXT_EMPTY;
    text_add_format(&command, "openssl genpkey %s -out key.pem 2>progress && ", arguments);
    text_add(&command, "openssl pkey -in key.pem -pubout -out key.pub");
    shell(command.data);
}

static void read_text(const char *file, struct text *out) {
    struct err e;
    if (!file_read(file, 65536, out, &e)) fail_msg("%s", e.text);
}

/* The signature of MESSAGE by key.pem in hex; options are those of `openssl dgst`. */
static void make_signature(const char *options, struct text *hex) {
    OWN_TEXT struct text command = TEXT_EMPTY;
    OWN_TEXT struct text raw = TEXT_EMPTY;
    char digits[2 * 1024 + 1];
    text_add_format(&command, "openssl dgst %s -sign key.pem -out signature message", options);
    shell(command.data);
    read_text("signature", &raw);
    assert_true(raw.length <= 1024);
    text_add(hex, encode_hex(raw.data, raw.length, digits));
}

/* key.pub under these names. */
static struct tuf_key key_of(const char *keytype, const char *scheme) {
    OWN_TEXT struct text pem = TEXT_EMPTY;
    struct tuf_key key = {.id = "k"};
    read_text("key.pub", &pem);
    text_cut(key.keytype, sizeof key.keytype, keytype);
    text_cut(key.scheme, sizeof key.scheme, scheme);
    key.value = text_take(&pem);
    return key;
}

static bool valid(const char *keytype, const char *scheme, const char *message, const char *hex) {
    struct tuf_key key = key_of(keytype, scheme);
    bool taken = tuf_key_verify(&key, &tuf_foreign, message, strlen(message), hex);
    assert_false(tuf_key_verify(&key, NULL, message, strlen(message), hex));
    tuf_key_clear(&key);
    return taken;
}

/* One bit is turned at each of some places, and the end cut off: none of these may pass. */
static void assert_altered_refused(const char *keytype, const char *scheme, const char *good) {
    OWN_MEMORY char *hex = text_duplicate(good);
    size_t length = strlen(hex);
    assert_false(valid(keytype, scheme, "{\"_type\":\"rooT\"}", hex));
    assert_false(valid(keytype, scheme, "", hex));
    for (size_t i = 0; i < length; i += length / 16) {
        char before = hex[i];
        hex[i] = before == '0' ? '1' : '0';
        if (valid(keytype, scheme, MESSAGE, hex)) fail_msg("digit %zu altered: taken", i);
        hex[i] = before;
    }
    assert_true(valid(keytype, scheme, MESSAGE, hex));
    hex[length - 1] = '\0';
    assert_false(valid(keytype, scheme, MESSAGE, hex));
    hex[length - 2] = '\0';
    assert_false(valid(keytype, scheme, MESSAGE, hex));
    assert_false(valid(keytype, scheme, MESSAGE, ""));
}

static void ecdsa_over_p256_is_verified_under_both_type_names(void **state) {
    (void)state;
    OWN_TEXT struct text hex = TEXT_EMPTY;
    make_key(CURVE("P-256"));
    make_signature("-sha256", &hex);
    assert_true(valid("ecdsa", p256, MESSAGE, hex.data));
    assert_true(valid(p256, p256, MESSAGE, hex.data));
    assert_altered_refused("ecdsa", p256, hex.data);
    text_add(&hex, "00");
    assert_false(valid("ecdsa", p256, MESSAGE, hex.data));
}

static void ecdsa_keys_in_hex_count_for_nothing(void **state) {
    (void)state;
    OWN_TEXT struct text hex = TEXT_EMPTY;
    make_key(CURVE("P-256"));
    make_signature("-sha256", &hex);
    assert_true(valid(p256, p256, MESSAGE, hex.data));
    shell("openssl pkey -in key.pem -pubout -outform DER | tail -c 65 | od -An -v -tx1 |"
          " tr -d ' \\n' >key.pub && test $(wc -c <key.pub) = 130");
    assert_false(valid(p256, p256, MESSAGE, hex.data));
    assert_false(valid("ecdsa", p256, MESSAGE, hex.data));
}

static void rsa_pss_is_verified_with_any_salt(void **state) {
    (void)state;
    static const char *const salts[] = {"digest", "max", "0"};
    make_key(RSA(2048));
    for (size_t i = 0; i < sizeof salts / sizeof salts[0]; i++) {
        OWN_TEXT struct text hex = TEXT_EMPTY;
        OWN_TEXT struct text options = TEXT_EMPTY;
        text_add_format(&options, "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:%s",
                        salts[i]);
        make_signature(options.data, &hex);
        assert_true(valid("rsa", pss, MESSAGE, hex.data));
        if (i == 0) assert_altered_refused("rsa", pss, hex.data);
    }
}

/* What a lax verifier would take: the right key by the wrong rules. */
static void other_paddings_hashes_and_sizes_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *key;
        const char *options;
        const char *keytype;
        const char *scheme;
    } cases[] = {
        {RSA(2048),          "-sha256",      "rsa",     pss },
        {RSA(2048),          "-sha512 " PSS, "rsa",     pss },
        {RSA(1024),          "-sha256 " PSS, "rsa",     pss },
        {CURVE("P-384"),     "-sha256",      "ecdsa",   p256},
        {CURVE("secp256k1"), "-sha256",      "ecdsa",   p256},
        {CURVE("P-256"),     "-sha512",      "ecdsa",   p256},
        {CURVE("P-256"),     "-sha256",      "rsa",     pss },
        {CURVE("P-256"),     "-sha256",      "ecdsa",   p384},
        {CURVE("P-256"),     "-sha256",      "ed25519", p256},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        OWN_TEXT struct text hex = TEXT_EMPTY;
        make_key(cases[i].key);
        make_signature(cases[i].options, &hex);
        if (valid(cases[i].keytype, cases[i].scheme, MESSAGE, hex.data))
            fail_msg("case %zu was taken", i);
    }
}

static void texts_that_are_no_key_verify_nothing(void **state) {
    (void)state;
    static const char *const texts[] = {
        "", "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\n\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"};
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
        for (size_t i = 0; i < tuf_foreign.count; i++) {
            struct tuf_key key = {.value = text_duplicate(texts[t])};
            text_cut(key.keytype, sizeof key.keytype, tuf_foreign.list[i].keytype);
            text_cut(key.scheme, sizeof key.scheme, tuf_foreign.list[i].scheme);
            assert_false(tuf_key_verify(&key, &tuf_foreign, "x", 1, "3006020101020101"));
            tuf_key_clear(&key);
        }
}

static void pem_of_other_line_lengths_is_the_same_key(void **state) {
    (void)state;
    make_key(CURVE("P-256"));
    struct tuf_key key = key_of("ecdsa", p256);
    shell("sed 's/$/\\r/' key.pub > other.pub && mv other.pub key.pub");
    struct tuf_key same = key_of(p256, p256);
    make_key(CURVE("P-256"));
    struct tuf_key other = key_of("ecdsa", p256);
    assert_true(tuf_key_same(&key, &same));
    assert_false(tuf_key_same(&key, &other));
    tuf_key_clear(&key);
    tuf_key_clear(&same);
    tuf_key_clear(&other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ecdsa_over_p256_is_verified_under_both_type_names),
        cmocka_unit_test(ecdsa_keys_in_hex_count_for_nothing),
        cmocka_unit_test(rsa_pss_is_verified_with_any_salt),
        cmocka_unit_test(other_paddings_hashes_and_sizes_are_refused),
        cmocka_unit_test(texts_that_are_no_key_verify_nothing),
        cmocka_unit_test(pem_of_other_line_lengths_is_the_same_key),
    };
    return cmocka_run_group_tests(tests, begin, temporary_end);
}
