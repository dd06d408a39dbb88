/* The part of lib/options.h that prints --help. */
#include "lib/options.h"

#include <inttypes.h>
#include <string.h>

#define LEFT_MAX 34 /* a longer flag pushes its help to the right */

static void add_duration(int64_t duration_ms, struct text *out) {
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {
        {"d",  86400000},
        {"h",  3600000 },
        {"m",  60000   },
        {"s",  1000    },
        {"ms", 1       }
    };
    size_t i = 0;
    if (duration_ms == 0) i = 3;
    while (duration_ms % units[i].ms != 0) i++;
    text_add_format(out, "%" PRId64 "%s", duration_ms / units[i].ms, units[i].unit);
}

static void add_list(const char *list, struct text *out) {
    for (; list != NULL && *list != '\0'; list += strcspn(list, "\n")) {
        if (*list == '\n') {
            text_add(out, ", ");
            list++;
        }
        text_add_bytes(out, list, strcspn(list, "\n"));
    }
}

static void add_value(const struct option_entry *entry, const void *settings, struct text *out) {
    const void *field = (const char *)settings + entry->offset;
    switch (entry->type) {
    case OPTION_STRING:
        text_add(out, field);
        break;
    case OPTION_INT:
        text_add_format(out, "%" PRId64, *(const int64_t *)field);
        break;
    case OPTION_BOOL:
        text_add(out, *(const bool *)field ? "on" : "off");
        break;
    case OPTION_DURATION:
        add_duration(*(const int64_t *)field, out);
        break;
    case OPTION_LIST:
        add_list(*(char *const *)field, out);
        break;
    }
}

bool options_is_setting(const struct option_entry *entry) {
    return entry->type == OPTION_BOOL &&
           (entry->initial != NULL || entry->environment[0] != NULL || entry->key != NULL);
}

static void add_left(const struct option_entry *entry, struct text *out) {
    text_add(out, "  ");
    if (entry->letter != 0) text_add_format(out, "-%c, ", entry->letter);
    text_add_format(out, "--%s%s", options_is_setting(entry) ? "[no-]" : "", entry->flag);
    if (entry->value_name != NULL) text_add_format(out, " %s", entry->value_name);
}

/* " (now VALUE; env NAME or NAME; key agent.nodes)", as much of it as there is. */
static void add_names(const struct option_entry *entry, const void *settings, struct text *out) {
    OWN_TEXT struct text value = TEXT_EMPTY;
    OWN_TEXT struct text names = TEXT_EMPTY;
    if (entry->type != OPTION_BOOL || options_is_setting(entry)) add_value(entry, settings, &value);
    if (value.length > 0) text_add_format(&names, "; now %s", value.data);
    if (entry->environment[0] != NULL) text_add_format(&names, "; env %s", entry->environment[0]);
    if (entry->environment[0] != NULL && entry->environment[1] != NULL)
        text_add_format(&names, " or %s", entry->environment[1]);
    if (entry->key != NULL) text_add_format(&names, "; key %s", entry->key);
    if (names.length > 0) text_add_format(out, " (%s)", names.data + 2);
}

static size_t left_width(const struct options *o) {
    size_t width = 0;
    for (size_t i = 0; i < o->count; i++) {
        OWN_TEXT struct text left = TEXT_EMPTY;
        if (o->entries[i].flag == NULL) continue;
        add_left(&o->entries[i], &left);
        if (left.length > width && left.length <= LEFT_MAX) width = left.length;
    }
    return width;
}

void options_help(const struct options *o, const void *settings, struct text *out) {
    int width = (int)left_width(o);
    for (size_t i = 0; i < o->count; i++) {
        const struct option_entry *entry = &o->entries[i];
        OWN_TEXT struct text left = TEXT_EMPTY;
        if (entry->flag == NULL) continue;
        add_left(entry, &left);
        text_add_format(out, "%-*s  %s", width, left.data, entry->help);
        add_names(entry, settings, out);
        text_add(out, "\n");
    }
}
