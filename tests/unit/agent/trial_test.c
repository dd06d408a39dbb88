#include "agent/trial.h"

#include "tests/unit/lib/temporary.h"

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define A "1.0.0-" DIGEST
#define B "1.1.0-" DIGEST

static struct err e;

static void say(const char *words) {
    OWN_FD int fd = trial_log(temporary_directory, &e);
    assert_true(file_write_all(fd, words, strlen(words)));
}

static void a_trial_is_of_one_build_until_it_ends(void **state) {
    (void)state;
    OWN_TEXT struct text words = TEXT_EMPTY;
    assert_true(trial_begin(temporary_directory, A, &e));
    assert_true(trial_of(temporary_directory, A));
    assert_false(trial_of(temporary_directory, B));
    say("one\ntwo\n");
    trial_words(temporary_directory, 5, &words);
    assert_string_equal(text_value(&words), "two\n");
    assert_true(trial_begin(temporary_directory, B, &e)); /* the words of another are gone */
    text_clear(&words);
    trial_words(temporary_directory, 100, &words);
    assert_string_equal(text_value(&words), "");
    assert_true(trial_end(temporary_directory, &e));
    assert_true(trial_end(temporary_directory, &e));
    assert_false(trial_of(temporary_directory, B));
}

static void what_was_given_up_is_forgotten_by_the_next_trial(void **state) {
    (void)state;
    char reason[TRIAL_REASON_SIZE];
    assert_false(trial_given_up(temporary_directory, A, reason));
    assert_true(trial_give_up(temporary_directory, A, "3 starts in vain, so", &e));
    assert_true(trial_given_up(temporary_directory, A, reason));
    assert_string_equal(reason, "3 starts in vain, so");
    assert_false(trial_given_up(temporary_directory, B, reason));
    assert_true(trial_begin(temporary_directory, A, &e));
    assert_false(trial_given_up(temporary_directory, A, reason));
}

static void words_are_passed_on_once(void **state) {
    (void)state;
    char got[64] = "";
    int64_t place = 0;
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    assert_true(trial_begin(temporary_directory, A, &e));
    trial_relay(temporary_directory, &place, pipe_fds[1]);
    say("one\n");
    trial_relay(temporary_directory, &place, pipe_fds[1]);
    trial_relay(temporary_directory, &place, pipe_fds[1]);
    say("two\n");
    trial_relay(temporary_directory, &place, pipe_fds[1]);
    assert_int_equal(read(pipe_fds[0], got, sizeof got), 8);
    assert_string_equal(got, "one\ntwo\n");
    assert_true(trial_begin(temporary_directory, B, &e));
    say("three\n");
    trial_relay(temporary_directory, &place, pipe_fds[1]); /* another log: from its beginning */
    assert_int_equal(read(pipe_fds[0], got, sizeof got), 6);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TEMPORARY(a_trial_is_of_one_build_until_it_ends),
        IN_TEMPORARY(what_was_given_up_is_forgotten_by_the_next_trial),
        IN_TEMPORARY(words_are_passed_on_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
