#include "lib/json_scan.h"

#include "lib/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct scan {
    const char *start;
    const char *at;
    const char *end;
    unsigned depth;
    struct err *e;
};

static bool scan_value(struct scan *s);

static bool fail(const struct scan *s, const char *what) {
    return err_set(s->e, ERR_INVALID, "not valid JSON at byte %zu: %s", (size_t)(s->at - s->start),
                   what);
}

/* The next byte, or NUL at the end: no rule takes a NUL, so the end needs no test of its own. */
static char peek(const struct scan *s) {
    return s->at < s->end ? *s->at : '\0';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static void skip_space(struct scan *s) {
    while (peek(s) == ' ' || peek(s) == '\t' || peek(s) == '\n' || peek(s) == '\r') s->at++;
}

static bool scan_hex4(struct scan *s, unsigned *code) {
    *code = 0;
    for (int i = 0; i < 4; i++, s->at++) {
        char c = peek(s);
        if (is_digit(c))
            *code = *code * 16 + (unsigned)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            *code = *code * 16 + (unsigned)((c | 0x20) - 'a' + 10);
        else
            return fail(s, "\\u needs four hex digits");
    }
    return true;
}

static bool scan_unicode_escape(struct scan *s) {
    unsigned code = 0;
    if (!scan_hex4(s, &code)) return false;
    if (code == 0) return fail(s, "\\u0000 is not allowed");
    if (code >= 0xDC00 && code <= 0xDFFF) return fail(s, "second half of a surrogate pair alone");
    if (code < 0xD800 || code > 0xDBFF) return true;
    if (s->end - s->at < 2 || s->at[0] != '\\' || s->at[1] != 'u')
        return fail(s, "first half of a surrogate pair alone");
    s->at += 2;
    if (!scan_hex4(s, &code)) return false;
    if (code < 0xDC00 || code > 0xDFFF) return fail(s, "first half of a surrogate pair alone");
    return true;
}

static bool scan_escape(struct scan *s) {
    s->at++;
    char c = peek(s);
    if (c == '\0' || strchr("\"\\/bfnrtu", c) == NULL) return fail(s, "unknown escape");
    s->at++;
    return c != 'u' || scan_unicode_escape(s);
}

static bool scan_string(struct scan *s) {
    if (peek(s) != '"') return fail(s, "a string was expected");
    s->at++;
    while (s->at < s->end && *s->at != '"') {
        if ((unsigned char)*s->at < 0x20) return fail(s, "control character in a string");
        if (*s->at == '\\') {
            if (!scan_escape(s)) return false;
            continue;
        }
        size_t length = utf8_character(s->at, (size_t)(s->end - s->at));
        if (length == 0) return fail(s, "not UTF-8");
        s->at += length;
    }
    if (s->at == s->end) return fail(s, "a string does not end");
    s->at++;
    return true;
}

static bool scan_digits(struct scan *s) {
    if (!is_digit(peek(s))) return fail(s, "a digit was expected");
    while (is_digit(peek(s))) s->at++;
    return true;
}

static bool scan_number_form(struct scan *s) {
    if (peek(s) == '-') s->at++;
    bool zero = peek(s) == '0';
    const char *first = s->at;
    if (!scan_digits(s)) return false;
    if (zero && s->at - first > 1) return fail(s, "a number has a leading zero");
    if (peek(s) == '.') {
        s->at++;
        if (!scan_digits(s)) return false;
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-') s->at++;
        if (!scan_digits(s)) return false;
    }
    return true;
}

static bool scan_number(struct scan *s) {
    const char *first = s->at;
    char copy[JSON_NUMBER_MAX_CHARACTERS + 1];
    if (!scan_number_form(s)) return false;
    size_t length = (size_t)(s->at - first);
    if (length >= sizeof copy) return fail(s, "a number has too many digits");
    memcpy(copy, first, length);
    copy[length] = '\0';
    if (!isfinite(strtod(copy, NULL))) return fail(s, "a number is too large");
    return true;
}

static bool scan_word(struct scan *s, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(s->end - s->at) < length || memcmp(s->at, word, length) != 0)
        return fail(s, "a value was expected");
    s->at += length;
    return true;
}

static bool scan_member(struct scan *s) {
    if (peek(s) != '"') return fail(s, "a key in quotes was expected");
    if (!scan_string(s)) return false;
    skip_space(s);
    if (peek(s) != ':') return fail(s, "':' was expected");
    s->at++;
    return scan_value(s);
}

/* What stands between open and close: members of an object or elements of an array. */
static bool scan_items(struct scan *s, char close, bool (*scan_item)(struct scan *s)) {
    if (s->depth == JSON_DEPTH_MAX) return fail(s, "nested too deep");
    s->depth++;
    s->at++;
    skip_space(s);
    if (peek(s) != close) {
        for (;;) {
            if (!scan_item(s)) return false;
            skip_space(s);
            if (peek(s) != ',') break;
            s->at++;
            skip_space(s);
        }
    }
    if (peek(s) != close)
        return fail(s, close == '}' ? "',' or '}' was expected" : "',' or ']' was expected");
    s->at++;
    s->depth--;
    return true;
}

static bool scan_value(struct scan *s) {
    skip_space(s);
    switch (peek(s)) {
    case '{':
        return scan_items(s, '}', scan_member);
    case '[':
        return scan_items(s, ']', scan_value);
    case '"':
        return scan_string(s);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    default:
        if (peek(s) == '-' || is_digit(peek(s))) return scan_number(s);
        return fail(s, s->at == s->end ? "it ends too early" : "a value was expected");
    }
}

bool json_scan(const char *json, size_t length, struct err *e) {
    if (length == 0) return err_set(e, ERR_INVALID, "not valid JSON: it is empty");
    struct scan s = {.start = json, .at = json, .end = json + length, .e = e};
    if (!scan_value(&s)) return false;
    skip_space(&s);
    if (s.at != s.end) return fail(&s, "something follows the value");
    return true;
}
