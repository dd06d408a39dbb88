#include "cli/join_command.h"

#include "tests/unit/cli/cmocka_headers.h"

#include <string.h>

#define KEY "RWTkNMWPSt+dERQMTwXXYq1Sow0S0kcCokjidhyevd74fGcBP6ex4gLm"
#define TOKEN "gj_0123456789abcdef.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define QUERY "?v=1&bus=7000&mk=" KEY "&rk=" KEY "&t=" TOKEN
#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void the_line_runs_only_the_script_of_its_digest(void **state) {
    (void)state;
    OWN_TEXT struct text line = TEXT_EMPTY;
    struct err e = {0};
    const char *join = "grid://10.0.0.1:7001" QUERY;
    if (!join_command_line(join, DIGEST, &line, &e)) fail_msg("%s", e.text);
    assert_non_null(strstr(line.data, "curl -fsS 'http://10.0.0.1:7001/install.sh'"));
    assert_non_null(strstr(line.data, "wget -qO- 'http://10.0.0.1:7001/install.sh'"));
    const char *check = strstr(line.data, "echo \"" DIGEST "  $f\" | sha256sum -c && ");
    assert_non_null(check);
    assert_non_null(strstr(check, "sh \"$f\" 'grid://10.0.0.1:7001" QUERY "'"));
    assert_null(strchr(line.data, '\n'));
}

static void with_a_ca_the_script_comes_over_https_and_is_proven_by_its_digest(void **state) {
    (void)state;
    OWN_TEXT struct text line = TEXT_EMPTY;
    struct err e = {0};
    assert_true(join_command_line("grid://10.0.0.1:7001" QUERY "&ca=" DIGEST, DIGEST, &line, &e));
    assert_non_null(strstr(line.data, "curl -fsSk 'https://10.0.0.1:7001/install.sh'"));
    assert_non_null(
        strstr(line.data, "wget -qO- --no-check-certificate 'https://10.0.0.1:7001/install.sh'"));
    assert_non_null(strstr(line.data, "sha256sum -c && "));
}

static void an_ipv6_address_keeps_its_brackets(void **state) {
    (void)state;
    OWN_TEXT struct text line = TEXT_EMPTY;
    struct err e = {0};
    assert_true(join_command_line("grid://[fd00::1]:7001" QUERY, DIGEST, &line, &e));
    assert_non_null(strstr(line.data, "'http://[fd00::1]:7001/install.sh'"));
}

static void what_is_no_join_string_makes_no_line(void **state) {
    (void)state;
    static const char *const bad[] = {"", "grid://h'; reboot #:1" QUERY, "http://h:1" QUERY};
    OWN_TEXT struct text line = TEXT_EMPTY;
    struct err e = {0};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(join_command_line(bad[i], DIGEST, &line, &e));
    assert_int_equal(line.length, 0);
}

#define BINARY(name, arch, more)                                                                   \
    "{\"version\":\"1.0.0\",\"checksum\":\"0\",\"path\":\"x\",\"platform\":\"linux\",\"arch\":"    \
    "\"" arch "\",\"name\":\"" name "\"" more "}"
#define OFFERED ",\"published\":true"

static void assert_platforms(const char *json, const char *expected) {
    OWN_TEXT struct text platforms = TEXT_EMPTY;
    struct err e = {0};
    if (!join_command_platforms(json, strlen(json), &platforms, &e))
        fail_msg("%s: %s", json, e.text);
    assert_string_equal(text_value(&platforms), expected);
}

#define AGENT(arch) BINARY("grid-agent", arch, OFFERED)
#define LAUNCHER(arch) BINARY("grid-launcher", arch, OFFERED)

static void only_places_with_both_programs_can_be_installed_on(void **state) {
    (void)state;
    assert_platforms("[]", "");
    assert_platforms("[" AGENT("arm") "]", "");
    assert_platforms("[" LAUNCHER("arm") "]", "");
    assert_platforms("[" AGENT("arm") "," LAUNCHER("x86") "]", "");
    assert_platforms("[" AGENT("arm") "," LAUNCHER("arm") "]", "linux/arm");
    assert_platforms(
        "[" LAUNCHER("arm") "," BINARY("grid-agent", "arm", OFFERED ",\"yanked\":true") "]", "");
    assert_platforms(
        "[" LAUNCHER("arm") "," BINARY("grid-agent", "arm", ",\"published\":false") "]", "");
    const char *of_an_older_master =
        "[" BINARY("grid-launcher", "arm", "") "," BINARY("grid-agent", "arm", "") "]";
    assert_platforms(of_an_older_master, "linux/arm");
    assert_platforms("[" AGENT("arm") "," AGENT("arm") "," LAUNCHER("arm") "," LAUNCHER(
                         "arm") "," AGENT("x86") "," LAUNCHER("x86") "]",
                     "linux/arm, linux/x86");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_runs_only_the_script_of_its_digest),
        cmocka_unit_test(with_a_ca_the_script_comes_over_https_and_is_proven_by_its_digest),
        cmocka_unit_test(an_ipv6_address_keeps_its_brackets),
        cmocka_unit_test(what_is_no_join_string_makes_no_line),
        cmocka_unit_test(only_places_with_both_programs_can_be_installed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
