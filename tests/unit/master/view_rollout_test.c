/* Rollouts as people and programs get to see them. */
#include "master/view_rollout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define AT_MS 1769860800123 /* 2026-01-31T12:00:00.123Z */
#define MEMBERS 3

static struct rollout_request request;
static struct rollout rollout;
static struct rollout_member members[MEMBERS];
static struct rollout_agent_view agents[MEMBERS];
static struct rollout_window window;
static struct rollout_view view;
static const char *const domains[] = {"a", ""};

static int begin(void **state) {
    (void)state;
    window =
        (struct rollout_window){.days = "mon-fri", .from = "22:00", .to = "04:00", .tz = "UTC"};
    request = (struct rollout_request){.name = "storage-server",
                                       .version = "1.1.0",
                                       .selector = "rack",
                                       .topology = "rack",
                                       .windows = &window,
                                       .windows_count = 1};
    memset(members, 0, sizeof members);
    for (size_t i = 0; i < MEMBERS; i++) {
        agents[i] =
            (struct rollout_agent_view){.from_version = "1.0.0", .reason = "", .diagnosis = ""};
        snprintf(agents[i].id, sizeof agents[i].id, "a-%zu", i + 1);
        members[i].facts.online = true;
    }
    members[2].domain = 1;
    rollout = (struct rollout){
        .policy = {.canary = {.value = 1},
                   .max_parallel = {.value = 10, .percent = true},
                   .max_failures = -1,
                   .min_healthy_ms = 500,
                   .probation_ms = 2000,
                   .auto_promote_ms = ROLLOUT_NEVER,
                   .healthy_deadline_ms = 300000,
                   .progress_deadline_ms = 600000,
                   .auto_revert = true},
        .state = ROLLOUT_ROLLING,
        .domain = 0,
        .revision = 7,
        .members = members,
        .member_count = MEMBERS
    };
    view = (struct rollout_view){
        .number = 12,
        .request = &request,
        .rollout = &rollout,
        .tally = {.selected = 3,
                  .states = {[MEMBER_WAITING] = 2, [MEMBER_GRANTED] = 1},
                  .in_flight = 1},
        .reason = "",
        .principal = "token:0123",
        .created_at_ms = AT_MS,
        .domains = domains,
        .domain_count = 2,
        .agents = agents,
    };
    return 0;
}

typedef void encoder(struct text *out);

static void encode_whole(struct text *out) {
    view_rollout(&view, out);
}

static void encode_second(struct text *out) {
    view_rollout_agent(&view, 1, out);
}

static void has(encoder *encode, const char *words) {
    struct err e;
    OWN_TEXT struct text json = TEXT_EMPTY;
    encode(&json);
    if (!json_check(json.data, json.length, &e)) fail_msg("%s: %s", e.text, json.data);
    if (strstr(json.data, words) == NULL) fail_msg("%s lacks %s", json.data, words);
}

static void rollout_is_shown_whole(void **state) {
    (void)state;
    OWN_TEXT struct text json = TEXT_EMPTY;
    view_rollout(&view, &json);
    assert_string_equal(
        json.data,
        "{\"id\":\"r-12\",\"name\":\"storage-server\",\"version\":\"1.1.0\",\"state\":\"rolling\","
        "\"resume_state\":\"\",\"cause\":\"\",\"reason\":\"\",\"hold\":\"\",\"selector\":\"rack\","
        "\"policy\":{\"canary\":1,\"max_parallel\":\"10%\",\"max_failures\":0,"
        "\"min_healthy_s\":0.5,\"probation_s\":2,\"auto_promote_s\":\"never\","
        "\"healthy_deadline_s\":300,\"progress_deadline_s\":600,\"auto_revert\":true,"
        "\"allow_unavailable\":false,\"topology\":\"rack\",\"windows\":[{\"days\":\"mon-fri\","
        "\"from\":\"22:00\",\"to\":\"04:00\",\"tz\":\"UTC\"}],\"supersede\":false,"
        "\"override_quarantine\":false},"
        "\"progress\":{\"selected\":3,\"waiting\":2,\"deferred\":0,\"excluded\":0,\"granted\":1,"
        "\"committed\":0,\"failed\":0,\"held\":0,\"leaving\":0,\"returning\":0,\"returned\":0,"
        "\"return_failed\":0,\"in_flight\":1,\"unavailable\":0,\"slots\":0},"
        "\"domains\":[\"a\",\"\"],\"current_domain\":\"a\","
        "\"created_at\":\"2026-01-31T12:00:00.123Z\",\"principal\":\"token:0123\","
        "\"superseded_by\":\"\",\"revision\":7}");
}

static void one_that_is_paused_says_why_and_where_it_goes_on(void **state) {
    (void)state;
    rollout.resume = ROLLOUT_CANARY; /* of the pause before */
    has(encode_whole, "\"resume_state\":\"\"");
    rollout.state = ROLLOUT_PAUSED;
    rollout.cause = CAUSE_PROGRESS;
    rollout.hold = CAUSE_WINDOW;
    view.reason = "a-2: \"disk\" full";
    has(encode_whole,
        "\"state\":\"paused\",\"resume_state\":\"canary\",\"cause\":\"progress_deadline\","
        "\"reason\":\"a-2: \\\"disk\\\" full\",\"hold\":\"window\"");
}

static void one_that_ended_says_when_and_by_which(void **state) {
    (void)state;
    rollout.state = ROLLOUT_SUPERSEDED;
    rollout.domain = -1;
    view.finished_at_ms = AT_MS + 1000;
    view.superseded_by = 13;
    has(encode_whole, "\"current_domain\":\"\",\"created_at\":\"2026-01-31T12:00:00.123Z\","
                      "\"finished_at\":\"2026-01-31T12:00:01.123Z\"");
    has(encode_whole, "\"superseded_by\":\"r-13\"");
}

static void who_was_never_reached_just_waits_once_it_is_over(void **state) {
    (void)state;
    members[1].state = MEMBER_WAITING;
    members[1].facts.online = false;
    has(encode_second, "\"phase\":\"away\"");
    rollout.state = ROLLOUT_REVERTED;
    has(encode_second, "\"phase\":\"waiting\"");
    members[1].state = MEMBER_DEFERRED;
    has(encode_second, "\"phase\":\"deferred\"");
    rollout.state = ROLLOUT_COMPLETED; /* it follows later */
    has(encode_second, "\"phase\":\"away\"");
}

static void failures_that_are_borne_are_a_twentieth_unless_given(void **state) {
    (void)state;
    view.tally.selected = 59;
    has(encode_whole, "\"max_failures\":2,");
    rollout.policy.max_failures = 0;
    has(encode_whole, "\"max_failures\":0,");
}

static void agent_is_shown_whole(void **state) {
    (void)state;
    OWN_TEXT struct text json = TEXT_EMPTY;
    members[2].state = MEMBER_FAILED;
    members[2].cause = CAUSE_VERSION;
    members[2].canary = true;
    members[2].attempt = 2;
    members[2].turn = 5;
    agents[2].reason = "exits";
    agents[2].diagnosis = "exit 3\nlast words";
    view_rollout_agent(&view, 2, &json);
    assert_string_equal(json.data,
                        "{\"agent_id\":\"a-3\",\"state\":\"failed\",\"phase\":\"failed\","
                        "\"domain\":\"\",\"canary\":true,\"attempt\":2,\"from\":\"1.0.0\","
                        "\"to\":\"1.1.0\",\"cause\":\"version\",\"reason\":\"exits\","
                        "\"diagnosis\":\"exit 3\\nlast words\",\"turn\":5}");
}

static void phase_says_what_the_machine_does_now(void **state) {
    (void)state;
    static const struct {
        enum rollout_member_state state;
        enum rollout_progress progress;
        bool offline, staged;
        const char *phase;
    } cases[] = {
        {MEMBER_WAITING,   PROGRESS_NONE,      false, false, "fetching" },
        {MEMBER_WAITING,   PROGRESS_NONE,      false, true,  "staged"   },
        {MEMBER_DEFERRED,  PROGRESS_NONE,      true,  true,  "away"     },
        {MEMBER_GRANTED,   PROGRESS_NONE,      false, true,  "told"     },
        {MEMBER_GRANTED,   PROGRESS_HELD,      false, true,  "not_begun"},
        {MEMBER_GRANTED,   PROGRESS_SWITCHING, false, true,  "switching"},
        {MEMBER_GRANTED,   PROGRESS_SWITCHING, true,  true,  "away"     },
        {MEMBER_GRANTED,   PROGRESS_PROBATION, false, true,  "probation"},
        {MEMBER_RETURNING, PROGRESS_WENT_BACK, false, true,  "went_back"},
        {MEMBER_RETURNING, PROGRESS_STUCK,     false, true,  "stuck"    },
        {MEMBER_COMMITTED, PROGRESS_COMMITTED, true,  true,  "committed"},
        {MEMBER_EXCLUDED,  PROGRESS_NONE,      false, false, "excluded" },
        {MEMBER_LEAVING,   PROGRESS_COMMITTED, false, false, "leaving"  },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char words[48];
        members[1].state = (uint8_t)cases[i].state;
        members[1].facts.progress = (uint8_t)cases[i].progress;
        members[1].facts.online = !cases[i].offline;
        members[1].facts.staged = cases[i].staged;
        snprintf(words, sizeof words, "\"phase\":\"%s\"", cases[i].phase);
        has(encode_second, words);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, begin)
    const struct CMUnitTest tests[] = {
        TEST(rollout_is_shown_whole),
        TEST(one_that_is_paused_says_why_and_where_it_goes_on),
        TEST(one_that_ended_says_when_and_by_which),
        TEST(who_was_never_reached_just_waits_once_it_is_over),
        TEST(failures_that_are_borne_are_a_twentieth_unless_given),
        TEST(agent_is_shown_whole),
        TEST(phase_says_what_the_machine_does_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
