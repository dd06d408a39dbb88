#include "manual/reference.h"

#include "manual/tables.h"

#include <ctype.h>
#include <string.h>

#define GENERATED "<!-- Generated: cmake --build build/dev --target reference -->\n"

/* Text inside a table's cell. */
static void add_cell(const char *words, struct text *out) {
    for (; *words != '\0'; words++) {
        if (*words == '|' || *words == '<') text_add(out, "\\");
        text_add_bytes(out, words, 1);
    }
}

/* "`words`", where a bar would end the cell otherwise. */
static void add_code(const char *words, struct text *out) {
    text_add(out, "`");
    for (; *words != '\0'; words++) {
        if (*words == '|') text_add(out, "\\");
        text_add_bytes(out, words, 1);
    }
    text_add(out, "`");
}

static void add_sentence(const char *words, struct text *out) {
    text_add_format(out, "%c%s.\n", toupper((unsigned char)words[0]), words + 1);
}

static void add_option(const struct option_entry *o, bool all_sources, struct text *out) {
    OWN_TEXT struct text flag = TEXT_EMPTY;
    if (o->letter != 0) text_add_format(&flag, "-%c, ", o->letter);
    text_add_format(&flag, "--%s%s", options_is_setting(o) ? "[no-]" : "",
                    o->flag != NULL ? o->flag : "");
    if (o->value_name != NULL) text_add_format(&flag, " %s", o->value_name);
    text_add(out, "| ");
    if (o->flag != NULL) add_code(flag.data, out);
    text_add(out, " | ");
    for (size_t i = 0; i < 2 && o->environment[i] != NULL; i++) {
        text_add(out, i > 0 ? ", " : "");
        add_code(o->environment[i], out);
    }
    text_add(out, " | ");
    if (all_sources && o->key != NULL) add_code(o->key, out);
    if (all_sources) text_add(out, " | ");
    if (o->initial != NULL) add_code(o->initial, out);
    text_add(out, " | ");
    add_cell(o->help, out);
    text_add(out, " |\n");
}

static void add_options(const struct option_entry *entries, size_t count, bool all_sources,
                        struct text *out) {
    text_add(out, all_sources
                      ? "| flag | environment | key | default | means |\n|---|---|---|---|---|\n"
                      : "| flag | environment | default | means |\n|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++)
        if (entries[i].help != NULL) add_option(&entries[i], all_sources, out);
    text_add(out, "\n");
}

static void add_rows(const char *title, struct manual_rows rows, struct text *out) {
    if (rows.count == 0) return;
    text_add_format(out, "| %s | means |\n|---|---|\n", title);
    for (size_t i = 0; i < rows.count; i++) {
        text_add(out, "| ");
        add_code(rows.list[i].name, out);
        text_add(out, " | ");
        add_cell(rows.list[i].means, out);
        text_add(out, " |\n");
    }
    text_add(out, "\n");
}

static void add_exits(const struct manual *m, struct text *out) {
    text_add(out, "| exit code | means |\n|---|---|\n");
    for (size_t i = 0; i < err_exit_count; i++)
        if (manual_ends_with(m, err_exits[i].code))
            text_add_format(out, "| %d | %s |\n", err_exits[i].code, err_exits[i].means);
    text_add(out, "\n");
}

static void add_examples(const struct manual *m, struct text *out) {
    if (m->examples.count == 0) return;
    text_add(out, "```sh\n");
    for (size_t i = 0; i < m->examples.count; i++)
        text_add_format(out, "%s    # %s\n", m->examples.list[i].name, m->examples.list[i].means);
    text_add(out, "```\n\n");
}

static void add_command(const struct command *c, struct text *out) {
    OWN_TEXT struct text name = TEXT_EMPTY;
    command_name(c, &name);
    text_add_format(out, "## gridctl %s\n\n", name.data);
    add_sentence(c->summary, out);
    text_add_format(out, "\n```\ngridctl %s [options]%s%s\n```\n\n", name.data,
                    c->arguments[0] != '\0' ? " " : "", c->arguments);
    if (c->details != NULL) text_add_format(out, "%s\n\n", c->details);
    if (c->option_count > 0) add_options(c->options, c->option_count, false, out);
    if (c->example != NULL) text_add_format(out, "Example: `%s`\n\n", c->example);
}

void reference_gridctl(const struct command_table *t, struct text *out) {
    const struct manual *m = t->manual;
    text_add_format(out, GENERATED "# gridctl\n\n%s\n\n", m->details);
    add_examples(m, out);
    text_add(out, "Options of every command:\n\n");
    add_options(t->global, t->global_count, false, out);
    add_rows("environment", m->environment, out);
    add_rows("file", m->files, out);
    add_exits(m, out);
    for (size_t i = 0; i < t->count; i++) add_command(&t->commands[i], out);
    out->data[--out->length] = '\0'; /* one line feed ends a file */
}

static void add_program(const struct manual *m, struct text *out) {
    text_add_format(out, "## %s\n\n", m->program);
    add_sentence(m->summary, out);
    text_add_format(out, "\n%s\n\n", m->details);
    add_examples(m, out);
    add_options(m->options->entries, m->options->count, m->options->config_flag != NULL, out);
    add_rows("file", m->files, out);
    add_exits(m, out);
}

void reference_options(struct text *out) {
    text_add(out, GENERATED "# Options of the programs\n\n" MANUAL_PRECEDENCE_FILE "\n\n");
    for (size_t i = 0; i < manual_count; i++) add_program(manuals[i], out);
    out->data[--out->length] = '\0';
}

static void add_metric(const struct metric *m, struct text *out) {
    static const char *const types[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};
    text_add_format(out, "| `%s` | %s | ", m->name, types[m->type]);
    for (size_t i = 0; i < METRIC_MAX_LABELS && m->labels[i] != NULL; i++)
        text_add_format(out, "%s`%s`", i > 0 ? ", " : "", m->labels[i]);
    text_add(out, " | ");
    add_cell(m->help, out);
    text_add(out, " |\n");
}

void reference_metrics(struct text *out) {
    text_add(out,
             GENERATED "# Metrics\n\n`GET /metrics`, in the text format of Prometheus, without a "
                       "token.\n");
    for (size_t i = 0; i < metric_table_count; i++) {
        const struct metric_table *t = &metric_tables[i];
        text_add_format(out,
                        "\n## %s\n\n%s\n\n| name | type | labels | means |\n|---|---|---|---|\n",
                        t->program, t->where);
        for (size_t n = 0; n < *t->count; n++) add_metric(t->families[n], out);
    }
}
