#include "lib/http_range.h"

#include <string.h>
#include <strings.h>

/* Digits up to the first other character; more than fits counts as the largest number. False
 * without any digit. */
static bool parse_position(const char **cursor, int64_t *out) {
    const char *text = *cursor;
    if (*text < '0' || *text > '9') return false;
    int64_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (__builtin_mul_overflow(value, (int64_t)10, &value) ||
            __builtin_add_overflow(value, (int64_t)(*text - '0'), &value))
            value = INT64_MAX / 10 - 1; /* stays above every size, whatever follows */
    }
    *cursor = text;
    *out = value;
    return true;
}

static int parse_suffix(const char *text, int64_t size, int64_t *first, int64_t *last) {
    int64_t length = 0;
    if (!parse_position(&text, &length) || *text != '\0') return 200;
    if (length == 0 || size == 0) return 416;
    *first = length >= size ? 0 : size - length;
    *last = size - 1;
    return 206;
}

int http_range_parse(const char *range, int64_t size, int64_t *first, int64_t *last) {
    static const char unit[] = "bytes=";
    if (range == NULL || strncasecmp(range, unit, sizeof unit - 1) != 0) return 200;
    const char *text = range + sizeof unit - 1;
    if (*text == '-') return parse_suffix(text + 1, size, first, last);
    int64_t from = 0;
    int64_t to = INT64_MAX;
    if (!parse_position(&text, &from) || *text++ != '-') return 200;
    if (*text != '\0' && (!parse_position(&text, &to) || *text != '\0')) return 200;
    if (to < from) return 200;
    if (from >= size) return 416;
    *first = from;
    *last = to >= size ? size - 1 : to;
    return 206;
}

#define POSITION_DIGITS_MAX 18

/* Takes what stands before a number, and the number, off *cursor. */
static bool take_position(const char **cursor, const char *before, int64_t *out) {
    size_t length = strlen(before);
    if (strncmp(*cursor, before, length) != 0) return false;
    const char *digits = *cursor + length;
    *cursor = digits;
    return parse_position(cursor, out) && *cursor - digits <= POSITION_DIGITS_MAX;
}

bool http_content_range_parse(const char *text, int64_t *first, int64_t *last, int64_t *total) {
    const char *at = text;
    if (take_position(&at, "bytes */", total)) {
        *first = *total;
        *last = *total - 1;
        return *at == '\0';
    }
    return take_position(&text, "bytes ", first) && take_position(&text, "-", last) &&
           take_position(&text, "/", total) && *text == '\0' && *first <= *last && *last < *total;
}
