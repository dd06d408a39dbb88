#include "master/view_why.h"

#include "master/view_agent.h"
#include "master/view_rollout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COPY(target, source) text_cut((target), sizeof(target), (source))

struct decision_json {
    char rule[16];
    char version[SEMVER_SIZE];
    char reason[256];
};
static const struct json_field decision_fields[] = {
    J(JSON_STRING, struct decision_json, rule, 0),
    J(JSON_STRING, struct decision_json, version, 0),
    J(JSON_STRING, struct decision_json, reason, 0),
};
static const struct json_schema decision_schema =
    JSON_SCHEMA(struct decision_json, decision_fields);

struct running_json {
    char version[SEMVER_SIZE];
};
static const struct json_field running_fields[] = {
    J(JSON_STRING, struct running_json, version, 0),
};
static const struct json_schema running_schema = JSON_SCHEMA(struct running_json, running_fields);

/* The same of the agent's own program, in short: nothing is pinned there, and no channel leads it.
 */
struct program_json {
    struct decision_json desired;
    struct running_json running;
    char *update; /* raw JSON */
    char *holds;  /* lines */
};
static const struct json_field program_fields[] = {
    J_SUB(struct program_json, desired, &decision_schema, 0),
    J_SUB(struct program_json, running, &running_schema, 0),
    J(JSON_RAW, struct program_json, update, 0),
    J(JSON_STRINGS, struct program_json, holds, 0),
};
static const struct json_schema program_schema = JSON_SCHEMA(struct program_json, program_fields);

struct why_json {
    char agent_id[WIRE_AGENT_ID_SIZE];
    struct decision_json desired;
    struct running_json running;
    char *update; /* raw JSON */
    struct decision_json *lost;
    size_t lost_count;
    struct program_json agent;
    char *holds, *words; /* lines */
};
static const struct json_field why_fields[] = {
    J(JSON_STRING, struct why_json, agent_id, 0),
    J_SUB(struct why_json, desired, &decision_schema, 0),
    J_SUB(struct why_json, running, &running_schema, 0),
    J(JSON_RAW, struct why_json, update, 0),
    J_LIST(struct why_json, lost, &decision_schema, 0),
    J_SUB(struct why_json, agent, &program_schema, 0),
    J(JSON_STRINGS, struct why_json, holds, 0),
    J(JSON_STRINGS, struct why_json, words, 0),
};
static const struct json_schema why_schema = JSON_SCHEMA(struct why_json, why_fields);

static bool may_still_move(enum rollout_member_state state) {
    return state != MEMBER_EXCLUDED && state != MEMBER_COMMITTED && state != MEMBER_RETURNED;
}

bool view_why_rollout(const struct rollout_view *v, const char *agent_id, struct why_rollout *out) {
    size_t index = view_rollout_find(v, agent_id);
    if (index == SIZE_MAX || !rollout_is_live(v->rollout)) return false;
    const struct rollout_member *m = &v->rollout->members[index];
    if (!may_still_move((enum rollout_member_state)m->state)) return false;
    *out = (struct why_rollout){.number = v->number,
                                .state = v->rollout->state,
                                .hold = v->rollout->hold,
                                .member = (enum rollout_member_state)m->state};
    COPY(out->reason, v->reason);
    COPY(out->member_reason, v->agents[index].reason);
    return true;
}

/* JSON_STRINGS are lines, none of them empty. */
static void add_line(struct text *lines, const char *words) {
    if (words[0] == '\0') return;
    if (lines->length > 0) text_add(lines, "\n");
    for (const char *c = words; *c != '\0'; c++) text_add_bytes(lines, *c == '\n' ? " " : c, 1);
}

/* What a person can do about a rollout that does not move anybody. */
static const char *const hold_words[CAUSE_COUNT] = {
    [CAUSE_WINDOW] = "waits for its next maintenance window",
    [CAUSE_RECOVERING] = "waits until agents have reported to the restarted master",
    [CAUSE_BUDGET] = "waits: too many of its machines are unavailable",
};

static void hold_by_rollout(const struct why_rollout *r, struct text *holds) {
    char words[640];
    if (r->state == ROLLOUT_PAUSED)
        snprintf(words, sizeof words,
                 "rollout r-%" PRId64 " is paused%s%s: gridctl rollout resume r-%" PRId64,
                 r->number, r->reason[0] != '\0' ? ": " : "", r->reason, r->number);
    else if (r->state == ROLLOUT_AWAIT_PROMOTE)
        snprintf(words, sizeof words,
                 "rollout r-%" PRId64
                 " waits after its canaries: gridctl rollout promote r-%" PRId64,
                 r->number, r->number);
    else if (hold_words[r->hold] != NULL)
        snprintf(words, sizeof words, "rollout r-%" PRId64 " %s", r->number, hold_words[r->hold]);
    else if (r->hold != CAUSE_NONE)
        snprintf(words, sizeof words, "rollout r-%" PRId64 " moves nobody now (%s)", r->number,
                 rollout_cause_name(r->hold));
    else
        words[0] = '\0';
    add_line(holds, words);
}

static void hold_by_turn(const struct why_rollout *r, struct text *holds) {
    char words[320];
    const char *state = rollout_member_state_name(r->member);
    if (r->member_reason[0] != '\0')
        snprintf(words, sizeof words, "%s in rollout r-%" PRId64 ": %s", state, r->number,
                 r->member_reason);
    else if (r->member == MEMBER_WAITING || r->member == MEMBER_LEAVING)
        snprintf(words, sizeof words, "its turn in rollout r-%" PRId64 " has not come", r->number);
    else if (r->member != MEMBER_GRANTED && r->member != MEMBER_RETURNING)
        snprintf(words, sizeof words, "%s in rollout r-%" PRId64, state, r->number);
    else
        words[0] = '\0';
    add_line(holds, words);
}

static void hold_by_member(const struct why_rollout *r, struct text *holds) {
    if (r->number == 0) return;
    hold_by_rollout(r, holds);
    hold_by_turn(r, holds);
}

static void collect_holds(const struct agent_view *v, const struct why_rollout *r,
                          struct text *holds) {
    char words[384];
    if (strcmp(v->mode, "draining") == 0) {
        snprintf(words, sizeof words, "it is draining: gridctl agent resume %s", v->id);
        add_line(holds, words);
    }
    bool elsewhere = strcmp(v->report.version, v->desired_version) != 0;
    if (v->status != AGENT_UP || v->conflict != NULL || elsewhere) {
        view_agent_reason(v, words, sizeof words);
        add_line(holds, words);
    }
    if (view_distrusts(&v->report.trust)) {
        view_distrust(&v->report.trust, words, sizeof words);
        add_line(holds, words);
    }
    hold_by_member(r, holds);
}

static void collect_holds_of_program(const struct agent_view *v, const struct why_rollout *r,
                                     struct text *holds) {
    bool there = v->self.version[0] == '\0' || strcmp(v->report.self.version, v->self.version) == 0;
    if (!there) add_line(holds, text_or_empty(v->report.self.update.reason));
    hold_by_member(r, holds);
}

static struct decision_json decision_of(const struct desired_choice *choice) {
    struct decision_json chosen;
    COPY(chosen.rule, desired_rule_name(choice->rule));
    COPY(chosen.version, choice->version);
    COPY(chosen.reason, choice->reason);
    return chosen;
}

/* A file named by the agent's own configuration outweighs whatever the master says. */
static void decide(const struct agent_view *v, const struct desired_choice *choice,
                   struct decision_json *desired, struct decision_json *lost, size_t *lost_count) {
    const struct decision_json chosen = decision_of(choice);
    *lost_count = 0;
    if (text_or_empty(v->report.binary_path)[0] != '\0') {
        *desired = (struct decision_json){.rule = "binary_path"};
        snprintf(desired->reason, sizeof desired->reason,
                 "the agent's configuration names binary_path %.200s", v->report.binary_path);
        lost[(*lost_count)++] = chosen;
    } else {
        *desired = chosen;
    }
    for (size_t i = 0; i < choice->lost_count; i++) {
        struct decision_json *l = &lost[(*lost_count)++];
        COPY(l->rule, desired_rule_name(choice->lost[i].rule));
        COPY(l->version, choice->lost[i].version);
        COPY(l->reason, choice->lost[i].reason);
    }
}

static void tell(const struct why_json *j, struct text *words) {
    char line[512];
    snprintf(line, sizeof line, "%s runs %s", j->agent_id,
             j->running.version[0] != '\0' ? j->running.version : "nothing yet");
    add_line(words, line);
    if (j->desired.version[0] != '\0')
        snprintf(line, sizeof line, "it should run %s: %s", j->desired.version, j->desired.reason);
    else
        snprintf(line, sizeof line, "no version is desired: %s", j->desired.reason);
    add_line(words, line);
    for (size_t i = 0; i < j->lost_count; i++) {
        snprintf(line, sizeof line, "that outweighs the rule %s: %s", j->lost[i].rule,
                 j->lost[i].reason);
        add_line(words, line);
    }
    if (j->holds != NULL) text_add_format(words, "\n%s", j->holds);
}

/* An agent that nobody moves is not worth a sentence. */
static void tell_program(const struct program_json *j, struct text *words) {
    char line[512];
    if (j->desired.version[0] == '\0') return;
    snprintf(line, sizeof line, "its grid-agent is %s and should be %s: %s",
             j->running.version[0] != '\0' ? j->running.version : "unknown", j->desired.version,
             j->desired.reason);
    add_line(words, line);
    if (j->holds != NULL) text_add_format(words, "\n%s", j->holds);
}

void view_why(const struct agent_view *v, const struct why_subject *storage_server,
              const struct why_subject *grid_agent, struct text *out) {
    OWN_TEXT struct text update = TEXT_EMPTY, holds = TEXT_EMPTY, words = TEXT_EMPTY;
    OWN_TEXT struct text own_update = TEXT_EMPTY, own_holds = TEXT_EMPTY;
    struct decision_json lost[DESIRED_LOST_MAX + 1];
    struct why_json j = {.lost = lost, .agent.desired = decision_of(&grid_agent->choice)};
    COPY(j.agent_id, v->id);
    COPY(j.running.version, v->report.version);
    COPY(j.agent.running.version, v->report.self.version);
    decide(v, &storage_server->choice, &j.desired, lost, &j.lost_count);
    view_update(&v->report.update, &update);
    view_update(&v->report.self.update, &own_update);
    collect_holds(v, &storage_server->rollout, &holds);
    collect_holds_of_program(v, &grid_agent->rollout, &own_holds);
    j.update = update.data;
    j.holds = holds.data;
    j.agent.update = own_update.data;
    j.agent.holds = own_holds.data;
    tell(&j, &words);
    tell_program(&j.agent, &words);
    j.words = words.data;
    json_encode(&why_schema, &j, out);
}
