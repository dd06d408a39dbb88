#include "lib/http_pace.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* Waits from begin_ms to end_ms for a client that moves so many bytes per second. */
static void wait_for(struct http_pace *p, int64_t begin_ms, int64_t end_ms, int64_t bps,
                     int64_t *bytes) {
    int64_t before = *bytes;
    for (int64_t at = begin_ms; at <= end_ms; at += HTTP_PACE_NOTE_MS) {
        *bytes = before + bps * (at - begin_ms) / 1000;
        http_pace_note(p, POLLOUT, *bytes, at);
    }
}

static void a_client_is_judged_by_its_rate(void **state) {
    (void)state;
    static const struct {
        int64_t bps;
        bool slow;
    } cases[] = {
        {0,                         true },
        {1,                         true },
        {HTTP_PACE_MINIMUM_BPS - 1, true },
        {HTTP_PACE_MINIMUM_BPS,     false},
        {125000,                    false}, /* 1 Mbit/s */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_pace p = {0};
        int64_t bytes = 0;
        int64_t bps = -1;
        wait_for(&p, 5000, 65000, cases[i].bps, &bytes);
        assert_int_equal(http_pace_is_slow(&p, 65000, &bps), cases[i].slow);
        assert_int_equal(bps, cases[i].bps);
    }
}

static void a_newcomer_is_not_judged(void **state) {
    (void)state;
    struct http_pace p = {0};
    int64_t bytes = 0;
    int64_t bps = -1;
    assert_false(http_pace_is_slow(&p, 100000, &bps));
    wait_for(&p, 100000, 100500, 0, &bytes);
    assert_false(http_pace_is_slow(&p, 100999, &bps));
    assert_int_equal(bps, -1);
    http_pace_note(&p, POLLOUT, bytes, 101000);
    assert_true(http_pace_is_slow(&p, 101000, &bps));
}

static void whoever_is_not_waited_for_is_not_judged(void **state) {
    (void)state;
    struct http_pace p = {0};
    int64_t bytes = 0;
    int64_t bps = -1;
    wait_for(&p, 0, 20000, 0, &bytes);
    assert_true(http_pace_is_slow(&p, 21000, &bps));
    assert_false(http_pace_is_slow(&p, 30000, &bps)); /* the server works */
    wait_for(&p, 30000, 30500, 0, &bytes);
    assert_false(http_pace_is_slow(&p, 30500, &bps)); /* its own time does not count */
    wait_for(&p, 30500, 31000, 0, &bytes);
    assert_true(http_pace_is_slow(&p, 31000, &bps));
}

static void what_came_in_says_nothing_about_what_goes_out(void **state) {
    (void)state;
    struct http_pace p = {0};
    int64_t bytes = 1000000;
    int64_t bps = -1;
    http_pace_note(&p, POLLIN, 0, 0);
    http_pace_note(&p, POLLIN, 500000, 500);
    wait_for(&p, 1000, 1500, 0, &bytes);
    assert_false(http_pace_is_slow(&p, 1500, &bps));
    wait_for(&p, 1500, 2000, 0, &bytes);
    assert_true(http_pace_is_slow(&p, 2000, &bps));
    assert_int_equal(bps, 0);
}

static void a_short_pause_is_forgiven_and_a_good_past_is_forgotten(void **state) {
    (void)state;
    struct http_pace p = {0};
    int64_t bytes = 0;
    int64_t bps = -1;
    wait_for(&p, 0, 60000, 125000, &bytes);
    wait_for(&p, 60000, 61000, 0, &bytes);
    assert_false(http_pace_is_slow(&p, 61000, &bps));
    wait_for(&p, 61000, 60000 + HTTP_PACE_WINDOW_MS, 0, &bytes);
    assert_true(http_pace_is_slow(&p, 60000 + HTTP_PACE_WINDOW_MS, &bps));
}

static void a_note_is_due_now_and_then(void **state) {
    (void)state;
    struct http_pace p = {0};
    assert_true(http_pace_is_due(&p, 0));
    http_pace_note(&p, POLLIN, 0, 0);
    assert_false(http_pace_is_due(&p, HTTP_PACE_NOTE_MS - 1));
    assert_true(http_pace_is_due(&p, HTTP_PACE_NOTE_MS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_is_judged_by_its_rate),
        cmocka_unit_test(a_newcomer_is_not_judged),
        cmocka_unit_test(whoever_is_not_waited_for_is_not_judged),
        cmocka_unit_test(what_came_in_says_nothing_about_what_goes_out),
        cmocka_unit_test(a_short_pause_is_forgiven_and_a_good_past_is_forgotten),
        cmocka_unit_test(a_note_is_due_now_and_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
