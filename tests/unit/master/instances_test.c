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
    {"a1 - a2",           true },
    {"a1 a1",             false}, /* copied while it ran */
    {"a3 a2",             false}, /* set back to a picture of its memory, or copied */
    {"a1 b1 a2",          false}, /* a was not gone */
    {"a1 b1 a1",          false},
    {"a1 b1 c1 a2",       false},
    {"a1 b1 a2 b2",       false}, /* and it goes on */
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
            fine = instances_greet(&s, id, greeting);
        }
        if (fine != rows[i].fine) fail_msg("%s", rows[i].greetings);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_machines_of_one_name_are_told_from_one_that_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
