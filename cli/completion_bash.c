/* The tables of cli/shell/gridctl.bash: functions that answer in REPLY, as
 *   _gridctl_values "NOUN VERB OPTION" or "NOUN VERB NUMBER"   "words a b", "names agent", "files"
 *   _gridctl_flags "NOUN VERB"                                 "words --filter --sort" */
#include "cli/completion.h"
#include "cli/completion_values.h"

#include <string.h>

static const char *verb_of(const struct command *c) {
    return c->verb != NULL ? c->verb : "";
}

static void add_reply(const struct completion_values *v, struct text *out) {
    static const char *const kinds[] = {[COMPLETE_NOTHING] = "nothing",
                                        [COMPLETE_WORDS] = "words",
                                        [COMPLETE_NAMES] = "names",
                                        [COMPLETE_FILES] = "files",
                                        [COMPLETE_DIRECTORIES] = "directories"};
    text_add_format(out, ") REPLY='%s%s%s' ;;\n", kinds[v->kind], v->words[0] != '\0' ? " " : "",
                    v->words);
}

/* "*" before: whatever the command is. */
static void add_option_values(const char *command, const struct option_entry *entries, size_t count,
                              struct text *out) {
    for (size_t i = 0; i < count; i++) {
        if (entries[i].flag == NULL || entries[i].type == OPTION_BOOL) continue;
        struct completion_values values = completion_of_option(&entries[i]);
        text_add_format(out, "    %s' --%s'", command, entries[i].flag);
        if (entries[i].letter != 0) text_add_format(out, " | %s' -%c'", command, entries[i].letter);
        add_reply(&values, out);
    }
}

static void add_arguments(const struct command_table *t, const struct command *c,
                          struct text *out) {
    struct completion_argument argument;
    const char *at = c->arguments;
    for (int i = 0; completion_argument(t, c, &at, &argument); i++) {
        text_add_format(out, "    '%s %s ", c->noun, verb_of(c));
        text_add_format(out, argument.repeated ? "'[0-9]*" : "%d'", i);
        add_reply(&argument.values, out);
    }
}

static void add_verbs(const struct command_table *t, size_t row, struct text *out) {
    const char *noun = t->commands[row].noun;
    text_add_format(out, "    '%s  0') REPLY='words", noun);
    for (; row < t->count && strcmp(t->commands[row].noun, noun) == 0; row++)
        text_add_format(out, " %s", t->commands[row].verb);
    text_add(out, "' ;;\n");
}

static void add_values(const struct command_table *t, struct text *out) {
    text_add(out, "_gridctl_values() {\n    case $1 in\n    '  0') REPLY='words");
    for (size_t i = 0; i < t->count; i++)
        if (completion_begins_noun(t, i)) text_add_format(out, " %s", t->commands[i].noun);
    text_add(out, "' ;;\n");
    add_option_values("*", t->global, t->global_count, out);
    for (size_t i = 0; i < t->count; i++) {
        const struct command *c = &t->commands[i];
        OWN_TEXT struct text command = TEXT_EMPTY;
        text_add_format(&command, "'%s %s'", c->noun, verb_of(c));
        if (c->verb != NULL && completion_begins_noun(t, i)) add_verbs(t, i, out);
        add_option_values(command.data, c->options, c->option_count, out);
        add_arguments(t, c, out);
    }
    text_add(out, "    esac\n}\n");
}

static void add_flags(const struct option_entry *entries, size_t count, struct text *out) {
    for (size_t i = 0; i < count; i++)
        if (entries[i].flag != NULL) text_add_format(out, " --%s", entries[i].flag);
}

static void add_all_flags(const struct command_table *t, struct text *out) {
    text_add(out, "_gridctl_flags() {\n    REPLY='words");
    add_flags(t->global, t->global_count, out);
    text_add(out, "'\n    case $1 in\n    ' ') REPLY+='");
    add_flags(t->bare, t->bare_count, out);
    text_add(out, "' ;;\n");
    for (size_t i = 0; i < t->count; i++) {
        const struct command *c = &t->commands[i];
        if (c->option_count == 0) continue;
        text_add_format(out, "    '%s %s') REPLY+='", c->noun, verb_of(c));
        add_flags(c->options, c->option_count, out);
        text_add(out, "' ;;\n");
    }
    text_add(out, "    esac\n}\n");
}

/* Options that take the word behind them. */
static void add_taking(const struct option_entry *entries, size_t count, struct text *out) {
    for (size_t i = 0; i < count; i++) {
        if (entries[i].flag == NULL || entries[i].type == OPTION_BOOL) continue;
        text_add_format(out, " --%s", entries[i].flag);
        if (entries[i].letter != 0) text_add_format(out, " -%c", entries[i].letter);
    }
}

void completion_bash(const struct command_table *t, struct text *out) {
    text_add(out, "# Completion of gridctl for bash.\n_gridctl_groups='");
    for (size_t i = 0; i < t->noun_count; i++) text_add_format(out, " %s", t->nouns[i].noun);
    text_add(out, "'\n_gridctl_taking='");
    add_taking(t->global, t->global_count, out);
    for (size_t i = 0; i < t->count; i++)
        add_taking(t->commands[i].options, t->commands[i].option_count, out);
    text_add(out, "'\n");
    add_values(t, out);
    add_all_flags(t, out);
    completion_add_script("gridctl.bash", out);
}
