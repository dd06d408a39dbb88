/* The tables of cli/shell/gridctl.zsh: functions that fill an array, as
 *   _gridctl_specs "NOUN VERB"   specs, for _arguments
 *   _gridctl_rows NOUN           rows, "word:what it does" */
#include "cli/completion.h"
#include "cli/completion_values.h"

#include <string.h>

/* Words inside single quotes, where _arguments and _describe give ':', '[' and ']' a meaning. */
static void add_quoted(const char *words, struct text *out) {
    for (; *words != '\0'; words++) {
        if (*words == '\'')
            text_add(out, "'\\'");
        else if (strchr(":[]\\", *words) != NULL)
            text_add(out, "\\");
        text_add_bytes(out, words, 1);
    }
}

static void add_action(const char *name, const struct completion_values *v, struct text *out) {
    text_add(out, ":");
    add_quoted(name, out);
    text_add(out, ":");
    if (v->kind == COMPLETE_WORDS) text_add_format(out, "(%s)", v->words);
    if (v->kind == COMPLETE_NAMES) text_add_format(out, "_gridctl_names %s", v->words);
    if (v->kind == COMPLETE_FILES) text_add(out, "_files");
    if (v->kind == COMPLETE_DIRECTORIES) text_add(out, "_files -/");
    if (v->kind == COMPLETE_NOTHING) text_add(out, " ");
}

static void add_option(const struct option_entry *o, struct text *out) {
    if (o->flag == NULL) return;
    bool takes = o->type != OPTION_BOOL;
    const char *again = o->type == OPTION_LIST ? "*" : "";
    text_add(out, " ");
    if (o->letter != 0)
        text_add_format(out, "'(-%c --%s)'{-%c%s,--%s%s}'[", o->letter, o->flag, o->letter,
                        takes ? "+" : "", o->flag, takes ? "=" : "");
    else
        text_add_format(out, "'%s--%s%s[", again, o->flag, takes ? "=" : "");
    add_quoted(o->help, out);
    text_add(out, "]");
    struct completion_values values = completion_of_option(o);
    if (takes) add_action(o->value_name, &values, out);
    text_add(out, "'");
}

static void add_options(const struct option_entry *entries, size_t count, struct text *out) {
    for (size_t i = 0; i < count; i++) add_option(&entries[i], out);
}

static void add_arguments(const struct command_table *t, const struct command *c,
                          struct text *out) {
    struct completion_argument argument;
    const char *at = c->arguments;
    for (int i = 1; completion_argument(t, c, &at, &argument); i++) {
        text_add_format(out, argument.repeated ? " '*" : " '%d%s", i, argument.optional ? ":" : "");
        add_action(argument.name, &argument.values, out);
        text_add(out, "'");
    }
}

static void add_specs(const struct command_table *t, struct text *out) {
    text_add(out, "_gridctl_specs() {\n    specs=(");
    add_options(t->global, t->global_count, out);
    text_add(out, ")\n    case $1 in\n    ('') specs+=(");
    add_options(t->bare, t->bare_count, out);
    text_add(out, ") ;;\n");
    for (size_t i = 0; i < t->count; i++) {
        const struct command *c = &t->commands[i];
        OWN_TEXT struct text name = TEXT_EMPTY;
        command_name(c, &name);
        text_add_format(out, "    ('%s') specs+=(", name.data);
        add_options(c->options, c->option_count, out);
        add_arguments(t, c, out);
        text_add(out, ") ;;\n");
    }
    text_add(out, "    esac\n}\n");
}

static void add_row(const char *word, const char *summary, struct text *out) {
    text_add_format(out, " '%s:", word);
    add_quoted(summary, out);
    text_add(out, "'");
}

static void add_rows(const struct command_table *t, struct text *out) {
    text_add(out, "_gridctl_rows() {\n    case $1 in\n    ('') rows=(");
    for (size_t i = 0; i < t->count; i++)
        if (t->commands[i].verb == NULL) add_row(t->commands[i].noun, t->commands[i].summary, out);
    for (size_t i = 0; i < t->noun_count; i++) add_row(t->nouns[i].noun, t->nouns[i].summary, out);
    text_add(out, ") ;;\n");
    for (size_t n = 0; n < t->noun_count; n++) {
        text_add_format(out, "    (%s) rows=(", t->nouns[n].noun);
        for (size_t i = 0; i < t->count; i++)
            if (strcmp(t->commands[i].noun, t->nouns[n].noun) == 0)
                add_row(t->commands[i].verb, t->commands[i].summary, out);
        text_add(out, ") ;;\n");
    }
    text_add(out, "    esac\n}\n");
}

void completion_zsh(const struct command_table *t, struct text *out) {
    text_add(out, "#compdef gridctl\ntypeset -ga _gridctl_groups=(");
    for (size_t i = 0; i < t->noun_count; i++)
        text_add_format(out, "%s%s", i > 0 ? " " : "", t->nouns[i].noun);
    text_add(out, ")\n");
    add_specs(t, out);
    add_rows(t, out);
    completion_add_script("gridctl.zsh", out);
}
