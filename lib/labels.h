/* Labels of a machine as one canonical text "k=v,k2=v2": sorted by key, no duplicates; "" for none.
 * Pure. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

#define LABELS_MAX 32
#define LABEL_PART_SIZE 64 /* key and value each, with NUL: [A-Za-z0-9._/-], key not empty */

/* Appends the canonical text of "k=v, k2=v2" (spaces around parts are dropped) to out. A key given
 * twice is ERR_INVALID. */
MUST_CHECK bool labels_parse(const char *input, struct text *out, struct err *e);

/* Sets or (value NULL) removes one key of canonical labels; the result is appended to out. */
MUST_CHECK bool labels_with(const char *labels, const char *key, const char *value,
                            struct text *out, struct err *e);

/* The value of key copied into out; false when there is none. */
bool labels_get(const char *labels, const char *key, char out[LABEL_PART_SIZE]);

/* Iterates: begin with *cursor = labels; false at the end. */
bool labels_next(const char **cursor, char key[LABEL_PART_SIZE], char value[LABEL_PART_SIZE]);

/* Selector: terms "k=v", "k!=v", "k", "!k" joined by ',' = and; "" selects everything. A missing
 * key satisfies "k!=v". */
MUST_CHECK bool labels_selector_check(const char *selector, struct err *e);

/* Iterates the terms of a checked selector in their canonical form ("k=v", without blanks): begin
 * with *cursor = selector; false at the end. */
#define LABELS_TERM_SIZE (2 * LABEL_PART_SIZE + 2)
bool labels_selector_next(const char **cursor, char term[LABELS_TERM_SIZE]);
bool labels_match(const char *labels, const char *selector); /* selector passed the check */
