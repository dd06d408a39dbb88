/* Plans as people and programs get to see them: made by the engine itself. */
#include "master/view_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MEMBERS 5

static struct rollout_request request;
static struct rollout draft;
static struct rollout_member members[MEMBERS];
static struct rollout_agent_view agents[MEMBERS];
static struct rollout_view view;
static struct err conflict;
static const char *const domains[] = {"a", "b"};

/* a-1 and a-2 in rack a, b-3 in rack b, b-4 away, b-5 pinned. */
static int begin(void **state) {
    (void)state;
    static const char *const ids[MEMBERS] = {"a-1", "a-2", "b-3", "b-4", "b-5"};
    request = (struct rollout_request){.name = "storage-server", .version = "1.1.0"};
    memset(members, 0, sizeof members);
    for (size_t i = 0; i < MEMBERS; i++) {
        agents[i] = (struct rollout_agent_view){.reason = "", .diagnosis = ""};
        snprintf(agents[i].id, sizeof agents[i].id, "%s", ids[i]);
        members[i] = (struct rollout_member){
            .domain = i > 1,
            .facts = {.nodes = 1, .online = i != 3, .works = i != 3, .has_build = true}
        };
    }
    members[4].facts.pinned = true;
    draft = (struct rollout){
        .policy = {.canary = {.value = 1},
                   .max_parallel = {.value = 100, .percent = true},
                   .max_failures = 0,
                   .probation_ms = 2000,
                   .healthy_deadline_ms = 1000,
                   .progress_deadline_ms = 60000,
                   .auto_revert = true},
        .domain = -1,
        .members = members,
        .member_count = MEMBERS
    };
    view = (struct rollout_view){
        .request = &request,
        .rollout = &draft,
        .reason = "",
        .principal = "",
        .domains = domains,
        .domain_count = 2,
        .agents = agents,
    };
    conflict = (struct err){.code = ERR_NONE};
    return 0;
}

static void has(const struct plan_veto *vetoes, size_t veto_count, const char *words) {
    struct err e;
    struct rollout_plan plan;
    OWN_TEXT struct text json = TEXT_EMPTY;
    rollout_plan_make(&plan, &draft, domains, 2);
    view_plan(&view, &plan, vetoes, veto_count, &conflict, &json);
    rollout_plan_clear(&plan);
    if (!json_check(json.data, json.length, &e)) fail_msg("%s: %s", e.text, json.data);
    if (strstr(json.data, words) == NULL) fail_msg("%s lacks %s", json.data, words);
}

static void who_moves_when_is_told(void **state) {
    (void)state;
    has(NULL, 0, "{\"version\":\"1.1.0\",\"name\":\"storage-server\",\"selected\":4,");
    has(NULL, 0,
        "\"domains\":[\"a\",\"b\"],\"max_parallel\":4,\"canary\":1,\"max_failures\":0,"
        "\"batches\":[{\"number\":1,\"kind\":\"canary\",\"domain\":\"a\",\"agents\":[\"a-1\"]},"
        "{\"number\":2,\"kind\":\"rolling\",\"domain\":\"a\",\"agents\":[\"a-2\"]},"
        "{\"number\":3,\"kind\":\"rolling\",\"domain\":\"b\",\"agents\":[\"b-3\"]}],"
        "\"unlisted\":0,\"blast_radius\":{\"at_once\":1,\"before_first_check\":1,"
        "\"before_revert\":1},\"ends\":\"completed\",\"words\":[\"4 agents selected;");
}

static void who_does_not_move_is_told_with_the_reason(void **state) {
    (void)state;
    has(NULL, 0,
        "\"excluded\":[{\"agent_id\":\"b-5\",\"reason\":\"it is pinned\"}],"
        "\"deferred\":[{\"agent_id\":\"b-4\",\"reason\":\"it is not heard of\"}],"
        "\"veto\":[],");
    agents[3].reason = "its words";
    has(NULL, 0, "{\"agent_id\":\"b-4\",\"reason\":\"its words\"}");
}

static void vetoes_are_those_of_machines_that_would_move(void **state) {
    (void)state;
    static const struct plan_veto vetoes[] = {
        {"a-2", "last copy of 3 chunks"},
        {"b-5", "pinned anyway"        },
        {"z-9", "another's"            }
    };
    has(vetoes, 3, "\"veto\":[{\"agent_id\":\"a-2\",\"reasons\":[\"last copy of 3 chunks\"]}],");
}

static void refusal_of_the_start_is_told(void **state) {
    (void)state;
    err_set(&conflict, ERR_CONFLICT, "rollout r-1 moves a-1");
    err_hint(&conflict, "supersede it");
    has(NULL, 0,
        "\"ends\":\"completed\",\"conflict\":{\"code\":\"conflict\","
        "\"text\":\"rollout r-1 moves a-1\",\"hint\":\"supersede it\"},\"words\":");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, begin)
    const struct CMUnitTest tests[] = {
        TEST(who_moves_when_is_told),
        TEST(who_does_not_move_is_told_with_the_reason),
        TEST(vetoes_are_those_of_machines_that_would_move),
        TEST(refusal_of_the_start_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
