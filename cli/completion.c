#include "cli/completion.h"

#include "cli/completion_values.h"
#include "cli/handlers.h"
#include "cli/invocation.h"
#include "lib/embed.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

EMBED_DECLARE(gridctl_shell)

/* Placeholders that mean the same wherever they stand. */
static const struct {
    const char *placeholder;
    struct completion_values values;
} meanings[] = {
    {"FILE",    {COMPLETE_FILES, ""}                         },
    {"DIR",     {COMPLETE_DIRECTORIES, ""}                   },
    {"SHELL",   {COMPLETE_WORDS, "bash zsh"}                 },
    {"METHOD",  {COMPLETE_WORDS, "GET POST PUT PATCH DELETE"}},
    {"CHANNEL", {COMPLETE_NAMES, "channel"}                  },
    {"VERSION", {COMPLETE_NAMES, "version"}                  },
};

/* "auto|on|off" are words; others have their meaning, or none. */
static struct completion_values meaning(const char *placeholder) {
    struct completion_values values = {COMPLETE_NOTHING, ""};
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (strcmp(meanings[i].placeholder, placeholder) == 0) return meanings[i].values;
    if (strchr(placeholder, '|') == NULL) return values;
    bool fits = text_copy(values.words, sizeof values.words, placeholder);
    assert(fits);
    values.kind = COMPLETE_WORDS;
    for (char *at = values.words; *at != '\0'; at++)
        if (*at == '|') *at = ' ';
    return values;
}

struct completion_values completion_of_option(const struct option_entry *option) {
    return meaning(option->value_name != NULL ? option->value_name : "");
}

/* Whether the argument is what the noun's list prints with -o name. */
static bool is_listed(const struct command_table *t, const struct command *c, const char *name) {
    const struct command *list = NULL;
    struct err ignored;
    bool names = strcmp(name, "ID") == 0 || strcmp(name, "NAME") == 0 || strcmp(name, "KEY") == 0 ||
                 strcmp(name, "DIGEST") == 0;
    return names && c->verb != NULL && strcmp(c->verb, "generate") != 0 &&
           command_find(t, c->noun, "list", &list, &ignored);
}

bool completion_argument(const struct command_table *t, const struct command *c, const char **at,
                         struct completion_argument *out) {
    *at += strspn(*at, " ");
    size_t length = strcspn(*at, " "), begin = strspn(*at, "["),
           end = begin + strcspn(*at + begin, ".] ");
    if (length == 0) return false;
    *out = (struct completion_argument){.optional = begin > 0,
                                        .repeated = memmem(*at, length, "...", 3) != NULL};
    snprintf(out->name, sizeof out->name, "%.*s", (int)(end - begin), *at + begin);
    out->values = meaning(out->name);
    if (is_listed(t, c, out->name)) {
        out->values.kind = COMPLETE_NAMES;
        snprintf(out->values.words, sizeof out->values.words, "%s", c->noun);
    }
    *at += length;
    return true;
}

bool completion_begins_noun(const struct command_table *t, size_t row) {
    return row == 0 || strcmp(t->commands[row].noun, t->commands[row - 1].noun) != 0;
}

void completion_add_script(const char *name, struct text *out) {
    for (size_t i = 0; i < gridctl_shell_file_count; i++)
        if (strcmp(gridctl_shell_files[i].name, name) == 0)
            text_add_bytes(out, gridctl_shell_files[i].data, gridctl_shell_files[i].size);
}

bool completion_print(struct invocation *call, struct err *e) {
    OWN_TEXT struct text script = TEXT_EMPTY;
    const char *shell = call->arguments[0];
    if (strcmp(shell, "bash") == 0)
        completion_bash(&command_table, &script);
    else if (strcmp(shell, "zsh") == 0)
        completion_zsh(&command_table, &script);
    else
        return err_set(e, ERR_USAGE, "completion takes bash or zsh, not \"%s\"", shell);
    return output_emit(&script, e);
}
