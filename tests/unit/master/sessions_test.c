/* Sessions: how long they live, whose tickets open what, and how often one may fail:
 * by a clock that stands still, however long hashes take. */
#include "master/sessions.h"

#include "tests/unit/master/master_fixture.h"

#define MINUTE_MS (INT64_C(60) * 1000)
#define BEGIN_MS INT64_C(1700000000000)
#define PASSWORD "four words in a row"

struct house {
    struct fixture *f;
    struct sessions *sessions;
};

static int open_house(void **state) {
    void *fixture = NULL;
    struct house *h = memory_zeroed(1, sizeof *h);
    if (fixture_setup(&fixture) != 0) return -1;
    h->f = fixture;
    h->sessions = sessions_new(h->f->db, h->f->events);
    *state = h;
    return 0;
}

static int close_house(void **state) {
    struct house *h = *state;
    void *fixture = h->f;
    sessions_free(h->sessions);
    free(h);
    return fixture_teardown(&fixture);
}

static void invite(const struct house *h, int64_t expires_s, char secret[SECRET_TEXT_SIZE]) {
    const struct invitation_request request = {.name = "ada",
                                               .role = "operator",
                                               .scope = "rack=b",
                                               .expires_s = expires_s,
                                               .principal = "test",
                                               .principal_role = HTTP_ADMIN};
    struct user user;
    struct err error;
    assert_ok(users_invite(h->f->db, &request, BEGIN_MS, &user, secret, &error));
}

static struct sign_in attempt(const char *address, const char *name, const char *password) {
    return (struct sign_in){.address = address,
                            .name = name,
                            .password = password,
                            .now_wall_ms = BEGIN_MS,
                            .now_ms = BEGIN_MS};
}

static void set_up(const struct house *h, char cookie[SECRET_TEXT_SIZE]) {
    char secret[SECRET_TEXT_SIZE];
    struct sign_in in = attempt("10.0.0.1", "ada", PASSWORD);
    struct err error;
    invite(h, 0, secret);
    in.invitation = secret;
    assert_ok(sessions_setup(h->sessions, &in, &error));
    memcpy(cookie, in.cookie, sizeof in.cookie);
}

static bool is_in(const struct house *h, const char *cookie, int64_t after_ms) {
    struct web_session session;
    struct err error = {0};
    bool found = sessions_find(h->f->db, cookie, BEGIN_MS + after_ms, &session, &error);
    if (!found) assert_int_equal(error.code, ERR_UNAUTHENTICATED);
    if (found) assert_string_equal(session.user.scope, "rack=b");
    return found;
}

static void session_ends_when_it_is_idle_or_old(void **state) {
    const struct house *h = *state;
    char cookie[SECRET_TEXT_SIZE];
    set_up(h, cookie);
    assert_true(is_in(h, cookie, 0));
    int64_t at = 0;
    while (at + 29 * MINUTE_MS < SESSION_LIFE_MS) { /* somebody who is busy all day */
        at += 29 * MINUTE_MS;
        assert_true(is_in(h, cookie, at));
    }
    assert_true(is_in(h, cookie, SESSION_LIFE_MS - 1));
    assert_false(is_in(h, cookie, SESSION_LIFE_MS));
    assert_false(is_in(h, "gs_0123456789abcdef.x", 0));
}

static void idle_session_ends_and_is_forgotten(void **state) {
    const struct house *h = *state;
    struct err error;
    char cookie[SECRET_TEXT_SIZE];
    set_up(h, cookie);
    assert_true(is_in(h, cookie, SESSION_IDLE_MS - 1));
    assert_false(is_in(h, cookie, 2 * SESSION_IDLE_MS));
    assert_ok(sessions_prune(h->f->db, BEGIN_MS + 2 * SESSION_IDLE_MS, &error));
    assert_false(is_in(h, cookie, 0));
}

static void clock_that_is_set_back_ends_a_session(void **state) {
    const struct house *h = *state;
    char cookie[SECRET_TEXT_SIZE];
    set_up(h, cookie);
    assert_false(is_in(h, cookie, -10 * MINUTE_MS));
}

static void ticket_opens_once_in_time_for_its_session(void **state) {
    const struct house *h = *state;
    char ticket[SESSION_TICKET_SIZE];
    static const char mine[] = "session:0123456789abcdef", other[] = "session:fedcba9876543210";
    sessions_ticket(h->sessions, mine, 1000, ticket);
    assert_true(sessions_take_ticket(h->sessions, ticket, mine, 1000 + SESSION_TICKET_MS - 1));
    assert_false(sessions_take_ticket(h->sessions, ticket, mine, 1001));
    sessions_ticket(h->sessions, mine, 1000, ticket);
    assert_false(sessions_take_ticket(h->sessions, ticket, mine, 1000 + SESSION_TICKET_MS));
    sessions_ticket(h->sessions, mine, 1000, ticket);
    assert_false(sessions_take_ticket(h->sessions, ticket, other, 1001));
    assert_false(sessions_take_ticket(h->sessions, ticket, mine, 1001)); /* somebody tried it */
    assert_false(sessions_take_ticket(h->sessions, "", mine, 1001));
}

static void invitation_expires_and_is_for_its_name(void **state) {
    const struct house *h = *state;
    char secret[SECRET_TEXT_SIZE];
    struct sign_in in = attempt("10.0.0.1", "eve", PASSWORD);
    struct err error;
    invite(h, 60, secret);
    in.invitation = secret;
    assert_false(sessions_setup(h->sessions, &in, &error));
    assert_int_equal(error.code, ERR_INVALID);
    in.name = "ada";
    in.now_wall_ms += MINUTE_MS;
    assert_false(sessions_setup(h->sessions, &in, &error));
    assert_int_equal(error.code, ERR_UNAUTHENTICATED);
}

static void guess(const struct house *h, const char *name) {
    char address[32];
    struct sign_in in = attempt(address, name, "wrong words here");
    struct err error;
    for (int i = 0; i < 5; i++) {
        snprintf(address, sizeof address, "10.0.1.%d", i);
        assert_false(sessions_login(h->sessions, &in, &error));
        assert_int_equal(error.code, ERR_UNAUTHENTICATED);
    }
}

static void failures_are_counted_by_name_wherever_they_come_from(void **state) {
    const struct house *h = *state;
    struct sign_in in = attempt("10.0.2.1", "nobody", "wrong words here");
    struct err error;
    guess(h, "nobody");
    assert_false(sessions_login(h->sessions, &in, &error));
    assert_int_equal(error.code, ERR_RATE_LIMITED);
    assert_true(in.wait_ms > 0 && in.wait_ms <= MINUTE_MS);
    in.now_ms += in.wait_ms;
    assert_false(sessions_login(h->sessions, &in, &error));
    assert_int_equal(error.code, ERR_UNAUTHENTICATED);
}

static void nobody_keeps_people_out_where_they_have_signed_in(void **state) {
    const struct house *h = *state;
    char cookie[SECRET_TEXT_SIZE];
    struct sign_in elsewhere = attempt("10.0.2.1", "ada", PASSWORD);
    struct sign_in there = attempt("10.0.0.1", "ada", PASSWORD);
    struct err error;
    set_up(h, cookie);
    guess(h, "ada");
    assert_false(sessions_login(h->sessions, &elsewhere, &error));
    assert_int_equal(error.code, ERR_RATE_LIMITED);
    assert_ok(sessions_login(h->sessions, &there, &error));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_house, close_house)
    const struct CMUnitTest tests[] = {
        TEST(session_ends_when_it_is_idle_or_old),
        TEST(idle_session_ends_and_is_forgotten),
        TEST(clock_that_is_set_back_ends_a_session),
        TEST(ticket_opens_once_in_time_for_its_session),
        TEST(invitation_expires_and_is_for_its_name),
        TEST(failures_are_counted_by_name_wherever_they_come_from),
        TEST(nobody_keeps_people_out_where_they_have_signed_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
