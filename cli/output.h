/* What people and scripts read on stdout: tables, fields, JSON, names. Layout is pure; output_emit
 * writes. What other machines said is shown without control or direction-changing characters, so
 * that it cannot act on the terminal. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

#include <stddef.h>
#include <stdint.h>

enum output_format { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_JSON, OUTPUT_NAME };
MUST_CHECK bool output_format_parse(const char *word, enum output_format *out, struct err *e);

struct output_style {
    bool colour;
    bool utf8;
    int width; /* columns of the terminal; 0: lines may be as long as they like */
};

enum output_column_flags {
    COLUMN_RIGHT = 1, /* numbers */
    COLUMN_WIDE = 2,  /* only with -o wide */
    COLUMN_STATE = 4, /* coloured by what it says */
    COLUMN_FLEX = 8,  /* gives way when the terminal is narrow; one per table */
};

struct output_column {
    const char *title; /* "LAST SEEN" */
    unsigned flags;
};

struct output_table {
    const struct output_column *columns;
    size_t column_count;
    char **cells; /* row after row; owned */
    size_t cell_count;
    size_t cell_capacity;
};
#define OUTPUT_TABLE_OF(columns_)                                                                  \
    { .columns = (columns_), .column_count = sizeof(columns_) / sizeof((columns_)[0]) }
void output_table_fini(struct output_table *t);
#define OWN_TABLE __attribute__((cleanup(output_table_fini)))

/* The next cell of the row; NULL and "" are shown as "-". */
void output_cell(struct output_table *t, const char *value);
void output_cell_format(struct output_table *t, const char *format, ...) PRINTF_LIKE(2, 3);

/* Title line and rows, two spaces between columns, no trailing spaces. Every row must be complete.
 */
void output_table(const struct output_table *t, bool wide, const struct output_style *style,
                  struct text *out);

/* "Label      value" lines: a table of two columns without titles. A field without a value is left
 * out. */
extern const struct output_column output_field_columns[2];
#define OUTPUT_FIELDS                                                                              \
    { .columns = output_field_columns, .column_count = 2 }
void output_field(struct output_table *t, const char *label, const char *value);
void output_field_format(struct output_table *t, const char *label, const char *format, ...)
    PRINTF_LIKE(3, 4);
void output_fields(const struct output_table *t, const struct output_style *style,
                   struct text *out);

/* Appends value, coloured when it is the name of a state ("up", "lost") and style says so. */
void output_state(const char *value, const struct output_style *style, struct text *out);

/* Appends words in the colour of a state. */
void output_paint(const char *state, const char *words, const struct output_style *style,
                  struct text *out);

/* A bar of width cells, done of total filled. */
void output_bar(int64_t done, int64_t total, int width, const struct output_style *style,
                struct text *out);

/* Appends words of unknown origin made harmless: control and bidirectional override characters and
 * bad UTF-8 become U+FFFD ('?' without UTF-8); line feeds and tabs stay when lines is true, else
 * become spaces. */
void output_clean(const char *words, bool lines, const struct output_style *style,
                  struct text *out);

/* Appends at most limit columns of words, the last one an ellipsis when something is cut. */
void output_cut(const char *words, int limit, const struct output_style *style, struct text *out);

/* Columns that the text takes on a terminal. */
int output_columns(const char *words);

/* Appends what strict JSON the master sent, indented. ERR_INVALID when it is none. */
MUST_CHECK bool output_json(const char *json, size_t length, struct text *out, struct err *e);

/* Writes to stdout at once. ERR_IO ("cannot write output: No space left on device"). */
MUST_CHECK bool output_emit(const struct text *words, struct err *e);
