#include "lib/encode.h"
#include "lib/http_route.h"
#include "lib/utf8.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_utf8(const char *text) {
    for (size_t length = strlen(text); length > 0;) {
        size_t character = utf8_character(text, length);
        if (character == 0) return false;
        text += character;
        length -= character;
    }
    return true;
}

static bool has_control(const char *text) {
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f) return true;
    return false;
}

static bool has_dot_segment(const char *path) {
    while (*path == '/') {
        size_t length = strcspn(path + 1, "/");
        if (length == 1 && path[1] == '.') return true;
        if (length == 2 && path[1] == '.' && path[2] == '.') return true;
        path += 1 + length;
    }
    return false;
}

/* "%2e" once decoded means that somebody encoded twice, hoping that somebody decodes twice. */
static bool has_escape(const char *text) {
    for (; *text != '\0'; text++)
        if (text[0] == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2]))
            return true;
    return false;
}

static const struct path_rule {
    bool (*broken)(const char *decoded);
    const char *words;
} path_rules[] = {
    {has_control,     "a control character"},
    {has_dot_segment, "a dot segment"      },
    {has_escape,      "a doubled escape"   },
};

bool http_path_decode(const char *raw, struct text *out, struct err *e) {
    if (raw[0] != '/') return err_set(e, ERR_INVALID, "the path does not begin with /");
    text_add(out, raw);
    if (!decode_url(out->data))
        return err_set(e, ERR_INVALID, "the path holds a malformed escape or %%00");
    out->length = strlen(out->data);
    for (size_t i = 0; i < sizeof path_rules / sizeof path_rules[0]; i++)
        if (path_rules[i].broken(out->data))
            return err_set(e, ERR_INVALID, "the path holds %s", path_rules[i].words);
    if (strchr(out->data, '\\') != NULL)
        return err_set(e, ERR_INVALID, "the path holds a backslash");
    if (strstr(out->data, "//") != NULL)
        return err_set(e, ERR_INVALID, "the path holds an empty segment");
    if (!is_utf8(out->data)) return err_set(e, ERR_INVALID, "the path is not UTF-8");
    return true;
}

/* Addresses end up in logs and histories of browsers: a secret must not be in one. */
static bool is_secret_name(const char *name) {
    static const char *const names[] = {"token",   "access_token", "api_key",
                                        "api-key", "apikey",       "x-api-key"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(name, names[i]) == 0) return true;
    return false;
}

static bool decode_pair(char *pair, struct http_query_pair *out, struct err *e) {
    char *value = strchr(pair, '=');
    if (value != NULL)
        *value++ = '\0';
    else
        value = pair + strlen(pair);
    if (!decode_url(pair) || !decode_url(value))
        return err_set(e, ERR_INVALID, "the query holds a malformed escape or %%00");
    if (has_control(pair) || has_control(value))
        return err_set(e, ERR_INVALID, "the query holds a control character");
    if (!is_utf8(pair) || !is_utf8(value)) return err_set(e, ERR_INVALID, "the query is not UTF-8");
    if (is_secret_name(pair)) {
        err_set(e, ERR_INVALID, "a secret in the address is refused");
        return err_hint(e, "send it in a header: Authorization: Bearer TOKEN; and revoke this one, "
                           "it may have been logged");
    }
    *out = (struct http_query_pair){pair, value};
    return true;
}

bool http_query_decode(char *query, struct http_query_pair pairs[HTTP_QUERY_PAIRS], size_t *count,
                       struct err *e) {
    *count = 0;
    while (query != NULL) {
        char *pair = strsep(&query, "&");
        if (*pair == '\0') continue;
        if (*count == HTTP_QUERY_PAIRS)
            return err_set(e, ERR_INVALID, "the query has more than %d parameters",
                           HTTP_QUERY_PAIRS);
        if (!decode_pair(pair, &pairs[*count], e)) return false;
        (*count)++;
    }
    return true;
}

bool http_is_token(const char *text) {
    if (*text == '\0') return false;
    for (; *text != '\0'; text++)
        if (!isalnum((unsigned char)*text) && strchr("!#$%&'*+-.^_`|~", *text) == NULL)
            return false;
    return true;
}

bool http_length_parse(const char *text, int64_t *out) {
    int64_t value = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9'; digits++) {
        if (digits == 18) return false;
        value = value * 10 + (text[digits] - '0');
    }
    if (digits == 0 || text[digits] != '\0') return false;
    *out = value;
    return true;
}
