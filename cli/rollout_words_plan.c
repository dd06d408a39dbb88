/* The part of cli/rollout_words.h that predicts. */
#include "cli/format.h"
#include "cli/rollout_words.h"

#include <string.h>

#define BATCHES_SHOWN 8
#define AGENTS_SHOWN 6
#define NAMED_SHOWN 5

/* "a-1 a-2 a-3 and 9 more" of lines. */
static void add_agents(const char *lines, bool all, struct text *out) {
    OWN_MEMORY char *copy = text_duplicate(format_or(lines, ""));
    char *position = copy;
    size_t count = 0;
    for (char *line; (line = strsep(&position, "\n")) != NULL;) {
        if (line[0] == '\0') continue;
        if (all || count < AGENTS_SHOWN) text_add_format(out, "%s%s", count > 0 ? " " : "", line);
        count++;
    }
    if (!all && count > AGENTS_SHOWN) text_add_format(out, " and %zu more", count - AGENTS_SHOWN);
}

static void add_batches(const struct answer_plan *p, bool all, const struct output_style *style,
                        struct text *out) {
    static const struct output_column columns[] = {
        {"BATCH",  COLUMN_RIGHT},
        {"KIND",   0           },
        {"DOMAIN", 0           },
        {"AGENTS", COLUMN_FLEX },
    };
    OWN_TABLE struct output_table t = OUTPUT_TABLE_OF(columns);
    size_t shown = all || p->batches_count < BATCHES_SHOWN ? p->batches_count : BATCHES_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        const struct answer_batch *b = &p->batches[i];
        OWN_TEXT struct text agents = TEXT_EMPTY;
        add_agents(b->agents, all, &agents);
        output_cell_format(&t, "%lld", (long long)b->number);
        output_cell(&t, b->kind);
        output_cell(&t, b->domain);
        output_cell(&t, text_value(&agents));
    }
    if (shown > 0) output_table(&t, all, style, out);
    if (shown < p->batches_count)
        text_add_format(out, "... %zu more batches; gridctl rollout plan -o wide shows all\n",
                        p->batches_count - shown);
}

static void add_named(const char *label, const struct answer_named *named, size_t count, bool all,
                      const struct output_style *style, struct text *out) {
    size_t shown = all || count < NAMED_SHOWN ? count : NAMED_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        const char *reason = format_or(named[i].reason, format_or(named[i].reasons, ""));
        text_add_format(out, "%-9s ", label);
        output_clean(named[i].agent_id, false, style, out);
        text_add(out, reason[0] != '\0' ? ": " : "");
        output_clean(reason, false, style, out);
        text_add(out, "\n");
    }
    if (shown < count) text_add_format(out, "%-9s %zu more\n", label, count - shown);
}

static void add_words(const char *lines, const struct output_style *style, struct text *out) {
    OWN_MEMORY char *copy = text_duplicate(format_or(lines, ""));
    char *position = copy;
    for (char *line; (line = strsep(&position, "\n")) != NULL;) {
        if (line[0] == '\0') continue;
        output_clean(line, false, style, out);
        text_add(out, "\n");
    }
}

void rollout_words_plan(const struct answer_plan *p, bool all, const struct output_style *style,
                        struct text *out) {
    char agents[FORMAT_SIZE];
    const struct answer_blast *b = &p->blast_radius;
    output_clean(format_or(p->name, "?"), false, style, out);
    text_add(out, " ");
    output_clean(format_or(p->version, "?"), false, style, out);
    text_add_format(out, " for %s in %zu batch%s\n", format_count(p->selected, "agent", agents),
                    p->batches_count, p->batches_count == 1 ? "" : "es");
    add_batches(p, all, style, out);
    text_add_format(out,
                    "At risk   %lld at once, %lld before the first check, %lld before it goes "
                    "back\n",
                    (long long)b->at_once, (long long)b->before_first_check,
                    (long long)b->before_revert);
    add_named("Veto", p->veto, p->veto_count, all, style, out);
    add_named("Deferred", p->deferred, p->deferred_count, all, style, out);
    add_named("Excluded", p->excluded, p->excluded_count, all, style, out);
    if (all) add_words(p->words, style, out);
}
