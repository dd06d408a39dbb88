#include "cli/binary_file.h"

#include "lib/sign.h"
#include "tests/unit/cli/cmocka_headers.h"
#include "tests/unit/lib/temporary.h"

#include <string.h>
#include <sys/stat.h>

static void the_file_name_says_what_it_is(void **state) {
    (void)state;
    struct settings s = {0};
    struct artifact_name id;
    struct err e = {0};
    assert_true(
        binary_file_identify("/some/where/storage-server-1.0.0-rc.1-linux-x86_64", &s, &id, &e));
    assert_string_equal(id.name, "storage-server");
    assert_string_equal(id.version, "1.0.0-rc.1");
    assert_string_equal(id.platform, "linux");
    assert_string_equal(id.arch, "x86_64");
}

static void options_win_over_the_file_name(void **state) {
    (void)state;
    struct settings s = {.artifact_version = "2.0.0", .arch = "arm64"};
    struct artifact_name id;
    struct err e = {0};
    assert_true(binary_file_identify("storage-server-1.0.0-linux-x86_64", &s, &id, &e));
    assert_string_equal(id.version, "2.0.0");
    assert_string_equal(id.arch, "aarch64");
}

static void any_file_name_goes_with_enough_options(void **state) {
    (void)state;
    struct settings s = {.artifact_version = "2.0.0", .platform = "macos", .arch = "any"};
    struct artifact_name id;
    struct err e = {0};
    assert_true(binary_file_identify("./a.out", &s, &id, &e));
    assert_string_equal(id.name, "storage-server");
    assert_string_equal(id.platform, "darwin");
}

static void too_little_is_an_error_with_both_ways_out(void **state) {
    (void)state;
    struct settings s = {.artifact_version = "2.0.0"};
    struct artifact_name id;
    struct err e = {0};
    assert_false(binary_file_identify("a.out", &s, &id, &e));
    assert_non_null(strstr(e.hint, "NAME-VERSION-PLATFORM-ARCH"));
    assert_non_null(strstr(e.hint, "--platform"));
}

static void paths_of_rest_hold_every_part(void **state) {
    (void)state;
    OWN_TEXT struct text path = TEXT_EMPTY, yank = TEXT_EMPTY;
    struct artifact_name id = {
        .name = "s-s", .version = "1.0.0+b", .platform = "linux", .arch = "any"};
    binary_path(&id, NULL, &path);
    assert_string_equal(path.data, "/api/binaries/1.0.0%2Bb/linux/any?name=s-s");
    binary_path(&id, "yank", &yank);
    assert_string_equal(yank.data, "/api/binaries/1.0.0%2Bb/linux/any/yank?name=s-s");
}

#define FILE_NAME "storage-server-1.0.0-linux-x86_64"

static void put(const char *path, const char *words) {
    struct err e = {0};
    if (!file_write_durable(path, words, strlen(words), 0600, &e)) fail_msg("%s", e.text);
}

static void opens_and_hashes(void **state) {
    (void)state;
    OWN_BINARY_FILE struct binary_file f = {.fd = -1};
    struct settings s = {0};
    struct err e = {0};
    put(TEMPORARY(FILE_NAME), "abc");
    assert_true(binary_file_open(TEMPORARY(FILE_NAME), &s, &f, &e));
    assert_int_equal(f.size_bytes, 3);
    assert_string_equal(f.sha256,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(f.name, FILE_NAME);
}

static void refuses_what_is_no_file_with_content(void **state) {
    (void)state;
    struct settings s = {0};
    struct binary_file f;
    struct err e = {0};
    assert_false(binary_file_open(TEMPORARY(FILE_NAME), &s, &f, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    put(TEMPORARY(FILE_NAME), "");
    assert_false(binary_file_open(TEMPORARY(FILE_NAME), &s, &f, &e));
    assert_non_null(strstr(e.text, "is empty"));
    assert_false(binary_file_open(temporary_directory, &s, &f, &e));
    assert_non_null(strstr(e.text, "not a regular file"));
    assert_int_equal(mkfifo(TEMPORARY("s-1.0.0-any-any"), 0600), 0);
    assert_false(
        binary_file_open(TEMPORARY("s-1.0.0-any-any"), &s, &f, &e)); /* and does not hang */
}

static void signs_under_the_published_name(void **state) {
    (void)state;
    OWN_BINARY_FILE struct binary_file f = {.fd = -1};
    OWN(sign_secret) struct sign_secret *key = NULL;
    OWN_TEXT struct text signature = TEXT_EMPTY;
    struct settings s = {.artifact_version = "3.0.0"};
    struct err e = {0};
    size_t used;
    put(TEMPORARY(FILE_NAME), "abc");
    assert_true(sign_generate(&key, &e) && sign_secret_write(key, TEMPORARY("k.key"), &e));
    assert_true(binary_file_open(TEMPORARY(FILE_NAME), &s, &f, &e));
    assert_true(binary_file_sign(&f, TEMPORARY("k.key"), &signature, &e));
    assert_true(sign_verify_file(sign_secret_public(key), 1, signature.data, f.fd,
                                 "storage-server-3.0.0-linux-x86_64", &used, &e));
    assert_false(
        sign_verify_file(sign_secret_public(key), 1, signature.data, f.fd, FILE_NAME, &used, &e));
}

static void finds_the_signature_beside_the_file(void **state) {
    (void)state;
    OWN_BINARY_FILE struct binary_file f = {.fd = -1};
    OWN_TEXT struct text signature = TEXT_EMPTY, named = TEXT_EMPTY;
    struct settings s = {0};
    struct err e = {0};
    bool found;
    put(TEMPORARY(FILE_NAME), "abc");
    assert_true(binary_file_open(TEMPORARY(FILE_NAME), &s, &f, &e));
    assert_true(binary_file_signature(&f, &s, &signature, &found, &e));
    assert_false(found);
    put(TEMPORARY(FILE_NAME ".minisig"), "beside");
    assert_true(binary_file_signature(&f, &s, &signature, &found, &e));
    assert_true(found);
    assert_string_equal(signature.data, "beside");
    snprintf(s.signature, sizeof s.signature, "%s", TEMPORARY("none"));
    assert_false(binary_file_signature(&f, &s, &named, &found, &e));
}

static int setup(void **state) {
    (void)state;
    sign_setup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_name_says_what_it_is),
        cmocka_unit_test(options_win_over_the_file_name),
        cmocka_unit_test(any_file_name_goes_with_enough_options),
        cmocka_unit_test(too_little_is_an_error_with_both_ways_out),
        cmocka_unit_test(paths_of_rest_hold_every_part),
        IN_TEMPORARY(opens_and_hashes),
        IN_TEMPORARY(refuses_what_is_no_file_with_content),
        IN_TEMPORARY(signs_under_the_published_name),
        IN_TEMPORARY(finds_the_signature_beside_the_file),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
