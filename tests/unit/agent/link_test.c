/* Enrollment and the link, against a tiny master on the real bus. */
#include "agent/link.h"

#include "agent/enroll.h"
#include "tests/unit/agent/agent_fixture.h"
#include "tests/unit/agent/tiny_master.h"

static struct tiny_master master;
static struct settings settings;
static struct identity who;
static struct bus_client *bus;
static struct exchange *exchange;
static struct link *link_under_test;
static pthread_t thread;
static char secret[SECRET_TEXT_SIZE];

static int setup(void **unused) {
    char id[SECRET_ID_SIZE];
    char hash[SECRET_HASH_SIZE];
    setup_place(unused);
    assert_ok(tiny_open(&master, &place.e));
    secret_generate("gj", id, secret, hash);
    settings = (struct settings){.agent_id = "agent-1"};
    snprintf(settings.master, sizeof settings.master, "127.0.0.1:%d", bus_server_port(master.bus));
    snprintf(settings.token, sizeof settings.token, "%s", secret);
    who = (struct identity){0};
    return 0;
}

static int teardown(void **unused) {
    if (link_under_test != NULL) {
        link_stop(link_under_test);
        pthread_join(thread, NULL);
        link_free(link_under_test);
        link_under_test = NULL;
    }
    exchange_free(exchange);
    exchange = NULL;
    if (bus != NULL) bus_client_close(bus);
    bus = NULL;
    identity_fini(&who);
    tiny_close(&master);
    return teardown_place(unused);
}

/* The join string of this master; release: the release key in it. */
static void use_join_string(const struct sign_secret *master_key,
                            const struct sign_secret *release) {
    OWN_TEXT struct text join_text = TEXT_EMPTY;
    struct join join = {.host = "127.0.0.1",
                        .http_port = 7001,
                        .bus_port = bus_server_port(master.bus),
                        .master_key = *sign_secret_public(master_key),
                        .release_key = *sign_secret_public(release)};
    memcpy(join.token, secret, sizeof join.token);
    join_format(&join, &join_text);
    snprintf(settings.token, sizeof settings.token, "%s", join_text.data);
}

static bool try_to_enroll(void) {
    struct enroll_plan plan;
    if (!enroll_plan(&settings, &plan, &place.e)) return false;
    if (bus == NULL) assert_ok(bus_client_open(&bus, plan.host, plan.port, NULL, &place.e));
    return enroll(&place.state, &plan, "rack=b", bus, &who, &place.e);
}

static void a_join_string_enrolls_and_pins_its_keys(void **unused) {
    (void)unused;
    struct identity again;
    use_join_string(master.key, master.release);
    assert_ok(try_to_enroll());
    assert_string_equal(master.token, secret);
    assert_string_equal(master.enrolled_id, "agent-1");
    assert_string_equal(master.labels, "rack=b");
    assert_ok(identity_load(&place.state, &again, &place.e));
    assert_true(sign_public_equal(&again.master_key, sign_secret_public(master.key)));
    assert_true(sign_public_equal(&again.release_key, sign_secret_public(master.release)));
    assert_int_equal(again.master_port, bus_server_port(master.bus));
    assert_true(sign_public_equal(sign_secret_public(again.key), &master.agent_key));
    identity_fini(&again);
}

static void a_named_master_wins_over_the_join_string(void **unused) {
    (void)unused;
    struct enroll_plan plan;
    use_join_string(master.key, master.release);
    snprintf(settings.master, sizeof settings.master, "other.example:7010");
    assert_ok(enroll_plan(&settings, &plan, &place.e));
    assert_string_equal(plan.host, "other.example");
    assert_int_equal(plan.port, 7010);
    assert_true(plan.pinned);
    settings.master[0] = '\0';
    assert_ok(enroll_plan(&settings, &plan, &place.e));
    assert_string_equal(plan.host, "127.0.0.1");
    assert_int_equal(plan.port, bus_server_port(master.bus));
}

static void a_bare_secret_enrolls_with_a_master_on_this_machine(void **unused) {
    (void)unused;
    assert_ok(try_to_enroll());
    assert_true(sign_public_equal(&who.master_key, sign_secret_public(master.key)));
}

static void a_bare_secret_is_not_sent_to_another_machine(void **unused) {
    (void)unused;
    struct enroll_plan plan;
    snprintf(settings.master, sizeof settings.master, "192.0.2.1:7000");
    assert_false(enroll_plan(&settings, &plan, &place.e));
    assert_err(ERR_USAGE, "join-command");
}

static void without_a_token_the_way_to_one_is_named(void **unused) {
    (void)unused;
    struct enroll_plan plan;
    settings.token[0] = '\0';
    assert_false(enroll_plan(&settings, &plan, &place.e));
    assert_err(ERR_USAGE, "gridctl agent join-command");
}

static void a_refusal_comes_with_its_hint_and_is_final(void **unused) {
    (void)unused;
    atomic_store(&master.refuse_enroll, true);
    assert_false(try_to_enroll());
    assert_err(ERR_CONFLICT, "taken");
    assert_err(ERR_CONFLICT, "--id");
    assert_false(enroll_may_retry(place.e.code));
    assert_false(identity_enrolled(&place.state));
}

static void another_master_than_pinned_learns_no_secret(void **unused) {
    (void)unused;
    use_join_string(master.impostor, master.release);
    assert_false(try_to_enroll());
    assert_err(ERR_UNTRUSTED, "not signed by the master's key");
    assert_string_equal(master.token, "");
    assert_false(identity_enrolled(&place.state));
}

static void another_release_key_than_pinned_is_refused(void **unused) {
    (void)unused;
    use_join_string(master.key, master.release);
    atomic_store(&master.lie_about_keys, true);
    assert_false(try_to_enroll());
    assert_err(ERR_UNTRUSTED, "release key");
    assert_string_equal(master.token, "");
}

static void a_master_that_is_away_may_be_tried_again(void **unused) {
    (void)unused;
    int port = bus_server_port(master.bus);
    tiny_silence(&master);
    assert_false(try_to_enroll());
    assert_true(enroll_may_retry(place.e.code));
    assert_true(tiny_listen(&master, port, &place.e));
}

static atomic_int desired_news;

static void count_news(void *unused) {
    (void)unused;
    atomic_fetch_add(&desired_news, 1);
}

static void start_link(int64_t generation) {
    assert_ok(try_to_enroll());
    exchange = exchange_new();
    exchange_report(exchange, "{\"type\":\"heartbeat\",\"mark\":\"first\"}", false, 0);
    const struct link_options options = {&who, exchange, bus, generation, NULL, NULL};
    link_under_test = link_new(&options);
    atomic_store(&desired_news, 0);
    exchange_on_report(exchange, link_report_changed, link_under_test);
    exchange_on_desired(exchange, count_news, NULL);
    assert_int_equal(pthread_create(&thread, NULL, link_run, link_under_test), 0);
}

static struct exchange_desired look(void) {
    struct exchange_desired d;
    exchange_get_desired(exchange, &d);
    free(d.json);
    return d;
}

static void a_session_carries_reports_and_desired_states(void **unused) {
    (void)unused;
    atomic_store(&master.generation, 5);
    start_link(3);
    wait_until(tiny_saw(&master, "first"));
    wait_until(look().number > 0);
    assert_int_equal(atomic_load(&master.hello_generation), 3);
    assert_int_equal(look().http_port, 7001);
    wait_until(look().connected);
    assert_true(atomic_load(&desired_news) > 0);
}

static void a_change_reaches_the_master_beside_the_parked_heartbeat(void **unused) {
    (void)unused;
    atomic_store(&master.park, true);
    start_link(0);
    wait_until(atomic_load(&master.parked_now) == 1);
    assert_int_equal(atomic_load(&master.heartbeats), 1);
    exchange_report(exchange, "{\"type\":\"heartbeat\",\"mark\":\"second\"}", true, 0);
    wait_until(tiny_saw(&master, "second"));
    wait_until(look().number == 1); /* the parked one was answered for it */
    wait_until(atomic_load(&master.parked_now) == 1);
    assert_int_equal(atomic_load(&master.heartbeats), 2);
}

static void every_heartbeat_tells_the_time_of_its_sending(void **unused) {
    (void)unused;
    int64_t before_ms = clock_wall_ms();
    static const char begin[] = "{\"clock_ms\":";
    start_link(0);
    wait_until(tiny_saw(&master, "first"));
    assert_true(tiny_saw(&master, begin));
    pthread_mutex_lock(&master.lock);
    int64_t told_ms = strtoll(master.last_report + strlen(begin), NULL, 10);
    pthread_mutex_unlock(&master.lock);
    assert_in_range(told_ms, before_ms, clock_wall_ms());
}

static void a_change_of_the_desired_state_arrives_at_once(void **unused) {
    (void)unused;
    atomic_store(&master.park, true);
    start_link(0);
    wait_until(atomic_load(&master.parked_now) == 1);
    assert_int_equal(look().number, 0);
    atomic_store(&master.generation, 8);
    tiny_release(&master);
    wait_until(look().number == 1);
    wait_until(atomic_load(&master.parked_now) == 1); /* and the next one waits there already */
}

static void an_older_generation_is_ignored(void **unused) {
    (void)unused;
    atomic_store(&master.generation, 5);
    start_link(6);
    wait_until(atomic_load(&master.heartbeats) > 3);
    assert_int_equal(look().number, 0);
    atomic_store(&master.generation, 6);
    wait_until(look().number > 0);
}

static void an_unknown_session_says_hello_again(void **unused) {
    (void)unused;
    start_link(0);
    wait_until(look().number > 0);
    atomic_store(&master.forget_sessions, true);
    wait_until(atomic_load(&master.hellos) == 2);
    uint64_t before = look().number;
    wait_until(look().number > before);
}

static void a_master_that_restarts_is_found_again(void **unused) {
    (void)unused;
    start_link(0);
    wait_until(look().number > 0);
    int port = bus_server_port(master.bus);
    tiny_silence(&master);
    wait_until(!look().connected);
    assert_true(tiny_listen(&master, port, &place.e));
    uint64_t before = look().number;
    wait_until(look().connected);
    assert_true(look().number > before); /* a hello alone brings no orders */
}

static void an_impostor_is_not_believed(void **unused) {
    (void)unused;
    assert_ok(try_to_enroll());
    atomic_store(&master.be_impostor, true);
    exchange = exchange_new();
    exchange_report(exchange, "{\"mark\":\"first\"}", false, 0);
    const struct link_options options = {&who, exchange, bus, 0, NULL, NULL};
    link_under_test = link_new(&options);
    assert_int_equal(pthread_create(&thread, NULL, link_run, link_under_test), 0);
    wait_until(atomic_load(&master.hellos) >= 2);
    assert_int_equal(atomic_load(&master.heartbeats), 0);
    assert_false(look().connected);
    atomic_store(&master.be_impostor, false);
    wait_until(look().connected);
}

static void an_answer_to_another_heartbeat_ends_the_session(void **unused) {
    (void)unused;
    atomic_store(&master.swap_answers, true);
    start_link(0);
    wait_until(atomic_load(&master.hellos) >= 2);
    assert_int_equal(look().number, 0);
    atomic_store(&master.swap_answers, false);
    wait_until(look().number > 0);
}

static void a_log_that_was_told_is_known_to_be_told(void **unused) {
    (void)unused;
    start_link(0);
    wait_until(look().number > 0);
    assert_int_equal(look().log_told, 0);
    exchange_report(exchange, "{\"mark\":\"log\"}", true, 77);
    wait_until(look().log_told == 77);
}

static void the_last_report_is_sent_on_the_way_out(void **unused) {
    (void)unused;
    atomic_store(&master.park, true);
    start_link(0);
    wait_until(atomic_load(&master.parked_now) == 1);
    exchange_on_report(exchange, NULL, NULL);
    exchange_report(exchange, "{\"mark\":\"farewell\"}", false, 0);
    link_stop(link_under_test);
    pthread_join(thread, NULL);
    link_free(link_under_test);
    link_under_test = NULL;
    assert_true(tiny_saw(&master, "farewell"));
    assert_int_equal(atomic_load(&master.goodbyes), 1);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_join_string_enrolls_and_pins_its_keys),
        TEST(a_named_master_wins_over_the_join_string),
        TEST(a_bare_secret_enrolls_with_a_master_on_this_machine),
        TEST(a_bare_secret_is_not_sent_to_another_machine),
        TEST(without_a_token_the_way_to_one_is_named),
        TEST(a_refusal_comes_with_its_hint_and_is_final),
        TEST(another_master_than_pinned_learns_no_secret),
        TEST(another_release_key_than_pinned_is_refused),
        TEST(a_master_that_is_away_may_be_tried_again),
        TEST(a_session_carries_reports_and_desired_states),
        TEST(a_change_reaches_the_master_beside_the_parked_heartbeat),
        TEST(every_heartbeat_tells_the_time_of_its_sending),
        TEST(a_change_of_the_desired_state_arrives_at_once),
        TEST(an_older_generation_is_ignored),
        TEST(an_unknown_session_says_hello_again),
        TEST(a_master_that_restarts_is_found_again),
        TEST(an_impostor_is_not_believed),
        TEST(an_answer_to_another_heartbeat_ends_the_session),
        TEST(a_log_that_was_told_is_known_to_be_told),
        TEST(the_last_report_is_sent_on_the_way_out),
    };
    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
