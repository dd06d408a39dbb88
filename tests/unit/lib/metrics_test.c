#include "lib/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>

static void expect(struct metric *m, const char *rendered) {
    OWN_TEXT struct text out = TEXT_EMPTY;
    metrics_render(&m, 1, &out);
    assert_string_equal(text_value(&out), rendered);
    metrics_fini(&m, 1);
}

static void counters_and_gauges_are_rendered_in_order_of_their_labels(void **state) {
    (void)state;
    struct metric requests = {
        .name = "grid_requests_total",
        .help = "Requests.",
        .type = METRIC_COUNTER,
        .labels = {"route", "status"}
    };
    metric_add(&requests, 1, "/b", "2xx");
    metric_add(&requests, 1, "/a", "5xx");
    metric_add(&requests, 2.5, "/b", "2xx");
    metric_add(&requests, 0, "/a", "2xx");
    expect(&requests, "# HELP grid_requests_total Requests.\n"
                      "# TYPE grid_requests_total counter\n"
                      "grid_requests_total{route=\"/a\",status=\"2xx\"} 0\n"
                      "grid_requests_total{route=\"/a\",status=\"5xx\"} 1\n"
                      "grid_requests_total{route=\"/b\",status=\"2xx\"} 3.5\n");
    struct metric agents = {.name = "grid_agents",
                            .help = "Agents by status.",
                            .type = METRIC_GAUGE,
                            .labels = {"status"}};
    metric_set(&agents, 3, "up", NULL);
    metric_add(&agents, -1, "up", NULL);
    metric_set(&agents, 7, "lost", NULL);
    metric_set(&agents, 0, "lost", NULL);
    expect(&agents, "# HELP grid_agents Agents by status.\n"
                    "# TYPE grid_agents gauge\n"
                    "grid_agents{status=\"lost\"} 0\n"
                    "grid_agents{status=\"up\"} 2\n");
}

static void histograms_are_cumulative_with_sum_and_count(void **state) {
    (void)state;
    static const double bounds[] = {0.001, 0.25, 10};
    struct metric seconds = {.name = "grid_seconds",
                             .help = "Time.",
                             .type = METRIC_HISTOGRAM,
                             .labels = {"route"},
                             .bounds = bounds,
                             .bound_count = 3};
    const double values[] = {0.001, 0, 0.0011, 0.25, 9.5, 10.5, 1000};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        metric_observe(&seconds, values[i], "/x", NULL);
    expect(&seconds, "# HELP grid_seconds Time.\n"
                     "# TYPE grid_seconds histogram\n"
                     "grid_seconds_bucket{route=\"/x\",le=\"0.001\"} 2\n"
                     "grid_seconds_bucket{route=\"/x\",le=\"0.25\"} 4\n"
                     "grid_seconds_bucket{route=\"/x\",le=\"10\"} 5\n"
                     "grid_seconds_bucket{route=\"/x\",le=\"+Inf\"} 7\n"
                     "grid_seconds_sum{route=\"/x\"} 1020.2521\n"
                     "grid_seconds_count{route=\"/x\"} 7\n");
    struct metric bare = {.name = "grid_bare",
                          .help = "Bare.",
                          .type = METRIC_HISTOGRAM,
                          .bounds = bounds,
                          .bound_count = 1};
    metric_observe(&bare, 2, NULL, NULL);
    expect(&bare, "# HELP grid_bare Bare.\n"
                  "# TYPE grid_bare histogram\n"
                  "grid_bare_bucket{le=\"0.001\"} 0\n"
                  "grid_bare_bucket{le=\"+Inf\"} 1\n"
                  "grid_bare_sum 2\n"
                  "grid_bare_count 1\n");
}

static void families_without_series_print_their_head_alone(void **state) {
    (void)state;
    struct metric one = {.name = "grid_one", .help = "One.", .type = METRIC_GAUGE};
    struct metric two = {
        .name = "grid_two", .help = "A \\ and\na \"line\".", .type = METRIC_COUNTER};
    struct metric *const families[] = {&one, &two};
    OWN_TEXT struct text out = TEXT_EMPTY;
    metric_add(&two, 1, NULL, NULL);
    metrics_render(families, 2, &out);
    assert_string_equal(text_value(&out), "# HELP grid_one One.\n"
                                          "# TYPE grid_one gauge\n"
                                          "# HELP grid_two A \\\\ and\\na \"line\".\n"
                                          "# TYPE grid_two counter\n"
                                          "grid_two 1\n");
    metrics_fini(families, 2);
    metrics_fini(families, 2); /* again is harmless */
}

static void label_values_are_escaped(void **state) {
    (void)state;
    struct metric m = {.name = "m", .help = "h", .type = METRIC_GAUGE, .labels = {"a"}};
    metric_set(&m, 1, "x\"y\\z\nw\xC3\xA9\xFF", NULL);
    expect(&m, "# HELP m h\n# TYPE m gauge\n"
               "m{a=\"x\\\"y\\\\z\\nw\xC3\xA9\xEF\xBF\xBD\"} 1\n");
}

static void labels_are_told_apart_part_by_part(void **state) {
    (void)state;
    struct metric m = {
        .name = "m", .help = "h", .type = METRIC_GAUGE, .labels = {"a", "b"}
    };
    metric_set(&m, 1, "xy", "z");
    metric_set(&m, 2, "x", "yz");
    metric_set(&m, 3, "", "xyz");
    expect(&m, "# HELP m h\n# TYPE m gauge\n"
               "m{a=\"\",b=\"xyz\"} 3\nm{a=\"x\",b=\"yz\"} 2\nm{a=\"xy\",b=\"z\"} 1\n");
}

static void numbers_are_exact_and_short(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0.1,              "0.1"                },
        {1000000,          "1000000"            },
        {-2.5,             "-2.5"               },
        {1e21,             "1e+21"              },
        {9007199254740991, "9007199254740991"   },
        {1.0 / 3,          "0.33333333333333331"},
        {INFINITY,         "+Inf"               },
        {-INFINITY,        "-Inf"               },
        {NAN,              "NaN"                },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct metric m = {.name = "m", .help = "h", .type = METRIC_GAUGE};
        char expected[100];
        snprintf(expected, sizeof expected, "# HELP m h\n# TYPE m gauge\nm %s\n", rows[i].text);
        metric_set(&m, rows[i].value, NULL, NULL);
        expect(&m, expected);
    }
}

static size_t count_of(const char *words, const char *part) {
    size_t count = 0;
    for (const char *at = words; (at = strstr(at, part)) != NULL; at++) count++;
    return count;
}

static void too_many_series_fall_into_other(void **state) {
    (void)state;
    struct metric m = {
        .name = "m", .help = "h", .type = METRIC_COUNTER, .labels = {"a", "b"}
    };
    struct metric *const families[] = {&m};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 300; i++) {
            char label[16];
            snprintf(label, sizeof label, "l%d", i);
            metric_add(&m, 1, label, "x");
        }
    }
    OWN_TEXT struct text out = TEXT_EMPTY;
    metrics_render(families, 1, &out);
    assert_int_equal(count_of(out.data, "\nm{"), METRIC_MAX_SERIES);
    assert_int_equal(count_of(out.data, "\",b=\"x\"} 2\n"), METRIC_MAX_SERIES - 1);
    assert_non_null(strstr(out.data, "\nm{a=\"other\",b=\"other\"} 90\n"));
    metrics_fini(families, 1);
}

static void latency_bounds_ascend_from_a_millisecond_to_ten_seconds(void **state) {
    (void)state;
    assert_true(metric_seconds_bounds[0] == 0.001);
    for (size_t i = 1; i < metric_seconds_bound_count; i++)
        assert_true(metric_seconds_bounds[i - 1] < metric_seconds_bounds[i]);
    assert_true(metric_seconds_bounds[metric_seconds_bound_count - 1] == 10);
}

#define THREADS 8
#define ROUNDS 4000
#define SHARED 20

static struct metric shared_counter = {
    .name = "c", .help = "h", .type = METRIC_COUNTER, .labels = {"a"}};
static struct metric shared_histogram = {
    .name = "s", .help = "h", .type = METRIC_HISTOGRAM, .labels = {"a"}};
static struct metric shared_crowd = {
    .name = "x", .help = "h", .type = METRIC_COUNTER, .labels = {"a"}};
static struct metric *const shared[] = {&shared_counter, &shared_histogram, &shared_crowd};
static pthread_barrier_t start;

static void *measure(void *thread) {
    pthread_barrier_wait(&start);
    for (int i = 0; i < ROUNDS; i++) {
        char label[32];
        snprintf(label, sizeof label, "l%02d", i % SHARED);
        metric_add(&shared_counter, 0.5, label, NULL);
        metric_observe(&shared_histogram, i % 2 ? 0.0005 : 100, "all", NULL);
        snprintf(label, sizeof label, "t%d-%d", *(int *)thread, i % 100);
        metric_add(&shared_crowd, 1, label, NULL);
        if (i % 500 == 0) {
            OWN_TEXT struct text out = TEXT_EMPTY;
            metrics_render(shared, 3, &out);
        }
    }
    return NULL;
}

static double sum_of(const char *rendered, const char *prefix) {
    double sum = 0;
    for (const char *at = rendered; (at = strstr(at, prefix)) != NULL; at++)
        sum += strtod(strchr(at, '}') + 1, NULL);
    return sum;
}

static void threads_lose_nothing_and_make_no_series_twice(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    int numbers[THREADS];
    shared_histogram.bounds = metric_seconds_bounds;
    shared_histogram.bound_count = metric_seconds_bound_count;
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, measure, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    pthread_barrier_destroy(&start);

    OWN_TEXT struct text out = TEXT_EMPTY;
    metrics_render(shared, 3, &out);
    assert_int_equal(count_of(out.data, "\nc{"), SHARED);
    for (int i = 0; i < SHARED; i++) {
        char line[64];
        snprintf(line, sizeof line, "\nc{a=\"l%02d\"} %d\n", i, THREADS * ROUNDS / SHARED / 2);
        assert_non_null(strstr(out.data, line));
    }
    char line[64];
    snprintf(line, sizeof line, "\ns_count{a=\"all\"} %d\n", THREADS * ROUNDS);
    assert_non_null(strstr(out.data, line));
    snprintf(line, sizeof line, "\ns_bucket{a=\"all\",le=\"10\"} %d\n", THREADS * ROUNDS / 2);
    assert_non_null(strstr(out.data, line));
    assert_int_equal(count_of(out.data, "\nx{"), METRIC_MAX_SERIES);
    assert_true(sum_of(out.data, "\nx{") == THREADS * ROUNDS);
    metrics_fini(shared, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges_are_rendered_in_order_of_their_labels),
        cmocka_unit_test(histograms_are_cumulative_with_sum_and_count),
        cmocka_unit_test(families_without_series_print_their_head_alone),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(labels_are_told_apart_part_by_part),
        cmocka_unit_test(numbers_are_exact_and_short),
        cmocka_unit_test(too_many_series_fall_into_other),
        cmocka_unit_test(latency_bounds_ascend_from_a_millisecond_to_ten_seconds),
        cmocka_unit_test(threads_lose_nothing_and_make_no_series_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
