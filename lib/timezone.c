#include "lib/timezone.h"

#include "lib/file.h"
#include "lib/text.h"
#include "lib/timezone_rule.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define FILE_MAX_BYTES (256 * 1024)
#define HEADER_BYTES 44
#define TYPE_BYTES 6 /* offset (4), whether it is summer time, index of its abbreviation */
#define RULE_SIZE 128
#define OFFSET_MAX_S (26 * 3600)

struct transition {
    int64_t utc_s;
    int64_t offset_s; /* from then on */
};

struct timezone_rules {
    int64_t first_offset_s; /* before the first transition */
    struct transition *transitions;
    size_t count;
    bool has_rule; /* for what comes after the last transition */
    struct timezone_rule rule;
};

void timezone_close(struct timezone_rules *zone) {
    if (zone == NULL) return;
    free(zone->transitions);
    free(zone);
}

static int64_t big_endian(const unsigned char *bytes, size_t length) {
    uint64_t value = (bytes[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < length; i++) value = value << 8 | bytes[i];
    return (int64_t)value;
}

/* Counts in the header of a block, in their order there. */
struct counts {
    size_t isutc, isstd, leap, time, type, chars;
};

static bool read_header(const unsigned char *at, const unsigned char *end, struct counts *out) {
    if (end - at < HEADER_BYTES || memcmp(at, "TZif", 4) != 0 || at[4] < '2') return false;
    size_t *counts[] = {&out->isutc, &out->isstd, &out->leap, &out->time, &out->type, &out->chars};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        int64_t value = big_endian(at + 20 + 4 * i, 4);
        if (value < 0 || value > FILE_MAX_BYTES) return false;
        *counts[i] = (size_t)value;
    }
    return true;
}

static size_t block_bytes(const struct counts *c, size_t time_bytes) {
    return HEADER_BYTES + c->time * (time_bytes + 1) + c->type * TYPE_BYTES + c->chars +
           c->leap * (time_bytes + 4) + c->isstd + c->isutc;
}

static bool read_offset(const unsigned char *types, size_t index, size_t count, int64_t *out) {
    if (index >= count) return false;
    *out = big_endian(types + index * TYPE_BYTES, 4);
    return *out > -OFFSET_MAX_S && *out < OFFSET_MAX_S;
}

static bool read_transitions(struct timezone_rules *zone, const unsigned char *block,
                             const struct counts *c) {
    const unsigned char *times = block + HEADER_BYTES;
    const unsigned char *indexes = times + c->time * 8;
    const unsigned char *types = indexes + c->time;
    if (!read_offset(types, 0, c->type, &zone->first_offset_s)) return false;
    zone->transitions = memory_zeroed(c->time + 1, sizeof *zone->transitions);
    zone->count = c->time;
    for (size_t i = 0; i < c->time; i++) {
        struct transition *t = &zone->transitions[i];
        t->utc_s = big_endian(times + 8 * i, 8);
        if (i > 0 && t->utc_s <= t[-1].utc_s) return false;
        if (!read_offset(types, indexes[i], c->type, &t->offset_s)) return false;
    }
    return true;
}

/* "\nCET-1CEST,...\n"; nothing between says that nothing is known. */
static bool read_footer(struct timezone_rules *zone, const unsigned char *at,
                        const unsigned char *end) {
    char rule[RULE_SIZE];
    if (end - at < 2 || at[0] != '\n' || end[-1] != '\n') return false;
    size_t length = (size_t)(end - at) - 2;
    if (length == 0) return true;
    if (length >= sizeof rule || memchr(at + 1, '\0', length) != NULL) return false;
    memcpy(rule, at + 1, length);
    rule[length] = '\0';
    zone->has_rule = true;
    return timezone_rule_parse(rule, &zone->rule);
}

/* Two blocks, of which the second has wide times, then the rule. */
static bool read_file(struct timezone_rules *zone, const unsigned char *at,
                      const unsigned char *end) {
    struct counts narrow, wide;
    if (!read_header(at, end, &narrow)) return false;
    if ((size_t)(end - at) < block_bytes(&narrow, 4)) return false;
    at += block_bytes(&narrow, 4);
    if (!read_header(at, end, &wide)) return false;
    if ((size_t)(end - at) < block_bytes(&wide, 8)) return false;
    return read_transitions(zone, at, &wide) && read_footer(zone, at + block_bytes(&wide, 8), end);
}

bool timezone_decode(struct timezone_rules **out, const void *bytes, size_t length, struct err *e) {
    OWN(timezone) struct timezone_rules *zone = memory_zeroed(1, sizeof *zone);
    const unsigned char *at = bytes;
    *out = NULL;
    if (!read_file(zone, at, at + length))
        return err_set(e, ERR_CORRUPT, "not a time zone file of version 2 or later (RFC 8536)");
    *out = TAKE(zone);
    return true;
}

static bool is_name(const char *name) {
    char before = '/';
    for (const char *c = name; *c != '\0'; before = *c++)
        if (!isalnum((unsigned char)*c) && (before == '/' || strchr("_+-/", *c) == NULL))
            return false;
    return before != '/' && strlen(name) < TIMEZONE_NAME_SIZE;
}

bool timezone_load(struct timezone_rules **out, const char *name, struct err *e) {
    *out = NULL;
    if (name[0] == '\0' || strcmp(name, "UTC") == 0) {
        *out = memory_zeroed(1, sizeof **out);
        return true;
    }
    if (!is_name(name)) {
        (void)err_set(e, ERR_INVALID, "\"%.60s\" is not the name of a time zone", name);
        return err_hint(e, "IANA names look like Europe/Berlin, America/Sao_Paulo or UTC");
    }
    char path[sizeof TIMEZONE_DIRECTORY + TIMEZONE_NAME_SIZE];
    snprintf(path, sizeof path, "%s/%s", TIMEZONE_DIRECTORY, name);
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    struct err why = {0};
    if (!file_read(path, FILE_MAX_BYTES, &bytes, &why)) {
        (void)err_set(e, why.code == ERR_IO ? ERR_NOT_FOUND : why.code,
                      "time zone \"%s\" is not known to this machine", name);
        return err_hint(e, "check the name (timedatectl list-timezones), or install the package "
                           "tzdata on the master's machine");
    }
    if (!timezone_decode(out, bytes.data, bytes.length, e)) return err_wrap(e, "%s", path);
    return true;
}

int64_t timezone_offset_at(const struct timezone_rules *zone, int64_t utc_s) {
    size_t low = 0, high = zone->count; /* transitions before low are past, from high on to come */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->transitions[middle].utc_s <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->count && zone->has_rule) return timezone_rule_offset(&zone->rule, utc_s);
    return low == 0 ? zone->first_offset_s : zone->transitions[low - 1].offset_s;
}

int64_t timezone_utc_of(const struct timezone_rules *zone, int64_t local_s) {
    int64_t day_s = 86400;
    int64_t before = local_s - timezone_offset_at(zone, local_s - day_s);
    int64_t after = local_s - timezone_offset_at(zone, local_s + day_s);
    if (before + timezone_offset_at(zone, before) == local_s) return before;
    return after + timezone_offset_at(zone, after) == local_s ? after : before;
}
