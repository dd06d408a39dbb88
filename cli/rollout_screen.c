#include "cli/rollout_screen.h"

#include "cli/format.h"
#include "cli/rollout_words.h"

#include <stdio.h>
#include <string.h>

#define LONGEST_LINE 1000
#define BAR_WIDTH 20
#define GROUP_BAR_WIDTH 10
/* Together less than the 24 lines of a small terminal, above which nothing can be redrawn. */
#define MOST_GROUPS 6
#define MOST_MACHINES 6
#define MOST_FAILURES 4

void rollout_scene_clear(struct rollout_scene *s) {
    json_clear(&answer_rollout_schema, &s->rollout);
    json_clear_list(&answer_rollout_agent_schema, s->agents, s->agent_count);
    *s = (struct rollout_scene){0};
}

static bool is(const char *value, const char *word) {
    return strcmp(format_or(value, ""), word) == 0;
}

/* A line made of words: harmless, no longer than the terminal, in the colour of this state. */
static void add_painted(const char *state, const struct text *words,
                        const struct output_style *style, struct text *out) {
    OWN_TEXT struct text clean = TEXT_EMPTY, cut = TEXT_EMPTY;
    output_clean(text_value(words), false, style, &clean);
    output_cut(text_value(&clean), style->width > 0 ? style->width - 1 : LONGEST_LINE, style, &cut);
    output_paint(state, text_value(&cut), style, out);
    text_add(out, "\n");
}

static void add_line(const struct text *words, const struct output_style *style, struct text *out) {
    add_painted("", words, style, out);
}

static void add_head(const struct rollout_scene *s, const struct output_style *style,
                     struct text *out) {
    const struct answer_rollout *r = &s->rollout;
    char elapsed[FORMAT_SIZE];
    OWN_TEXT struct text line = TEXT_EMPTY;
    text_add_format(&line, "%s  %s %s  ", r->id, format_or(r->name, "?"),
                    format_or(r->version, "?"));
    rollout_words_state(r, &line);
    if (format_or(r->current_domain, "")[0] != '\0')
        text_add_format(&line, "  domain %s", r->current_domain);
    text_add_format(&line, "  %s", format_duration(s->elapsed_ms, elapsed));
    add_painted(format_or(r->state, ""), &line, style, out);
}

static void add_progress(const struct rollout_scene *s, const struct output_style *style,
                         struct text *out) {
    const struct answer_progress *p = &s->rollout.progress;
    int64_t back = p->leaving + p->returning + p->returned + p->return_failed;
    OWN_TEXT struct text line = TEXT_EMPTY;
    output_bar(back > 0 ? p->returned : p->committed, back > 0 ? back : p->selected, BAR_WIDTH,
               style, &line);
    text_add(&line, "  ");
    rollout_words_progress(&s->rollout, &line);
    add_line(&line, style, out);
}

static bool is_going_back(const struct answer_progress *p) {
    return p->leaving + p->returning + p->returned + p->return_failed > 0;
}

/* Agents that move together: the canaries, then each domain. */
struct group {
    const char *name;
    int64_t done, all;
};

static bool is_excluded(const struct answer_rollout_agent *a) {
    return is(a->state, "excluded");
}

static void count_in(struct group *groups, size_t *count, const char *name,
                     const struct answer_rollout_agent *a) {
    size_t i = 0;
    while (i < *count && strcmp(groups[i].name, name) != 0) i++;
    if (i == MOST_GROUPS) return;
    if (i == *count) groups[(*count)++] = (struct group){.name = name};
    groups[i].all++;
    groups[i].done += is(a->state, "committed");
}

static void add_groups(const struct rollout_scene *s, const struct output_style *style,
                       struct text *out) {
    struct group groups[MOST_GROUPS];
    size_t count = 0;
    int width = 6;
    if (!s->complete || is_going_back(&s->rollout.progress)) return;
    for (size_t i = 0; i < s->agent_count; i++)
        if (s->agents[i].canary && !is_excluded(&s->agents[i]))
            count_in(groups, &count, "canary", &s->agents[i]);
    for (size_t i = 0; i < s->agent_count; i++)
        if (!s->agents[i].canary && !is_excluded(&s->agents[i]))
            count_in(groups, &count, format_or(s->agents[i].domain, "all"), &s->agents[i]);
    for (size_t i = 0; i < count; i++)
        if (output_columns(groups[i].name) > width) width = output_columns(groups[i].name);
    for (size_t i = 0; i < count; i++) {
        OWN_TEXT struct text line = TEXT_EMPTY;
        text_add_format(&line, "  %s%*s  ", groups[i].name, width - output_columns(groups[i].name),
                        "");
        output_bar(groups[i].done, groups[i].all, GROUP_BAR_WIDTH, style, &line);
        text_add_format(&line, "  %lld/%lld", (long long)groups[i].done, (long long)groups[i].all);
        add_line(&line, style, out);
    }
}

static bool is_in_flight(const struct answer_rollout_agent *a) {
    return is(a->state, "granted") || is(a->state, "returning");
}

static void add_moving(const struct answer_rollout_agent *a, struct text *line) {
    text_add_format(line, "> %s  %s", a->agent_id, format_or(a->phase, a->state));
    if (format_or(a->domain, "")[0] != '\0') text_add_format(line, "  in %s", a->domain);
    if (a->attempt > 1) text_add_format(line, "  attempt %lld", (long long)a->attempt);
}

static void add_trouble(const struct answer_rollout_agent *a, struct text *line) {
    text_add_format(line, "x %s  %s: %s", a->agent_id, a->state,
                    format_or(a->reason, format_or(a->cause, "no reason given")));
}

static void add_some(const struct rollout_scene *s,
                     bool (*wanted)(const struct answer_rollout_agent *),
                     void (*add)(const struct answer_rollout_agent *, struct text *), size_t most,
                     const struct output_style *style, struct text *out) {
    size_t count = 0;
    for (size_t i = 0; i < s->agent_count; i++) {
        OWN_TEXT struct text line = TEXT_EMPTY;
        if (!wanted(&s->agents[i]) || count++ >= most) continue;
        add(&s->agents[i], &line);
        add_painted(rollout_words_troubled(&s->agents[i]) ? "failed" : "", &line, style, out);
    }
    if (count > most) text_add_format(out, "  and %zu more\n", count - most);
}

/* Why it stands, and what it needs. */
static void add_standing(const struct answer_rollout *r, const struct output_style *style,
                         struct text *out) {
    OWN_TEXT struct text why = TEXT_EMPTY, next = TEXT_EMPTY;
    rollout_words_why(r, &why);
    if (why.length > 0) add_line(&why, style, out);
    if (!rollout_words_stands(r)) return;
    text_add(&next, "Next: ");
    rollout_words_next(r, &next);
    add_line(&next, style, out);
}

void rollout_screen(const struct rollout_scene *s, const struct output_style *style,
                    struct text *out) {
    add_head(s, style, out);
    add_progress(s, style, out);
    add_groups(s, style, out);
    add_some(s, is_in_flight, add_moving, MOST_MACHINES, style, out);
    add_some(s, rollout_words_troubled, add_trouble, MOST_FAILURES, style, out);
    add_standing(&s->rollout, style, out);
}

static bool differs(const char *a, const char *b) {
    return strcmp(format_or(a, ""), format_or(b, "")) != 0;
}

static bool counts_differ(const struct answer_progress *a, const struct answer_progress *b) {
    return a->committed != b->committed || a->failed != b->failed || a->held != b->held ||
           a->deferred != b->deferred || a->returned != b->returned ||
           a->return_failed != b->return_failed;
}

static const struct answer_rollout_agent *find(const struct rollout_scene *s, const char *id) {
    for (size_t i = 0; s != NULL && i < s->agent_count; i++)
        if (strcmp(s->agents[i].agent_id, id) == 0) return &s->agents[i];
    return NULL;
}

/* Those that began, ended or met trouble; who waits, or is done in the order of things, is part of
 * the count. */
static void add_agent_changes(const struct rollout_scene *before, const struct rollout_scene *now,
                              const struct output_style *style, struct text *out) {
    for (size_t i = 0; i < now->agent_count; i++) {
        const struct answer_rollout_agent *a = &now->agents[i], *old = find(before, a->agent_id);
        OWN_TEXT struct text line = TEXT_EMPTY;
        bool moved = old == NULL || differs(old->state, a->state) || differs(old->phase, a->phase);
        bool known = old != NULL && rollout_words_troubled(old) && !differs(old->reason, a->reason);
        if (!(is_in_flight(a) && moved) && !(rollout_words_troubled(a) && !known)) continue;
        text_add_format(&line, "%s  ", now->rollout.id);
        (is_in_flight(a) ? add_moving : add_trouble)(a, &line);
        add_line(&line, style, out);
    }
}

void rollout_changes(const struct rollout_scene *before, const struct rollout_scene *now,
                     const struct output_style *style, struct text *out) {
    const struct answer_rollout *r = &now->rollout, *old = before ? &before->rollout : NULL;
    add_agent_changes(before, now, style, out);
    if (old == NULL || differs(old->state, r->state) || differs(old->cause, r->cause) ||
        differs(old->current_domain, r->current_domain) ||
        counts_differ(&old->progress, &r->progress)) {
        OWN_TEXT struct text line = TEXT_EMPTY;
        text_add_format(&line, "%s  ", r->id);
        rollout_words_state(r, &line);
        if (format_or(r->current_domain, "")[0] != '\0')
            text_add_format(&line, "  domain %s", r->current_domain);
        text_add(&line, "  ");
        rollout_words_progress(r, &line);
        add_line(&line, style, out);
    }
    if (old == NULL || differs(old->state, r->state) || differs(old->reason, r->reason) ||
        differs(old->hold, r->hold))
        add_standing(r, style, out);
}
