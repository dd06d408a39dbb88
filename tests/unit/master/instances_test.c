#include "master/instances.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Greetings in order, each an instance (a letter, '-' for none told) and its count; the last one
 * decides. */
static const struct {
    const char *greetings;
    bool fine;
} rows[] = {
    {"a1",                true },
    {"a1 a2 a9",          true }, /* it greets again; greetings may be lost */
    {"a1 b1",             true }, /* restarted */
    {"a5 b1 c1 d1 e1 f1", true }, /* restarted again and again */
    {"a1 b1 b2 b3",       true },
    {"- - -",             true }, /* agents of before */
    {"a1 a1",             false}, /* copied while it ran */
    {"a3 a2",             false}, /* set back to a picture of its memory, or copied */
    {"a3 a2 a3",          false}, /* and it catches up */
    {"a1 b1 a2",          false}, /* a was not gone */
    {"a1 b1 a1",          false},
    {"a1 b1 c1 a2",       false},
    {"a1 b1 a2 b2",       false}, /* and it goes on */
    {"a1 - b1 - c1",      true }, /* back to an agent of before, and ahead */
    {"a1 - a2",           false}, /* somebody who does not tell */
};

static void two_machines_of_one_name_are_told_from_one_that_restarts(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct instances s = {.count = 0};
        bool fine = true;
        for (const char *at = rows[i].greetings; *at != '\0'; at += *at == ' ') {
            char id[2] = {*at == '-' ? '\0' : *at, '\0'};
            at++;
            int64_t greeting = 0;
            while (*at >= '0' && *at <= '9') greeting = greeting * 10 + *at++ - '0';
            fine = instances_greet(&s, id, greeting, 0);
        }
        instances_forget(&s);
        if (fine != rows[i].fine) fail_msg("%s", rows[i].greetings);
    }
}

/* Whether the last of so many is fine that come one after another, so long apart. */
static bool all_at_once(size_t count, int64_t apart_ms) {
    struct instances s = {.count = 0};
    bool fine = true;
    for (size_t i = 0; i < count; i++) {
        char id[WIRE_INSTANCE_SIZE];
        snprintf(id, sizeof id, "%zu", i);
        fine = instances_greet(&s, id, 1, (int64_t)i * apart_ms);
    }
    instances_forget(&s);
    return fine;
}

static void nobody_makes_it_forget_who_was_here(void **state) {
    (void)state;
    assert_true(all_at_once(INSTANCES_REMEMBERED, 0));
    assert_false(all_at_once(INSTANCES_REMEMBERED + 1, 1000));
    assert_true(all_at_once(100, INSTANCES_FORGOTTEN_MS / INSTANCES_REMEMBERED));
}

/* All greet once more when the first greetings could be forgotten; then a stranger comes. */
static void last_greeting_counts_not_the_first(void **state) {
    (void)state;
    struct instances s = {.count = 0};
    for (int64_t i = 0; i < 2 * (int64_t)INSTANCES_REMEMBERED; i++) {
        char id[WIRE_INSTANCE_SIZE];
        snprintf(id, sizeof id, "%d", (int)i % INSTANCES_REMEMBERED);
        (void)instances_greet(&s, id, 1, i / INSTANCES_REMEMBERED * INSTANCES_FORGOTTEN_MS);
    }
    bool fine = instances_greet(&s, "stranger", 1, INSTANCES_FORGOTTEN_MS);
    instances_forget(&s);
    assert_false(fine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_machines_of_one_name_are_told_from_one_that_restarts),
        cmocka_unit_test(nobody_makes_it_forget_who_was_here),
        cmocka_unit_test(last_greeting_counts_not_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
