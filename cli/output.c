#include "cli/output.h"

#include "lib/json.h"
#include "lib/utf8.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#define FLEX_MINIMUM 12
#define COLUMN_GAP 2

#define RED "31"
#define GREEN "32"
#define YELLOW "33"

static const struct {
    const char *state;
    const char *colour;
} colours[] = {
    {"up",          GREEN },
    {"healthy",     GREEN },
    {"ok",          GREEN },
    {"idle",        GREEN },
    {"committed",   GREEN },
    {"completed",   GREEN },
    {"pending",     YELLOW},
    {"suspect",     YELLOW},
    {"starting",    YELLOW},
    {"backoff",     YELLOW},
    {"waiting",     YELLOW},
    {"draining",    YELLOW},
    {"warn",        YELLOW},
    {"switching",   YELLOW},
    {"probation",   YELLOW},
    {"granted",     YELLOW},
    {"deferred",    YELLOW},
    {"held",        YELLOW},
    {"leaving",     YELLOW},
    {"returning",   YELLOW},
    {"paused",      YELLOW},
    {"reverting",   YELLOW},
    {"downloading", YELLOW},
    {"verifying",   YELLOW},
    {"yanked",      YELLOW},
    {"left out",    YELLOW},
    {"lost",        RED   },
    {"revoked",     RED   },
    {"unhealthy",   RED   },
    {"stopped",     RED   },
    {"failed",      RED   },
    {"reverted",    RED   },
    {"fail",        RED   },
};

bool output_format_parse(const char *word, enum output_format *out, struct err *e) {
    static const char *const words[] = {"table", "wide", "json", "name"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i]) != 0) continue;
        *out = (enum output_format)i;
        return true;
    }
    return err_set(e, ERR_USAGE, "-o takes table, wide, json or name, not \"%s\"", word);
}

/* Bytes of the character at s, 0 when there is none; *point is its number. */
static size_t decode_utf8(const char *s, uint32_t *point) {
    const unsigned char *bytes = (const unsigned char *)s;
    size_t length = utf8_character(s, strlen(s));
    if (length == 0) return 0;
    *point = length == 1 ? bytes[0] : bytes[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) *point = *point << 6 | (bytes[i] & 0x3f);
    return length;
}

/* Characters that act instead of being seen: C0, C1, direction marks and overrides, line
 * separators. */
static bool acts(uint32_t point) {
    return point < 0x20 || (point >= 0x7f && point < 0xa0) ||
           (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

void output_clean(const char *words, bool lines, const struct output_style *style,
                  struct text *out) {
    for (const char *at = words; *at != '\0';) {
        uint32_t point;
        size_t length = decode_utf8(at, &point);
        if (*at == '\n' || *at == '\t')
            text_add_bytes(out, lines ? at : " ", 1);
        else if (length == 0 || acts(point))
            text_add(out, style->utf8 ? "\xef\xbf\xbd" : "?");
        else
            text_add_bytes(out, at, length);
        at += length > 0 ? length : 1;
    }
}

static int point_columns(uint32_t point) {
    int columns = wcwidth((wchar_t)point);
    return columns < 0 ? 1 : columns;
}

int output_columns(const char *words) {
    int columns = 0;
    for (const char *at = words; *at != '\0';) {
        uint32_t point;
        size_t length = decode_utf8(at, &point);
        columns += length > 0 ? point_columns(point) : 1;
        at += length > 0 ? length : 1;
    }
    return columns;
}

void output_cut(const char *words, int limit, const struct output_style *style, struct text *out) {
    if (output_columns(words) <= limit) {
        text_add(out, words);
        return;
    }
    int used = 0;
    for (const char *at = words; *at != '\0';) {
        uint32_t point = '?';
        size_t length = decode_utf8(at, &point);
        if (length == 0) length = 1;
        if (used + point_columns(point) > limit - 1) break;
        used += point_columns(point);
        text_add_bytes(out, at, length);
        at += length;
    }
    text_add(out, style->utf8 ? "\xe2\x80\xa6" : "~");
}

static const char *state_colour(const char *value) {
    for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++)
        if (strcmp(colours[i].state, value) == 0) return colours[i].colour;
    return NULL;
}

void output_state(const char *value, const struct output_style *style, struct text *out) {
    output_paint(value, value, style, out);
}

void output_paint(const char *state, const char *words, const struct output_style *style,
                  struct text *out) {
    const char *colour = style->colour ? state_colour(state) : NULL;
    if (colour != NULL) text_add_format(out, "\033[%sm", colour);
    output_clean(words, false, style, out);
    if (colour != NULL) text_add(out, "\033[0m");
}

void output_bar(int64_t done, int64_t total, int width, const struct output_style *style,
                struct text *out) {
    double share = total > 0 ? (double)done / (double)total : 0;
    int filled = share >= 1 ? width : share <= 0 ? 0 : (int)(share * width);
    for (int i = 0; i < width; i++)
        text_add(out, i < filled ? (style->utf8 ? "\xe2\x96\x88" : "#")
                                 : (style->utf8 ? "\xe2\x96\x91" : "."));
}

void output_table_fini(struct output_table *t) {
    for (size_t i = 0; i < t->cell_count; i++) free(t->cells[i]);
    free(t->cells);
    t->cells = NULL;
    t->cell_count = t->cell_capacity = 0;
}

void output_cell(struct output_table *t, const char *value) {
    static const struct output_style utf8 = {.utf8 = true};
    if (t->cell_count == t->cell_capacity) {
        t->cell_capacity = t->cell_capacity * 2 + 64;
        t->cells = memory_resize(t->cells, t->cell_capacity, sizeof *t->cells);
    }
    OWN_TEXT struct text clean = TEXT_EMPTY;
    output_clean(value == NULL || value[0] == '\0' ? "-" : value, false, &utf8, &clean);
    t->cells[t->cell_count++] = text_take(&clean);
}

void output_cell_format(struct output_table *t, const char *format, ...) {
    char value[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    output_cell(t, value);
}

static bool shown(const struct output_column *c, bool wide) {
    return wide || (c->flags & COLUMN_WIDE) == 0;
}

static void measure(const struct output_table *t, int *widths) {
    for (size_t c = 0; c < t->column_count; c++) widths[c] = output_columns(t->columns[c].title);
    for (size_t i = 0; i < t->cell_count; i++) {
        int columns = output_columns(t->cells[i]);
        if (columns > widths[i % t->column_count]) widths[i % t->column_count] = columns;
    }
}

/* Takes what is too much for the terminal away from the flexible column. */
static void squeeze(const struct output_table *t, bool wide, int terminal_width, int *widths) {
    int total = -COLUMN_GAP;
    int *flexible = NULL;
    for (size_t c = 0; c < t->column_count; c++) {
        if (!shown(&t->columns[c], wide)) continue;
        total += widths[c] + COLUMN_GAP;
        if (t->columns[c].flags & COLUMN_FLEX) flexible = &widths[c];
    }
    if (flexible == NULL || terminal_width == 0 || total <= terminal_width) return;
    int left = *flexible - (total - terminal_width);
    if (left < FLEX_MINIMUM) left = FLEX_MINIMUM;
    if (left < *flexible) *flexible = left;
}

static void add_cell(const struct output_column *c, const char *value, int width, bool state,
                     const struct output_style *style, struct text *out) {
    OWN_TEXT struct text cut = TEXT_EMPTY;
    output_cut(value, width, style, &cut);
    int padding = width - output_columns(text_value(&cut));
    if (c->flags & COLUMN_RIGHT) text_add_format(out, "%*s", padding, "");
    if (state && (c->flags & COLUMN_STATE))
        output_state(text_value(&cut), style, out);
    else
        text_add(out, text_value(&cut));
    if (!(c->flags & COLUMN_RIGHT)) text_add_format(out, "%*s", padding, "");
}

static void trim_line(struct text *out) {
    while (out->length > 0 && out->data[out->length - 1] == ' ') out->data[--out->length] = '\0';
    text_add(out, "\n");
}

static void add_row(const struct output_table *t, bool wide, const int *widths, char *const *cells,
                    const struct output_style *style, struct text *out) {
    for (size_t c = 0, n = 0; c < t->column_count; c++) {
        if (!shown(&t->columns[c], wide)) continue;
        if (n++ > 0) text_add_format(out, "%*s", COLUMN_GAP, "");
        add_cell(&t->columns[c], cells != NULL ? cells[c] : t->columns[c].title, widths[c],
                 cells != NULL, style, out);
    }
    trim_line(out);
}

void output_table(const struct output_table *t, bool wide, const struct output_style *style,
                  struct text *out) {
    int widths[32];
    assert(t->column_count <= sizeof widths / sizeof widths[0] &&
           t->cell_count % t->column_count == 0);
    measure(t, widths);
    squeeze(t, wide, wide ? 0 : style->width, widths);
    add_row(t, wide, widths, NULL, style, out);
    for (size_t i = 0; i < t->cell_count; i += t->column_count)
        add_row(t, wide, widths, t->cells + i, style, out);
}

const struct output_column output_field_columns[2] = {
    {"", 0           },
    {"", COLUMN_STATE},
};

void output_field(struct output_table *t, const char *label, const char *value) {
    if (value == NULL || value[0] == '\0') return;
    output_cell(t, label);
    output_cell(t, value);
}

void output_field_format(struct output_table *t, const char *label, const char *format, ...) {
    char value[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    output_field(t, label, value);
}

void output_fields(const struct output_table *t, const struct output_style *style,
                   struct text *out) {
    int widths[2];
    assert(t->column_count == 2 && t->cell_count % 2 == 0);
    measure(t, widths);
    for (size_t i = 0; i < t->cell_count; i += 2)
        add_row(t, false, widths, t->cells + i, style, out);
}

bool output_json(const char *json, size_t length, struct text *out, struct err *e) {
    if (!json_check(json, length, e)) return err_wrap(e, "the answer is not JSON");
    json_pretty(json, out);
    if (out->length > 0 && out->data[out->length - 1] != '\n') text_add(out, "\n");
    return true;
}

bool output_emit(const struct text *words, struct err *e) {
    if (words->length > 0 && fwrite(words->data, 1, words->length, stdout) != words->length)
        return err_errno(e, errno, "cannot write output");
    if (fflush(stdout) != 0) return err_errno(e, errno, "cannot write output");
    return true;
}
