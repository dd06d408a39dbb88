#include "lib/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

static const struct rate_limit ten_a_second = {.per_second = 10, .burst = 5};

static void a_new_bucket_holds_the_burst_and_no_more(void **state) {
    (void)state;
    struct rate_bucket b = {0};
    int64_t wait_ms = -1;
    for (int i = 0; i < 5; i++) {
        assert_true(rate_take(&b, ten_a_second, 1, 1000, &wait_ms));
        assert_int_equal(wait_ms, 0);
    }
    assert_false(rate_take(&b, ten_a_second, 1, 1000, &wait_ms));
    assert_int_equal(wait_ms, 100);
    assert_false(rate_take(&b, ten_a_second, 3, 1050, &wait_ms));
    assert_int_equal(wait_ms, 250);
    assert_false(rate_take(&b, ten_a_second, 1, 1099, NULL));
    assert_true(rate_take(&b, ten_a_second, 1, 1100, NULL)); /* failing took nothing */
    assert_true(rate_take(&b, ten_a_second, 5, 1000000, NULL));
    assert_false(rate_take(&b, ten_a_second, 1, 1000000, NULL));
}

static void what_will_never_be_there_is_waited_for_for_ever(void **state) {
    (void)state;
    struct rate_bucket b = {0};
    int64_t wait_ms = 0;
    assert_false(rate_take(&b, ten_a_second, 5.5, 1, &wait_ms));
    assert_true(wait_ms == INT64_MAX);
    const struct rate_limit once = {.per_second = 0, .burst = 1};
    struct rate_bucket single = {0};
    assert_true(rate_take(&single, once, 1, 1, &wait_ms));
    assert_false(rate_take(&single, once, 1, INT64_MAX, &wait_ms));
    assert_true(wait_ms == INT64_MAX);
    const struct rate_limit glacial = {.per_second = 1e-300, .burst = 1};
    struct rate_bucket ice = {0};
    assert_true(rate_take(&ice, glacial, 1, 1, &wait_ms));
    assert_false(rate_take(&ice, glacial, 1, 1, &wait_ms));
    assert_true(wait_ms == INT64_MAX);
}

static void a_clock_at_zero_or_going_back_gives_nothing_away(void **state) {
    (void)state;
    struct rate_bucket b = {0};
    assert_true(rate_take(&b, ten_a_second, 5, 0, NULL));
    assert_false(rate_take(&b, ten_a_second, 1, 0, NULL));
    assert_false(rate_take(&b, ten_a_second, 1, -5000, NULL));
    assert_true(rate_take(&b, ten_a_second, 1, 101, NULL));
    assert_false(rate_take(&b, ten_a_second, 1, 50, NULL));
    assert_false(rate_take(&b, ten_a_second, 1, 150, NULL)); /* the step back is not paid twice */
}

static void whoever_waits_as_told_gets_the_tokens(void **state) {
    (void)state;
    srandom(7);
    for (int i = 0; i < 20000; i++) {
        struct rate_limit limit = {.per_second = (double)(random() % 100000 + 1) / 97,
                                   .burst = (double)(random() % 1000000000 + 1) / 89};
        struct rate_bucket b = {.tokens = limit.burst * (double)(random() % 100) / 100,
                                .updated_ms = 1 + random()};
        int64_t now_ms = b.updated_ms;
        int64_t wait_ms = 0;
        double amount = limit.burst * (double)(random() % 101) / 100;
        if (rate_take(&b, limit, amount, now_ms, &wait_ms)) continue;
        assert_true(wait_ms > 0);
        if (wait_ms > 2) assert_false(rate_take(&b, limit, amount, now_ms + wait_ms - 2, NULL));
        assert_true(rate_take(&b, limit, amount, now_ms + wait_ms, NULL));
        assert_true(b.tokens >= 0);
    }
}

static void throughput_is_burst_and_rate_however_often_one_asks(void **state) {
    (void)state;
    const struct rate_limit limit = {.per_second = 1000, .burst = 50};
    struct rate_bucket b = {0};
    int taken = 0;
    for (int64_t now_ms = 1; now_ms <= 10001; now_ms++)
        for (int i = 0; i < 3; i++)
            if (rate_take(&b, limit, 1, now_ms, NULL)) taken++;
    assert_int_equal(taken, 50 + 10000);
}

static void keys_have_buckets_of_their_own(void **state) {
    (void)state;
    struct rate_limiter *l = rate_limiter_new(ten_a_second, 100);
    int64_t wait_ms = 0;
    assert_true(rate_limiter_take(l, "a", 5, 1, NULL));
    assert_false(rate_limiter_take(l, "a", 1, 1, &wait_ms));
    assert_int_equal(wait_ms, 100);
    assert_true(rate_limiter_take(l, "b", 5, 1, &wait_ms));
    assert_int_equal(wait_ms, 0);
    assert_true(rate_limiter_take(l, "", 5, 1, NULL));
    assert_false(rate_limiter_take(l, "", 1, 1, NULL));
    rate_limiter_free(l);
    rate_limiter_free(NULL);
}

static void asking_whether_takes_nothing(void **state) {
    (void)state;
    struct rate_limiter *l = rate_limiter_new(ten_a_second, 100);
    int64_t wait_ms = 0;
    for (int i = 0; i < 100; i++) assert_true(rate_limiter_allows(l, "a", 1, &wait_ms));
    for (int i = 0; i < 5; i++) {
        assert_true(rate_limiter_allows(l, "a", 1, &wait_ms));
        assert_true(rate_limiter_take(l, "a", 1, 1, NULL));
    }
    assert_false(rate_limiter_allows(l, "a", 1, &wait_ms));
    assert_int_equal(wait_ms, 100);
    assert_true(rate_limiter_allows(l, "a", 101, &wait_ms));
    rate_limiter_free(l);
}

static void the_least_recently_used_key_is_forgotten_first(void **state) {
    (void)state;
    struct rate_limiter *l = rate_limiter_new(ten_a_second, 3);
    assert_true(rate_limiter_take(l, "a", 5, 1, NULL));
    assert_true(rate_limiter_take(l, "b", 5, 1, NULL));
    assert_true(rate_limiter_take(l, "c", 5, 1, NULL));
    assert_false(rate_limiter_take(l, "a", 1, 1, NULL)); /* a and b are used again */
    assert_false(rate_limiter_allows(l, "b", 1, NULL));
    assert_true(rate_limiter_take(l, "d", 5, 1, NULL)); /* c goes */
    assert_false(rate_limiter_allows(l, "a", 1, NULL));
    assert_false(rate_limiter_allows(l, "b", 1, NULL));
    assert_false(rate_limiter_allows(l, "d", 1, NULL));
    assert_true(rate_limiter_allows(l, "c", 1, NULL));
    rate_limiter_free(l);
}

static void any_number_of_keys_fits(void **state) {
    (void)state;
    struct rate_limiter *l = rate_limiter_new(ten_a_second, 1000);
    char key[32];
    for (int i = 0; i < 50000; i++) {
        snprintf(key, sizeof key, "2001:db8::%x", (unsigned)i);
        assert_true(rate_limiter_take(l, key, 5, 1, NULL));
        assert_false(rate_limiter_take(l, key, 1, 1, NULL));
    }
    for (int i = 49000; i < 50000; i++) {
        snprintf(key, sizeof key, "2001:db8::%x", (unsigned)i);
        assert_false(rate_limiter_allows(l, key, 1, NULL));
    }
    assert_true(rate_limiter_allows(l, "2001:db8::0", 1, NULL));
    rate_limiter_free(l);
}

#define THREADS 4
static struct rate_limiter *shared;

static void *take_often(void *taken) {
    for (int i = 0; i < 5000; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i % 40);
        (void)rate_limiter_take(shared, key, 1, 1, NULL);
        if (rate_limiter_take(shared, "all", 1, 1, NULL)) ++*(int *)taken;
        (void)rate_limiter_allows(shared, key, 1, NULL);
    }
    return NULL;
}

static void threads_share_one_bucket(void **state) {
    (void)state;
    const struct rate_limit limit = {.per_second = 1, .burst = 777};
    pthread_t threads[THREADS];
    int taken[THREADS] = {0};
    int all = 0;
    shared = rate_limiter_new(limit, 20);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_often, &taken[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        all += taken[i];
    }
    assert_int_equal(all, 777);
    rate_limiter_free(shared);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_bucket_holds_the_burst_and_no_more),
        cmocka_unit_test(what_will_never_be_there_is_waited_for_for_ever),
        cmocka_unit_test(a_clock_at_zero_or_going_back_gives_nothing_away),
        cmocka_unit_test(whoever_waits_as_told_gets_the_tokens),
        cmocka_unit_test(throughput_is_burst_and_rate_however_often_one_asks),
        cmocka_unit_test(keys_have_buckets_of_their_own),
        cmocka_unit_test(asking_whether_takes_nothing),
        cmocka_unit_test(the_least_recently_used_key_is_forgotten_first),
        cmocka_unit_test(any_number_of_keys_fits),
        cmocka_unit_test(threads_share_one_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
