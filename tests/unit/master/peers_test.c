/* Sessions that only said hello, and those that proved themselves. */
#include "master/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static const unsigned char *id_of(unsigned char number) {
    static unsigned char id[SESSION_ID_SIZE];
    memset(id, number, sizeof id);
    return id;
}

static void greet(struct peers *ps, unsigned char number) {
    struct session s = {.id = {0}};
    struct wire_hello hello = {.greeting = number};
    memcpy(s.id, id_of(number), sizeof s.id);
    snprintf(hello.agent_id, sizeof hello.agent_id, "a-%d", number);
    peers_add(ps, &s, &hello, number);
}

/* Newest first, such as "531"; both ways along the list. */
static void assert_unproven(const struct peers *ps, const char *expected) {
    char seen[16] = "";
    const struct peer *last = NULL;
    size_t count = 0;
    for (const struct peer *p = ps->unproven; p != NULL; p = p->older) {
        assert_ptr_equal(p->newer, last);
        assert_true(count < sizeof seen - 1);
        seen[count++] = (char)('0' + p->greeting);
        last = p;
    }
    assert_string_equal(seen, expected);
    assert_int_equal(ps->unproven_count, count);
}

static void whoever_proves_himself_leaves_the_others_where_they_are(void **state) {
    (void)state;
    struct peers ps = {0};
    for (unsigned char i = 1; i <= 5; i++) greet(&ps, i);
    assert_unproven(&ps, "54321");
    peers_make_live(&ps, peers_find(&ps, id_of(1)));
    assert_unproven(&ps, "5432");
    peers_make_live(&ps, peers_find(&ps, id_of(3)));
    assert_unproven(&ps, "542");
    peers_make_live(&ps, peers_find(&ps, id_of(5)));
    assert_unproven(&ps, "42");
    peers_forget(&ps, peers_find(&ps, id_of(2)));
    peers_forget(&ps, peers_find(&ps, id_of(3)));
    assert_unproven(&ps, "4");
    assert_non_null(peers_find_live(&ps, "a-1"));
    assert_null(peers_find_live(&ps, "a-3"));
    assert_int_equal(ps.count, 3);
    greet(&ps, 6);
    assert_unproven(&ps, "64");
    peers_fini(&ps);
}

static void those_that_never_prove_themselves_are_forgotten(void **state) {
    (void)state;
    struct peers ps = {0};
    for (unsigned char i = 1; i <= 4; i++) greet(&ps, i);
    peers_make_live(&ps, peers_find(&ps, id_of(2)));
    peers_forget_unproven_of(&ps, "a-2");
    assert_unproven(&ps, "431");
    peers_forget_unproven_of(&ps, "a-4");
    assert_unproven(&ps, "31");
    peers_forget_unproven_before(&ps, 1);
    assert_unproven(&ps, "3");
    assert_non_null(peers_find_live(&ps, "a-2"));
    peers_fini(&ps);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_proves_himself_leaves_the_others_where_they_are),
        cmocka_unit_test(those_that_never_prove_themselves_are_forgotten),
    };
    return cmocka_run_group_tests_name("master/peers", tests, NULL, NULL);
}
