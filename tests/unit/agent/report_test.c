#include "agent/report.h"

#include "tests/unit/agent/agent_fixture.h"

#include "agent/cache.h"
#include "agent/health.h"

static struct wanted wanted;
static struct versions versions;
static struct fetching fetching;
static struct journal journal;
static struct err journal_error;
static struct reconcile_decision decision;
static struct reconcile_node facts[2];
static struct node nodes[2];
static struct wire_heartbeat told;

static int setup(void **unused) {
    setup_place(unused);
    wanted = (struct wanted){0};
    versions = (struct versions){.state = &place.state};
    fetching = (struct fetching){0};
    journal = (struct journal){.state = &place.state};
    decision = (struct reconcile_decision){0};
    for (size_t i = 0; i < 2; i++) {
        node_init(&nodes[i], &facts[i], &place.state, "a-1", i, true);
        facts[i].phase = NODE_DOWN;
    }
    snprintf(versions.current.version, SEMVER_SIZE, "1.0.0");
    snprintf(versions.target.version, SEMVER_SIZE, "1.1.0");
    return 0;
}

static int teardown(void **unused) {
    json_clear(&wire_heartbeat_schema, &told);
    for (size_t i = 0; i < 2; i++) node_fini(&nodes[i]);
    wanted_fini(&wanted);
    journal_fini(&journal);
    return teardown_place(unused);
}

static const struct sandbox fence = {.active = {true}, .why = {[SANDBOX_FILES] = "too old"}};

static const struct wire_update *report_on(const char *binary_path, bool may_download) {
    const struct report_input in = {.agent_id = "a-1",
                                    .labels = "rack=b",
                                    .binary_path = binary_path,
                                    .may_download = may_download,
                                    .wanted = &wanted,
                                    .versions = &versions,
                                    .fetching = &fetching,
                                    .decision = &decision,
                                    .journal = &journal,
                                    .journal_error = &journal_error,
                                    .nodes = nodes,
                                    .count = 2,
                                    .sandbox = &fence};
    json_clear(&wire_heartbeat_schema, &told);
    report_build(&in, &told);
    return &told.update;
}

static const struct wire_update *report(void) {
    return report_on("", true);
}

static void assert_update(const struct wire_update *u, const char *state, const char *code,
                          const char *words) {
    assert_string_equal(u->state, state);
    assert_string_equal(u->code, code);
    const char *reason = text_or_empty(u->reason);
    if (strstr(reason, words) == NULL) fail_msg("\"%s\" does not name \"%s\"", reason, words);
}

static void decide(enum update_phase update, enum hold hold) {
    decision.update = update;
    decision.hold = hold;
}

static void an_empty_channel_says_what_to_do(void **unused) {
    (void)unused;
    decide(UPDATE_WAITING, HOLD_NOTHING_DESIRED);
    assert_update(report(), "waiting", "", "gridctl binary push");
    snprintf(wanted.desired.reason, sizeof wanted.desired.reason, "the master knows better");
    assert_update(report(), "waiting", "", "the master knows better");
}

static void every_hold_has_its_sentence(void **unused) {
    (void)unused;
    static const struct {
        enum hold hold;
        const char *words;
    } rows[] = {
        {HOLD_DOWNLOAD_OFF, "as soon as the master answers"            },
        {HOLD_DRAINING,     "gridctl agent resume a-1"                 },
        {HOLD_MASTER_AWAY,  "until the master answers"                 },
        {HOLD_LEAVE,        "1.1.0 waits for its turn in rollout r-7"  },
        {HOLD_UNWRITABLE,   "until the journal can be written: no room"},
        {HOLD_ASKED,        "a-1/1 is asked whether it may stop"       },
        {HOLD_EXAMINING,    "a-1/1"                                    },
        {HOLD_VETO,         "a-1/1 must not stop now: last copy;really"},
        {HOLD_NODE,         "a-1/1"                                    },
        {HOLD_NO_RETURN,    "1.0.0 is damaged"                         },
        {HOLD_NODES_HELD,   "in use by another process"                },
    };
    decision.hold_node = 1;
    nodes[1].veto = text_duplicate("last copy\nreally");
    strcpy(wanted.desired.grant.rollout, "r-7");
    err_set(&journal_error, ERR_NO_SPACE, "no room");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        decide(UPDATE_WAITING, rows[i].hold);
        assert_update(report(), "waiting", "", rows[i].words);
    }
    snprintf(nodes[1].trouble, sizeof nodes[1].trouble, "no port is free");
    decide(UPDATE_WAITING, HOLD_NODE);
    assert_update(report(), "waiting", "", "a-1/1 to work: no port is free");
    nodes[1].trouble[0] = '\0';
    decide(UPDATE_WAITING, HOLD_DOWNLOAD_OFF);
    assert_update(report_on("", false), "waiting", "", "auto_download_binary is off");
}

static void a_download_shows_its_progress_and_a_failed_one_its_reason(void **unused) {
    (void)unused;
    strcpy(versions.target.sha256, "abc");
    strcpy(fetching.sha256, "abc");
    fetching.tries[0] = (struct fetching_try){.sha256 = "abc", .attempts = 2, .cause = "untrusted"};
    fetching.status =
        (struct fetch_status){.phase = FETCH_DOWNLOADING, .done_bytes = 50, .total_bytes = 100};
    decide(UPDATE_FETCHING, HOLD_NONE);
    assert_update(report(), "downloading", "", "");
    assert_int_equal(told.update.done_bytes, 50);
    assert_int_equal(told.update.total_bytes, 100);
    assert_int_equal(told.update.attempt, 2);
    fetching.status.phase = FETCH_VERIFYING;
    assert_update(report(), "verifying", "", "");
    err_set(&fetching.tries[0].error, ERR_UNTRUSTED, "the bytes were altered");
    fetching.tries[0].failures = 1;
    fetching.sha256[0] = '\0';
    decide(UPDATE_UNFETCHED, HOLD_NONE);
    assert_update(report(), "failed", "untrusted", "the bytes were altered");
    assert_string_equal(told.update.cause, "untrusted");
}

static void a_repeated_attempt_stays_failed_until_it_comes_further(void **unused) {
    (void)unused;
    strcpy(versions.target.sha256, "abc");
    strcpy(fetching.sha256, "abc");
    fetching.tries[0] = (struct fetching_try){
        .sha256 = "abc", .failures = 1, .cause = "download", .best_bytes = 60};
    err_set(&fetching.tries[0].error, ERR_UNREACHABLE, "cut");
    fetching.status =
        (struct fetch_status){.phase = FETCH_DOWNLOADING, .done_bytes = 60, .total_bytes = 100};
    decide(UPDATE_FETCHING, HOLD_NONE);
    assert_update(report(), "failed", "unreachable", "cut");
    fetching.status.done_bytes = 61;
    assert_update(report(), "downloading", "", "");
}

static void a_given_up_version_keeps_its_reason(void **unused) {
    (void)unused;
    strcpy(versions.target.sha256, "abc");
    journal.failures[0] = (struct journal_failure){
        .sha256 = "abc", .code = "timeout", .reason = "it never came up", .generation = 4};
    wanted.desired.generation = 4;
    decide(UPDATE_FAILED, HOLD_NONE);
    assert_update(report(), "failed", "timeout", "it never came up");
    assert_string_equal(told.update.from, "1.0.0");
    assert_string_equal(told.update.to, "1.1.0");
}

static void every_report_repeats_the_order_that_it_is_about(void **unused) {
    (void)unused;
    strcpy(wanted.desired.grant.rollout, "r-7");
    wanted.desired.grant.attempt = 3;
    decide(UPDATE_IDLE, HOLD_NONE);
    assert_update(report(), "idle", "", "");
    assert_string_equal(told.update.rollout, "r-7");
    assert_int_equal(told.update.rollout_attempt, 3);
    assert_string_equal(report_on("/opt/x", true)->rollout, ""); /* no order brought it here */
}

static void edition_of_the_leave_is_repeated_until_something_has_begun_by_it(void **unused) {
    (void)unused;
    strcpy(wanted.desired.grant.rollout, "r-7");
    wanted.desired.grant.edition = 12;
    decide(UPDATE_WAITING, HOLD_LEAVE);
    assert_int_equal(report()->edition, 12);
    journal.dirty = true; /* on disk it may have begun */
    assert_int_equal(report()->edition, 0);
    journal.dirty = false;
    decision.begun = true;
    assert_int_equal(report()->edition, 0);
    decision.begun = false;
    assert_int_equal(report_on("/opt/x", true)->edition, 0);
}

static void under_way(enum transition_state state, enum update_phase phase) {
    journal.transition.state = state;
    strcpy(journal.from, "1.0.0");
    strcpy(journal.to, "1.1.0");
    decide(phase, HOLD_NONE);
}

static void what_goes_back_says_why_whatever_is_desired_by_now(void **unused) {
    (void)unused;
    struct err why = {0};
    strcpy(versions.target.version, "1.2.0");
    err_set(&why, ERR_TIMEOUT, "it never came up");
    journal_blame(&journal, "version", &why, "it hangs\nlast line\n");
    under_way(TRANSITION_RETURNING, UPDATE_RETURNING);
    assert_update(report(), "returning", "timeout", "it never came up");
    assert_string_equal(told.update.cause, "version");
    assert_string_equal(told.update.to, "1.1.0");
    assert_string_equal(told.update.diagnosis, "it hangs\nlast line\n");
    under_way(TRANSITION_STUCK, UPDATE_STUCK);
    assert_update(report(), "stuck", "timeout", "it never came up");
    under_way(TRANSITION_PROBATION, UPDATE_PROBATION);
    assert_update(report(), "probation", "", "");
    assert_null(told.update.diagnosis);
}

static void the_machines_faults_are_told_as_such(void **unused) {
    (void)unused;
    static const struct {
        enum hold hold;
        const char *cause;
    } holds[] = {
        {HOLD_DRAINING,   "draining"},
        {HOLD_VETO,       "veto"    },
        {HOLD_UNWRITABLE, "machine" },
        {HOLD_LEAVE,      ""        },
    };
    for (size_t i = 0; i < sizeof holds / sizeof holds[0]; i++) {
        decide(UPDATE_WAITING, holds[i].hold);
        assert_string_equal(report()->cause, holds[i].cause);
    }
    facts[1].phase = NODE_RUNNING;
    facts[1].proven = true;
    facts[1].health = HEALTH_MACHINE;
    nodes[1].health_reasons = text_duplicate("disk_full\nread_only");
    under_way(TRANSITION_PROBATION, UPDATE_PROBATION);
    assert_update(report(), "probation", "", "node a-1/1: disk_full;read_only");
    assert_string_equal(told.update.cause, "machine");
    facts[1].phase = NODE_DOWN;
    assert_string_equal(report()->cause, "");
    facts[1].machine_failed = true;
    strcpy(nodes[1].trouble, "no port is free");
    under_way(TRANSITION_SWITCHING, UPDATE_SWITCHING);
    assert_update(report(), "switching", "", "node a-1/1: no port is free");
    assert_string_equal(told.update.cause, "machine");
}

static void bytes_that_are_fetched_ahead_have_a_state_of_their_own(void **unused) {
    (void)unused;
    struct version v;
    const struct wire_staging *s = &told.staging;
    decide(UPDATE_IDLE, HOLD_NONE);
    report();
    assert_string_equal(s->state, "");
    make_version("1.1.0", 5000, &v);
    version_copy(&versions.prefetch, &v);
    report();
    assert_string_equal(s->state, "downloading"); /* about to */
    assert_string_equal(s->sha256, v.sha256);
    strcpy(fetching.sha256, v.sha256);
    fetching.status.done_bytes = 1000;
    report();
    assert_int_equal(s->done_bytes, 1000);
    fetching.sha256[0] = '\0';
    fetching.tries[0] = (struct fetching_try){.failures = 2, .cause = "machine"};
    memcpy(fetching.tries[0].sha256, v.sha256, sizeof v.sha256);
    err_set(&fetching.tries[0].error, ERR_NO_SPACE, "no room");
    report();
    assert_string_equal(s->state, "failed");
    assert_string_equal(s->code, "no_space");
    assert_string_equal(s->cause, "machine");
    assert_string_equal(s->reason, "no room");
    report_on("", false);
    assert_non_null(strstr(s->reason, "auto_download_binary"));
    OWN_FD int fd = open(in_place("build-1.1.0"), O_RDWR | O_CLOEXEC);
    assert_ok(cache_add(&place.state, &v, fd, in_place("build-1.1.0"), &place.e));
    report();
    assert_string_equal(s->state, "staged");
    assert_null(s->reason);
    assert_int_equal(s->done_bytes, v.size_bytes);
    version_clear(&v);
    versions_fini(&versions);
}

/* It is known to the master that it was away, and counts against no rollout. */
static void bytes_that_a_master_lacked_to_give_are_still_to_come(void **unused) {
    (void)unused;
    struct version v;
    struct err e = {0};
    const struct wire_staging *s = &told.staging;
    struct fetching_try *t = &fetching.tries[0];
    decide(UPDATE_IDLE, HOLD_NONE);
    make_version("1.1.0", 5000, &v);
    version_copy(&versions.prefetch, &v);
    *t = (struct fetching_try){.failures = 2, .cause = "download", .after_ms = 99};
    memcpy(t->sha256, v.sha256, sizeof v.sha256);
    err_set(&t->error, ERR_UNREACHABLE, "connection refused");
    fetching_connected(&fetching, true);
    report();
    assert_string_equal(s->state, "failed"); /* it is there, and its downloads are not */
    fetching_connected(&fetching, false);
    report();
    assert_string_equal(s->state, "downloading");
    assert_int_equal(t->after_ms, 99); /* it need not be asked in vain all the time */
    fetching_connected(&fetching, true);
    report();
    assert_string_equal(s->state, "downloading");
    assert_int_equal(t->after_ms, 0);
    t->away = false; /* the next attempt failed, too */
    fetching_connected(&fetching, true);
    report();
    assert_string_equal(s->state, "failed");
    err_set(&t->error, ERR_NO_SPACE, "no room");
    fetching_connected(&fetching, false);
    report();
    assert_string_equal(s->code, "no_space"); /* whoever is away */
    t->away = true;
    err_set(&e, ERR_UNTRUSTED, "nobody vouches for it");
    fetching_refuse(&fetching, v.sha256, &e);
    report();
    assert_string_equal(s->code, "untrusted"); /* the last attempt is not the news any more */
    version_clear(&v);
    versions_fini(&versions);
}

static void reasons_of_a_failure_name_node_and_cause(void **unused) {
    (void)unused;
    struct err e = {0};
    nodes[0].record.last_exit.log_tail = text_duplicate("first\nno such index\n");
    strcpy(nodes[0].record.last_exit.kind, "exit");
    nodes[0].record.last_exit.value = 1;
    facts[0].failures = 3;
    report_failure(&nodes[0], &versions.target, 2500, &e);
    assert_string_equal(e.text,
                        "node a-1/0 ended 3 times on 1.1.0, last with exit 1: no such index");
    facts[0].phase = NODE_RUNNING;
    report_failure(&nodes[0], &versions.target, 2500, &e);
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_non_null(strstr(e.text, "did not become healthy on 1.1.0 within 2.5 s"));
    facts[0].proven = true;
    nodes[0].health_reasons = text_duplicate("index_lost");
    report_failure(&nodes[0], &versions.target, 2500, &e);
    assert_string_equal(e.text, "node a-1/0 became unhealthy on 1.1.0: index_lost");
    nodes[0].trouble_code = ERR_CONFLICT;
    strcpy(nodes[0].trouble, "no port");
    report_failure(&nodes[0], &versions.target, 2500, &e);
    assert_string_equal(e.text, "node a-1/0 does not start with 1.1.0: no port");
    assert_int_equal(e.code, ERR_CONFLICT);
}

static void a_local_file_is_told_with_its_trust(void **unused) {
    (void)unused;
    decide(UPDATE_IDLE, HOLD_NONE);
    fetching.local_done = true;
    strcpy(wanted.desired.version, "2.0.0");
    assert_update(
        report_on("/opt/x", true), "idle", "",
        "binary_path /opt/x (not published) is used instead of the desired version 2.0.0");
    versions.target.targets_version = 3;
    assert_update(report_on("/opt/x", true), "idle", "", "(published)");
    version_clear(&versions.target);
    fetching.local_done = false;
    err_set(&fetching.local.error, ERR_NOT_FOUND, "binary_path /opt/x: no such file");
    decide(UPDATE_WAITING, HOLD_NOTHING_DESIRED);
    assert_update(report_on("/opt/x", true), "failed", "not_found", "no such file");
}

static void only_real_news_change_the_stable_text(void **unused) {
    (void)unused;
    OWN_TEXT struct text before = TEXT_EMPTY;
    OWN_TEXT struct text after = TEXT_EMPTY;
    decide(UPDATE_IDLE, HOLD_NONE);
    report();
    told.free_bytes = 1;
    told.nodes[0].free_bytes = 1;
    report_stable(&told, &before);
    told.free_bytes = 2;
    told.nodes[0].free_bytes = 2;
    report_stable(&told, &after);
    assert_string_equal(before.data, after.data);
    snprintf(told.nodes[0].state, sizeof told.nodes[0].state, "healthy");
    text_clear(&after);
    report_stable(&told, &after);
    assert_string_not_equal(before.data, after.data);
}

static void a_report_that_is_too_long_loses_what_matters_least(void **unused) {
    (void)unused;
    OWN_TEXT struct text json = TEXT_EMPTY;
    decide(UPDATE_IDLE, HOLD_NONE);
    report();
    report_encode(&told, 100000, &json);
    size_t bare = json.length;
    struct text long_text = TEXT_EMPTY;
    for (int i = 0; i < 1000; i++) text_add(&long_text, "\001");
    told.nodes[0].last_exit.log_tail = text_duplicate(long_text.data);
    told.update.diagnosis = text_duplicate(long_text.data);
    free(told.nodes[1].reasons);
    told.nodes[1].reasons = text_duplicate("kept");
    told.log = (struct wire_log){.request_id = 3, .words = text_take(&long_text)};
    text_clear(&json);
    report_encode(&told, bare + 19000, &json);
    assert_non_null(told.update.diagnosis);
    text_clear(&json);
    report_encode(&told, bare + 13000, &json);
    assert_null(told.update.diagnosis);
    assert_non_null(told.nodes[0].last_exit.log_tail);
    text_clear(&json);
    report_encode(&told, bare + 7000, &json);
    assert_null(told.nodes[0].last_exit.log_tail);
    assert_non_null(told.log.words);
    text_clear(&json);
    report_encode(&told, bare + 1000, &json);
    assert_null(told.log.words);
    assert_int_equal(told.log.request_id, 3);
    assert_non_null(strstr(json.data, "kept"));
    assert_true(json.length <= bare + 1000);
}

static void draining_shows_in_nodes_that_work(void **unused) {
    (void)unused;
    strcpy(wanted.desired.mode, "draining");
    facts[0].phase = facts[1].phase = NODE_RUNNING;
    facts[0].proven = facts[1].proven = true;
    facts[0].health = HEALTH_GOOD;
    facts[1].health = HEALTH_BAD;
    report();
    assert_string_equal(told.nodes[0].state, "draining");
    assert_string_equal(told.nodes[1].state, "unhealthy");
}

static void a_surplus_node_that_is_gone_is_not_told(void **unused) {
    (void)unused;
    facts[1].wanted = false;
    report();
    assert_int_equal(told.nodes_count, 1);
    facts[1].phase = NODE_RUNNING;
    report();
    assert_int_equal(told.nodes_count, 2);
    assert_non_null(strstr(told.nodes[1].reasons, "beyond the configured number"));
}

static void run_node(size_t i, enum node_health health, const char *health_reasons) {
    facts[i].phase = NODE_RUNNING;
    facts[i].proven = true;
    facts[i].health = health;
    nodes[i].pid = 1;
    free(nodes[i].health_reasons);
    nodes[i].health_reasons = text_duplicate(health_reasons);
}

static void an_idle_agent_says_which_node_ails(void **unused) {
    (void)unused;
    decide(UPDATE_IDLE, HOLD_NONE);
    run_node(0, HEALTH_GOOD, "");
    run_node(1, HEALTH_GOOD, "");
    assert_null(report()->reason);
    run_node(1, HEALTH_MACHINE, "disk_full\nread_only");
    assert_update(report(), "idle", "", "node a-1/1 is unhealthy: disk_full;read_only");
    facts[1].hung = true;
    facts[1].silent_since_ms = clock_monotonic_ms() - 30500;
    node_terminate(&nodes[1], clock_monotonic_ms());
    assert_update(report(), "idle", "",
                  "a-1/1 is unhealthy: timeout: it answered nothing for 30 s");
    facts[1].phase = NODE_DOWN;
    memset(facts[1].assigned, 'a', SHA256_HEX_SIZE - 1);
    facts[1].failures = 1;
    assert_update(report(), "idle", "", "a-1/1 is backoff: timeout");
}

static void bytes_go_by_the_number_that_the_master_gives_them(void **unused) {
    (void)unused;
    struct version as_before;
    run_node(0, HEALTH_GOOD, "");
    memset(nodes[0].record.sha256, 'b', SHA256_HEX_SIZE - 1);
    snprintf(nodes[0].record.version, SEMVER_SIZE, "1.0.0");
    memcpy(versions.current.sha256, nodes[0].record.sha256, SHA256_HEX_SIZE);
    memcpy(versions.target.sha256, nodes[0].record.sha256, SHA256_HEX_SIZE);
    snprintf(versions.target.file, ARTIFACT_FILE_SIZE, "storage-server-1.1.0-linux-x86_64");
    versions.target.signature = text_duplicate("signed");
    snprintf(versions.current.version, SEMVER_SIZE, "1.0.0");
    (void)report(); /* as long as nothing proves the number, node and agent keep the old one */
    assert_string_equal(told.version, "1.0.0");
    assert_string_equal(told.nodes[0].version, "1.0.0");
    versions_rename(&versions);
    (void)report();
    assert_string_equal(told.version, "1.1.0");
    assert_string_equal(told.nodes[0].version, "1.1.0");
    assert_ok(cache_find(&place.state, versions.current.sha256, &as_before, &place.e));
    assert_string_equal(as_before.version, "1.1.0");
    version_clear(&as_before);
    versions.target.sha256[0] = 'c'; /* the target moves on: the number stays */
    snprintf(versions.target.version, SEMVER_SIZE, "2.0.0");
    versions_rename(&versions);
    (void)report();
    assert_string_equal(told.version, "1.1.0");
    assert_string_equal(told.nodes[0].version, "1.1.0");
    versions_fini(&versions);
}

static void what_health_answers_mean(void **unused) {
    (void)unused;
    assert_int_equal(health_judge("ok", NULL), HEALTH_GOOD);
    assert_int_equal(health_judge("degraded", "disk_full"), HEALTH_GOOD);
    assert_int_equal(health_judge("failing", "io_error\nread_only"), HEALTH_MACHINE);
    assert_int_equal(health_judge("failing", "io_error\nindex_lost"), HEALTH_BAD);
    assert_int_equal(health_judge("failing", ""), HEALTH_BAD);
    assert_int_equal(health_judge("failing", NULL), HEALTH_BAD);
    assert_int_equal(health_judge("failing", "io_errors"), HEALTH_BAD);
    assert_int_equal(health_judge("on fire", "draining"), HEALTH_MACHINE);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_channel_says_what_to_do),
        TEST(every_hold_has_its_sentence),
        TEST(a_download_shows_its_progress_and_a_failed_one_its_reason),
        TEST(a_repeated_attempt_stays_failed_until_it_comes_further),
        TEST(a_given_up_version_keeps_its_reason),
        TEST(every_report_repeats_the_order_that_it_is_about),
        TEST(edition_of_the_leave_is_repeated_until_something_has_begun_by_it),
        TEST(what_goes_back_says_why_whatever_is_desired_by_now),
        TEST(the_machines_faults_are_told_as_such),
        TEST(bytes_that_are_fetched_ahead_have_a_state_of_their_own),
        TEST(bytes_that_a_master_lacked_to_give_are_still_to_come),
        TEST(reasons_of_a_failure_name_node_and_cause),
        TEST(a_local_file_is_told_with_its_trust),
        TEST(only_real_news_change_the_stable_text),
        TEST(a_report_that_is_too_long_loses_what_matters_least),
        TEST(draining_shows_in_nodes_that_work),
        TEST(a_surplus_node_that_is_gone_is_not_told),
        TEST(an_idle_agent_says_which_node_ails),
        TEST(bytes_go_by_the_number_that_the_master_gives_them),
        TEST(what_health_answers_mean),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
