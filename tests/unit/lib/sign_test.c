#include "lib/sign.h"

#include "lib/encode.h"
#include "lib/secret.h"

#include "tests/unit/lib/temporary.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A key pair made by minisign 0.11 -G -W; encrypted form: scrypt and BLAKE2b of Python's hashlib.
 */
#define PUBLIC_LINE "RWTkNMWPSt+dERQMTwXXYq1Sow0S0kcCokjidhyevd74fGcBP6ex4gLm"
#define PUBLIC_ID "119DDF4A8FC534E4"
#define SECRET_FILE                                                                                \
    "untrusted comment: minisign encrypted secret key\n"                                           \
    "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA5DTFj0rfnRGf8gzii4FK" \
    "1O4"                                                                                          \
    "3NVC0Mivv+yvrDGtqJx/"                                                                         \
    "h80JHYvv9WxQMTwXXYq1Sow0S0kcCokjidhyevd74fGcBP6ex4gLmAAAAAAAAAAAAAAAAAAAA"                    \
    "AAAAAAAAAAAAAAAAAAAAAAA=\n"
#define ENCRYPTED_FILE                                                                             \
    "untrusted comment: minisign encrypted secret key\n"                                           \
    "RWRTY0IyAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AAAgAAAAAAAAAAAEAAAAAEYNDwHZantqJoOpFlNMy" \
    "ayH"                                                                                          \
    "G9eWYrTlDhxzPmHlrL3h+5vuQq4Wxf6t3/RpOpj9MrUvdt8FPINaJjTL1Ky3rjCcZ/"                           \
    "FT+wFX85lS6tSMF9NQQDGjRtA4t"                                                                  \
    "miXXNI7fQbuiotCr+mVEHHo=\n"
#define ENCRYPTED_PASSWORD "correct horse"

/* Valid until the next call. */
static const char *write_file(const char *name, const char *content, mode_t mode) {
    static struct temporary_path path;
    struct err e;
    path = temporary_path(name);
    if (!file_write_durable(path.text, content, strlen(content), mode, &e)) fail_msg("%s", e.text);
    return path.text;
}

static void public_keys_of_minisign_are_read(void **state) {
    (void)state;
    struct err e = {0};
    struct sign_public line, file, crlf;
    char id[SIGN_KEY_ID_HEX_SIZE], text[SIGN_PUBLIC_TEXT_SIZE];
    assert_true(sign_public_parse(PUBLIC_LINE, &line, &e));
    assert_true(sign_public_parse("untrusted comment: x\n" PUBLIC_LINE "\n", &file, &e));
    assert_true(sign_public_parse("untrusted comment: x\r\n" PUBLIC_LINE "\r\n\n", &crlf, &e));
    assert_true(sign_public_equal(&line, &file));
    assert_true(sign_public_equal(&line, &crlf));
    assert_string_equal(sign_key_id(&line, id), PUBLIC_ID);
    assert_string_equal(sign_public_text(&line, text), PUBLIC_LINE);
}

static void malformed_public_keys_are_refused(void **state) {
    (void)state;
    struct sign_public key;
    unsigned char raw[42] = {'E', 'd'};
    unsigned char other[42] = {'R', 'S'};
    char small_order[ENCODE_BASE64_SIZE(42)], algorithm[ENCODE_BASE64_SIZE(42)];
    const char *wrong[] = {"",
                           "\n",
                           "untrusted comment: only\n",
                           "RWTkNMWPSt+dERQMTwXXYq1Sow0S0kcCokjidhyevd74fGcBP6ex4gL",
                           PUBLIC_LINE "A",
                           PUBLIC_LINE "\nmore",
                           "RWT\xC3NMWPSt+dERQMTwXXYq1Sow0S0kcCokjidhyevd74fGcBP6ex4gLm",
                           " " PUBLIC_LINE,
                           encode_base64(raw, sizeof raw, small_order),
                           encode_base64(other, sizeof other, algorithm)};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err e = {0};
        assert_false(sign_public_parse(wrong[i], &key, &e));
        assert_int_equal(e.code, ERR_INVALID);
        assert_non_null(strstr(e.text, "public key"));
    }
}

static void public_key_files_come_back(void **state) {
    (void)state;
    struct err e = {0};
    struct sign_public before, after;
    struct stat status;
    assert_true(sign_public_parse(PUBLIC_LINE, &before, &e));
    assert_true(sign_public_write(&before, TEMPORARY("a.pub"), &e));
    assert_true(sign_public_write(&before, TEMPORARY("a.pub"), &e)); /* replaces */
    assert_int_equal(stat(TEMPORARY("a.pub"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0644);
    assert_true(sign_public_read(TEMPORARY("a.pub"), &after, &e));
    assert_true(sign_public_equal(&before, &after));
    assert_false(sign_public_read(TEMPORARY("none.pub"), &after, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void secret_keys_of_minisign_are_read(void **state) {
    (void)state;
    struct err e = {0};
    struct sign_public expected;
    OWN(sign_secret) struct sign_secret *s = NULL;
    assert_true(sign_public_parse(PUBLIC_LINE, &expected, &e));
    assert_true(sign_secret_read(write_file("plain.key", SECRET_FILE, 0600), NULL, &s, &e));
    assert_true(sign_public_equal(sign_secret_public(s), &expected));
}

static void encrypted_secret_keys_open_with_their_password_only(void **state) {
    (void)state;
    struct err e = {0};
    struct sign_public expected;
    OWN(sign_secret) struct sign_secret *s = NULL;
    const char *path = write_file("sealed.key", ENCRYPTED_FILE, 0600);
    assert_true(sign_public_parse(PUBLIC_LINE, &expected, &e));
    assert_false(sign_secret_read(path, NULL, &s, &e));
    assert_int_equal(e.code, ERR_DENIED);
    assert_non_null(strstr(e.text, "no password"));
    assert_false(sign_secret_read(path, "incorrect horse", &s, &e));
    assert_int_equal(e.code, ERR_DENIED);
    assert_non_null(strstr(e.text, "wrong password"));
    assert_null(s);
    assert_true(sign_secret_read(path, ENCRYPTED_PASSWORD, &s, &e));
    assert_true(sign_public_equal(sign_secret_public(s), &expected));
}

static void a_secret_key_open_to_others_is_refused(void **state) {
    (void)state;
    OWN(sign_secret) struct sign_secret *s = NULL;
    const mode_t modes[] = {0640, 0604, 0660, 0620, 0601};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct err e = {0};
        assert_false(sign_secret_read(write_file("open.key", SECRET_FILE, modes[i]), NULL, &s, &e));
        assert_int_equal(e.code, ERR_DENIED);
        assert_non_null(strstr(e.text, "open to other users"));
        assert_non_null(strstr(e.hint, "chmod 600"));
    }
}

/* One character of the base64 line changed at a time. */
static void a_damaged_secret_key_is_never_used(void **state) {
    (void)state;
    const char *start = strchr(SECRET_FILE, '\n') + 1;
    size_t first = (size_t)(start - SECRET_FILE);
    for (size_t i = 0; i < 168; i += 3) { /* the checksum behind is empty */
        struct err e = {0};
        OWN(sign_secret) struct sign_secret *s = NULL;
        char content[] = SECRET_FILE;
        content[first + i] = content[first + i] == 'A' ? 'B' : 'A';
        if (i >= 8 && i < 84) continue; /* salt and costs count only when encrypted, then the id */
        assert_false(sign_secret_read(write_file("bad.key", content, 0600), NULL, &s, &e));
        assert_true(e.code == ERR_INVALID || e.code == ERR_CORRUPT || e.code == ERR_DENIED);
    }
}

static void malformed_secret_keys_are_refused(void **state) {
    (void)state;
    const char *wrong[] = {"", "x", "untrusted comment: x\n", "untrusted comment: x\nRWQAAEIy\n",
                           PUBLIC_LINE};
    OWN(sign_secret) struct sign_secret *s = NULL;
    struct err e = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(sign_secret_read(write_file("bad.key", wrong[i], 0600), NULL, &s, &e));
        assert_int_equal(e.code, ERR_INVALID);
    }
    assert_false(sign_secret_read(temporary_directory, NULL, &s, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_false(sign_secret_read(TEMPORARY("none.key"), NULL, &s, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void a_generated_key_is_kept_in_a_private_file_and_never_replaced(void **state) {
    (void)state;
    struct err e = {0};
    struct stat status;
    OWN(sign_secret) struct sign_secret *s = NULL;
    OWN(sign_secret) struct sign_secret *other = NULL;
    OWN(sign_secret) struct sign_secret *again = NULL;
    struct temporary_path key = temporary_path("new.key");
    const char *path = key.text;
    assert_true(sign_generate(&s, &e));
    assert_true(sign_generate(&other, &e));
    assert_false(sign_public_equal(sign_secret_public(s), sign_secret_public(other)));
    assert_true(sign_secret_write(s, path, &e));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_nlink, 1);
    assert_false(sign_secret_write(other, path, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_true(sign_secret_read(path, NULL, &again, &e));
    assert_true(sign_public_equal(sign_secret_public(s), sign_secret_public(again)));
    assert_false(sign_secret_write(s, TEMPORARY("none/new.key"), &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void messages_are_bound_to_signer_purpose_and_content(void **state) {
    (void)state;
    struct err e = {0};
    OWN(sign_secret) struct sign_secret *s = NULL;
    OWN(sign_secret) struct sign_secret *other = NULL;
    unsigned char signature[SIGN_SIGNATURE_SIZE];
    assert_true(sign_generate(&s, &e));
    assert_true(sign_generate(&other, &e));
    const struct sign_public *p = sign_secret_public(s);
    sign_message(s, "purpose a", "hello", 5, signature);
    assert_true(sign_message_valid(p, "purpose a", "hello", 5, signature));
    assert_false(sign_message_valid(p, "purpose b", "hello", 5, signature));
    assert_false(sign_message_valid(p, "purpose a", "hellO", 5, signature));
    assert_false(sign_message_valid(p, "purpose a", "hell", 4, signature));
    assert_false(sign_message_valid(sign_secret_public(other), "purpose a", "hello", 5, signature));
    /* the NUL keeps purpose and content apart */
    sign_message(s, "ab", "c", 1, signature);
    assert_false(sign_message_valid(p, "a", "bc", 2, signature));
    assert_false(sign_message_valid(p, "abc", "", 0, signature));
    for (size_t i = 0; i < sizeof signature; i++) {
        signature[i] ^= 1;
        assert_false(sign_message_valid(p, "ab", "c", 1, signature));
        signature[i] ^= 1;
    }
    assert_true(sign_message_valid(p, "ab", "c", 1, signature));
}

static void a_sealed_secret_opens_for_its_holder_only(void **state) {
    (void)state;
    struct err e = {0};
    OWN(sign_secret) struct sign_secret *s = NULL;
    OWN(sign_secret) struct sign_secret *other = NULL;
    OWN_TEXT struct text sealed = TEXT_EMPTY;
    OWN_TEXT struct text again = TEXT_EMPTY;
    char opened[32];
    assert_true(sign_generate(&s, &e));
    assert_true(sign_generate(&other, &e));
    assert_true(sign_seal(sign_secret_public(s), "gj_secret", &sealed, &e));
    assert_true(sign_seal(sign_secret_public(s), "gj_secret", &again, &e));
    assert_string_not_equal(sealed.data, again.data);
    assert_true(sign_unseal(s, sealed.data, opened, sizeof opened, &e));
    assert_string_equal(opened, "gj_secret");
    assert_false(sign_unseal(other, sealed.data, opened, sizeof opened, &e));
    assert_int_equal(e.code, ERR_UNTRUSTED);
    assert_string_equal(opened, "");
    assert_false(sign_unseal(s, sealed.data, opened, 9, &e)); /* no room for the NUL */
    assert_int_equal(e.code, ERR_INVALID);
    assert_true(sign_unseal(s, sealed.data, opened, 10, &e));
    sealed.data[20] = sealed.data[20] == 'A' ? 'B' : 'A';
    assert_false(sign_unseal(s, sealed.data, opened, sizeof opened, &e));
    assert_int_equal(e.code, ERR_UNTRUSTED);
    assert_false(sign_unseal(s, "", opened, sizeof opened, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_false(sign_unseal(s, "AAAA", opened, sizeof opened, &e));
    assert_int_equal(e.code, ERR_INVALID);
}

static void a_sealed_secret_has_a_bounded_size(void **state) {
    (void)state;
    struct err e = {0};
    char large[2000], opened[2000];
    OWN(sign_secret) struct sign_secret *s = NULL;
    OWN_TEXT struct text sealed = TEXT_EMPTY;
    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = '\0';
    assert_true(sign_generate(&s, &e));
    assert_false(sign_seal(sign_secret_public(s), large, &sealed, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    large[1024 - 48] = '\0';
    assert_true(sign_seal(sign_secret_public(s), large, &sealed, &e));
    assert_true(sign_unseal(s, sealed.data, opened, sizeof opened, &e));
    assert_string_equal(opened, large);
}

/* Whether a process of its own outlives writing into the key. */
static bool outlives_writing(const struct sign_secret *secret) {
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka's would end the test here */
        secret_bar_dumps();
        ((volatile unsigned char *)sign_secret_public(secret)->key)[0] ^= 1;
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return !WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV;
}

static void nobody_writes_into_a_key(void **state) {
    (void)state;
    struct err e;
    OWN(sign_secret) struct sign_secret *made = NULL;
    OWN(sign_secret) struct sign_secret *read = NULL;
    assert_true(sign_generate(&made, &e));
    assert_false(outlives_writing(made));
    if (!sign_secret_write(made, TEMPORARY("guarded.key"), &e)) fail_msg("%s", e.text);
    assert_true(sign_secret_read(TEMPORARY("guarded.key"), NULL, &read, &e));
    assert_false(outlives_writing(read));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_keys_of_minisign_are_read),
        cmocka_unit_test(malformed_public_keys_are_refused),
        cmocka_unit_test(public_key_files_come_back),
        cmocka_unit_test(secret_keys_of_minisign_are_read),
        cmocka_unit_test(encrypted_secret_keys_open_with_their_password_only),
        cmocka_unit_test(a_secret_key_open_to_others_is_refused),
        cmocka_unit_test(a_damaged_secret_key_is_never_used),
        cmocka_unit_test(malformed_secret_keys_are_refused),
        cmocka_unit_test(a_generated_key_is_kept_in_a_private_file_and_never_replaced),
        cmocka_unit_test(messages_are_bound_to_signer_purpose_and_content),
        cmocka_unit_test(a_sealed_secret_opens_for_its_holder_only),
        cmocka_unit_test(a_sealed_secret_has_a_bounded_size),
        cmocka_unit_test(nobody_writes_into_a_key),
    };
    sign_setup();
    return cmocka_run_group_tests_name("lib/sign", tests, temporary_begin, temporary_end);
}
