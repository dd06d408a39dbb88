#include "cli/doctor.h"

#include "lib/clock.h"
#include "tests/unit/cli/cmocka_headers.h"

#include <string.h>

static struct answer_channel channel = {.name = "stable", .version = "1.0.0"};
static struct answer_summary summary;
static struct answer_facts facts;
static struct answer_role roles[2];
static struct answer_agent agents[8];
static struct doctor_view view;

/* A grid with which nothing is wrong, for each test to spoil. */
static int make_healthy(void **state) {
    (void)state;
    summary = (struct answer_summary){
        .version = "0.1.0",
        .agents = {.up = 8},
        .nodes = {.healthy = 8},
        .binaries = 1,
        .channels = &channel,
        .channels_count = 1,
        .capacity_bytes = 1000,
        .free_bytes = 900,
    };
    facts = (struct answer_facts){
        .now = "2026-01-31T12:00:01Z",
        .descriptors_limit = 20000,
        .descriptors_used = 40,
        .descriptors_needed = 2000,
        .state_directory = "/srv/grid",
        .state_free_bytes = INT64_C(90) << 30,
        .state_capacity_bytes = INT64_C(100) << 30,
        .database = "ok",
        .last_backup_at = "2026-01-30T12:00:00Z",
        .release_key_id = "C2EA816DD1E70B75",
        .require_signature = "auto",
        .metadata = roles,
        .metadata_count = COUNT(roles),
    };
    roles[0] = (struct answer_role){"targets", "2027-01-31T12:00:00Z", true};
    roles[1] = (struct answer_role){"timestamp", "2026-02-01T12:00:00Z", true};
    static char *const ids[] = {"a-1", "a-2", "a-3", "a-4", "a-5", "a-6", "a-7", "a-8"};
    for (size_t i = 0; i < COUNT(agents); i++)
        agents[i] = (struct answer_agent){.id = ids[i],
                                          .status = "up",
                                          .version = "1.0.0",
                                          .agent_version = "0.1.0",
                                          .free_bytes = INT64_C(9) << 30};
    view = (struct doctor_view){.summary = &summary,
                                .facts = &facts,
                                .agents = agents,
                                .agent_count = COUNT(agents),
                                .own_version = "0.1.0",
                                .now_ms = clock_parse_rfc3339("2026-01-31T12:00:00Z")};
    return 0;
}

static struct doctor examined(void) {
    struct doctor d = {0};
    doctor_examine(&d, &view);
    return d;
}

/* That there is such a finding, with these words and this next step. */
static void assert_found(const struct doctor *d, const char *check, const char *state,
                         const char *found, const char *next) {
    for (size_t i = 0; i < d->count; i++) {
        const struct finding *f = &d->findings[i];
        if (strcmp(f->check, check) == 0 && strcmp(f->state, state) == 0 &&
            strstr(f->found, found) != NULL && strstr(f->next, next) != NULL)
            return;
    }
    for (size_t i = 0; i < d->count; i++)
        print_message("%s %s: %s (%s)\n", d->findings[i].state, d->findings[i].check,
                      d->findings[i].found, d->findings[i].next);
    fail_msg("no %s of %s says \"%s\", \"%s\"", state, check, found, next);
}

static size_t count_of(const struct doctor *d, const char *check, const char *state) {
    size_t count = 0;
    for (size_t i = 0; i < d->count; i++)
        count +=
            strcmp(d->findings[i].check, check) == 0 && strcmp(d->findings[i].state, state) == 0;
    return count;
}

static void a_healthy_grid_has_only_good_findings(void **state) {
    (void)state;
    struct doctor d = examined();
    assert_true(d.count > 9);
    for (size_t i = 0; i < d.count; i++) {
        assert_string_equal(d.findings[i].state, "ok");
        assert_string_equal(d.findings[i].next, "");
    }
    assert_found(&d, "channel", "ok", "stable 1.0.0", "");
    assert_false(doctor_failed(&d));
}

static void an_empty_grid_is_no_failure_but_says_what_to_do(void **state) {
    (void)state;
    summary = (struct answer_summary){.version = "0.1.0"};
    view.agent_count = 0;
    struct doctor d = examined();
    assert_false(doctor_failed(&d));
    assert_found(&d, "binaries", "warn", "", "gridctl binary push FILE");
    assert_found(&d, "agents", "warn", "", "gridctl agent join-command");
    assert_found(&d, "channel", "warn", "", "gridctl channel set");
}

static void lost_agents_and_failing_nodes_are_failures(void **state) {
    (void)state;
    summary.agents.lost = 1;
    summary.nodes.backoff = 2;
    struct doctor d = examined();
    assert_true(doctor_failed(&d));
    assert_found(&d, "agents", "fail", "1 lost", "status=lost");
    assert_found(&d, "nodes", "fail", "2 keep ending", "state=backoff");
}

static void notices_versions_that_differ(void **state) {
    (void)state;
    static struct answer_share shares[] = {
        {.version = "1.0.0", .agents = 7},
        {.version = "1.1.0", .agents = 1}
    };
    view.own_version = "0.2.0";
    agents[2].agent_version = "0.0.9";
    summary.versions = shares;
    summary.versions_count = COUNT(shares);
    struct doctor d = examined();
    assert_false(doctor_failed(&d));
    assert_found(&d, "version", "warn", "master is 0.1.0, gridctl is 0.2.0", "same version");
    assert_found(&d, "version", "warn", "1 of 8 agents are not 0.1.0 like the master, but 0.0.9",
                 "install");
    assert_found(&d, "running", "warn", "1.0.0 (7), 1.1.0 (1)", "gridctl agent list");
}

static void notices_clocks_of_master_and_agents(void **state) {
    (void)state;
    facts.now = "2026-01-31T11:58:00Z";
    agents[3].clock_offset_ms = INT64_C(3) * 24 * 3600 * 1000;
    agents[4].clock_offset_ms = -20000;
    struct doctor d = examined();
    assert_found(&d, "clock", "warn", "the master's clock is 2 min behind this machine's", "NTP");
    assert_found(&d, "clock", "warn", "a-4's clock is 3 d ahead of the master's", "NTP");
    assert_int_equal(count_of(&d, "clock", "warn"), 2);
    assert_int_equal(count_of(&d, "clock", "ok"), 0);
}

static void names_some_of_many_and_counts_the_rest(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(agents); i++) {
        agents[i].clock_offset_ms = 60000;
        agents[i].free_bytes = 1000;
        agents[i].update = (struct answer_update){
            .state = "failed", .to = "1.1.0", .reason = "it exited with status 1"};
    }
    struct doctor d = examined();
    assert_found(&d, "clock", "warn", "3 more", "NTP");
    assert_found(&d, "disk", "warn", "3 more", "gridctl agent list");
    assert_found(&d, "update", "fail", "3 more", "gridctl event tail");
}

static void names_failed_updates_with_their_reason(void **state) {
    (void)state;
    agents[1].update = (struct answer_update){
        .state = "failed", .to = "1.1.0", .reason = "it exited with status 1"};
    struct doctor d = examined();
    assert_true(doctor_failed(&d));
    assert_found(&d, "update", "fail", "a-2 stays with 1.0.0 instead of 1.1.0: it exited",
                 "gridctl agent why a-2");
}

static void judges_descriptors(void **state) {
    (void)state;
    facts.descriptors_limit = 1024;
    struct doctor d = examined();
    assert_false(doctor_failed(&d));
    assert_found(&d, "descriptors", "warn", "uses 40 of 1024 and may need 2000", "LimitNOFILE");
    facts.descriptors_used = 1000;
    d = examined();
    assert_found(&d, "descriptors", "fail", "uses 1000 of 1024", "LimitNOFILE");
}

static void judges_space(void **state) {
    (void)state;
    facts.state_free_bytes = INT64_C(4) << 30;
    agents[5].free_bytes = 1000000;
    summary.free_bytes = 10;
    summary.rejected = 2;
    struct doctor d = examined();
    assert_false(doctor_failed(&d));
    assert_found(&d, "disk", "warn", "4.3 GB free in /srv/grid", "free some");
    assert_found(&d, "disk", "warn", "only 1.0 MB free at agent a-6", "free some");
    assert_found(&d, "space", "warn", "only 10 B free", "gridctl node list");
    assert_found(&d, "drop box", "warn", "2 files refused", "--rejected");
}

static void judges_keys(void **state) {
    (void)state;
    facts.loose_files = "/srv/grid/admin.token\n/srv/grid/keys/release.key";
    facts.require_signature = "on";
    struct doctor d = examined();
    assert_true(doctor_failed(&d));
    assert_found(&d, "keys", "fail", "/srv/grid/admin.token can be read by others", "chmod 600");
    assert_found(&d, "keys", "fail", "/srv/grid/keys/release.key", "chmod 600");
    assert_found(&d, "keys", "fail", "no publisher is trusted", "gridctl key trust");
    facts.publishers = 1;
    d = examined();
    assert_found(&d, "keys", "ok", "1 publisher", "");
}

static void judges_database_and_backup(void **state) {
    (void)state;
    facts.database = "row 3 missing from index agent_id";
    facts.last_backup_at = "2026-01-20T12:00:00Z";
    struct doctor d = examined();
    assert_found(&d, "database", "fail", "row 3 missing", "gridctl backup restore");
    assert_found(&d, "backup", "warn", "11 d ago", "gridctl backup create");
    facts.last_backup_at = NULL;
    d = examined();
    assert_found(&d, "backup", "warn", "none", "gridctl backup create");
}

static void names_a_database_that_was_behind_its_agents_for_a_week(void **state) {
    (void)state;
    facts.behind_at = "2026-01-30T12:00:00Z";
    struct doctor d = examined();
    assert_found(&d, "database", "warn", "behind what agents knew 1 d ago", "restored a backup");
    assert_false(doctor_failed(&d));
    facts.behind_at = "2026-01-20T12:00:00Z";
    d = examined();
    assert_int_equal(count_of(&d, "database", "warn"), 0);
}

static void finds(const char *check, const char *state, const char *found, const char *next) {
    struct doctor d = examined();
    assert_found(&d, check, state, found, next);
}

static void judges_the_certificate_of_https(void **state) {
    (void)state;
    struct doctor plain = examined();
    assert_int_equal(count_of(&plain, "certificate", "ok"), 0);
    facts.certificate_expires_at = "2026-04-30T12:00:00Z";
    finds("certificate", "ok", "expires in 89 d", "");
    facts.certificate_expires_at = "2026-02-10T12:00:00Z";
    finds("certificate", "warn", "expires in 10 d", "master.certificate in the master's log");
    facts.certificate_given = true;
    finds("certificate", "warn", "expires in 10 d", "--tls-cert");
    facts.certificate_expires_at = "2026-01-30T12:00:00Z";
    finds("certificate", "fail", "expired 1 d ago", "--tls-cert");
    facts.bus_certificate_outdated = true;
    finds("certificate", "warn", "that of the bus was changed", "restart the master");
}

static void says_which_metadata_need_somebody(void **state) {
    (void)state;
    finds("trust", "ok", "all keys are on the master", "");
    roles[0].signed_here = false;
    finds("trust", "ok", "targets are signed elsewhere", "");
    roles[0].expires_at = "2026-02-20T12:00:00Z";
    finds("trust", "warn", "expire in 20", "gridctl key targets");
    roles[0].expires_at = "2026-01-31T11:00:00Z";
    finds("trust", "fail", "the targets metadata expired 1 h", "gridctl key targets");
    roles[1].expires_at = "2026-01-31T11:00:00Z";
    finds("trust", "fail", "the timestamp metadata expired", "master's log");
    facts.held = 2;
    finds("held", "warn", "2 files held", "gridctl binary held");
    facts.agents_without_root = 1;
    finds("trust", "warn", "1 agent without a trusted root", "gridctl key show");
}

static void looks_on_without_the_facts(void **state) {
    (void)state;
    view.facts = NULL;
    struct doctor d = examined();
    assert_false(doctor_failed(&d));
    assert_int_equal(count_of(&d, "database", "ok"), 0);
    assert_int_equal(count_of(&d, "clock", "ok"), 0);
    assert_found(&d, "nodes", "ok", "8 of 8 healthy", "");
}

static void names_rollouts_that_stand_or_are_stuck(void **state) {
    (void)state;
    struct doctor d = {0};
    const struct answer_rollout rollouts[] = {
        {.id = "r-4",        .version = "1.2.0", .state = "rolling"     },
        { .id = "r-3",
         .version = "1.1.0",
         .state = "paused",
         .cause = "machine",
         .reason = "a-1: disk full"},
        {                                        .id = "r-2",        .version = "1.1.0", .state = "revert_stuck", .reason = "a-2 does not start"},
    };
    doctor_examine_rollouts(&d, rollouts, 1);
    assert_found(&d, "rollout", "ok", "r-4 to 1.2.0 is rolling", "");
    doctor_examine_rollouts(&d, rollouts, COUNT(rollouts));
    assert_found(&d, "rollout", "warn", "r-3 to 1.1.0 is paused (machine), because a-1: disk full",
                 "gridctl rollout resume r-3");
    assert_found(&d, "rollout", "fail", "r-2 to 1.1.0 is revert_stuck, because a-2",
                 "gridctl rollout rollback r-2");
    assert_true(doctor_failed(&d));
}

static void names_quarantined_builds_and_counts_the_rest(void **state) {
    (void)state;
    struct doctor d = {0};
    struct answer_quarantined all[8];
    for (size_t i = 0; i < COUNT(all); i++)
        all[i] = (struct answer_quarantined){.digest = "0123456789abcdef",
                                             .name = "storage-server",
                                             .version = "1.1.0",
                                             .reason = "it exits"};
    doctor_examine_quarantine(&d, all, COUNT(all));
    assert_int_equal(d.count, 6);
    assert_found(&d, "quarantine", "warn",
                 "storage-server 1.1.0 (0123456789ab...) is chosen no more: it exits",
                 "gridctl quarantine list");
    assert_found(&d, "quarantine", "warn", "3 more builds", "gridctl quarantine list");
    assert_false(doctor_failed(&d));
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup(function, make_healthy)
    const struct CMUnitTest tests[] = {
        TEST(a_healthy_grid_has_only_good_findings),
        TEST(an_empty_grid_is_no_failure_but_says_what_to_do),
        TEST(lost_agents_and_failing_nodes_are_failures),
        TEST(notices_versions_that_differ),
        TEST(notices_clocks_of_master_and_agents),
        TEST(names_some_of_many_and_counts_the_rest),
        TEST(names_failed_updates_with_their_reason),
        TEST(judges_descriptors),
        TEST(judges_space),
        TEST(judges_keys),
        TEST(judges_database_and_backup),
        TEST(names_a_database_that_was_behind_its_agents_for_a_week),
        TEST(says_which_metadata_need_somebody),
        TEST(judges_the_certificate_of_https),
        TEST(looks_on_without_the_facts),
        cmocka_unit_test(names_rollouts_that_stand_or_are_stuck),
        cmocka_unit_test(names_quarantined_builds_and_counts_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
