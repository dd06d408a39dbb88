#include "cli/rollout_words.h"

#include "cli/format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is(const char *value, const char *word) {
    return strcmp(format_or(value, ""), word) == 0;
}

static void add_count(int64_t count, const char *what, struct text *out) {
    if (count > 0) text_add_format(out, ", %lld %s", (long long)count, what);
}

void rollout_words_progress(const struct answer_rollout *r, struct text *out) {
    const struct answer_progress *p = &r->progress;
    int64_t back = p->leaving + p->returning + p->returned + p->return_failed;
    if (back > 0)
        text_add_format(out, "%lld of %lld returned", (long long)p->returned, (long long)back);
    else
        text_add_format(out, "%lld of %lld committed", (long long)p->committed,
                        (long long)p->selected);
    add_count(p->granted + p->returning, "in flight", out);
    add_count(p->failed, "failed", out);
    add_count(p->return_failed, "cannot go back", out);
    add_count(p->held, "held", out);
    add_count(p->deferred, "deferred", out);
    add_count(p->excluded, "excluded", out);
}

void rollout_words_state(const struct answer_rollout *r, struct text *out) {
    text_add(out, format_or(r->state, "?"));
    if (is(r->state, "paused") && format_or(r->resume_state, "")[0] != '\0')
        text_add_format(out, " in %s", r->resume_state);
    if (format_or(r->cause, "")[0] != '\0' && !is(r->cause, format_or(r->state, "")))
        text_add_format(out, " (%s)", r->cause);
}

/* The first row that fits: cause NULL is any. %s: the rollout's id. */
static const struct {
    const char *state, *cause, *next;
} nexts[] = {
    {"await_promote", NULL,        "gridctl rollout promote %s, or gridctl rollout rollback %s"               },
    {"paused",        "operator",  "gridctl rollout resume %s"                                                },
    {"paused",        "version",   "gridctl rollout rollback %s; or resume it to go on all the same"          },
    {"paused",        "untrusted", "gridctl rollout rollback %s; nobody should run such bytes"                },
    {"paused",        "withdrawn",
     "gridctl rollout rollback %s, or stop it; resume it once targets name it again"                          },
    {"paused",        NULL,        "mend that, then gridctl rollout resume %s; or gridctl rollout rollback %s"},
    {"completed",     NULL,        "gridctl agent list"                                                       },
    {"reverted",      "operator",  "gridctl agent list"                                                       },
    {"reverted",      NULL,        "publish a mended build; gridctl quarantine list shows this one"           },
    {"revert_stuck",  NULL,        "mend those machines, then gridctl rollout rollback %s"                    },
    {"stopped",       NULL,        "gridctl rollout rollback %s takes back what has moved"                    },
    {"superseded",    NULL,        "gridctl rollout status"                                                   },
};

static bool promoted_by_hand(const struct answer_rollout *r) {
    return is(r->policy.auto_promote_s, "\"never\"");
}

bool rollout_words_stands(const struct answer_rollout *r) {
    return is(r->state, "paused") || (is(r->state, "await_promote") && promoted_by_hand(r));
}

void rollout_words_next(const struct answer_rollout *r, struct text *out) {
    if (is(r->state, "await_promote") && !promoted_by_hand(r)) return;
    for (size_t i = 0; i < sizeof nexts / sizeof nexts[0]; i++) {
        if (!is(r->state, nexts[i].state)) continue;
        if (nexts[i].cause != NULL && !is(r->cause, nexts[i].cause)) continue;
        const char *at = nexts[i].next;
        for (const char *mark; (mark = strstr(at, "%s")) != NULL; at = mark + 2) {
            text_add_bytes(out, at, (size_t)(mark - at));
            text_add(out, r->id);
        }
        text_add(out, at);
        return;
    }
}

/* What a hold waits for; those that are not named here speak for themselves. */
static const char *hold_words(const char *hold) {
    static const struct {
        const char *hold, *words;
    } known[] = {
        {"window",           "the next of its maintenance windows"                      },
        {"recovering",       "agents to report to the master, which has just started"   },
        {"budget_exhausted", "machines that are down for other reasons (--max-parallel)"},
        {"away",             "machines that are away"                                   },
        {"draining",         "machines that drain: gridctl agent resume ID"             },
        {"veto",             "nodes that must not stop now"                             },
        {"machine",          "machines that are to be mended"                           },
        {"download",         "machines that could not fetch the bytes"                  },
        {"version",          "machines that fell ill with the new version"              },
        {"withdrawn",        "a version that is offered again"                          },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (is(hold, known[i].hold)) return known[i].words;
    return format_or(hold, "");
}

void rollout_words_why(const struct answer_rollout *r, struct text *out) {
    if (format_or(r->reason, "")[0] != '\0')
        text_add_format(out, "because %s", r->reason);
    else if (format_or(r->hold, "")[0] != '\0')
        text_add_format(out, "waits for %s", hold_words(r->hold));
}

/* The JSON text of a number or a string, without its quotes. */
static void add_plain(const char *json, struct text *out) {
    for (; json != NULL && *json != '\0'; json++)
        if (*json != '"') text_add_bytes(out, json, 1);
}

static void add_policy(const struct answer_policy *p, struct text *out) {
    text_add(out, "canary ");
    add_plain(p->canary, out);
    text_add(out, ", at once ");
    add_plain(p->max_parallel, out);
    text_add(out, ", failures borne ");
    add_plain(p->max_failures, out);
    if (is(p->auto_promote_s, "\"never\"")) text_add(out, ", promoted by hand");
}

/* "120" -> "2 min", "90" -> "90 s", "0.3" -> "0.3 s": a setting is not rounded, as ages are. */
static void add_seconds(const char *json, struct text *out) {
    double seconds = strtod(json, NULL);
    bool minutes = seconds > 0 && fmod(seconds, 60) == 0;
    text_add_format(out, "%.10g %s", minutes ? seconds / 60 : seconds, minutes ? "min" : "s");
}

static void add_probation(const struct answer_policy *p, struct text *out) {
    if (p->probation_s == NULL) return;
    add_seconds(p->probation_s, out);
    if (p->min_healthy_s == NULL) return;
    text_add(out, ", healthy for the last ");
    add_seconds(p->min_healthy_s, out);
}

static void add_windows(const struct answer_policy *p, struct text *out) {
    for (size_t i = 0; i < p->windows_count; i++) {
        const struct answer_window *w = &p->windows[i];
        text_add_format(out, "%s%s %s-%s %s", i > 0 ? "; " : "", format_or(w->days, "daily"),
                        format_or(w->from, "?"), format_or(w->to, "?"), format_or(w->tz, "UTC"));
    }
}

void rollout_words_show(const struct answer_rollout *r, int64_t now_ms,
                        const struct output_style *style, struct text *out) {
    char words[FORMAT_SIZE];
    OWN_TEXT struct text state = TEXT_EMPTY, progress = TEXT_EMPTY, policy = TEXT_EMPTY;
    OWN_TEXT struct text probation = TEXT_EMPTY, windows = TEXT_EMPTY;
    OWN_TABLE struct output_table t = OUTPUT_FIELDS;
    rollout_words_state(r, &state);
    rollout_words_progress(r, &progress);
    add_policy(&r->policy, &policy);
    add_probation(&r->policy, &probation);
    add_windows(&r->policy, &windows);
    output_field(&t, "Rollout", r->id);
    output_field_format(&t, "Version", "%s %s", format_or(r->name, "?"),
                        format_or(r->version, "?"));
    output_field(&t, "State", text_value(&state));
    output_field(&t, "Because", r->reason);
    output_field(&t, "Waits for", hold_words(r->hold));
    output_field(&t, "Progress", text_value(&progress));
    output_field(&t, "Domain", r->current_domain);
    output_field(&t, "Selector", format_or(r->selector, "every agent"));
    output_field(&t, "Policy", text_value(&policy));
    output_field(&t, "Probation", text_value(&probation));
    output_field(&t, "Windows", text_value(&windows));
    output_field_format(&t, "Started", "%s by %s",
                        format_age(format_or(r->created_at, ""), now_ms, words),
                        format_or(r->principal, "?"));
    if (format_or(r->finished_at, "")[0] != '\0')
        output_field(&t, "Ended", format_age(r->finished_at, now_ms, words));
    output_field(&t, "Superseded", format_or(r->superseded_by, ""));
    output_fields(&t, style, out);
}

bool rollout_words_troubled(const struct answer_rollout_agent *a) {
    return is(a->state, "failed") || is(a->state, "held") || is(a->state, "return_failed") ||
           format_or(a->diagnosis, "")[0] != '\0';
}

static bool is_worth_a_row(const struct answer_rollout_agent *a) {
    static const char *const states[] = {"waiting", "committed", "leaving", "returned"};
    if (rollout_words_troubled(a)) return true;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (is(a->state, states[i])) return false;
    return true;
}

static const struct output_column agent_columns[] = {
    {"AGENT",   0                         },
    {"STATE",   COLUMN_STATE              },
    {"PHASE",   COLUMN_STATE              },
    {"DOMAIN",  0                         },
    {"FROM",    0                         },
    {"TO",      0                         },
    {"CANARY",  COLUMN_WIDE               },
    {"ATTEMPT", COLUMN_WIDE | COLUMN_RIGHT},
    {"CAUSE",   COLUMN_WIDE               },
    {"REASON",  COLUMN_FLEX               },
};

static void agent_row(const struct answer_rollout_agent *a, struct output_table *t) {
    output_cell(t, a->agent_id);
    output_cell(t, a->state);
    output_cell(t, a->phase);
    output_cell(t, a->domain);
    output_cell(t, a->from);
    output_cell(t, a->to);
    output_cell(t, a->canary ? "yes" : "");
    output_cell_format(t, "%lld", (long long)a->attempt);
    output_cell(t, a->cause);
    output_cell(t, a->reason);
}

static void add_diagnosis(const struct answer_rollout_agent *a, const struct output_style *style,
                          struct text *out) {
    OWN_MEMORY char *copy = text_duplicate(format_or(a->diagnosis, ""));
    char *position = copy;
    if (copy[0] == '\0') return;
    text_add_format(out, "\n%s:\n", a->agent_id);
    for (char *line; (line = strsep(&position, "\n")) != NULL;) {
        if (line[0] == '\0') continue;
        text_add(out, "  ");
        output_clean(line, false, style, out);
        text_add(out, "\n");
    }
}

void rollout_words_agents(const struct answer_rollout_agent *agents, size_t count, bool all,
                          const struct output_style *style, struct text *out) {
    OWN_TABLE struct output_table t = OUTPUT_TABLE_OF(agent_columns);
    for (size_t i = 0; i < count; i++)
        if (all || is_worth_a_row(&agents[i])) agent_row(&agents[i], &t);
    if (t.cell_count == 0) return;
    output_table(&t, all, style, out);
    for (size_t i = 0; i < count; i++) add_diagnosis(&agents[i], style, out);
}

void rollout_words_end(const struct answer_rollout *r, const struct output_style *style,
                       struct text *out) {
    OWN_TEXT struct text progress = TEXT_EMPTY;
    rollout_words_progress(r, &progress);
    text_add_format(out, "%s ", r->id);
    output_state(r->state, style, out);
    if (is(r->state, "superseded") && format_or(r->superseded_by, "")[0] != '\0')
        text_add_format(out, " by %s", r->superseded_by);
    text_add_format(out, ": %s %s, %s\n", format_or(r->name, "?"), format_or(r->version, "?"),
                    text_value(&progress));
    OWN_TEXT struct text why = TEXT_EMPTY;
    if (!is(r->state, "completed")) rollout_words_why(r, &why);
    if (why.length == 0) return;
    output_clean(why.data, false, style, out);
    text_add(out, "\n");
}
