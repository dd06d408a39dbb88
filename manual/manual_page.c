#include "manual/manual_page.h"

#include "manual/mdoc.h"

#include <assert.h>

/* "--state DIR" with its letter and its negative. */
static void add_flag(const struct option_entry *o, struct text *out) {
    OWN_TEXT struct text flag = TEXT_EMPTY;
    text_add_format(&flag, "-%s%s", options_is_setting(o) ? "[no-]" : "", o->flag);
    text_add(out, ".It Fl");
    if (o->letter != 0) text_add_format(out, " %c , Fl", o->letter);
    mdoc_words(flag.data, out);
    if (o->value_name != NULL) {
        text_add(out, " Ar");
        mdoc_words(o->value_name, out);
    }
    text_add(out, "\n");
}

static void add_names(const struct option_entry *o, struct text *out) {
    if (o->environment[0] != NULL) text_add_format(out, "Environment:\n.Ev %s ", o->environment[0]);
    if (o->environment[0] != NULL && o->environment[1] != NULL)
        text_add_format(out, ",\n.Ev %s ", o->environment[1]);
    if (o->environment[0] != NULL) text_add(out, ".\n");
    if (o->key != NULL) text_add_format(out, "Key:\n.Ic %s .\n", o->key);
    if (o->initial == NULL) return;
    text_add(out, "Default:\n.Ql");
    mdoc_words(o->initial, out);
    text_add(out, " .\n");
}

void manual_page_options(const struct option_entry *entries, size_t count, struct text *out) {
    text_add(out, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < count; i++) {
        if (entries[i].flag == NULL) continue;
        add_flag(&entries[i], out);
        mdoc_sentence(entries[i].help, out);
        add_names(&entries[i], out);
    }
    text_add(out, ".El\n");
}

static void add_rows(const char *title, const char *macro, struct manual_rows rows,
                     struct text *out) {
    if (rows.count == 0) return;
    text_add_format(out, ".Sh %s\n.Bl -tag -width Ds\n", title);
    for (size_t i = 0; i < rows.count; i++) {
        text_add_format(out, ".It %s", macro);
        mdoc_words(rows.list[i].name, out);
        text_add(out, "\n");
        mdoc_sentence(rows.list[i].means, out);
    }
    text_add(out, ".El\n");
}

/* Variables that are no option's, and options that have no flag because they are secret. */
static void add_environment(const struct manual *m, struct text *out) {
    struct manual_row rows[64];
    size_t count = 0;
    assert(m->options->count + m->environment.count <= sizeof rows / sizeof rows[0]);
    for (size_t i = 0; i < m->options->count; i++) {
        const struct option_entry *o = &m->options->entries[i];
        if (o->flag == NULL && o->help != NULL && o->environment[0] != NULL)
            rows[count++] = (struct manual_row){o->environment[0], o->help};
    }
    for (size_t i = 0; i < m->environment.count; i++) rows[count++] = m->environment.list[i];
    add_rows("ENVIRONMENT", "Ev", (struct manual_rows){rows, count}, out);
}

static void add_exits(const struct manual *m, struct text *out) {
    text_add(out, ".Sh EXIT STATUS\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < err_exit_count; i++) {
        if (!manual_ends_with(m, err_exits[i].code)) continue;
        text_add_format(out, ".It %d\n", err_exits[i].code);
        mdoc_sentence(err_exits[i].means, out);
    }
    text_add(out, ".El\n");
}

static void add_examples(const struct manual *m, struct text *out) {
    if (m->examples.count == 0) return;
    text_add(out, ".Sh EXAMPLES\n");
    for (size_t i = 0; i < m->examples.count; i++) {
        if (i > 0) text_add(out, ".Pp\n");
        mdoc_sentence(m->examples.list[i].means, out);
        mdoc_macro("Dl", m->examples.list[i].name, out);
    }
}

void manual_page_end(const struct manual *m, struct text *out) {
    add_environment(m, out);
    add_rows("FILES", "Pa", m->files, out);
    add_exits(m, out);
    add_examples(m, out);
    text_add(out, ".Sh SEE ALSO\n");
    for (size_t i = 0; i < MANUAL_SEE_ALSO_MAX && m->see_also[i] != NULL; i++) {
        bool last = i + 1 == MANUAL_SEE_ALSO_MAX || m->see_also[i + 1] == NULL;
        mdoc_reference(m->see_also[i], last ? "" : " ,", out);
    }
}

void manual_page(const struct manual *m, const char *date, struct text *out) {
    mdoc_head(m->program, m->section, date, m->summary, out);
    text_add(out, ".Sh SYNOPSIS\n.Nm\n.Ar");
    mdoc_words(m->usage, out);
    text_add(out, "\n.Sh DESCRIPTION\n");
    mdoc_text(m->details, out);
    text_add(out, ".Pp\n");
    mdoc_text(m->options->config_flag != NULL ? MANUAL_PRECEDENCE_FILE : MANUAL_PRECEDENCE, out);
    manual_page_options(m->options->entries, m->options->count, out);
    manual_page_end(m, out);
}
