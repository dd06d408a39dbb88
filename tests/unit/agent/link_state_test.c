#include "agent/link_state.h"

#include "agent/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static int64_t wake_ms;
static const uint32_t half = 1u << 31;

static enum link_action next(struct link_state *s, enum link_event event, int64_t now_ms) {
    return link_next(s, event, now_ms, half, &wake_ms);
}

static struct link_state live_state(void) {
    struct link_state s = {0};
    assert_int_equal(next(&s, LINK_TICK, 0), LINK_SEND_HELLO);
    assert_int_equal(next(&s, LINK_HELLO_ANSWERED, 0), LINK_SEND_HEARTBEAT);
    return s;
}

static void the_start_is_a_hello_and_a_heartbeat(void **state) {
    (void)state;
    struct link_state s = live_state();
    assert_int_equal(s.under_way, 1);
}

static void one_heartbeat_is_always_under_way(void **state) {
    (void)state;
    struct link_state s = live_state();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(next(&s, LINK_TICK, i), LINK_WAIT);
        assert_int_equal(next(&s, LINK_ANSWERED, i), LINK_SEND_HEARTBEAT);
        assert_int_equal(s.under_way, 1);
    }
}

static void news_go_out_beside_the_parked_heartbeat(void **state) {
    (void)state;
    struct link_state s = live_state();
    assert_int_equal(next(&s, LINK_CHANGED, 1), LINK_SEND_HEARTBEAT);
    assert_int_equal(s.under_way, 2);
    assert_int_equal(next(&s, LINK_ANSWERED, 2), LINK_WAIT);
    assert_int_equal(s.under_way, 1);
}

static void more_news_wait_for_an_answer_and_go_out_once(void **state) {
    (void)state;
    struct link_state s = live_state();
    assert_int_equal(next(&s, LINK_CHANGED, 1), LINK_SEND_HEARTBEAT);
    assert_int_equal(next(&s, LINK_CHANGED, 1), LINK_WAIT);
    assert_int_equal(next(&s, LINK_CHANGED, 1), LINK_WAIT);
    assert_int_equal(next(&s, LINK_ANSWERED, 2), LINK_SEND_HEARTBEAT);
    assert_int_equal(next(&s, LINK_ANSWERED, 3), LINK_WAIT);
}

static void a_loss_pauses_longer_each_time_until_a_heartbeat_is_answered(void **state) {
    (void)state;
    struct link_state s = live_state();
    int64_t now_ms = 1000;
    int64_t last_ms = 0;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(next(&s, LINK_LOST, now_ms), LINK_WAIT);
        assert_true(wake_ms - now_ms >= last_ms);
        last_ms = wake_ms - now_ms;
        assert_int_equal(next(&s, LINK_TICK, wake_ms - 1), LINK_WAIT);
        now_ms = wake_ms;
        assert_int_equal(next(&s, LINK_TICK, now_ms), LINK_SEND_HELLO);
        assert_int_equal(next(&s, LINK_HELLO_ANSWERED, now_ms), LINK_SEND_HEARTBEAT);
    }
    assert_int_equal(last_ms, backoff_master.longest_ms);
    assert_int_equal(next(&s, LINK_ANSWERED, now_ms), LINK_SEND_HEARTBEAT);
    assert_int_equal(next(&s, LINK_LOST, now_ms), LINK_WAIT);
    assert_int_equal(wake_ms - now_ms, backoff_master.first_ms);
}

static void losing_twice_at_once_counts_once(void **state) {
    (void)state;
    struct link_state s = live_state();
    next(&s, LINK_LOST, 0);
    int64_t first_ms = wake_ms;
    next(&s, LINK_LOST, 0);
    assert_int_equal(wake_ms, first_ms);
    assert_int_equal(s.failures, 1);
}

static void news_without_a_session_wait_for_it(void **state) {
    (void)state;
    struct link_state s = live_state();
    next(&s, LINK_LOST, 0);
    assert_int_equal(next(&s, LINK_CHANGED, 1), LINK_WAIT);
    assert_int_equal(next(&s, LINK_TICK, wake_ms), LINK_SEND_HELLO);
    assert_int_equal(next(&s, LINK_CHANGED, wake_ms), LINK_WAIT);
}

/* Whatever happens: at most two under way, one whenever live, and DOWN always knows when to try
 * again. */
static void any_order_of_events_keeps_the_rules(void **state) {
    (void)state;
    for (unsigned seed = 1; seed < 2000; seed++) {
        unsigned random = seed;
        struct link_state s = {0};
        for (int64_t now_ms = 0; now_ms < 40000; now_ms += rand_r(&random) % 400) {
            enum link_event event = (enum link_event)(rand_r(&random) % (LINK_LOST + 1));
            bool live = s.phase == LINK_LIVE;
            if (!live && event == LINK_ANSWERED) event = LINK_TICK;
            enum link_action action =
                link_next(&s, event, now_ms, (uint32_t)rand_r(&random), &wake_ms);
            assert_true(s.under_way <= 2);
            assert_true(s.phase != LINK_LIVE || s.under_way >= 1);
            assert_true(s.phase != LINK_DOWN || wake_ms < INT64_MAX);
            assert_true(action != LINK_SEND_HEARTBEAT || s.phase == LINK_LIVE);
            assert_true(action != LINK_SEND_HELLO || s.phase == LINK_HELLO);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_start_is_a_hello_and_a_heartbeat),
        cmocka_unit_test(one_heartbeat_is_always_under_way),
        cmocka_unit_test(news_go_out_beside_the_parked_heartbeat),
        cmocka_unit_test(more_news_wait_for_an_answer_and_go_out_once),
        cmocka_unit_test(a_loss_pauses_longer_each_time_until_a_heartbeat_is_answered),
        cmocka_unit_test(losing_twice_at_once_counts_once),
        cmocka_unit_test(news_without_a_session_wait_for_it),
        cmocka_unit_test(any_order_of_events_keeps_the_rules),
    };
    return cmocka_run_group_tests_name("link_state", tests, NULL, NULL);
}
