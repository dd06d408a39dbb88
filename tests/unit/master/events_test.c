/* Events: durable, without gaps, pruned, and brought to whoever follows them. Followers are real
 * WebSockets. */
#include "lib/http_server.h"
#include "master/master.h"
#include "tests/unit/lib/http_fixture.h"
#include "tests/unit/master/master_fixture.h"

static const struct http_route routes[] = {
    {"WS", "/ws", HTTP_PUBLIC, NULL, 0, 0, &events_socket},
};

struct house {
    struct fixture *f;
    struct master master;
    struct served served;
    pthread_t pump;
};

static int open_house(void **state) {
    struct house *h = memory_zeroed(1, sizeof *h);
    void *fixture = NULL;
    fixture_setup(&fixture);
    h->f = fixture;
    h->master.events = h->f->events;
    h->master.db = h->f->db;
    h->served = serve_with(
        (struct http_server_options){.routes = routes, .route_count = 1, .context = &h->master});
    assert_int_equal(pthread_create(&h->pump, NULL, events_pump_run, h->f->events), 0);
    *state = h;
    return 0;
}

static int close_house(void **state) {
    struct house *h = *state;
    void *fixture = h->f;
    http_server_stop(h->served.server);
    events_stop(h->f->events);
    pthread_join(h->pump, NULL);
    fixture_teardown(&fixture);
    free(h);
    return 0;
}

struct listed {
    struct event *list;
    size_t count;
    int64_t first;
};
#define OWN_LISTED __attribute__((cleanup(listed_fini)))
static void listed_fini(struct listed *l) {
    json_clear_list(&event_schema, l->list, l->count);
}

static struct listed list(const struct house *h, int64_t since, const char *kind,
                          const char *subject, int64_t limit) {
    struct err error = {0};
    struct listed l = {.list = NULL};
    assert_ok(events_list(h->f->events, since, kind, subject, limit, &l.list, &l.count, &l.first,
                          &error));
    return l;
}

static void record(const struct house *h, const char *kind, const char *subject) {
    events_record(h->f->events, kind, subject, "token:t", "it happened");
}

static void events_are_numbered_and_listed_in_order(void **state) {
    const struct house *h = *state;
    record(h, "agent.up", "a-1");
    record(h, "agent.lost", "a-1");
    record(h, "agent.up", "a-2");
    OWN_LISTED struct listed l = list(h, 0, NULL, NULL, 100);
    assert_int_equal(l.count, 3);
    for (size_t i = 0; i < 3; i++) assert_int_equal(l.list[i].seq, i + 1);
    assert_string_equal(l.list[0].kind, "agent.up");
    assert_string_equal(l.list[0].subject, "a-1");
    assert_string_equal(l.list[0].text, "it happened");
    assert_string_equal(l.list[0].principal, "token:t");
    assert_string_equal(l.list[0].data, "{}");
    assert_int_equal(l.first, 1);
    assert_int_equal(events_last_seq(h->f->events), 3);
}

static void since_limit_kind_and_subject_narrow_the_list(void **state) {
    const struct house *h = *state;
    for (int i = 0; i < 10; i++)
        record(h, i % 2 == 0 ? "agent.up" : "agent.lost", i < 5 ? "a-1" : "a-2");
    OWN_LISTED struct listed after = list(h, 7, NULL, NULL, 100);
    assert_int_equal(after.count, 3);
    assert_int_equal(after.list[0].seq, 8);
    OWN_LISTED struct listed page = list(h, 2, NULL, NULL, 3);
    assert_int_equal(page.count, 3);
    assert_int_equal(page.list[2].seq, 5);
    OWN_LISTED struct listed newest = list(h, -1, NULL, NULL, 2);
    assert_int_equal(newest.count, 2);
    assert_int_equal(newest.list[0].seq, 9);
    assert_int_equal(newest.list[1].seq, 10);
    OWN_LISTED struct listed kind = list(h, 0, "agent.lost", NULL, 100);
    assert_int_equal(kind.count, 5);
    OWN_LISTED struct listed both = list(h, -1, "agent.up", "a-2", 100);
    assert_int_equal(both.count, 2);
    OWN_LISTED struct listed quoted = list(h, 0, "agent.up' OR '1'='1", NULL, 100);
    assert_int_equal(quoted.count, 0);
    OWN_LISTED struct listed beyond = list(h, 1000, NULL, NULL, 100);
    assert_int_equal(beyond.count, 0);
}

static bool add_and_fail(struct db_connection *c, void *argument, struct err *e) {
    (void)argument;
    return events_add(c, e, "agent.up", "a-1", NULL, NULL, "never") &&
           err_set(e, ERR_CONFLICT, "undone");
}

static void event_of_what_was_undone_is_undone_and_leaves_no_gap(void **state) {
    const struct house *h = *state;
    struct err error;
    record(h, "agent.up", "a-1");
    assert_false(db_write(h->f->db, add_and_fail, NULL, &error));
    record(h, "agent.up", "a-2");
    OWN_LISTED struct listed l = list(h, 0, NULL, NULL, 100);
    assert_int_equal(l.count, 2);
    assert_int_equal(l.list[1].seq, 2);
}

static bool add_with_data(struct db_connection *c, void *argument, struct err *e) {
    return events_add(c, e, "agent.up", "a-1", NULL, "{\"n\":1}", "%s", (const char *)argument);
}

static void data_is_kept_and_long_text_is_cut(void **state) {
    const struct house *h = *state;
    struct err error;
    char words[1000];
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    assert_ok(db_write(h->f->db, add_with_data, words, &error));
    OWN_LISTED struct listed l = list(h, 0, NULL, NULL, 100);
    assert_string_equal(l.list[0].data, "{\"n\":1}");
    assert_string_equal(l.list[0].principal, "");
    assert_int_equal(strlen(l.list[0].text), sizeof l.list[0].text - 1);
}

static void events_of_thirty_days_are_kept(void **state) {
    const struct house *h = *state;
    struct err error;
    record(h, "agent.up", "a-1");
    int64_t days = INT64_C(30) * 24 * 3600 * 1000;
    assert_ok(events_prune(h->f->events, clock_wall_ms() + days - 60000, &error));
    OWN_LISTED struct listed kept = list(h, 0, NULL, NULL, 100);
    assert_int_equal(kept.count, 1);
    assert_ok(events_prune(h->f->events, clock_wall_ms() + days + 60000, &error));
    OWN_LISTED struct listed gone = list(h, 0, NULL, NULL, 100);
    assert_int_equal(gone.count, 0);
}

static bool add_many(struct db_connection *c, void *argument, struct err *e) {
    for (int i = *(int *)argument; i > 0; i--)
        if (!events_add(c, e, "agent.up", "a-1", NULL, NULL, "up")) return false;
    return true;
}

static void newest_hundred_thousand_are_kept(void **state) {
    const struct house *h = *state;
    struct err error;
    int count = 100010;
    assert_ok(db_write(h->f->db, add_many, &count, &error));
    assert_ok(events_prune(h->f->events, clock_wall_ms(), &error));
    OWN_LISTED struct listed l = list(h, 0, NULL, NULL, 1);
    assert_int_equal(l.first, 11);
    assert_int_equal(events_last_seq(h->f->events), 100010);
}

static int try_follow(const struct house *h, const char *query, struct reply *reply) {
    char request[512];
    int fd = dial(h->served.port);
    snprintf(
        request, sizeof request,
        "GET /ws%s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        query);
    send_words(fd, request);
    receive_reply(fd, true, reply);
    return fd;
}

static int follow(const struct house *h, const char *query) {
    OWN_REPLY struct reply reply;
    int fd = try_follow(h, query, &reply);
    assert_int_equal(reply.status, 101);
    return fd;
}

static void receive_exactly(int fd, char *out, size_t length) {
    while (length > 0) {
        size_t got = receive_some(fd, out, length);
        if (got == 0) fail_msg("the connection ended");
        out += got;
        length -= got;
    }
}

/* The next text frame. */
static void next_message(int fd, char *out, size_t size) {
    unsigned char head[2], wide[2];
    receive_exactly(fd, (char *)head, 2);
    assert_int_equal(head[0], 0x81);
    size_t length = head[1];
    if (length == 126) {
        receive_exactly(fd, (char *)wide, 2);
        length = (size_t)wide[0] << 8 | wide[1];
    }
    assert_true(length < size && head[1] <= 126);
    receive_exactly(fd, out, length);
    out[length] = '\0';
}

static void expect(int fd, const char *words) {
    char message[2048];
    next_message(fd, message, sizeof message);
    if (strstr(message, words) == NULL) fail_msg("%s lacks %s", message, words);
}

static void expect_seq(int fd, int64_t seq) {
    char words[32];
    snprintf(words, sizeof words, "{\"seq\":%" PRId64 ",", seq);
    expect(fd, words);
}

static void follower_gets_events_as_they_happen(void **state) {
    const struct house *h = *state;
    record(h, "agent.up", "before");
    int fd = follow(h, "");
    record(h, "agent.up", "a-1");
    expect(fd, "\"seq\":2,");
    record(h, "agent.lost", "a-2");
    expect(fd, "\"kind\":\"agent.lost\",\"subject\":\"a-2\"");
    close(fd);
}

static void follower_gets_what_it_missed_first(void **state) {
    const struct house *h = *state;
    for (int i = 0; i < 5; i++) record(h, "agent.up", "a-1");
    int fd = follow(h, "?since=2");
    for (int64_t seq = 3; seq <= 5; seq++) expect_seq(fd, seq);
    record(h, "agent.up", "a-1");
    expect_seq(fd, 6);
    int all = follow(h, "?since=0");
    for (int64_t seq = 1; seq <= 6; seq++) expect_seq(all, seq);
    close(fd);
    close(all);
}

static void more_than_a_batch_arrives_without_a_gap(void **state) {
    const struct house *h = *state;
    struct err error;
    int count = 1234;
    assert_ok(db_write(h->f->db, add_many, &count, &error));
    int fd = follow(h, "?since=0");
    for (int64_t seq = 1; seq <= count; seq++) expect_seq(fd, seq);
    close(fd);
}

static void follower_who_missed_more_than_is_kept_is_told_to_begin_anew(void **state) {
    const struct house *h = *state;
    struct err error;
    for (int i = 0; i < 5; i++) record(h, "agent.up", "a-1");
    assert_ok(events_prune(h->f->events, clock_wall_ms() + INT64_C(31) * 24 * 3600 * 1000, &error));
    record(h, "agent.up", "a-2");
    record(h, "agent.up", "a-2");
    int fd = follow(h, "?since=3");
    expect(fd, "{\"kind\":\"reset\",\"seq\":6}");
    expect_seq(fd, 6);
    expect_seq(fd, 7);
    int exact = follow(h, "?since=5"); /* missed nothing */
    expect_seq(exact, 6);
    int all = follow(h, "?since=0"); /* knows nothing that could be wrong */
    expect_seq(all, 6);
    close(fd);
    close(exact);
    close(all);
}

static void follower_from_the_future_is_told_to_begin_anew(void **state) {
    const struct house *h = *state;
    record(h, "agent.up", "a-1");
    int fd = follow(h, "?since=9000");
    expect(fd, "{\"kind\":\"reset\",\"seq\":1}");
    expect_seq(fd, 1);
    record(h, "agent.up", "a-1");
    expect_seq(fd, 2);
    int present = follow(h, "?since=2");
    record(h, "agent.up", "a-1");
    expect_seq(present, 3);
    expect_seq(fd, 3);
    close(fd);
    close(present);
}

static void numbers_go_on_when_all_were_pruned(void **state) {
    const struct house *h = *state;
    struct err error;
    record(h, "agent.up", "a-1");
    record(h, "agent.up", "a-2");
    assert_ok(events_prune(h->f->events, clock_wall_ms() + INT64_C(31) * 24 * 3600 * 1000, &error));
    OWN_LISTED struct listed none = list(h, 0, NULL, NULL, 100);
    assert_int_equal(none.count, 0);
    assert_int_equal(events_last_seq(h->f->events), 2);
    int fd = follow(h, "?since=2"); /* has missed nothing */
    record(h, "agent.up", "a-3");
    expect_seq(fd, 3);
    close(fd);
    assert_int_equal(events_last_seq(h->f->events), 3);
}

static void bad_query_is_refused_before_the_upgrade(void **state) {
    const struct house *h = *state;
    static const char *const queries[] = {"?since=-1", "?since=x", "?colour=red",
                                          "?since=1&since=2", "?token=gt_0123456789abcdef.x"};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        OWN_REPLY struct reply reply;
        close(try_follow(h, queries[i], &reply));
        if (reply.status != 400) fail_msg("%s: %d", queries[i], reply.status);
    }
}

/* More than the server's workers would be refused; each of these sees everything. */
static void followers_come_and_go_without_a_loss_to_others(void **state) {
    const struct house *h = *state;
    int steady = follow(h, "?since=0");
    for (int round = 0; round < 20; round++) {
        int brief = follow(h, "?since=0");
        int rude = follow(h, "?since=0");
        shutdown(rude, SHUT_RDWR);
        record(h, "agent.up", "a-1");
        expect_seq(brief, 1);
        close(brief);
        close(rude);
    }
    for (int64_t seq = 1; seq <= 20; seq++) expect_seq(steady, seq);
    close(steady);
}

struct storm {
    const struct house *h;
    int count;
};

static void *record_many(void *argument) {
    const struct storm *s = argument;
    for (int i = 0; i < s->count; i++) record(s->h, "agent.up", "a-1");
    return NULL;
}

static void events_of_many_threads_arrive_once_and_in_order(void **state) {
    const struct house *h = *state;
    struct storm s = {h, 50};
    pthread_t threads[4];
    int fd = follow(h, "?since=0");
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, record_many, &s);
    for (int64_t seq = 1; seq <= INT64_C(4) * s.count; seq++) expect_seq(fd, seq);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    close(fd);
}

static void what_a_client_says_is_ignored(void **state) {
    const struct house *h = *state;
    static const char masked_hello[] = "\x81\x85\x00\x00\x00\x00hello";
    int fd = follow(h, "");
    send_bytes(fd, masked_hello, sizeof masked_hello - 1);
    record(h, "agent.up", "a-1");
    expect_seq(fd, 1);
    close(fd);
}

static void expect_close(int fd, int code) {
    unsigned char head[4];
    receive_exactly(fd, (char *)head, sizeof head);
    assert_int_equal(head[0], 0x88);
    assert_int_equal(head[2] << 8 | head[3], code);
    assert_true(ended(fd));
}

static struct token follower_token;

/* Another request revokes the token after this one was let in, and before its socket is known. */
static bool authorize_and_revoke(struct http_request *r, enum http_role role, struct err *e) {
    const struct master *m = http_context(r);
    char principal[64];
    snprintf(principal, sizeof principal, "token:%s", follower_token.id);
    http_set_principal(r, principal, role);
    bool revoked = tokens_revoke(m->db, follower_token.id, "test", e);
    events_dismiss(m->events, principal);
    return revoked;
}

static bool may_follow(void *context, const char *principal) {
    const struct house *h = context;
    struct err e;
    return tokens_check(h->f->db, principal, clock_wall_ms(), &e);
}

static void token_revoked_while_its_follower_comes_ends_it(void **state) {
    struct house *h = *state;
    struct err error = {0};
    char secret[SECRET_TEXT_SIZE];
    const struct token_request request = {
        .kind = "api", .role = "viewer", .principal = "test", .principal_role = HTTP_ADMIN};
    assert_ok(tokens_create(h->f->db, &request, clock_wall_ms(), &follower_token, secret, &error));
    http_server_stop(h->served.server);
    h->served = serve_with((struct http_server_options){.routes = routes,
                                                        .route_count = 1,
                                                        .context = &h->master,
                                                        .authorize = authorize_and_revoke});
    int fd = follow(h, "");
    record(h, "agent.up", "a-1");
    expect(fd, "agent.up");
    events_review(h->f->events, may_follow, h);
    expect_close(fd, 1008);
    close(fd);
    token_clear(&follower_token);
}

static void stop_ends_followers_politely(void **state) {
    struct house *h = *state;
    int fd = follow(h, "");
    http_server_stop(h->served.server);
    expect_close(fd, 1001);
    close(fd);
    h->served = serve_with(
        (struct http_server_options){.routes = routes, .route_count = 1, .context = &h->master});
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_house, close_house)
    const struct CMUnitTest tests[] = {
        TEST(events_are_numbered_and_listed_in_order),
        TEST(since_limit_kind_and_subject_narrow_the_list),
        TEST(event_of_what_was_undone_is_undone_and_leaves_no_gap),
        TEST(data_is_kept_and_long_text_is_cut),
        TEST(numbers_go_on_when_all_were_pruned),
        TEST(events_of_thirty_days_are_kept),
        TEST(newest_hundred_thousand_are_kept),
        TEST(follower_gets_events_as_they_happen),
        TEST(follower_gets_what_it_missed_first),
        TEST(more_than_a_batch_arrives_without_a_gap),
        TEST(follower_who_missed_more_than_is_kept_is_told_to_begin_anew),
        TEST(follower_from_the_future_is_told_to_begin_anew),
        TEST(bad_query_is_refused_before_the_upgrade),
        TEST(followers_come_and_go_without_a_loss_to_others),
        TEST(events_of_many_threads_arrive_once_and_in_order),
        TEST(what_a_client_says_is_ignored),
        TEST(token_revoked_while_its_follower_comes_ends_it),
        TEST(stop_ends_followers_politely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
