#include "cli/command.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

/* Words that other tools use for what a verb here does. */
static const struct {
    const char *word;
    const char *verb;
} synonyms[] = {
    {"add",      "create"},
    {"delete",   "rm"    },
    {"describe", "show"  },
    {"get",      "show"  },
    {"info",     "show"  },
    {"ls",       "list"  },
    {"new",      "create"},
    {"publish",  "push"  },
    {"remove",   "rm"    },
    {"tag",      "label" },
    {"undrain",  "resume"},
    {"update",   "set"   },
    {"upload",   "push"  },
    {"watch",    "tail"  },
};

static bool same(const char *a, const char *b) {
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static const struct option_entry *global_option(const struct command_table *t, const char *word) {
    for (size_t i = 0; i < t->global_count; i++) {
        const struct option_entry *o = &t->global[i];
        if (word[0] == '-' && word[1] == '-' && same(o->flag, word + 2)) return o;
        if (word[0] == '-' && o->letter != 0 && word[1] == o->letter && word[2] == '\0') return o;
    }
    return NULL;
}

void command_words(const struct command_table *t, int argc, char **argv, int words[3]) {
    int found = 0;
    words[0] = words[1] = words[2] = 0;
    for (int i = 1; i < argc && found < 3; i++) {
        if (strcmp(argv[i], "--") == 0) return;
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            words[found++] = i;
            continue;
        }
        const struct option_entry *o = global_option(t, argv[i]);
        if (o != NULL && o->type != OPTION_BOOL) i++;
    }
}

bool command_is_group(const struct command_table *t, const char *noun) {
    for (size_t i = 0; i < t->count; i++)
        if (same(t->commands[i].noun, noun)) return t->commands[i].verb != NULL;
    return false;
}

static const struct command *exact(const struct command_table *t, const char *noun,
                                   const char *verb) {
    for (size_t i = 0; i < t->count; i++) {
        const struct command *c = &t->commands[i];
        if (same(c->noun, noun) && (c->verb == NULL || same(c->verb, verb))) return c;
    }
    return NULL;
}

static const char *synonym(const struct command_table *t, const char *noun, const char *word) {
    for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++)
        if (same(synonyms[i].word, word) && exact(t, noun, synonyms[i].verb) != NULL)
            return synonyms[i].verb;
    return NULL;
}

/* Distinct nouns, or (noun given) the verbs of one, for lists in messages; returns how many. */
static size_t names(const struct command_table *t, const char *noun, const char **out,
                    size_t size) {
    size_t count = 0;
    for (size_t i = 0; i < t->count && count < size; i++) {
        const struct command *c = &t->commands[i];
        if (noun != NULL && same(c->noun, noun) && c->verb != NULL) out[count++] = c->verb;
        if (noun == NULL && (count == 0 || !same(out[count - 1], c->noun))) out[count++] = c->noun;
    }
    return count;
}

static bool unknown_noun(const struct command_table *t, const char *noun, const char *verb,
                         struct err *e) {
    const char *known[64];
    size_t count = names(t, NULL, known, sizeof known / sizeof known[0]);
    err_set(e, ERR_USAGE, "there is no command \"%s\"", noun);
    if (verb != NULL && exact(t, verb, noun) != NULL)
        return err_hint(e, "did you mean \"gridctl %s %s\"?", verb, noun);
    const char *closest = options_closest(noun, known, count);
    if (closest != NULL) return err_hint(e, "did you mean \"gridctl %s\"?", closest);
    return err_hint(e, "gridctl --help lists all commands");
}

static bool unknown_verb(const struct command_table *t, const char *noun, const char *verb,
                         struct err *e) {
    const char *known[64];
    size_t count = names(t, noun, known, sizeof known / sizeof known[0]);
    OWN_TEXT struct text list = TEXT_EMPTY;
    for (size_t i = 0; i < count; i++) text_add_format(&list, "%s%s", i > 0 ? ", " : "", known[i]);
    if (verb == NULL) {
        err_set(e, ERR_USAGE, "%s needs a verb: %s", noun, text_value(&list));
        return err_hint(e, "gridctl %s --help says what each does", noun);
    }
    err_set(e, ERR_USAGE, "%s has no verb \"%s\", only %s", noun, verb, text_value(&list));
    const char *closest = synonym(t, noun, verb);
    if (closest == NULL) closest = options_closest(verb, known, count);
    if (closest != NULL) return err_hint(e, "did you mean \"gridctl %s %s\"?", noun, closest);
    return err_hint(e, "gridctl %s --help says what each does", noun);
}

bool command_find(const struct command_table *t, const char *noun, const char *verb,
                  const struct command **out, struct err *e) {
    *out = exact(t, noun, verb);
    if (*out != NULL) return true;
    return command_is_group(t, noun) ? unknown_verb(t, noun, verb, e)
                                     : unknown_noun(t, noun, verb, e);
}

void command_name(const struct command *c, struct text *out) {
    text_add(out, c->noun);
    if (c->verb != NULL) text_add_format(out, " %s", c->verb);
}

void command_arity(const char *arguments, int *minimum, int *maximum) {
    *minimum = *maximum = 0;
    for (const char *at = arguments; *at != '\0';) {
        size_t length = strcspn(at, " ");
        if (at[0] != '[') ++*minimum;
        if (memmem(at, length, "...", 3) != NULL)
            *maximum = INT_MAX;
        else if (*maximum < INT_MAX)
            ++*maximum;
        at += length;
        at += strspn(at, " ");
    }
}

static bool check_arity(const struct command *c, int count, char **arguments, struct err *e) {
    int minimum, maximum;
    command_arity(c->arguments, &minimum, &maximum);
    if (count >= minimum && count <= maximum) return true;
    OWN_TEXT struct text name = TEXT_EMPTY;
    command_name(c, &name);
    if (count < minimum)
        err_set(e, ERR_USAGE, "%s needs %s", text_value(&name), c->arguments);
    else if (maximum == 0)
        err_set(e, ERR_USAGE, "%s takes no arguments, but \"%s\" was given", text_value(&name),
                arguments[0]);
    else
        err_set(e, ERR_USAGE, "%s takes only %s, but \"%s\" was given too", text_value(&name),
                c->arguments, arguments[maximum]);
    if (c->example != NULL && count < minimum) return err_hint(e, "%s", c->example);
    return err_hint(e, "gridctl %s --help", text_value(&name));
}

/* Global entries and the command's own (c NULL: those of a bare line) in one array; the caller
 * frees it. */
static struct option_entry *all_options(const struct command_table *t, const struct command *c,
                                        size_t *count) {
    const struct option_entry *own = c != NULL ? c->options : t->bare;
    size_t own_count = c != NULL ? c->option_count : t->bare_count;
    struct option_entry *entries = memory_zeroed(t->global_count + own_count, sizeof *entries);
    memcpy(entries, t->global, t->global_count * sizeof *entries);
    if (own_count > 0) memcpy(entries + t->global_count, own, own_count * sizeof *entries);
    *count = t->global_count + own_count;
    return entries;
}

bool command_parse(const struct command_table *t, const struct command *c, int argc, char **argv,
                   struct settings *settings, int *first, struct err *e) {
    struct options all = {0};
    OWN_MEMORY struct option_entry *entries = all_options(t, c, &all.count);
    all.entries = entries;
    if (!options_parse(&all, argc, argv, settings, first, e)) return false;
    if (c == NULL || settings->help) return true;
    return check_arity(c, argc - *first, argv + *first, e);
}

void command_clear(const struct command_table *t, const struct command *c,
                   struct settings *settings) {
    struct options all = {0};
    OWN_MEMORY struct option_entry *entries = all_options(t, c, &all.count);
    all.entries = entries;
    options_clear(&all, settings);
}

static void add_line(const struct command *c, struct text *out) {
    OWN_TEXT struct text name = TEXT_EMPTY;
    command_name(c, &name);
    text_add_format(out, "  %-20s  %s\n", text_value(&name), c->summary);
}

const char *command_noun_summary(const struct command_table *t, const char *noun) {
    for (size_t i = 0; i < t->noun_count; i++)
        if (same(t->nouns[i].noun, noun)) return t->nouns[i].summary;
    return "";
}

void command_help_all(const struct command_table *t, struct text *out) {
    text_add_format(out, "gridctl %s.\n\nUsage: gridctl %s\n\n", t->manual->summary,
                    t->manual->usage);
    for (size_t i = 0; i < t->count; i++) {
        if (i > 0 && t->commands[i].verb != NULL &&
            !same(t->commands[i].noun, t->commands[i - 1].noun))
            text_add(out, "\n");
        add_line(&t->commands[i], out);
    }
    text_add(out, "\ngridctl NOUN VERB --help explains one. Exit codes:\n");
    for (size_t i = 0; i < err_exit_count; i++)
        text_add_format(out, "  %3d  %s\n", err_exits[i].code, err_exits[i].means);
    text_add(out, "Start with: gridctl status\n");
}

void command_help_noun(const struct command_table *t, const char *noun, struct text *out) {
    text_add_format(out, "gridctl %s %s.\n\nUsage: gridctl %s VERB [options] [arguments]\n\n", noun,
                    command_noun_summary(t, noun), noun);
    for (size_t i = 0; i < t->count; i++)
        if (same(t->commands[i].noun, noun)) add_line(&t->commands[i], out);
    text_add_format(out, "\ngridctl %s VERB --help explains one. More: man gridctl-%s\n", noun,
                    noun);
}

static void add_options(const char *title, const struct option_entry *entries, size_t count,
                        const struct settings *settings, struct text *out) {
    if (count == 0) return;
    struct options o = {.entries = entries, .count = count};
    text_add_format(out, "\n%s:\n", title);
    options_help(&o, settings, out);
}

void command_help(const struct command_table *t, const struct command *c,
                  const struct settings *settings, struct text *out) {
    OWN_TEXT struct text name = TEXT_EMPTY;
    command_name(c, &name);
    text_add_format(out, "gridctl %s: %s.\n\nUsage: gridctl %s [options]%s%s\n", text_value(&name),
                    c->summary, text_value(&name), c->arguments[0] != '\0' ? " " : "",
                    c->arguments);
    if (c->details != NULL) text_add_format(out, "\n%s\n", c->details);
    if (c->example != NULL) text_add_format(out, "\nExample:\n  %s\n", c->example);
    add_options("Options", c->options, c->option_count, settings, out);
    add_options("Options of every command", t->global, t->global_count, settings, out);
}
