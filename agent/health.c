#include "agent/health.h"

#include "lib/http_client.h"
#include "lib/json.h"

#include <stdio.h>
#include <string.h>

enum { ANSWER_MAX = 16 * 1024 };

struct answer {
    char status[16];
    char *reasons;
    char *nonce;
    char *version;
    int64_t capacity_bytes;
    int64_t free_bytes;
};
static const struct json_field answer_fields[] = {
    J(JSON_STRING, struct answer, status, JSON_REQUIRED),
    J(JSON_STRINGS, struct answer, reasons, 0),
    J(JSON_TEXT, struct answer, nonce, 0),
    J(JSON_INT, struct answer, capacity_bytes, 0),
    J(JSON_INT, struct answer, free_bytes, 0),
    J(JSON_TEXT, struct answer, version, 0),
};
static const struct json_schema answer_schema = JSON_SCHEMA(struct answer, answer_fields);

struct consent {
    bool ok;
    char *reasons;
};
static const struct json_field consent_fields[] = {
    J(JSON_BOOL, struct consent, ok, JSON_REQUIRED),
    J(JSON_STRINGS, struct consent, reasons, 0),
};
static const struct json_schema consent_schema = JSON_SCHEMA(struct consent, consent_fields);

void health_clear(struct health *h) {
    free(h->reasons);
    *h = (struct health){0};
}

/* Reasons that are the machine's or the operator's, not the version's. */
static bool is_machines(const char *reason, size_t length) {
    static const char *const known[] = {"disk_full", "io_error", "data_missing", "read_only",
                                        "draining"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i]) == length && strncmp(reason, known[i], length) == 0) return true;
    return false;
}

enum node_health health_judge(const char *status, const char *reasons) {
    if (strcmp(status, "ok") == 0 || strcmp(status, "degraded") == 0) return HEALTH_GOOD;
    if (reasons == NULL || *reasons == '\0') return HEALTH_BAD;
    for (const char *line = reasons; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        if (!is_machines(line, length)) return HEALTH_BAD;
        line += length + (line[length] == '\n');
    }
    return HEALTH_MACHINE;
}

static bool get(int port, const char *path, struct http_answer *out, struct err *e) {
    char url[80];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
    const struct http_call call = {.url = url,
                                   .timeout_ms = HEALTH_TIMEOUT_MS,
                                   .stall_timeout_ms = HEALTH_TIMEOUT_MS,
                                   .answer_max_bytes = ANSWER_MAX};
    return http_call(&call, out, e);
}

static bool somebody_else(int port, struct health *out) {
    struct text words = TEXT_EMPTY;
    text_add_format(&words, "another process answers on port %d", port);
    out->reasons = text_take(&words);
    return false;
}

bool health_ask(int port, const char *nonce, struct health *out) {
    struct err e = {0};
    struct answer a;
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    *out = (struct health){0};
    if (!get(port, "/healthz", &answer, &e)) {
        out->reasons = text_duplicate(e.text);
        return false;
    }
    if (!json_decode(&answer_schema, text_value(&answer.body), answer.body.length,
                     JSON_IGNORE_UNKNOWN, &a, &e))
        return somebody_else(port, out);
    out->ours = a.nonce != NULL && strcmp(a.nonce, nonce) == 0;
    if (out->ours) {
        out->verdict = health_judge(a.status, a.reasons);
        if (a.version == NULL || !semver_valid(a.version) ||
            !text_copy(out->version, sizeof out->version, a.version))
            out->version[0] = '\0';
        out->capacity_bytes = a.capacity_bytes;
        out->free_bytes = a.free_bytes;
        out->reasons = TAKE(a.reasons);
    }
    json_clear(&answer_schema, &a);
    return out->ours || somebody_else(port, out);
}

bool health_may_stop(int port, char **reasons) {
    struct err e = {0};
    struct consent c;
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    *reasons = NULL;
    if (!get(port, "/v1/ok-to-stop", &answer, &e) || answer.status != 200) return true;
    if (!json_decode(&consent_schema, text_value(&answer.body), answer.body.length,
                     JSON_IGNORE_UNKNOWN, &c, &e))
        return true;
    bool ok = c.ok;
    if (!ok) *reasons = TAKE(c.reasons);
    json_clear(&consent_schema, &c);
    return ok;
}
