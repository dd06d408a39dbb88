/* Options of a program: one table yields flags (getopt_long), environment variables, configuration
 * keys (INI through inih), defaults and --help. Precedence: flag, environment, configuration file,
 * default. Before threads start. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

#include <stddef.h>
#include <stdint.h>

enum option_type {
    /* char field[N] */
    OPTION_STRING,
    /* int64_t field */
    OPTION_INT,
    /* bool field; the flag alone means true, --no-flag or =off/false/0/no means false */
    OPTION_BOOL,
    /* int64_t field in ms: "30s", "5m" */
    OPTION_DURATION,
    /* char *field, owned: values of a repeatable flag joined by '\n' */
    OPTION_LIST,
};

struct option_entry {
    const char *flag;           /* "state" for --state; NULL: no flag (secrets) */
    const char *environment[2]; /* names in order of precedence; NULL when unused */
    const char *key;            /* "agent.agent_id" = [agent] agent_id; NULL: not in the file */
    enum option_type type;
    char letter; /* 'h' for -h; 0 for none */
    size_t offset;
    size_t size;
    const char *initial;    /* default as text; NULL: zero */
    const char *value_name; /* "DIR" for --help; NULL for BOOL */
    const char *help;       /* one sentence without a final stop */
};

#define OPTION(struct_, field_)                                                                    \
    .offset = offsetof(struct_, field_), .size = sizeof(((struct_ *)0)->field_)

struct options {
    const struct option_entry *entries;
    size_t count;
    const char *config_flag; /* of the entry that names the configuration file: "config", or NULL */
};

/* Fills settings from all four sources. What is left on the line goes to *rest (index into argv);
 * argv is permuted as getopt_long does. May be called again, with the line of a subcommand.
 * ERR_USAGE for unknown flags, keys and sections, with file and line for keys and a "did you mean",
 * and for malformed values. On failure settings own nothing.
 *
 * A flag given twice: the last counts. A list is replaced as a whole by a source of higher
 * precedence. An environment variable that is set to nothing counts as unset. A configuration file
 * that was named but cannot be read is an error; the default one (initial) may be missing.
 *
 * The file is UTF-8: [section], key = value, comments behind '#' or ';' at the start of a line or
 * after white space. Values may be quoted, key = "value", with \" and \\ inside. A key is set once,
 * but for lists. */
MUST_CHECK bool options_parse(const struct options *o, int argc, char **argv, void *settings,
                              int *rest, struct err *e);

/* Appends one line per option with the value in force: flag, environment, key, help. Secrets have
 * no flag and are not shown. */
void options_help(const struct options *o, const void *settings, struct text *out);

void options_clear(const struct options *o, void *settings); /* frees OPTION_LIST values */

/* "--help" does something once; "--[no-]insecure" is a setting, for it has a name elsewhere or
 * starts as on. */
bool options_is_setting(const struct option_entry *entry);

/* The candidate closest to word by edit distance, NULL when none is close enough to suggest. */
const char *options_closest(const char *word, const char *const *candidates, size_t count);
