/* Configuration files: every kind of option; what is refused leaves nothing behind, and what is
 * taken is taken the same from the values written out. */
#include "lib/options.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

struct settings {
    char config[64];
    char name[32];
    int64_t count;
    int64_t pause_ms;
    bool bright;
    char *items;
};

static const struct option_entry entries[] = {
    {.flag = "config",     .type = OPTION_STRING, OPTION(struct settings, config),   .help = "File"  },
    {.key = "grid.name",   .type = OPTION_STRING, OPTION(struct settings, name),     .help = "Name"  },
    {.key = "grid.count",  .type = OPTION_INT,    OPTION(struct settings, count),    .help = "Count" },
    {.key = "node.pause",
     .type = OPTION_DURATION,
     OPTION(struct settings,                                              pause_ms),
     .help = "Pause"                                                                                 },
    {.key = "node.bright", .type = OPTION_BOOL,   OPTION(struct settings, bright),   .help = "Bright"},
    {.key = "node.items",  .type = OPTION_LIST,   OPTION(struct settings, items),    .help = "Items" },
};

static const struct options options = {
    .entries = entries, .count = sizeof entries / sizeof entries[0], .config_flag = "config"};

static bool read_file(int fd, struct settings *s, struct err *e) {
    char path[32];
    char program[] = "fuzz", flag[] = "--config";
    char *argv[] = {program, flag, path, NULL};
    int rest = 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    memset(s, 0, sizeof *s);
    return options_parse(&options, 3, argv, s, &rest, e);
}

static void quote(struct text *out, const char *key, const char *value) {
    text_add_format(out, "%s = \"", key);
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\') text_add(out, "\\");
        text_add_bytes(out, value, 1);
    }
    text_add(out, "\"\n");
}

static void write_out(const struct settings *s, struct text *out) {
    text_add(out, "[grid]\n");
    quote(out, "name", s->name);
    text_add_format(out, "count = %lld\n[node]\npause = %lldms\nbright = %s\n", (long long)s->count,
                    (long long)s->pause_ms, s->bright ? "on" : "off");
    for (const char *item = s->items; item != NULL && *item != '\0';) {
        size_t length = strcspn(item, "\n");
        OWN_MEMORY char *one = strndup(item, length);
        quote(out, "items", one);
        item += length + (item[length] == '\n');
    }
}

static void check_same(const struct settings *a, const struct settings *b) {
    assert(strcmp(a->name, b->name) == 0 && a->count == b->count && a->bright == b->bright);
    assert(a->pause_ms == b->pause_ms);
    assert((a->items == NULL) == (b->items == NULL));
    if (a->items != NULL) assert(strcmp(a->items, b->items) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct settings first, second;
    struct err e;
    OWN_TEXT struct text written = TEXT_EMPTY;
    OWN_FD int fd = fuzz_file(data, size);
    if (!read_file(fd, &first, &e)) {
        assert(e.code == ERR_USAGE && e.text[0] != '\0' && first.items == NULL);
        return 0;
    }
    assert(memchr(first.name, '\0', sizeof first.name) != NULL && first.pause_ms >= 0);
    write_out(&first, &written);
    OWN_FD int again = fuzz_file(written.data, written.length);
    bool taken = read_file(again, &second, &e);
    assert(taken);
    check_same(&first, &second);
    options_clear(&options, &first);
    options_clear(&options, &second);
    return 0;
}
