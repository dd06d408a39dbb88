#include "lib/http_server_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void *http_context(const struct http_request *r) {
    return r->server->options.context;
}

const char *http_method(const struct http_request *r) {
    return r->info->request_method != NULL ? r->info->request_method : "none";
}

const char *http_path(const struct http_request *r) {
    return text_value(&r->path);
}

const char *http_address(const struct http_request *r) {
    return r->worker->address;
}

const char *http_request_id(const struct http_request *r) {
    return r->id;
}

const char *http_param(const struct http_request *r, const char *name) {
    const char *value = http_route_parameter(&r->parameters, name);
    assert(value != NULL); /* the route's pattern and its handler disagree */
    return value;
}

const char *http_header(const struct http_request *r, const char *name) {
    for (int i = 0; i < r->info->num_headers; i++)
        if (strcasecmp(r->info->http_headers[i].name, name) == 0)
            return r->info->http_headers[i].value;
    return NULL;
}

const char *http_bearer(const struct http_request *r) {
    static const char scheme[] = "Bearer ";
    const char *given = http_header(r, "Authorization");
    if (given != NULL && strncasecmp(given, scheme, sizeof scheme - 1) == 0)
        return given + sizeof scheme - 1 + strspn(given + sizeof scheme - 1, " ");
    return http_header(r, "X-API-Key");
}

const char *http_query(struct http_request *r, const char *name) {
    for (size_t i = 0; i < r->pair_count; i++)
        if (strcmp(r->pairs[i].name, name) == 0) return r->pairs[i].value;
    return NULL;
}

static bool is_listed(const char *const *names, const char *name) {
    for (; *names != NULL; names++)
        if (strcmp(*names, name) == 0) return true;
    return false;
}

static bool refuse_name(const char *name, const char *const *allowed, struct err *e) {
    OWN_TEXT struct text names = TEXT_EMPTY;
    for (; *allowed != NULL; allowed++)
        text_add_format(&names, "%s%s", names.length > 0 ? ", " : "", *allowed);
    err_set(e, ERR_INVALID, "%.64s: no such query parameter", name);
    if (names.length == 0) return err_hint(e, "there are none");
    return err_hint(e, "allowed: %s", names.data);
}

bool http_query_only(struct http_request *r, const char *const *allowed, struct err *e) {
    for (size_t i = 0; i < r->pair_count; i++) {
        const char *name = r->pairs[i].name;
        if (!is_listed(allowed, name)) return refuse_name(name, allowed, e);
        if (http_query(r, name) != r->pairs[i].value)
            return err_set(e, ERR_INVALID, "%s: the query parameter is given twice", name);
    }
    return true;
}

bool http_query_int(struct http_request *r, const char *name, int64_t minimum, int64_t maximum,
                    int64_t initial, int64_t *out, struct err *e) {
    const char *text = http_query(r, name);
    *out = initial;
    if (text == NULL) return true;
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    bool plain = (text[0] >= '0' && text[0] <= '9') || text[0] == '-';
    if (!plain || *end != '\0' || errno != 0 || value < minimum || value > maximum)
        return err_set(e, ERR_INVALID,
                       "%s: %.64s is not a whole number from %" PRId64 " to %" PRId64, name, text,
                       minimum, maximum);
    *out = value;
    return true;
}

void http_set_principal(struct http_request *r, const char *principal, enum http_role role) {
    bool fits = text_copy(r->principal, sizeof r->principal, principal);
    assert(fits);
    r->role = role;
}

const char *http_principal(const struct http_request *r) {
    return r->principal;
}

enum http_role http_principal_role(const struct http_request *r) {
    return r->role;
}

void http_set_scope(struct http_request *r, const char *scope) {
    text_fini(&r->scope);
    text_add(&r->scope, scope);
}

const char *http_scope(const struct http_request *r) {
    return text_value(&r->scope);
}

void http_set_credential(struct http_request *r, const char *credential) {
    bool fits = text_copy(r->credential, sizeof r->credential, credential);
    assert(fits);
}

const char *http_credential(const struct http_request *r) {
    return r->credential[0] != '\0' ? r->credential : r->principal;
}

const struct http_route *http_matched_route(const struct http_request *r) {
    return r->route;
}

bool http_is_secure(const struct http_request *r) {
    return r->wire.tls != NULL;
}
