#include "cli/api.h"

#include "cli/peer.h"
#include "lib/encode.h"

#include <stdio.h>
#include <string.h>

void api_fini(struct api *a) {
    discovery_fini(&a->at);
}

bool api_connect(struct api *a, struct err *e) {
    if (!a->connected) a->connected = discover(a->settings, &a->at, e) && peer_settle(&a->at, e);
    return a->connected;
}

/* The client's words without the URL in front; "" when they only say that there was no connection.
 */
static const char *network_reason(const char *words, const char *url) {
    size_t length = strlen(url);
    if (strncmp(words, url, length) == 0 && strncmp(words + length, ": ", 2) == 0)
        words += length + 2;
    return strstr(words, "Failed to connect") == words ? "" : words;
}

static void explain_unreachable(const struct api *a, const char *url, struct err *e) {
    char words[sizeof e->text];
    bool distrusted = e->hint[0] != '\0'; /* all else that fails on the way has none */
    snprintf(words, sizeof words, "%s", e->text);
    const char *why = network_reason(words, url);
    err_set(e, ERR_UNREACHABLE, "%s at %.100s%s%.120s",
            distrusted ? "the master is not the one" : "no master answers", a->at.url,
            why[0] != '\0' ? ": " : "", why);
    if (distrusted)
        peer_hint(&a->at, e);
    else if (strcmp(a->at.url_from, "default") == 0)
        err_hint(e, "start one with grid-master, or name one with --url or GRID_URL");
    else
        err_hint(e, "start it, or name another; this URL is from %.100s", a->at.url_from);
}

static void explain_unauthenticated(const struct api *a, struct err *e) {
    if (a->at.token[0] == '\0') {
        err_set(e, ERR_UNAUTHENTICATED, "the master at %.150s wants a token and none was found",
                a->at.url);
        err_hint(e,
                 "GRID_TOKEN, --token-file FILE, --state DIR of a local master, or gridctl login");
    } else {
        err_set(e, ERR_UNAUTHENTICATED, "the master at %.100s refused the token from %.100s",
                a->at.url, a->at.token_from);
        err_hint(e, "another token in GRID_TOKEN or --token-file, or gridctl login");
    }
}

bool api_call(struct api *a, struct http_call *call, const char *path, struct http_answer *out,
              struct err *e) {
    if (!api_connect(a, e)) return false;
    OWN_TEXT struct text url = TEXT_EMPTY;
    text_add(&url, a->at.url);
    text_add(&url, path);
    call->url = text_value(&url);
    call->token = a->at.token[0] != '\0' ? a->at.token : NULL;
    peer_use(&a->at, &call->trust);
    if (call->timeout_ms == 0) call->timeout_ms = a->settings->timeout_ms;
    bool ok = http_call_ok(call, out, e);
    call->url = NULL;
    if (ok) return true;
    if (out->status < 400 && e->code == ERR_UNREACHABLE)
        explain_unreachable(a, text_value(&url), e);
    if (out->status == 401) explain_unauthenticated(a, e);
    return false;
}

bool api_get(struct api *a, const char *path, struct http_answer *out, struct err *e) {
    struct http_call call = {.method = "GET"};
    return api_call(a, &call, path, out, e);
}

bool api_send(struct api *a, const char *method, const char *path, const char *body,
              struct http_answer *out, struct err *e) {
    struct http_call call = {.method = method};
    if (body != NULL) {
        call.content_type = "application/json";
        call.body = body;
        call.body_length = strlen(body);
    }
    return api_call(a, &call, path, out, e);
}

void api_path_add(struct text *path, const char *segment) {
    OWN_MEMORY char *copy = text_duplicate(segment);
    char *slash = strrchr(copy, '/');
    if (slash != NULL) *slash = '~';
    text_add(path, "/");
    encode_url(path, copy);
}

void api_query_add(struct text *path, const char *name, const char *value) {
    if (value == NULL || value[0] == '\0') return;
    text_add(path, strchr(text_value(path), '?') == NULL ? "?" : "&");
    encode_url(path, name);
    text_add(path, "=");
    encode_url(path, value);
}

void api_query_add_int(struct text *path, const char *name, int64_t value) {
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)value);
    api_query_add(path, name, number);
}

static bool add_filter(struct text *path, char *line, struct err *e) {
    char *equals = strchr(line, '=');
    if (equals == NULL || equals == line || equals[1] == '\0') {
        err_set(e, ERR_USAGE, "--filter takes NAME=VALUE, not \"%s\"", line);
        return err_hint(e, "--filter status=up, or --filter label=rack=b");
    }
    *equals = '\0';
    api_query_add(path, line, equals + 1);
    return true;
}

bool api_query_list(struct text *path, const struct settings *s, struct err *e) {
    OWN_MEMORY char *filters = text_duplicate(s->filters);
    char *rest = NULL;
    for (char *line = filters != NULL ? strtok_r(filters, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        if (!add_filter(path, line, e)) return false;
    api_query_add(path, "sort", s->sort);
    if (s->limit < 0)
        return err_set(e, ERR_USAGE, "--limit takes a number from 1 on, or 0 for all");
    if (s->limit > 0) api_query_add_int(path, "limit", s->limit);
    return true;
}
