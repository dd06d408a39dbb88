#include "cli/invocation.h"

#include "tests/unit/cli/cmocka_headers.h"

#include <string.h>

static const struct command command = {.noun = "agent", .verb = "show", .arguments = "ID"};

static void assert_report(const struct err *e, const struct command *c, const char *words) {
    OWN_TEXT struct text out = TEXT_EMPTY;
    invocation_failure(e, c, &out);
    assert_string_equal(out.data, words);
}

static void an_error_ends_with_what_to_try(void **state) {
    (void)state;
    assert_report(&(struct err){.code = ERR_NOT_FOUND, .text = "agent \"x\" not found"}, &command,
                  "gridctl: agent \"x\" not found\nNext: gridctl agent list\n");
    assert_report(
        &(struct err){.code = ERR_NOT_FOUND, .text = "gone", .hint = "the master's own hint"},
        &command, "gridctl: gone\nNext: the master's own hint\n");
    assert_report(&(struct err){.code = ERR_USAGE, .text = "agent show needs ID"}, &command,
                  "gridctl: agent show needs ID\nNext: gridctl agent show --help\n");
    assert_report(&(struct err){.code = ERR_TIMEOUT, .text = "slow"}, NULL,
                  "gridctl: slow\nNext: a longer --timeout, such as 2m\n");
    assert_report(&(struct err){.code = ERR_USAGE, .text = "no x", .hint = "did you mean y?"},
                  &command, "gridctl: no x\ndid you mean y?\n");
    assert_report(&(struct err){.code = ERR_CONFLICT, .text = "taken"}, &command,
                  "gridctl: taken\n");
}

static void an_error_cannot_act_on_the_terminal(void **state) {
    (void)state;
    assert_report(&(struct err){.code = ERR_CONFLICT, .text = "a\033[2Jb\nc"}, &command,
                  "gridctl: a\xef\xbf\xbd[2Jb c\n");
}

static int tried;

static bool good_ones_end_in_g(struct invocation *call, const char *argument, struct err *e) {
    (void)call;
    tried++;
    if (argument[strlen(argument) - 1] == 'g') return true;
    enum err_code code = strcmp(argument, "away") == 0 ? ERR_UNREACHABLE : ERR_CONFLICT;
    return err_set(e, code, "%s is bad", argument);
}

static int each(char *const *arguments, int count, bool *done, struct err *e) {
    struct invocation call = {.command = &command};
    tried = 0;
    *done = invocation_each(&call, arguments, count, good_ones_end_in_g, e);
    return call.exit_code;
}

static void several_arguments_all_get_their_turn(void **state) {
    (void)state;
    struct err e = {0};
    bool done;
    char *mixed[] = {"ag", "bad", "bg"}, *good[] = {"ag", "bg"}, *bad[] = {"x", "y"},
         *one[] = {"x"}, *away[] = {"ag", "away", "bg"};
    assert_int_equal(each(good, 2, &done, &e), 0);
    assert_true(done);
    assert_int_equal(each(mixed, 3, &done, &e), 8);
    assert_true(done);
    assert_int_equal(tried, 3);
    assert_int_equal(each(bad, 2, &done, &e), 5);
    assert_true(done);
    assert_int_equal(each(one, 1, &done, &e), 0);
    assert_false(done);
    assert_int_equal(each(away, 3, &done, &e), 0);
    assert_false(done);
    assert_int_equal(tried, 2);
}

static void nobody_to_ask_means_a_usage_error(void **state) {
    (void)state;
    struct err e = {0};
    struct settings settings = {0};
    struct invocation call = {.command = &command, .settings = &settings};
    if (!isatty(STDIN_FILENO)) {
        assert_false(invocation_confirm(&call, &e, "Really?"));
        assert_int_equal(e.code, ERR_USAGE);
        assert_non_null(strstr(e.hint, "--yes"));
    }
    settings.yes = true;
    assert_true(invocation_confirm(&call, &e, "Really?"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_ends_with_what_to_try),
        cmocka_unit_test(an_error_cannot_act_on_the_terminal),
        cmocka_unit_test(several_arguments_all_get_their_turn),
        cmocka_unit_test(nobody_to_ask_means_a_usage_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
