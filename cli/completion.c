#include "cli/completion.h"

#include "cli/handlers.h"
#include "cli/invocation.h"

#include <string.h>

/* compgen expands its words as the shell does: nothing but plain names may come from a master. */
static const char head[] =
    "_gridctl_names() {\n"
    "    gridctl \"$1\" list -o name 2>/dev/null | grep -xE '[A-Za-z0-9._/+-]+'\n"
    "}\n"
    "_gridctl() {\n"
    "    local words=() candidates='' current=${COMP_WORDS[COMP_CWORD]} i\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        [[ ${COMP_WORDS[i]} == -* ]] || words+=(\"${COMP_WORDS[i]}\")\n"
    "    done\n"
    "    case \"${words[0]} ${words[1]}\" in\n";
static const char tail[] = "    esac\n"
                           "    COMPREPLY=($(compgen -W \"$candidates\" -- \"$current\"))\n"
                           "}\n"
                           "complete -o default -F _gridctl gridctl\n";

static void add_flags(const struct option_entry *entries, size_t count, struct text *out) {
    for (size_t i = 0; i < count; i++)
        if (entries[i].flag != NULL) text_add_format(out, " --%s", entries[i].flag);
}

/* Whether its arguments are what the noun's list prints with -o name. */
static bool takes_names(const struct command_table *t, const struct command *c) {
    bool names = strncmp(c->arguments, "ID", 2) == 0 || strncmp(c->arguments, "NAME", 4) == 0 ||
                 strncmp(c->arguments, "KEY", 3) == 0;
    const struct command *list = NULL;
    struct err ignored;
    return names && c->verb != NULL && command_find(t, c->noun, "list", &list, &ignored);
}

static void add_command(const struct command_table *t, const struct command *c, struct text *out) {
    if (c->verb != NULL)
        text_add_format(out, "    \"%s %s\")", c->noun, c->verb);
    else
        text_add_format(out, "    \"%s \"*)", c->noun);
    text_add(out, " candidates=\"");
    if (takes_names(t, c)) text_add_format(out, "$(_gridctl_names %s)", c->noun);
    add_flags(c->options, c->option_count, out);
    add_flags(t->global, t->global_count, out);
    text_add(out, "\" ;;\n");
}

/* The verbs of the noun that begins at row, which is where its rows begin. */
static void add_verbs(const struct command_table *t, size_t row, struct text *out) {
    const char *noun = t->commands[row].noun;
    if (t->commands[row].verb == NULL || (row > 0 && strcmp(t->commands[row - 1].noun, noun) == 0))
        return;
    text_add_format(out, "    \"%s \"*) candidates=\"", noun);
    for (; row < t->count && strcmp(t->commands[row].noun, noun) == 0; row++)
        text_add_format(out, " %s", t->commands[row].verb);
    text_add(out, "\" ;;\n");
}

static void add_nouns(const struct command_table *t, struct text *out) {
    text_add(out, "    \" \") candidates=\"");
    for (size_t i = 0; i < t->count; i++)
        if (i == 0 || strcmp(t->commands[i].noun, t->commands[i - 1].noun) != 0)
            text_add_format(out, " %s", t->commands[i].noun);
    add_flags(t->global, t->global_count, out);
    text_add(out, "\" ;;\n");
}

void completion_script(const struct command_table *t, bool zsh, struct text *out) {
    if (zsh) text_add(out, "autoload -U +X bashcompinit && bashcompinit\n");
    text_add(out, head);
    for (size_t i = 0; i < t->count; i++) add_command(t, &t->commands[i], out);
    for (size_t i = 0; i < t->count; i++) add_verbs(t, i, out);
    add_nouns(t, out);
    text_add(out, tail);
}

bool completion_print(struct invocation *call, struct err *e) {
    OWN_TEXT struct text script = TEXT_EMPTY;
    const char *shell = call->arguments[0];
    if (strcmp(shell, "bash") != 0 && strcmp(shell, "zsh") != 0)
        return err_set(e, ERR_USAGE, "completion takes bash or zsh, not \"%s\"", shell);
    completion_script(&command_table, strcmp(shell, "zsh") == 0, &script);
    return output_emit(&script, e);
}
