#include "cli/terminal.h"

#include "tests/unit/cli/cmocka_headers.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void the_first_variable_that_speaks_decides_about_utf8(void **state) {
    (void)state;
    assert_true(terminal_utf8(NULL, NULL, NULL));
    assert_true(terminal_utf8(NULL, NULL, "en_US.UTF-8"));
    assert_true(terminal_utf8("", "C.utf8", "POSIX"));
    assert_false(terminal_utf8("C", NULL, "en_US.UTF-8"));
    assert_false(terminal_utf8(NULL, NULL, "de_DE.ISO-8859-1"));
}

static int open_terminal(int *other) {
    *other = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(*other >= 0 && grantpt(*other) == 0 && unlockpt(*other) == 0);
    int fd = open(ptsname(*other), O_RDWR | O_NOCTTY);
    assert_true(fd >= 0);
    return fd;
}

static void colours_need_a_terminal_and_consent(void **state) {
    (void)state;
    struct output_style style;
    int other, terminal = open_terminal(&other), file = open("/dev/null", O_WRONLY);
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
    terminal_style(terminal, &style);
    assert_true(style.colour);
    assert_true(style.width > 0);
    terminal_style(file, &style);
    assert_false(style.colour);
    assert_int_equal(style.width, 0);
    setenv("NO_COLOR", "1", 1);
    terminal_style(terminal, &style);
    assert_false(style.colour);
    setenv("NO_COLOR", "", 1);
    terminal_style(terminal, &style);
    assert_true(style.colour);
    setenv("TERM", "dumb", 1);
    terminal_style(terminal, &style);
    assert_false(style.colour);
    close(other);
    close(terminal);
    close(file);
}

/* Runs terminal_secret with these words on stdin. */
static bool secret_from(const char *words, char *out, size_t size, struct err *e) {
    int ends[2], saved = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], words, strlen(words)), (int)strlen(words));
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    bool read = terminal_secret("token", out, size, e);
    dup2(saved, STDIN_FILENO);
    close(ends[0]);
    close(saved);
    return read;
}

static void a_secret_is_one_line(void **state) {
    (void)state;
    char out[8];
    struct err e = {0};
    assert_true(secret_from("abc\r\nnext", out, sizeof out, &e));
    assert_string_equal(out, "abc");
    assert_true(secret_from("abc", out, sizeof out, &e));
    assert_false(secret_from("\n", out, sizeof out, &e));
    assert_int_equal(e.code, ERR_INVALID);
    assert_false(secret_from("abcdefgh\n", out, sizeof out, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_variable_that_speaks_decides_about_utf8),
        cmocka_unit_test(colours_need_a_terminal_and_consent),
        cmocka_unit_test(a_secret_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
