#include "lib/json_slice.h"

#include "lib/json.h"
#include "lib/json_scan.h"
#include "lib/utf8.h"

#include <assert.h>
#include <string.h>

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool json_slice_of(const char *json, size_t length, struct json_slice *out, struct err *e) {
    *out = (struct json_slice){0};
    if (!json_scan(json, length, e)) return false;
    for (; is_space(*json); json++) length--;
    while (is_space(json[length - 1])) length--;
    *out = (struct json_slice){json, length};
    return true;
}

bool json_slice_is_object(struct json_slice value) {
    return *value.at == '{';
}

bool json_slice_is_array(struct json_slice value) {
    return *value.at == '[';
}

static void skip_space(struct json_walk *w) {
    while (is_space(*w->at)) w->at++;
}

struct json_walk json_walk_into(struct json_slice container) {
    assert(json_slice_is_object(container) || json_slice_is_array(container));
    struct json_walk w = {container.at + 1, container.at + container.length - 1};
    skip_space(&w);
    return w;
}

static const char *string_end(const char *at) {
    for (at++; *at != '"'; at++)
        if (*at == '\\') at++;
    return at + 1;
}

/* Brackets need not be told apart: checked text holds none that does not match. */
static const char *container_end(const char *at) {
    size_t depth = 0;
    for (;;) {
        switch (*at) {
        case '"':
            at = string_end(at);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (--depth == 0) return at + 1;
            break;
        default:
            break;
        }
        at++;
    }
}

static bool ends_scalar(char c) {
    return c == ',' || c == '}' || c == ']' || is_space(c);
}

static const char *value_end(const char *at, const char *end) {
    if (*at == '"') return string_end(at);
    if (*at == '{' || *at == '[') return container_end(at);
    while (at < end && !ends_scalar(*at)) at++;
    return at;
}

static struct json_slice take_value(struct json_walk *w) {
    const char *first = w->at;
    w->at = value_end(first, w->end);
    return (struct json_slice){first, (size_t)(w->at - first)};
}

bool json_walk_element(struct json_walk *w, struct json_slice *value) {
    if (w->at == w->end) return false;
    *value = take_value(w);
    skip_space(w);
    if (*w->at == ',') w->at++;
    skip_space(w);
    return true;
}

bool json_walk_member(struct json_walk *w, struct json_slice *key, struct json_slice *value) {
    if (w->at == w->end) return false;
    *key = take_value(w);
    skip_space(w);
    w->at++; /* the colon */
    skip_space(w);
    return json_walk_element(w, value);
}

struct json_slice json_walk_scalar(struct json_walk *w) {
    assert(*w->at != '{' && *w->at != '[');
    return take_value(w);
}

void json_walk_enter(struct json_walk *w) {
    assert(*w->at == '{' || *w->at == '[');
    w->at++;
}

bool json_walk_next_element(struct json_walk *w) {
    skip_space(w);
    if (*w->at == ',') w->at++;
    skip_space(w);
    bool there = *w->at != '}' && *w->at != ']';
    if (!there) w->at++;
    return there;
}

bool json_walk_next_member(struct json_walk *w, struct json_slice *key) {
    if (!json_walk_next_element(w)) return false;
    *key = take_value(w);
    skip_space(w);
    w->at++; /* the colon */
    skip_space(w);
    return true;
}

static uint32_t hex4(const char *at) {
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        code = code * 16 + (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return code;
}

/* Behind "\u": one unit of UTF-16, or two of them with another "\u" between. */
static const char *add_unicode(const char *at, struct text *out) {
    char bytes[4];
    uint32_t code = hex4(at);
    at += 4;
    if (code >= 0xD800 && code <= 0xDBFF) {
        code = 0x10000 + ((code - 0xD800) << 10) + (hex4(at + 2) - 0xDC00);
        at += 6;
    }
    text_add_bytes(out, bytes, utf8_encode(code, bytes));
    return at;
}

static const char *add_escape(const char *at, struct text *out) {
    static const char names[] = "bfnrt";
    static const char meanings[] = "\b\f\n\r\t";
    at++;
    if (*at == 'u') return add_unicode(at + 1, out);
    const char *name = strchr(names, *at);
    text_add_bytes(out, name != NULL ? &meanings[name - names] : at, 1);
    return at + 1;
}

bool json_slice_text(struct json_slice value, struct text *out) {
    if (*value.at != '"') return false;
    const char *at = value.at + 1;
    const char *end = value.at + value.length - 1;
    text_add(out, "");
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((escape != NULL ? escape : end) - at);
        text_add_bytes(out, at, plain);
        at += plain;
        if (at < end) at = add_escape(at, out);
    }
    return true;
}

bool json_slice_int(struct json_slice value, int64_t *out) {
    const char *at = value.at;
    const char *end = value.at + value.length;
    bool negative = *at == '-';
    int64_t number = 0;
    if (negative) at++;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9') return false;
        number = number * 10 + (*at - '0');
        if (number > JSON_INT_MAX) return false;
    }
    *out = negative ? -number : number;
    return true;
}

bool json_slice_bool(struct json_slice value, bool *out) {
    *out = *value.at == 't';
    return *value.at == 't' || *value.at == 'f';
}
