#include "lib/http_route.h"

#include "lib/encode.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const role_names[] = {"public", "viewer", "operator", "publisher", "admin"};

const char *http_role_name(enum http_role role) {
    assert((size_t)role < sizeof role_names / sizeof role_names[0]);
    return role_names[role];
}

bool http_role_parse(const char *name, enum http_role *out) {
    for (int role = HTTP_PUBLIC; role <= HTTP_ADMIN; role++) {
        if (strcmp(name, role_names[role]) != 0) continue;
        *out = (enum http_role)role;
        return true;
    }
    return false;
}

struct segment {
    const char *text; /* NULL: there is none */
    size_t length;
};

/* Takes the segment that begins behind the '/' at *cursor and moves *cursor behind it. */
static struct segment next_segment(const char **cursor) {
    if (**cursor != '/') return (struct segment){0};
    const char *text = *cursor + 1;
    size_t length = strcspn(text, "/");
    *cursor = text + length;
    return (struct segment){text, length};
}

static int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    int letter = tolower((unsigned char)digit);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* The character that begins at text, percent-encoded or not; *length is how long it is written. */
static int decoded_character(const char *text, size_t available, size_t *length) {
    *length = 1;
    if (text[0] != '%' || available < 3) return (unsigned char)text[0];
    int high = hex_value(text[1]);
    int low = hex_value(text[2]);
    if (high < 0 || low < 0) return (unsigned char)text[0];
    *length = 3;
    return high * 16 + low;
}

/* Equal once the encoded one is decoded: %61pi is api (RFC 3986 section 6.2.2.2). */
static bool same_literal(struct segment literal, struct segment encoded) {
    size_t at = 0;
    for (size_t i = 0; i < literal.length; i++) {
        if (at >= encoded.length) return false;
        size_t written = 0;
        if (decoded_character(encoded.text + at, encoded.length - at, &written) !=
            (unsigned char)literal.text[i])
            return false;
        at += written;
    }
    return at == encoded.length;
}

static void add_parameter(struct text *parameters, struct segment wanted, struct segment given) {
    if (parameters == NULL) return;
    text_add_bytes(parameters, wanted.text + 1, wanted.length - 1);
    text_add_bytes(parameters, "", 1);
    char *value = strndup(given.text, given.length);
    assert(value != NULL);
    if (!decode_url(value)) value[0] = '\0'; /* http_path_decode came first */
    text_add_bytes(parameters, value, strlen(value) + 1);
    free(value);
}

/* Walks a pattern and a path together, noting what the parameters take. */
static bool walk(const char *pattern, const char *path, struct text *parameters) {
    for (;;) {
        struct segment wanted = next_segment(&pattern);
        if (wanted.text == NULL) return *path == '\0';
        char kind = wanted.length > 0 ? wanted.text[0] : '\0';
        if (*path != '/') return false;
        if (kind == '*') {
            add_parameter(parameters, wanted, (struct segment){path + 1, strlen(path + 1)});
            return true;
        }
        struct segment given = next_segment(&path);
        if (kind == ':') {
            if (given.length == 0) return false;
            add_parameter(parameters, wanted, given);
        } else if (!same_literal(wanted, given)) {
            return false;
        }
    }
}

void http_route_parameters(const char *pattern, const char *path, struct text *out) {
    bool matches = walk(pattern, path, out);
    assert(matches);
}

const char *http_route_parameter(const struct text *parameters, const char *name) {
    for (size_t at = 0; at < parameters->length;) {
        const char *found = parameters->data + at;
        const char *value = found + strlen(found) + 1;
        if (strcmp(found, name) == 0) return value;
        at = (size_t)(value - parameters->data) + strlen(value) + 1;
    }
    return NULL;
}

/* How closely a segment of a pattern says what it takes. */
static int precision(struct segment wanted) {
    if (wanted.text == NULL) return -1;
    if (wanted.length > 0 && wanted.text[0] == '*') return 0;
    return wanted.length > 0 && wanted.text[0] == ':' ? 1 : 2;
}

/* Above 0 when a says more closely than b what it takes; both match the same path. */
static int compare_precision(const char *a, const char *b) {
    for (;;) {
        struct segment of_a = next_segment(&a);
        struct segment of_b = next_segment(&b);
        int difference = precision(of_a) - precision(of_b);
        if (difference != 0 || of_a.text == NULL) return difference;
    }
}

static void add_allowed(char *allowed, size_t size, const char *method) {
    size_t length = strlen(method);
    for (const char *at = strstr(allowed, method); at != NULL; at = strstr(at + 1, method)) {
        bool begins = at == allowed || at[-1] == ' ';
        if (begins && (at[length] == '\0' || at[length] == ',')) return;
    }
    size_t used = strlen(allowed);
    snprintf(allowed + used, size - used, "%s%s", used > 0 ? ", " : "", method);
}

/* 2: the row's own method, 1: HEAD by way of GET, 0: not at all. */
static int method_fit(const char *offered, const char *method) {
    if (strcmp(offered, method) == 0) return 2;
    return strcmp(offered, "GET") == 0 && strcmp(method, "HEAD") == 0;
}

int http_route_match(const struct http_route *routes, size_t count, const char *method,
                     const char *path, char *allowed, size_t allowed_size) {
    int best = -1;
    int best_fit = 0;
    if (allowed_size > 0) allowed[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const struct http_route *route = &routes[i];
        if (!walk(route->pattern, path, NULL)) continue;
        bool is_socket = strcmp(route->method, "WS") == 0;
        if (allowed_size > 0) {
            add_allowed(allowed, allowed_size, is_socket ? "GET" : route->method);
            if (strcmp(route->method, "GET") == 0) add_allowed(allowed, allowed_size, "HEAD");
        }
        int fit = method_fit(route->method, method);
        if (fit == 0) continue;
        int closer = best < 0 ? 1 : compare_precision(route->pattern, routes[best].pattern);
        if (closer < 0 || (closer == 0 && fit <= best_fit)) continue;
        best = (int)i;
        best_fit = fit;
    }
    return best;
}

bool http_etag_listed(const char *list, const char *etag, bool weak_counts) {
    size_t wanted = strlen(etag);
    const char *at = list;
    for (;;) {
        at += strspn(at, " \t,");
        if (*at == '\0') return false;
        if (*at == '*') return true;
        bool weak = strncmp(at, "W/", 2) == 0;
        if (weak) at += 2;
        if (*at != '"') return false;
        const char *begin = ++at;
        at = strchr(begin, '"');
        if (at == NULL) return false;
        if ((!weak || weak_counts) && (size_t)(at - begin) == wanted &&
            memcmp(begin, etag, wanted) == 0)
            return true;
        at++;
    }
}
