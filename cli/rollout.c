#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "cli/rollout_screen.h"
#include "cli/rollout_watch.h"
#include "cli/rollout_words.h"
#include "lib/artifact.h"
#include "lib/clock.h"

#include <string.h>

static const struct output_column columns[] = {
    {"ID",       0           },
    {"VERSION",  0           },
    {"STATE",    COLUMN_STATE},
    {"PROGRESS", 0           },
    {"SELECTOR", 0           },
    {"STARTED",  0           },
    {"BY",       COLUMN_WIDE },
    {"REASON",   COLUMN_FLEX },
};

static void rollout_row(const void *item, int64_t now_ms, struct output_table *t) {
    const struct answer_rollout *r = item;
    char age[FORMAT_SIZE];
    OWN_TEXT struct text progress = TEXT_EMPTY;
    rollout_words_progress(r, &progress);
    output_cell(t, r->id);
    bool usual = strcmp(format_or(r->name, ARTIFACT_DEFAULT_NAME), ARTIFACT_DEFAULT_NAME) == 0;
    output_cell_format(t, "%s%s%s", usual ? "" : r->name, usual ? "" : " ",
                       format_or(r->version, "?"));
    output_cell(t, r->state);
    output_cell(t, text_value(&progress));
    output_cell(t, format_or(r->selector, "all"));
    output_cell(t, format_age(format_or(r->created_at, ""), now_ms, age));
    output_cell(t, r->principal);
    output_cell(t, format_or(r->reason, r->hold));
}

static const char *rollout_name(const void *item) {
    return ((const struct answer_rollout *)item)->id;
}

bool rollout_list(struct invocation *call, struct err *e) {
    bool active = call->settings->rollout.active;
    const struct listing l = {.path = active ? "/api/rollouts?active=true" : "/api/rollouts",
                              .plural = active ? "active rollouts" : "rollouts",
                              .schema = &answer_rollout_schema,
                              .columns = columns,
                              .column_count = COUNT_OF(columns),
                              .row = rollout_row,
                              .name = rollout_name,
                              .when_empty =
                                  active ? NULL : "gridctl rollout plan --version VERSION"};
    return listing_run(call, &l, e);
}

static bool show(struct invocation *call, struct rollout_scene *s, const struct http_answer *answer,
                 struct err *e) {
    OWN_TEXT struct text out = TEXT_EMPTY, agents = TEXT_EMPTY, next = TEXT_EMPTY;
    bool all = call->format == OUTPUT_WIDE;
    if (call->format == OUTPUT_JSON) return listing_json(answer, e);
    if (call->format == OUTPUT_NAME) return listing_line(e, "%s", s->rollout.id);
    if (!rollout_fetch_agents(call, s, all, e)) return false;
    rollout_words_show(&s->rollout, clock_wall_ms(), &call->style, &out);
    rollout_words_agents(s->agents, s->agent_count, all, &call->style, &agents);
    if (agents.length > 0) text_add_format(&out, "\n%s", agents.data);
    if (!output_emit(&out, e)) return false;
    rollout_words_next(&s->rollout, &next);
    if (next.length == 0) text_add_format(&next, "gridctl rollout status %s --wait", s->rollout.id);
    invocation_note(call, "Next: %s", text_value(&next));
    return true;
}

bool rollout_status(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct rollout_scene s;
    const char *id = call->argument_count > 0 ? call->arguments[0] : "";
    if (!rollout_fetch(call, id, &answer, &s, e)) return false;
    bool done = call->settings->rollout.wait ? rollout_watch(call, s.rollout.id, "completed", e)
                                             : show(call, &s, &answer, e);
    rollout_scene_clear(&s);
    return done;
}

/* %s of question: the rollout's id. */
static const struct {
    const char *verb;
    const char *question; /* asked before; NULL: nothing to ask */
} orders[] = {
    {"pause",    NULL                                                                },
    {"resume",   NULL                                                                },
    {"promote",  NULL                                                                },
    {"stop",     "what has moved stays on the new version, the others on the old one"},
    {"rollback", "every agent that has moved goes back to what it ran before"        },
};

static bool confirm(struct invocation *call, const struct answer_rollout *r, struct err *e) {
    OWN_TEXT struct text progress = TEXT_EMPTY;
    size_t i = 0;
    while (strcmp(orders[i].verb, call->command->verb) != 0) i++;
    rollout_words_progress(r, &progress);
    return orders[i].question == NULL ||
           invocation_confirm(call, e, "%s %s (%s %s, %s, %s): %s. Go on?", orders[i].verb, r->id,
                              format_or(r->name, "?"), format_or(r->version, "?"),
                              format_or(r->state, "?"), text_value(&progress), orders[i].question);
}

static bool tell_order(struct invocation *call, const struct http_answer *answer, struct err *e) {
    OWN_TEXT struct text state = TEXT_EMPTY, progress = TEXT_EMPTY, next = TEXT_EMPTY;
    struct answer_rollout r;
    if (!answer_decode(&answer_rollout_schema, answer, &r, e)) return false;
    rollout_words_state(&r, &state);
    rollout_words_progress(&r, &progress);
    rollout_words_next(&r, &next);
    bool done = listing_changed(call, answer, r.id, e, "%s is %s, %s", r.id, text_value(&state),
                                text_value(&progress));
    if (done && next.length == 0) text_add_format(&next, "gridctl rollout status %s --wait", r.id);
    if (done) invocation_note(call, "Next: %s", text_value(&next));
    json_clear(&answer_rollout_schema, &r);
    return done;
}

static bool order(struct invocation *call, const struct answer_rollout *r, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    const char *verb = call->command->verb;
    if (call->settings->dry_run)
        return invocation_would(call, e, "%s %s (%s)", verb, r->id, format_or(r->state, "?"));
    if (!confirm(call, r, e)) return false;
    text_add(&path, "/api/rollouts");
    api_path_add(&path, r->id);
    text_add_format(&path, "/%s", verb);
    if (!api_send(call->api, "POST", text_value(&path), NULL, &answer, e)) return false;
    if (!call->settings->rollout.wait) return tell_order(call, &answer, e);
    return rollout_watch(call, r->id, strcmp(verb, "rollback") == 0 ? "reverted" : "completed", e);
}

bool rollout_order(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct rollout_scene s;
    if (!rollout_fetch(call, call->arguments[0], &answer, &s, e)) return false;
    bool done = order(call, &s.rollout, e);
    rollout_scene_clear(&s);
    return done;
}
