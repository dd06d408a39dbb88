#include "lib/semver.h"

#include <string.h>

static const char digits[] = "0123456789";
static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-";

/* A stretch of a version text. */
struct span {
    const char *begin;
    size_t length;
};

/* "1.0.0-rc.1+build" taken apart; absent parts have begin NULL. */
struct parts {
    struct span core;
    struct span pre;
    struct span build;
};

static struct parts split(const char *version) {
    struct parts parts = {
        .core = {version, strcspn(version, "-+")}
    };
    version += parts.core.length;
    if (*version == '-') {
        parts.pre = (struct span){version + 1, strcspn(version + 1, "+")};
        version += 1 + parts.pre.length;
    }
    if (*version == '+') parts.build = (struct span){version + 1, strlen(version + 1)};
    return parts;
}

/* Takes the next dot-separated identifier off rest; false at the end. "a." has an empty second one.
 */
static bool take_identifier(struct span *rest, struct span *out) {
    if (rest->begin == NULL) return false;
    const char *dot = memchr(rest->begin, '.', rest->length);
    *out = (struct span){rest->begin, dot != NULL ? (size_t)(dot - rest->begin) : rest->length};
    *rest = dot != NULL ? (struct span){dot + 1, rest->length - out->length - 1}
                        : (struct span){NULL, 0};
    return true;
}

static bool consists_of(struct span s, const char *characters) {
    for (size_t i = 0; i < s.length; i++)
        if (strchr(characters, s.begin[i]) == NULL) return false;
    return s.length > 0;
}

static bool has_leading_zero(struct span s) {
    return s.length > 1 && s.begin[0] == '0' && consists_of(s, digits);
}

/* Number of identifiers, -1 when one is malformed. */
static int count_identifiers(struct span rest, const char *characters, bool zeros_allowed) {
    int count = 0;
    for (struct span one; take_identifier(&rest, &one); count++)
        if (!consists_of(one, characters) || (!zeros_allowed && has_leading_zero(one))) return -1;
    return count;
}

bool semver_valid(const char *version) {
    if (strnlen(version, SEMVER_SIZE) >= SEMVER_SIZE) return false;
    struct parts parts = split(version);
    return count_identifiers(parts.core, digits, false) == 3 &&
           count_identifiers(parts.pre, letters, false) >= 0 &&
           count_identifiers(parts.build, letters, true) >= 0;
}

bool semver_is_prerelease(const char *version) {
    return split(version).pre.begin != NULL;
}

static int compare_sizes(size_t a, size_t b) {
    return (a > b) - (a < b);
}

static int compare_bytes(struct span a, struct span b) {
    int order = memcmp(a.begin, b.begin, a.length < b.length ? a.length : b.length);
    return order != 0 ? order : compare_sizes(a.length, b.length);
}

/* Numbers by value (they have no leading zeros, so the longer is greater) and below everything
 * else. */
static int compare_identifiers(struct span a, struct span b) {
    bool a_number = consists_of(a, digits);
    bool b_number = consists_of(b, digits);
    if (a_number != b_number) return a_number ? -1 : 1;
    if (a_number && a.length != b.length) return compare_sizes(a.length, b.length);
    return compare_bytes(a, b);
}

static int compare_lists(struct span a, struct span b) {
    for (;;) {
        struct span one;
        struct span other;
        bool a_more = take_identifier(&a, &one);
        bool b_more = take_identifier(&b, &other);
        if (!a_more || !b_more) return (int)a_more - (int)b_more;
        int order = compare_identifiers(one, other);
        if (order != 0) return order;
    }
}

int semver_compare(const char *a, const char *b) {
    struct parts left = split(a);
    struct parts right = split(b);
    int order = compare_lists(left.core, right.core);
    if (order != 0) return order;
    bool left_released = left.pre.begin == NULL;
    bool right_released = right.pre.begin == NULL;
    if (left_released || right_released) return (int)left_released - (int)right_released;
    return compare_lists(left.pre, right.pre);
}

int semver_order(const char *a, const char *b) {
    int order = semver_compare(a, b);
    return order != 0 ? order : strcmp(a, b);
}
