#include "lib/sign.h"

#include "tests/unit/lib/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Made by minisign 0.11 over the file "f" that holds "hi\n". */
#define PUBLIC_LINE "RWTkNMWPSt+dERQMTwXXYq1Sow0S0kcCokjidhyevd74fGcBP6ex4gLm"
#define SIGNED_BY_MINISIGN                                                                         \
    "untrusted comment: signature from minisign secret key\n"                                      \
    "RUTkNMWPSt+dEcFN3LMob4a8vj6JfpNGXQphnoWWASQkogIul16E/"                                        \
    "Had5Y8IXqyEgooljnJNN3+IeC4Bp3k0iRZOJ0KqblvBxwI=\n"                                            \
    "trusted comment: timestamp:1795236724\tfile:f\thashed\n"                                      \
    "djIuKIVul+kWw18OhM0IBHBfBB09coarq8dULctp045kRKXGtFKVVnkNcbV3oXnIqpFVUT1tF1/o140D6daCCQ==\n"
#define SIGNED_LEGACY                                                                              \
    "untrusted comment: signature from minisign secret key\n"                                      \
    "RWTkNMWPSt+dEX/svuRfCsZMC2WEKljCI10EidNju/zqUCjPkkcnO0878mn081aMlmhisOeP2dtZl+"               \
    "UlqFM3kduFAUaDm55Uogo=\n"                                                                     \
    "trusted comment: timestamp:1795236724\tfile:f\n"                                              \
    "v0fPDhF6OU9ySKXG9CF1pEfpmBRX3GvjBkO+wmeMOpeYCgN4KjC/DkSe6rjQlOnb2Wt0SB27NafnCxwL7GuNAg==\n"

extern char **environ;
static int begin(void **state) {
    return temporary_begin(state) != 0 ? -1 : chdir(temporary_directory);
}

static void write_file(const char *name, const char *content) {
    struct err e;
    if (!file_write_durable(name, content, strlen(content), 0644, &e)) fail_msg("%s", e.text);
}

/* The caller frees. */
static char *read_file(const char *name) {
    struct text content = TEXT_EMPTY;
    struct err e;
    if (!file_read(name, 65536, &content, &e)) fail_msg("%s", e.text);
    return text_take(&content);
}

/* Runs a program with an empty or given input, its output thrown away; its exit code. */
static int run(const char *input, char *const arguments[]) {
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;
    write_file("input", input);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "input", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    int failed = posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) return 127;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

#define RUN(input, ...) run(input, (char *[]){__VA_ARGS__, NULL})

static bool minisign_missing(void) {
    if (RUN("", "minisign", "-v") != 127) return false;
    print_message("minisign is not installed: the foreign judge is skipped (run ci/deps)\n");
    return true;
}

static struct sign_public fixture_key(void) {
    struct err e = {0};
    struct sign_public key;
    assert_true(sign_public_parse(PUBLIC_LINE, &key, &e));
    return key;
}

static bool verify(const char *signature, const char *content, const char *name, struct err *e) {
    struct sign_public key = fixture_key();
    write_file("content", content);
    OWN_FD int fd = open("content", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return sign_verify_file(&key, 1, signature, fd, name, NULL, e);
}

static void assert_refused(const char *signature, const char *content, const char *name,
                           enum err_code code, const char *words) {
    struct err e = {0};
    assert_false(verify(signature, content, name, &e));
    if (strstr(e.text, words) == NULL) print_error("text: %s\n", e.text);
    assert_int_equal(e.code, code);
    assert_non_null(strstr(e.text, words));
}

static void signatures_of_minisign_are_accepted(void **state) {
    (void)state;
    struct err e = {0};
    assert_true(verify(SIGNED_BY_MINISIGN, "hi\n", "f", &e));
    assert_true(verify(SIGNED_LEGACY, "hi\n", "f", &e));
}

static void an_altered_file_is_refused(void **state) {
    (void)state;
    const char *altered[] = {"Hi\n", "hi", "hi\n\n", ""};
    for (size_t i = 0; i < 4; i++) {
        assert_refused(SIGNED_BY_MINISIGN, altered[i], "f", ERR_UNTRUSTED, "content of f");
        assert_refused(SIGNED_LEGACY, altered[i], "f", ERR_UNTRUSTED, "content of f");
    }
}

static void a_renamed_file_is_refused(void **state) {
    (void)state;
    assert_refused(SIGNED_BY_MINISIGN, "hi\n", "g", ERR_UNTRUSTED, "for file \"f\", not for \"g\"");
    assert_refused(SIGNED_BY_MINISIGN, "hi\n", "F", ERR_UNTRUSTED, "not for \"F\"");
    assert_refused(SIGNED_BY_MINISIGN, "hi\n", "", ERR_UNTRUSTED, "not for \"\"");
    assert_refused(SIGNED_BY_MINISIGN, "hi\n", "ff", ERR_UNTRUSTED, "not for \"ff\"");
    assert_refused(SIGNED_LEGACY, "hi\n", "g", ERR_UNTRUSTED, "not for \"g\"");
}

static void an_altered_trusted_comment_is_refused(void **state) {
    (void)state;
    char renamed[] = SIGNED_BY_MINISIGN, later[] = SIGNED_LEGACY;
    *strstr(renamed, "file:f") = 'F';
    assert_refused(renamed, "hi\n", "f", ERR_UNTRUSTED, "trusted comment was altered");
    strcpy(renamed, SIGNED_BY_MINISIGN);
    strstr(renamed, "file:f")[5] = 'g';
    assert_refused(renamed, "hi\n", "g", ERR_UNTRUSTED, "trusted comment was altered");
    strstr(later, "timestamp:1")[10] = '2';
    assert_refused(later, "hi\n", "f", ERR_UNTRUSTED, "trusted comment was altered");
}

static void an_untrusted_signer_is_refused(void **state) {
    (void)state;
    struct err e = {0};
    struct sign_public keys[2] = {fixture_key(), fixture_key()};
    write_file("content", "hi\n");
    OWN_FD int fd = open("content", O_RDONLY | O_CLOEXEC);
    assert_false(sign_verify_file(NULL, 0, SIGNED_BY_MINISIGN, fd, "f", NULL, &e));
    assert_int_equal(e.code, ERR_UNTRUSTED);
    assert_non_null(strstr(e.text, "key 119DDF4A8FC534E4, which is not trusted"));
    keys[0].id[0] ^= 1;
    assert_false(sign_verify_file(keys, 1, SIGNED_BY_MINISIGN, fd, "f", NULL, &e));
    assert_int_equal(e.code, ERR_UNTRUSTED);
    size_t used = 7;
    assert_true(sign_verify_file(keys, 2, SIGNED_BY_MINISIGN, fd, "f", &used, &e));
    assert_int_equal(used, 1);
}

static void a_key_of_the_same_id_is_no_substitute(void **state) {
    (void)state;
    struct err e = {0};
    OWN(sign_secret) struct sign_secret *other = NULL;
    assert_true(sign_generate(&other, &e));
    struct sign_public keys[2] = {*sign_secret_public(other), fixture_key()};
    memcpy(keys[0].id, keys[1].id, SIGN_KEY_ID_SIZE);
    write_file("content", "hi\n");
    OWN_FD int fd = open("content", O_RDONLY | O_CLOEXEC);
    assert_false(sign_verify_file(keys, 1, SIGNED_BY_MINISIGN, fd, "f", NULL, &e));
    assert_int_equal(e.code, ERR_UNTRUSTED);
    size_t used = 7;
    assert_true(sign_verify_file(keys, 2, SIGNED_BY_MINISIGN, fd, "f", &used, &e));
    assert_int_equal(used, 1);
}

/* Cut after each byte: the only harmless cut is the last line's end. */
static void a_truncated_signature_is_refused(void **state) {
    (void)state;
    const size_t length = strlen(SIGNED_BY_MINISIGN);
    for (size_t i = 0; i < length - 1; i++) {
        struct err e = {0};
        char cut[] = SIGNED_BY_MINISIGN;
        cut[i] = '\0';
        assert_false(verify(cut, "hi\n", "f", &e));
        assert_int_equal(e.code, ERR_INVALID);
        assert_non_null(strstr(e.text, "no minisign signature"));
    }
    struct err e = {0};
    char cut[] = SIGNED_BY_MINISIGN;
    cut[length - 1] = '\0';
    assert_true(verify(cut, "hi\n", "f", &e));
}

/* Each character behind the untrusted comment changed, one at a time. */
static void every_altered_character_is_noticed(void **state) {
    (void)state;
    const char *both[] = {SIGNED_BY_MINISIGN, SIGNED_LEGACY};
    for (size_t k = 0; k < 2; k++) {
        size_t start = (size_t)(strchr(both[k], '\n') - both[k]) + 1;
        for (size_t i = start; i < strlen(both[k]) - 1; i++) {
            struct err e = {0};
            char altered[sizeof SIGNED_BY_MINISIGN];
            strcpy(altered, both[k]);
            altered[i] = altered[i] == 'A' ? 'Q' : 'A';
            assert_false(verify(altered, "hi\n", "f", &e));
            assert_true(e.code == ERR_UNTRUSTED || e.code == ERR_INVALID);
        }
    }
}

static void texts_that_are_no_signature_are_refused(void **state) {
    (void)state;
    char endless[20000];
    memset(endless, 'A', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    assert_refused("", "hi\n", "f", ERR_INVALID, "first line");
    assert_refused(PUBLIC_LINE, "hi\n", "f", ERR_INVALID, "first line");
    assert_refused("untrusted comment: x\nAAAA\n", "hi\n", "f", ERR_INVALID, "second line");
    assert_refused(endless, "hi\n", "f", ERR_INVALID, "too long");
    assert_refused(SIGNED_BY_MINISIGN "more\n", "hi\n", "f", ERR_INVALID, "fourth line");
}

static void what_is_signed_here_verifies_here(void **state) {
    (void)state;
    struct err e = {0};
    OWN(sign_secret) struct sign_secret *s = NULL;
    OWN_TEXT struct text signature = TEXT_EMPTY;
    assert_true(sign_generate(&s, &e));
    write_file("content", "some bytes");
    OWN_FD int fd = open("content", O_RDONLY | O_CLOEXEC);
    assert_int_equal(lseek(fd, 4, SEEK_SET), 4); /* the position does not matter */
    assert_true(sign_file(s, fd, "node-1.0.0-linux-x86_64", &signature, &e));
    assert_true(sign_verify_file(sign_secret_public(s), 1, signature.data, fd,
                                 "node-1.0.0-linux-x86_64", NULL, &e));
    assert_false(
        sign_verify_file(sign_secret_public(s), 1, signature.data, fd, "content", NULL, &e));
}

static void names_that_would_break_the_comment_cannot_be_signed(void **state) {
    (void)state;
    OWN(sign_secret) struct sign_secret *s = NULL;
    OWN_TEXT struct text signature = TEXT_EMPTY;
    char longest[SIGN_FILE_NAME_SIZE + 1];
    struct err e = {0};
    memset(longest, 'n', SIGN_FILE_NAME_SIZE);
    longest[SIGN_FILE_NAME_SIZE] = '\0';
    const char *wrong[] = {"", "a\tfile:b", "a\nb", "a\x7f", longest};
    assert_true(sign_generate(&s, &e));
    write_file("content", "x");
    OWN_FD int fd = open("content", O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(sign_file(s, fd, wrong[i], &signature, &e));
        assert_int_equal(e.code, ERR_INVALID);
    }
    assert_int_equal(signature.length, 0);
    longest[SIGN_FILE_NAME_SIZE - 1] = '\0';
    assert_true(sign_file(s, fd, longest, &signature, &e));
    assert_true(sign_verify_file(sign_secret_public(s), 1, signature.data, fd, longest, NULL, &e));
}

static void a_file_that_cannot_be_read_is_an_error(void **state) {
    (void)state;
    struct err e = {0};
    struct sign_public key = fixture_key();
    OWN_FD int fd = open(".", O_RDONLY | O_CLOEXEC);
    assert_false(sign_verify_file(&key, 1, SIGNED_BY_MINISIGN, fd, "f", NULL, &e));
    assert_int_not_equal(e.code, ERR_NONE);
    assert_false(sign_verify_file(&key, 1, SIGNED_BY_MINISIGN, -1, "f", NULL, &e));
    assert_int_equal(e.code, ERR_IO);
}

static void minisign_accepts_what_is_signed_here(void **state) {
    (void)state;
    if (minisign_missing()) skip();
    struct err e = {0};
    OWN(sign_secret) struct sign_secret *s = NULL;
    OWN_TEXT struct text signature = TEXT_EMPTY;
    assert_true(sign_generate(&s, &e));
    assert_true(sign_public_write(sign_secret_public(s), "ours.pub", &e));
    write_file("ours", "content of ours");
    OWN_FD int fd = open("ours", O_RDONLY | O_CLOEXEC);
    assert_true(sign_file(s, fd, "ours", &signature, &e));
    write_file("ours.minisig", signature.data);
    assert_int_equal(RUN("", "minisign", "-V", "-p", "ours.pub", "-m", "ours"), 0);
    char line[SIGN_PUBLIC_TEXT_SIZE];
    sign_public_text(sign_secret_public(s), line);
    assert_int_equal(RUN("", "minisign", "-V", "-P", line, "-m", "ours"), 0);
    write_file("ours", "content of Ours");
    assert_int_not_equal(RUN("", "minisign", "-V", "-p", "ours.pub", "-m", "ours"), 0);
}

static void minisign_signs_with_a_key_written_here(void **state) {
    (void)state;
    if (minisign_missing()) skip();
    struct err e = {0};
    OWN(sign_secret) struct sign_secret *s = NULL;
    assert_true(sign_generate(&s, &e));
    assert_true(sign_secret_write(s, "shared.key", &e));
    write_file("shared", "content");
    assert_int_equal(RUN("", "minisign", "-S", "-s", "shared.key", "-m", "shared"), 0);
    OWN_MEMORY char *signature = read_file("shared.minisig");
    OWN_FD int fd = open("shared", O_RDONLY | O_CLOEXEC);
    assert_true(sign_verify_file(sign_secret_public(s), 1, signature, fd, "shared", NULL, &e));
}

/* Keys and signatures made by the stock program, in each of its ways of signing. */
static void what_minisign_signs_is_judged_here(void **state) {
    (void)state;
    if (minisign_missing()) skip();
    struct err e = {0};
    struct sign_public key;
    OWN(sign_secret) struct sign_secret *s = NULL;
    assert_int_equal(RUN("", "minisign", "-G", "-W", "-f", "-p", "theirs.pub", "-s", "theirs.key"),
                     0);
    assert_true(sign_public_read("theirs.pub", &key, &e));
    assert_true(sign_secret_read("theirs.key", NULL, &s, &e));
    assert_true(sign_public_equal(&key, sign_secret_public(s)));
    write_file("theirs", "content of theirs");
    OWN_FD int fd = open("theirs", O_RDONLY | O_CLOEXEC);
    static const struct {
        const char *option, *comment;
        bool accepted;
    } ways[] = {
        {"-H", NULL,                     true }, /* pre-hashed */
        {"-l", NULL,                     true }, /* legacy */
        {"-H", "file:theirs",            true },
        {"-H", "no name",                false},
        {"-H", "file:other",             false},
        {"-H", "file:theirs\tfile:more", false},
        {"-H", "file:more\tfile:theirs", false},
        {"-H", "profile:theirs",         false},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        char option[8], comment[64];
        strcpy(option, ways[i].option);
        strcpy(comment, ways[i].comment != NULL ? ways[i].comment : "");
        char *const arguments[] = {
            "minisign",   "-S", option,   "-s",
            "theirs.key", "-m", "theirs", ways[i].comment != NULL ? "-t" : NULL,
            comment,      NULL};
        assert_int_equal(run("", arguments), 0);
        OWN_MEMORY char *signature = read_file("theirs.minisig");
        assert_int_equal(sign_verify_file(&key, 1, signature, fd, "theirs", NULL, &e),
                         ways[i].accepted);
        if (!ways[i].accepted) assert_int_equal(e.code, ERR_UNTRUSTED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_of_minisign_are_accepted),
        cmocka_unit_test(an_altered_file_is_refused),
        cmocka_unit_test(a_renamed_file_is_refused),
        cmocka_unit_test(an_altered_trusted_comment_is_refused),
        cmocka_unit_test(an_untrusted_signer_is_refused),
        cmocka_unit_test(a_key_of_the_same_id_is_no_substitute),
        cmocka_unit_test(a_truncated_signature_is_refused),
        cmocka_unit_test(every_altered_character_is_noticed),
        cmocka_unit_test(texts_that_are_no_signature_are_refused),
        cmocka_unit_test(what_is_signed_here_verifies_here),
        cmocka_unit_test(names_that_would_break_the_comment_cannot_be_signed),
        cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
        cmocka_unit_test(minisign_accepts_what_is_signed_here),
        cmocka_unit_test(minisign_signs_with_a_key_written_here),
        cmocka_unit_test(what_minisign_signs_is_judged_here),
    };
    sign_setup();
    return cmocka_run_group_tests_name("lib/sign_file", tests, begin, temporary_end);
}
