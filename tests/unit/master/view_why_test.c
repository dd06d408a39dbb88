/* Why an agent runs what it runs: the rule that won, what lost, and what stands in the way. */
#include "master/view_why.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct agent_view agent;
static struct why_subject storage_server, grid_agent;

static int begin(void **state) {
    (void)state;
    agent = (struct agent_view){
        .id = "a-1",
        .status = AGENT_UP,
        .mode = "active",
        .desired_version = "1.1.0",
        .last_seen_at_ms = 1,
        .report = {.agent_id = "a-1", .version = "1.1.0", .update = {.state = "idle"}}
    };
    storage_server.choice =
        (struct desired_choice){.rule = DESIRED_PIN,
                                .version = "1.1.0",
                                .reason = "pinned to 1.1.0",
                                .lost = {{.rule = DESIRED_CHANNEL,
                                          .version = "1.0.0",
                                          .reason = "channel stable points to 1.0.0"}},
                                .lost_count = 1};
    storage_server.rollout = (struct why_rollout){.number = 0};
    grid_agent = (struct why_subject){
        .choice = {.rule = DESIRED_NONE, .reason = "nothing has moved it"}
    };
    return 0;
}

static void explain(struct text *out) {
    struct err e;
    view_why(&agent, &storage_server, &grid_agent, out);
    if (!json_check(out->data, out->length, &e)) fail_msg("%s: %s", e.text, out->data);
}

static void explains(const char *words) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    explain(&json);
    if (strstr(json.data, words) == NULL) fail_msg("%s lacks %s", json.data, words);
}

static void the_rule_and_what_it_outweighs_are_named(void **state) {
    (void)state;
    explains("{\"agent_id\":\"a-1\",\"desired\":{\"rule\":\"pin\",\"version\":\"1.1.0\","
             "\"reason\":\"pinned to 1.1.0\"},\"running\":{\"version\":\"1.1.0\"},"
             "\"update\":{\"state\":\"idle\",");
    explains("\"lost\":[{\"rule\":\"channel\",\"version\":\"1.0.0\","
             "\"reason\":\"channel stable points to 1.0.0\"}],\"agent\":{");
    explains("\"holds\":[],"
             "\"words\":[\"a-1 runs 1.1.0\",\"it should run 1.1.0: pinned to 1.1.0\","
             "\"that outweighs the rule channel: channel stable points to 1.0.0\"]}");
}

static void file_of_the_agents_own_outweighs_all(void **state) {
    (void)state;
    agent.report.binary_path = "/opt/own";
    explains("\"desired\":{\"rule\":\"binary_path\",\"version\":\"\",");
    explains("/opt/own");
    explains("\"lost\":[{\"rule\":\"pin\",");
}

static void nothing_desired_is_said_with_its_reason(void **state) {
    (void)state;
    storage_server.choice = (struct desired_choice){.rule = DESIRED_NONE, .reason = "push one"};
    agent.report.version[0] = '\0';
    explains("\"words\":[\"a-1 runs nothing yet\",\"no version is desired: push one\"");
}

static void what_stands_in_the_way_is_named_once_it_does(void **state) {
    (void)state;
    agent.report.update.reason = "bad\nsignature";
    explains("\"holds\":[],");
    snprintf(agent.report.version, sizeof agent.report.version, "0.9.0");
    explains("\"holds\":[\"bad signature\"],");
    snprintf(agent.mode, sizeof agent.mode, "draining");
    explains("\"holds\":[\"it is draining: gridctl agent resume a-1\",\"bad signature\"],");
    explains("points to 1.0.0\",\"it is draining: gridctl agent resume a-1\",\"bad signature\"]}");
}

static void the_rollout_and_its_turn_are_named(void **state) {
    (void)state;
    static const struct {
        struct why_rollout rollout;
        const char *words;
    } cases[] = {
        {{.number = 3, .state = ROLLOUT_PAUSED, .reason = "disk full", .member = MEMBER_WAITING},
         "\"holds\":[\"rollout r-3 is paused: disk full: gridctl rollout resume r-3\","
         "\"its turn in rollout r-3 has not come\"]"                                                            },
        {{.number = 3, .state = ROLLOUT_AWAIT_PROMOTE, .member = MEMBER_WAITING},
         "gridctl rollout promote r-3\",\"its turn"                                                             },
        {{.number = 3, .state = ROLLOUT_ROLLING, .hold = CAUSE_WINDOW, .member = MEMBER_WAITING},
         "rollout r-3 waits for its next maintenance window"                                                    },
        {{.number = 3, .state = ROLLOUT_ROLLING, .hold = CAUSE_VETO, .member = MEMBER_WAITING},
         "rollout r-3 moves nobody now (veto)"                                                                  },
        {{.number = 3,
          .state = ROLLOUT_ROLLING,
          .member = MEMBER_DEFERRED,
          .member_reason = "was away"},
         "\"holds\":[\"deferred in rollout r-3: was away\"]"                                                    },
        {{.number = 3, .state = ROLLOUT_ROLLING, .member = MEMBER_FAILED},
         "\"holds\":[\"failed in rollout r-3\"]"                                                                },
        {{.number = 3, .state = ROLLOUT_ROLLING, .member = MEMBER_GRANTED},                       "\"holds\":[]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        storage_server.rollout = cases[i].rollout;
        explains(cases[i].words);
    }
}

static void what_the_agent_itself_should_be_is_told_beside_it(void **state) {
    (void)state;
    explains("\"agent\":{\"desired\":{\"rule\":\"none\",\"version\":\"\","
             "\"reason\":\"nothing has moved it\"},\"running\":{\"version\":\"\"}");
    snprintf(agent.self.version, sizeof agent.self.version, "0.2.0");
    snprintf(agent.report.self.version, sizeof agent.report.self.version, "0.1.0");
    agent.report.self.update.reason = "disk full";
    grid_agent = (struct why_subject){
        .choice = {.rule = DESIRED_ROLLOUT, .version = "0.2.0",      .reason = "r-2 moves it"},
        .rollout = {.number = 2,             .state = ROLLOUT_PAUSED, .member = MEMBER_WAITING}
    };
    explains("\"running\":{\"version\":\"0.1.0\"}");
    explains("\"holds\":[\"disk full\",\"rollout r-2 is paused: gridctl rollout resume r-2\"");
    explains("\"its grid-agent is 0.1.0 and should be 0.2.0: r-2 moves it\",\"disk full\"");
    explains("\"holds\":[],\"words\"");
}

static void only_members_that_may_still_move_are_in_a_rollout(void **state) {
    (void)state;
    struct why_rollout found;
    struct rollout_member members[2] = {{.state = MEMBER_WAITING}, {.state = MEMBER_EXCLUDED}};
    struct rollout rollout = {
        .state = ROLLOUT_ROLLING, .hold = CAUSE_WINDOW, .members = members, .member_count = 2};
    struct rollout_agent_view agents[2] = {
        {.id = "a-1", .reason = "mine"},
        {.id = "a-2", .reason = ""    }
    };
    struct rollout_view view = {
        .number = 4, .rollout = &rollout, .reason = "whole", .agents = agents};
    assert_true(view_why_rollout(&view, "a-1", &found));
    assert_int_equal(found.number, 4);
    assert_int_equal(found.hold, CAUSE_WINDOW);
    assert_string_equal(found.reason, "whole");
    assert_string_equal(found.member_reason, "mine");
    assert_false(view_why_rollout(&view, "a-2", &found));
    assert_false(view_why_rollout(&view, "a-3", &found));
    rollout.state = ROLLOUT_SUPERSEDED;
    assert_false(view_why_rollout(&view, "a-1", &found));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, begin)
    const struct CMUnitTest tests[] = {
        TEST(the_rule_and_what_it_outweighs_are_named),
        TEST(file_of_the_agents_own_outweighs_all),
        TEST(nothing_desired_is_said_with_its_reason),
        TEST(what_stands_in_the_way_is_named_once_it_does),
        TEST(the_rollout_and_its_turn_are_named),
        TEST(what_the_agent_itself_should_be_is_told_beside_it),
        TEST(only_members_that_may_still_move_are_in_a_rollout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
