#include "manual/gridctl_page.h"

#include "manual/manual_page.h"
#include "manual/mdoc.h"

#include <string.h>

static void add_line(const struct command *c, struct text *out) {
    OWN_TEXT struct text name = TEXT_EMPTY;
    command_name(c, &name);
    text_add(out, ".Nm gridctl");
    mdoc_words(name.data, out);
    text_add(out, "\n.Op Ar options\n");
    if (c->arguments[0] != '\0') mdoc_macro("Ar", c->arguments, out);
}

static void add_command(const struct command *c, struct text *out) {
    OWN_TEXT struct text name = TEXT_EMPTY;
    command_name(c, &name);
    mdoc_macro("Ss", name.data, out);
    mdoc_sentence(c->summary, out);
    text_add(out, ".Bd -ragged -offset indent\n");
    add_line(c, out);
    text_add(out, ".Ed\n");
    if (c->details != NULL) {
        text_add(out, ".Pp\n");
        mdoc_text(c->details, out);
    }
    if (c->option_count > 0) manual_page_options(c->options, c->option_count, out);
    if (c->example == NULL) return;
    text_add(out, ".Pp\nExample:\n");
    mdoc_macro("Dl", c->example, out);
}

static void add_nouns(const struct command_table *t, struct text *out) {
    text_add(out, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < t->noun_count; i++) {
        text_add_format(out, ".It Xr gridctl-%s 1\n", t->nouns[i].noun);
        mdoc_sentence(t->nouns[i].summary, out);
    }
    text_add(out, ".El\n");
}

void gridctl_page(const struct command_table *t, const char *date, struct text *out) {
    const struct manual *m = t->manual;
    mdoc_head(m->program, m->section, date, m->summary, out);
    text_add(out, ".Sh SYNOPSIS\n.Nm\n.Ar");
    mdoc_words(m->usage, out);
    text_add(out, "\n.Nm\n.Fl \\-version\n.Sh DESCRIPTION\n");
    mdoc_text(m->details, out);
    text_add(out, ".Pp\nNouns with verbs have a page each:\n");
    add_nouns(t, out);
    text_add(out, ".Ss Options of every command\n");
    manual_page_options(t->global, t->global_count, out);
    for (size_t i = 0; i < t->count; i++)
        if (t->commands[i].verb == NULL) add_command(&t->commands[i], out);
    manual_page_end(m, out);
}

void gridctl_page_noun(const struct command_table *t, const struct command_noun *noun,
                       const char *date, struct text *out) {
    OWN_TEXT struct text name = TEXT_EMPTY;
    text_add_format(&name, "gridctl-%s", noun->noun);
    mdoc_head(name.data, t->manual->section, date, noun->summary, out);
    text_add(out, ".Sh SYNOPSIS\n");
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->commands[i].noun, noun->noun) == 0) add_line(&t->commands[i], out);
    text_add(out, ".Sh DESCRIPTION\nOptions of every command, environment, files and exit codes "
                  "stand in\n.Xr gridctl 1 .\n");
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->commands[i].noun, noun->noun) == 0) add_command(&t->commands[i], out);
    text_add(out, ".Sh SEE ALSO\n.Xr gridctl 1\n");
}
