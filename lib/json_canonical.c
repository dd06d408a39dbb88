#include "lib/json_canonical.h"

#include "lib/json_slice.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define SHOWN_CHARACTERS 64

/* A member as it was written to the output: where it begins and how long its key is, quotes
 * included. The text moves while it grows, so these are offsets until all members are there. */
struct member {
    size_t offset;
    size_t length;
    size_t key_length;
    const char *at; /* known only while sorting */
};

struct members {
    struct member *list; /* owned */
    size_t count;
    size_t capacity;
};

static bool write_value(struct json_walk *w, struct text *out, struct err *e);

static int shown(size_t length) {
    return length < SHOWN_CHARACTERS ? (int)length : SHOWN_CHARACTERS;
}

static void write_string(struct json_slice value, struct text *out) {
    if (memchr(value.at, '\\', value.length) == NULL) {
        text_add_bytes(out, value.at, value.length);
        return;
    }
    OWN_TEXT struct text plain = TEXT_EMPTY;
    bool is_text = json_slice_text(value, &plain);
    assert(is_text);
    text_add(out, "\"");
    for (const char *at = plain.data; *at != '\0';) {
        size_t length = strcspn(at, "\"\\");
        text_add_bytes(out, at, length);
        at += length;
        if (*at == '\0') break;
        text_add_bytes(out, (char[]){'\\', *at}, 2);
        at++;
    }
    text_add(out, "\"");
}

static bool write_number(struct json_slice value, struct text *out, struct err *e) {
    int64_t number = 0;
    if (!json_slice_int(value, &number))
        return err_set(e, ERR_INVALID,
                       "%.*s is not a whole number within +-(2^53 - 1), written in digits alone",
                       shown(value.length), value.at);
    text_add_format(out, "%" PRId64, number);
    return true;
}

static void members_add(struct members *m, struct member added) {
    if (m->count == m->capacity) {
        m->capacity = m->capacity == 0 ? 8 : 2 * m->capacity;
        m->list = memory_resize(m->list, m->capacity, sizeof *m->list);
    }
    m->list[m->count++] = added;
}

/* Orders written keys by the bytes that they stand for: of an escape, which is a backslash and the
 * byte itself, the latter counts. The closing quote is no part of it. */
static int compare_members(const void *a, const void *b) {
    const struct member *first = a;
    const struct member *second = b;
    size_t i = 1;
    size_t n = 1;
    for (;; i++, n++) {
        bool first_ends = i == first->key_length - 1;
        bool second_ends = n == second->key_length - 1;
        if (first_ends || second_ends) return (int)second_ends - (int)first_ends;
        if (first->at[i] == '\\') i++;
        if (second->at[n] == '\\') n++;
        int difference = (unsigned char)first->at[i] - (unsigned char)second->at[n];
        if (difference != 0) return difference;
    }
}

static bool sorted(const struct members *m) {
    for (size_t i = 1; i < m->count; i++)
        if (compare_members(&m->list[i - 1], &m->list[i]) > 0) return false;
    return true;
}

/* Writes the members from offset on anew, in their order. */
static void reorder(const struct members *m, size_t offset, struct text *out) {
    OWN_TEXT struct text ordered = TEXT_EMPTY;
    for (size_t i = 0; i < m->count; i++) {
        if (i > 0) text_add(&ordered, ",");
        text_add_bytes(&ordered, m->list[i].at, m->list[i].length);
    }
    assert(ordered.length == out->length - offset);
    memcpy(out->data + offset, text_value(&ordered), ordered.length);
}

static bool sort_members(struct members *m, size_t offset, struct text *out, struct err *e) {
    for (size_t i = 0; i < m->count; i++) m->list[i].at = out->data + m->list[i].offset;
    bool in_order = sorted(m);
    if (!in_order) qsort(m->list, m->count, sizeof *m->list, compare_members);
    for (size_t i = 1; i < m->count; i++)
        if (compare_members(&m->list[i - 1], &m->list[i]) == 0)
            return err_set(e, ERR_INVALID, "key %.*s is there twice", shown(m->list[i].key_length),
                           m->list[i].at);
    if (!in_order) reorder(m, offset, out);
    return true;
}

static bool write_members(struct json_walk *w, struct members *m, struct text *out, struct err *e) {
    struct json_slice key;
    json_walk_enter(w);
    while (json_walk_next_member(w, &key)) {
        if (m->count > 0) text_add(out, ",");
        struct member added = {.offset = out->length};
        write_string(key, out);
        added.key_length = out->length - added.offset;
        text_add(out, ":");
        if (!write_value(w, out, e)) return false;
        added.length = out->length - added.offset;
        members_add(m, added);
    }
    return true;
}

static bool write_object(struct json_walk *w, struct text *out, struct err *e) {
    struct members m = {0};
    text_add(out, "{");
    size_t offset = out->length;
    bool written = write_members(w, &m, out, e) && sort_members(&m, offset, out, e);
    free(m.list);
    text_add(out, "}");
    return written;
}

static bool write_array(struct json_walk *w, struct text *out, struct err *e) {
    const char *separator = "";
    text_add(out, "[");
    json_walk_enter(w);
    while (json_walk_next_element(w)) {
        text_add(out, separator);
        if (!write_value(w, out, e)) return false;
        separator = ",";
    }
    text_add(out, "]");
    return true;
}

static bool write_scalar(struct json_slice value, struct text *out, struct err *e) {
    switch (*value.at) {
    case '"':
        write_string(value, out);
        return true;
    case 't':
    case 'f':
    case 'n':
        text_add_bytes(out, value.at, value.length);
        return true;
    default:
        return write_number(value, out, e);
    }
}

/* Where the walk stands; it goes on behind that. */
static bool write_value(struct json_walk *w, struct text *out, struct err *e) {
    if (*w->at == '{') return write_object(w, out, e);
    if (*w->at == '[') return write_array(w, out, e);
    return write_scalar(json_walk_scalar(w), out, e);
}

bool json_canonical(const char *json, size_t length, struct text *out, struct err *e) {
    struct json_slice value;
    if (!json_slice_of(json, length, &value, e)) return false;
    struct json_walk w = {value.at, value.at + value.length};
    return write_value(&w, out, e);
}

static bool is_named(struct json_slice key, const char *name) {
    OWN_TEXT struct text decoded = TEXT_EMPTY;
    return json_slice_text(key, &decoded) && strcmp(decoded.data, name) == 0;
}

bool json_member(const char *json, size_t length, const char *name, const char **value,
                 size_t *value_length, struct err *e) {
    struct json_slice object;
    struct json_slice key;
    struct json_slice found = {0};
    struct json_slice here;
    *value = NULL;
    *value_length = 0;
    if (!json_slice_of(json, length, &object, e)) return false;
    if (!json_slice_is_object(object)) return err_set(e, ERR_INVALID, "not an object");
    for (struct json_walk w = json_walk_into(object); json_walk_member(&w, &key, &here);) {
        if (!is_named(key, name)) continue;
        if (found.at != NULL) return err_set(e, ERR_INVALID, "key \"%s\" is there twice", name);
        found = here;
    }
    if (found.at == NULL) return err_set(e, ERR_INVALID, "\"%s\" is missing", name);
    *value = found.at;
    *value_length = found.length;
    return true;
}
