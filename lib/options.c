/* The part of lib/options.h that reads flags and environment and sets the precedence. */
#include "lib/options.h"

#include "lib/clock.h"
#include "lib/options_internal.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* Above every letter; then one number per entry, then one per negated entry. */
#define FIRST_LONG 256
#define NEGATED_SIZE 64
#define ORIGIN_SIZE 96
#define SHOWN_CHARACTERS 40

/* Flags as they stood on the line. */
struct given {
    struct given_flag {
        size_t entry;
        const char *value;
        bool negated;
    } * flags;
    size_t count;
};

/* What getopt_long reads, made of the entries. */
struct flag_table {
    struct option *longs; /* ends with a row of zeros */
    size_t long_count;
    char (*negated)[NEGATED_SIZE];
    struct text letters;
};

static bool store_int(const char *value, const char *origin, int64_t *out, struct err *e) {
    char *end = NULL;
    errno = 0;
    bool shaped = (*value >= '0' && *value <= '9') || *value == '-';
    long long number = strtoll(value, &end, 10);
    if (!shaped || end == value || *end != '\0' || errno != 0)
        return err_set(e, ERR_USAGE, "%s: \"%.*s\" is not a whole number", origin, SHOWN_CHARACTERS,
                       value);
    *out = number;
    return true;
}

static bool store_bool(const char *value, const char *origin, bool *out, struct err *e) {
    static const char *const words[][2] = {
        {"on",   "off"  },
        {"true", "false"},
        {"yes",  "no"   },
        {"1",    "0"    }
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (size_t n = 0; n < 2; n++) {
            if (strcasecmp(value, words[i][n]) != 0) continue;
            *out = n == 0;
            return true;
        }
    }
    return err_set(e, ERR_USAGE, "%s: \"%.*s\" is neither on nor off", origin, SHOWN_CHARACTERS,
                   value);
}

static bool store_duration(const char *value, const char *origin, int64_t *out, struct err *e) {
    int64_t duration_ms = clock_parse_duration_ms(value);
    if (duration_ms < 0)
        return err_set(e, ERR_USAGE, "%s: \"%.*s\" is not a duration like 30s, 5m, 2h or 250ms",
                       origin, SHOWN_CHARACTERS, value);
    *out = duration_ms;
    return true;
}

static void add_item(const char *value, char **list) {
    struct text longer = TEXT_EMPTY;
    if (*value == '\0') return;
    if (*list != NULL) text_add_format(&longer, "%s\n", *list);
    text_add(&longer, value);
    free(*list);
    *list = text_take(&longer);
}

bool options_store(const struct option_entry *entry, const char *value, const char *origin,
                   void *settings, struct err *e) {
    void *field = (char *)settings + entry->offset;
    switch (entry->type) {
    case OPTION_INT:
        return store_int(value, origin, field, e);
    case OPTION_BOOL:
        return store_bool(value, origin, field, e);
    case OPTION_DURATION:
        return store_duration(value, origin, field, e);
    case OPTION_LIST:
        add_item(value, field);
        return true;
    case OPTION_STRING:
        break;
    }
    if (text_copy(field, entry->size, value)) return true;
    return err_set(e, ERR_USAGE, "%s: longer than %zu bytes", origin, entry->size - 1);
}

void options_empty_list(const struct option_entry *entry, void *settings) {
    if (entry->type != OPTION_LIST) return;
    char **list = (char **)((char *)settings + entry->offset);
    free(*list);
    *list = NULL;
}

static void store_defaults(const struct options *o, void *settings) {
    for (size_t i = 0; i < o->count; i++) {
        const struct option_entry *entry = &o->entries[i];
        struct err e = {0};
        memset((char *)settings + entry->offset, 0, entry->size);
        if (entry->initial == NULL) continue;
        bool stored = options_store(entry, entry->initial, "default", settings, &e);
        assert(stored); /* the table is ours */
    }
}

static void add_long(struct flag_table *table, const char *name, int has_argument, size_t number) {
    table->longs[table->long_count++] =
        (struct option){.name = name, .has_arg = has_argument, .val = (int)(FIRST_LONG + number)};
}

static void table_make(const struct options *o, struct flag_table *table) {
    *table = (struct flag_table){
        .longs = memory_zeroed(2 * o->count + 1, sizeof *table->longs),
        .negated = memory_zeroed(o->count, sizeof *table->negated),
    };
    text_add(&table->letters, ":"); /* tell a missing value from an unknown flag */
    for (size_t i = 0; i < o->count; i++) {
        const struct option_entry *entry = &o->entries[i];
        bool is_bool = entry->type == OPTION_BOOL;
        if (entry->letter != 0)
            text_add_format(&table->letters, "%c%s", entry->letter, is_bool ? "" : ":");
        if (entry->flag == NULL) continue;
        add_long(table, entry->flag, is_bool ? optional_argument : required_argument, i);
        if (!is_bool) continue;
        assert(strlen(entry->flag) + sizeof "no-" <= NEGATED_SIZE);
        snprintf(table->negated[i], NEGATED_SIZE, "no-%.60s", entry->flag);
        add_long(table, table->negated[i], no_argument, o->count + i);
    }
}

static void table_free(struct flag_table *table) {
    free(table->longs);
    free(table->negated);
    text_fini(&table->letters);
}

static bool fail_unknown_long(const struct flag_table *table, const char *word, struct err *e) {
    OWN_MEMORY const char **names = memory_zeroed(table->long_count, sizeof *names);
    OWN_TEXT struct text fitting = TEXT_EMPTY;
    OWN_TEXT struct text given = TEXT_EMPTY;
    text_add_bytes(&given, word, strcspn(word, "=")); /* what follows '=' may be a secret */
    for (size_t i = 0; i < table->long_count; i++) {
        names[i] = table->longs[i].name;
        if (strncmp(names[i], given.data + 2, given.length - 2) == 0)
            text_add_format(&fitting, "%s--%s", fitting.length > 0 ? ", " : "", names[i]);
    }
    if (fitting.length > 0)
        return err_set(e, ERR_USAGE, "option %s is ambiguous: %s", given.data, fitting.data);
    err_set(e, ERR_USAGE, "unknown option %.*s", SHOWN_CHARACTERS, given.data);
    const char *closest = options_closest(given.data + 2, names, table->long_count);
    return closest != NULL ? err_hint(e, "did you mean --%s?", closest) : false;
}

/* The entry that getopt_long means by this number: a letter or a row of the table. */
static size_t entry_of(const struct options *o, int number) {
    if (number >= FIRST_LONG) return (size_t)(number - FIRST_LONG) % o->count;
    size_t i = 0;
    while (i < o->count && o->entries[i].letter != number) i++;
    return i;
}

static void origin_of_flag(const struct option_entry *entry, bool negated, char out[ORIGIN_SIZE]) {
    if (entry->flag != NULL)
        snprintf(out, ORIGIN_SIZE, "--%s%s", negated ? "no-" : "", entry->flag);
    else
        snprintf(out, ORIGIN_SIZE, "-%c", entry->letter);
}

static bool fail_flag(const struct options *o, const struct flag_table *table, int found,
                      const char *word, struct err *e) {
    if (optopt == 0) return fail_unknown_long(table, word, e);
    size_t i = entry_of(o, optopt);
    if (i == o->count) return err_set(e, ERR_USAGE, "unknown option -%c", optopt);
    char origin[ORIGIN_SIZE];
    origin_of_flag(&o->entries[i], found == '?', origin);
    if (found == '?') return err_set(e, ERR_USAGE, "option %s takes no value", origin);
    const char *name = o->entries[i].value_name;
    return err_set(e, ERR_USAGE, "option %s needs a value: %s", origin, name ? name : "VALUE");
}

static bool read_flags(const struct options *o, const struct flag_table *table, int argc,
                       char **argv, struct given *given, struct err *e) {
    optind = 0; /* glibc: forget an earlier line altogether */
    opterr = 0;
    for (;;) {
        int found = getopt_long(argc, argv, text_value(&table->letters), table->longs, NULL);
        if (found == -1) return true;
        if (found == '?' || found == ':') return fail_flag(o, table, found, argv[optind - 1], e);
        size_t i = entry_of(o, found);
        bool negated = found >= FIRST_LONG + (int)o->count;
        const char *value = optarg != NULL ? optarg : negated ? "off" : "on";
        given->flags = memory_resize(given->flags, given->count + 1, sizeof *given->flags);
        given->flags[given->count++] = (struct given_flag){i, value, negated};
    }
}

static bool store_flags(const struct options *o, const struct given *given, void *settings,
                        struct err *e) {
    OWN_MEMORY bool *seen = memory_zeroed(o->count, sizeof *seen);
    for (size_t n = 0; n < given->count; n++) {
        const struct given_flag *flag = &given->flags[n];
        const struct option_entry *entry = &o->entries[flag->entry];
        char origin[ORIGIN_SIZE];
        origin_of_flag(entry, flag->negated, origin);
        if (!seen[flag->entry]) options_empty_list(entry, settings);
        seen[flag->entry] = true;
        if (!options_store(entry, flag->value, origin, settings, e)) return false;
    }
    return true;
}

/* The first variable of the entry that is set to something; an empty one counts as unset. */
static const char *environment_of(const struct option_entry *entry, const char **name) {
    for (size_t i = 0; i < 2; i++) {
        *name = entry->environment[i];
        const char *value = *name != NULL ? getenv(*name) : NULL;
        if (value != NULL && *value != '\0') return value;
    }
    return NULL;
}

static bool store_environment(const struct options *o, void *settings, struct err *e) {
    for (size_t i = 0; i < o->count; i++) {
        const struct option_entry *entry = &o->entries[i];
        const char *name = NULL;
        const char *value = environment_of(entry, &name);
        if (value == NULL) continue;
        options_empty_list(entry, settings);
        if (!options_store(entry, value, name, settings, e)) return false;
    }
    return true;
}

/* The file that flag, environment or default name; *named unless it is the default. NULL for none.
 */
static const char *config_path(const struct options *o, const struct given *given, bool *named) {
    size_t i = 0;
    const char *name = NULL;
    if (o->config_flag == NULL) return NULL;
    while (i < o->count &&
           (o->entries[i].flag == NULL || strcmp(o->entries[i].flag, o->config_flag) != 0))
        i++;
    assert(i < o->count);
    const char *path = environment_of(&o->entries[i], &name);
    for (size_t n = 0; n < given->count; n++)
        if (given->flags[n].entry == i) path = given->flags[n].value;
    *named = path != NULL;
    if (path == NULL) path = o->entries[i].initial;
    return path != NULL && *path != '\0' ? path : NULL;
}

/* A default file need not be there. */
static bool store_file(const struct options *o, const struct given *given, void *settings,
                       struct err *e) {
    bool named = false;
    const char *path = config_path(o, given, &named);
    if (path == NULL || (!named && access(path, F_OK) != 0 && errno == ENOENT)) return true;
    return options_file_read(o, path, settings, e);
}

bool options_parse(const struct options *o, int argc, char **argv, void *settings, int *rest,
                   struct err *e) {
    struct flag_table table;
    struct given given = {0};
    table_make(o, &table);
    store_defaults(o, settings);
    bool parsed = read_flags(o, &table, argc, argv, &given, e) &&
                  store_file(o, &given, settings, e) && store_environment(o, settings, e) &&
                  store_flags(o, &given, settings, e);
    if (!parsed) options_clear(o, settings);
    *rest = optind;
    free(given.flags);
    table_free(&table);
    return parsed;
}

void options_clear(const struct options *o, void *settings) {
    for (size_t i = 0; i < o->count; i++) options_empty_list(&o->entries[i], settings);
}
