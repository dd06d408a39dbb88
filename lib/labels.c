#include "lib/labels.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct label {
    char key[LABEL_PART_SIZE];
    char value[LABEL_PART_SIZE];
};

/* Sorted by key, without duplicates. */
struct label_set {
    struct label labels[LABELS_MAX];
    size_t count;
};

/* A stretch of the input. */
struct span {
    const char *begin;
    size_t length;
};

static struct span trim(struct span s) {
    while (s.length > 0 && strchr(" \t", s.begin[0]) != NULL) {
        s.begin++;
        s.length--;
    }
    while (s.length > 0 && strchr(" \t", s.begin[s.length - 1]) != NULL) s.length--;
    return s;
}

static bool is_blank(const char *text) {
    return text[strspn(text, " \t")] == '\0';
}

/* Takes the next term between commas, without spaces around it. Begin with *cursor = text; NULL
 * after the last. */
static bool take_term(const char **cursor, struct span *out) {
    if (*cursor == NULL) return false;
    size_t length = strcspn(*cursor, ",");
    const char *after = *cursor + length;
    *out = trim((struct span){*cursor, length});
    *cursor = *after == ',' ? after + 1 : NULL;
    return true;
}

static bool valid_characters(struct span s) {
    static const char allowed[] = "0123456789"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz._/-";
    for (size_t i = 0; i < s.length; i++)
        if (strchr(allowed, s.begin[i]) == NULL) return false;
    return true;
}

/* Copies a key or value; kind is "key" or "value", for the error. */
static bool copy_part(const char *kind, struct span s, char out[LABEL_PART_SIZE], struct err *e) {
    int shown = s.length < 80 ? (int)s.length : 80;
    if (s.length >= LABEL_PART_SIZE)
        return err_set(e, ERR_INVALID, "label %s %.*s is longer than %d characters", kind, shown,
                       s.begin, LABEL_PART_SIZE - 1);
    if (!valid_characters(s))
        return err_set(e, ERR_INVALID,
                       "label %s %.*s holds characters other than A-Z a-z 0-9 . _ / -", kind, shown,
                       s.begin);
    memcpy(out, s.begin, s.length);
    out[s.length] = '\0';
    return true;
}

static bool copy_key(struct span s, char out[LABEL_PART_SIZE], struct err *e) {
    if (s.length == 0) return err_set(e, ERR_INVALID, "a label has an empty key");
    return copy_part("key", s, out, e);
}

/* Index of key, or where it belongs. */
static size_t find(const struct label_set *set, const char *key, bool *found) {
    size_t i = 0;
    while (i < set->count && strcmp(set->labels[i].key, key) < 0) i++;
    *found = i < set->count && strcmp(set->labels[i].key, key) == 0;
    return i;
}

static bool insert(struct label_set *set, size_t index, const struct label *label, struct err *e) {
    if (set->count == LABELS_MAX)
        return err_set(e, ERR_INVALID, "label %s is one more than the %d a machine may have",
                       label->key, LABELS_MAX);
    memmove(&set->labels[index + 1], &set->labels[index],
            (set->count - index) * sizeof set->labels[0]);
    set->labels[index] = *label;
    set->count++;
    return true;
}

static bool parse_label(struct span term, struct label *out, struct err *e) {
    if (term.length == 0) return err_set(e, ERR_INVALID, "there is nothing between two commas");
    const char *equals = memchr(term.begin, '=', term.length);
    if (equals == NULL)
        return err_set(e, ERR_INVALID, "label %.*s is not key=value",
                       term.length < 80 ? (int)term.length : 80, term.begin);
    size_t key_length = (size_t)(equals - term.begin);
    return copy_key(trim((struct span){term.begin, key_length}), out->key, e) &&
           copy_part("value", trim((struct span){equals + 1, term.length - key_length - 1}),
                     out->value, e);
}

static bool parse_set(const char *input, struct label_set *out, struct err *e) {
    out->count = 0;
    if (is_blank(input)) return true;
    for (struct span term; take_term(&input, &term);) {
        struct label label;
        bool found;
        if (!parse_label(term, &label, e)) return false;
        size_t index = find(out, label.key, &found);
        if (found) return err_set(e, ERR_INVALID, "label %s is given twice", label.key);
        if (!insert(out, index, &label, e)) return false;
    }
    return true;
}

static void print_set(const struct label_set *set, struct text *out) {
    text_add(out, "");
    for (size_t i = 0; i < set->count; i++)
        text_add_format(out, "%s%s=%s", i > 0 ? "," : "", set->labels[i].key, set->labels[i].value);
}

bool labels_parse(const char *input, struct text *out, struct err *e) {
    struct label_set set;
    if (!parse_set(input, &set, e)) return false;
    print_set(&set, out);
    return true;
}

static void remove_at(struct label_set *set, size_t index) {
    set->count--;
    memmove(&set->labels[index], &set->labels[index + 1],
            (set->count - index) * sizeof set->labels[0]);
}

bool labels_with(const char *labels, const char *key, const char *value, struct text *out,
                 struct err *e) {
    struct label_set set;
    struct label label = {.value = ""};
    bool found;
    if (!parse_set(labels, &set, e) || !copy_key((struct span){key, strlen(key)}, label.key, e) ||
        (value != NULL && !copy_part("value", (struct span){value, strlen(value)}, label.value, e)))
        return false;
    size_t index = find(&set, label.key, &found);
    if (found) remove_at(&set, index);
    if (value != NULL && !insert(&set, index, &label, e)) return false;
    print_set(&set, out);
    return true;
}

bool labels_next(const char **cursor, char key[LABEL_PART_SIZE], char value[LABEL_PART_SIZE]) {
    if (**cursor == '\0') return false;
    struct label label;
    size_t length = strcspn(*cursor, ",");
    bool canonical = parse_label((struct span){*cursor, length}, &label, NULL);
    assert(canonical);
    *cursor += length + ((*cursor)[length] == ',' ? 1 : 0);
    memcpy(key, label.key, LABEL_PART_SIZE);
    memcpy(value, label.value, LABEL_PART_SIZE);
    return true;
}

bool labels_get(const char *labels, const char *key, char out[LABEL_PART_SIZE]) {
    char each[LABEL_PART_SIZE];
    char value[LABEL_PART_SIZE];
    while (labels_next(&labels, each, value)) {
        if (strcmp(each, key) != 0) continue;
        memcpy(out, value, LABEL_PART_SIZE);
        return true;
    }
    return false;
}

/* One term of a selector. */
struct condition {
    enum { HAS_VALUE, HAS_NOT_VALUE, HAS_KEY, HAS_NOT_KEY } kind;
    struct label label;
};

static bool parse_condition(struct span term, struct condition *out, struct err *e) {
    *out = (struct condition){.kind = HAS_KEY};
    if (term.length == 0) return err_set(e, ERR_INVALID, "there is nothing between two commas");
    const char *equals = memchr(term.begin, '=', term.length);
    if (equals == NULL) {
        bool negated = term.begin[0] == '!';
        if (negated) out->kind = HAS_NOT_KEY;
        return copy_key(trim((struct span){term.begin + negated, term.length - negated}),
                        out->label.key, e);
    }
    bool negated = equals > term.begin && equals[-1] == '!';
    out->kind = negated ? HAS_NOT_VALUE : HAS_VALUE;
    struct span key = {term.begin, (size_t)(equals - term.begin) - negated};
    struct span value = {equals + 1, term.length - (size_t)(equals - term.begin) - 1};
    return copy_key(trim(key), out->label.key, e) &&
           copy_part("value", trim(value), out->label.value, e);
}

bool labels_selector_check(const char *selector, struct err *e) {
    if (is_blank(selector)) return true;
    for (struct span term; take_term(&selector, &term);) {
        struct condition condition;
        if (parse_condition(term, &condition, e)) continue;
        (void)err_wrap(e, "selector");
        return err_hint(e, "terms are k=v, k!=v, k and !k, joined by commas");
    }
    return true;
}

static bool holds(const struct condition *condition, const char *labels) {
    char value[LABEL_PART_SIZE];
    bool present = labels_get(labels, condition->label.key, value);
    bool equal = present && strcmp(value, condition->label.value) == 0;
    switch (condition->kind) {
    case HAS_VALUE:
        return equal;
    case HAS_NOT_VALUE:
        return !equal;
    case HAS_KEY:
        return present;
    default:
        return !present;
    }
}

bool labels_match(const char *labels, const char *selector) {
    if (is_blank(selector)) return true;
    for (struct span term; take_term(&selector, &term);) {
        struct condition condition;
        bool checked = parse_condition(term, &condition, NULL);
        assert(checked);
        if (!holds(&condition, labels)) return false;
    }
    return true;
}

bool labels_selector_next(const char **cursor, char term[LABELS_TERM_SIZE]) {
    static const char *const signs[] = {[HAS_VALUE] = "=", [HAS_NOT_VALUE] = "!="};
    struct span span;
    struct condition c;
    if (*cursor == NULL || is_blank(*cursor) || !take_term(cursor, &span)) return false;
    bool checked = parse_condition(span, &c, NULL);
    assert(checked);
    bool valued = c.kind == HAS_VALUE || c.kind == HAS_NOT_VALUE;
    snprintf(term, LABELS_TERM_SIZE, "%s%s%s%s", c.kind == HAS_NOT_KEY ? "!" : "", c.label.key,
             valued ? signs[c.kind] : "", c.label.value);
    return true;
}
