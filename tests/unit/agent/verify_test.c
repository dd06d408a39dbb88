#include "agent/verify.h"

#include "tests/unit/agent/agent_fixture.h"

static struct version version;
static int fd = -1;

static const char *build_path(void) {
    return in_place("build-1.2.3");
}

static int open_build(void **unused) {
    setup_place(unused);
    make_version("1.2.3", 200000, &version);
    fd = open(build_path(), O_RDWR | O_CLOEXEC);
    return fd >= 0 ? 0 : -1;
}

static int close_build(void **unused) {
    version_clear(&version);
    close(fd);
    return teardown_place(unused);
}

static bool verify(void) {
    return verify_name(&version, &place.e) && verify_bytes(&version, fd, &place.e);
}

static void a_genuine_build_passes(void **unused) {
    (void)unused;
    assert_ok(verify());
}

static void an_altered_byte_is_found_wherever_it_is(void **unused) {
    (void)unused;
    for (off_t at = 0; at < version.size_bytes; at += 9973) {
        unsigned char byte;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 1;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_false(verify());
        assert_err(ERR_UNTRUSTED, "SHA-256");
        byte ^= 1;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    assert_ok(verify());
}

static void a_short_and_a_long_file_are_refused(void **unused) {
    (void)unused;
    assert_int_equal(ftruncate(fd, version.size_bytes - 1), 0);
    assert_false(verify());
    assert_err(ERR_UNTRUSTED, "bytes instead of");
    assert_int_equal(ftruncate(fd, version.size_bytes + 1), 0);
    assert_false(verify());
    assert_err(ERR_UNTRUSTED, "bytes instead of");
}

static void a_build_for_another_machine_is_refused(void **unused) {
    (void)unused;
    unsigned char other[2] = {183, 0}; /* EM_AARCH64 */
    unsigned char mine[2];
    assert_int_equal(pread(fd, mine, 2, 18), 2);
    if (mine[0] == other[0]) other[0] = 62;
    assert_int_equal(pwrite(fd, other, 2, 18), 2);
    char path[400];
    snprintf(path, sizeof path, "%s", build_path());
    version_clear(&version);
    sign_version(path, "1.2.3", &version);
    assert_false(verify());
    assert_err(ERR_UNTRUSTED, "does not run on this machine");
}

static void a_name_for_another_machine_or_version_is_refused(void **unused) {
    (void)unused;
    snprintf(version.file, sizeof version.file, "storage-server-1.2.3-darwin-aarch64");
    assert_false(verify_name(&version, &place.e));
    assert_err(ERR_UNTRUSTED, "this machine is");
    snprintf(version.file, sizeof version.file, "storage-server-1.2.4-%s-%s", platform_here(),
             platform_arch_here());
    assert_false(verify_name(&version, &place.e));
    assert_err(ERR_UNTRUSTED, "1.2.3");
    snprintf(version.file, sizeof version.file, "../../etc/passwd");
    assert_false(verify_name(&version, &place.e));
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, open_build, close_build)
    const struct CMUnitTest tests[] = {
        TEST(a_genuine_build_passes),
        TEST(an_altered_byte_is_found_wherever_it_is),
        TEST(a_short_and_a_long_file_are_refused),
        TEST(a_build_for_another_machine_is_refused),
        TEST(a_name_for_another_machine_or_version_is_refused),
    };
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
