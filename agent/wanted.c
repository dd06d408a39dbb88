#include "agent/wanted.h"

#include "lib/file.h"
#include "lib/log.h"

#include <inttypes.h>
#include <string.h>

enum { DESIRED_MAX = 256 * 1024 };

static bool check_one(const char *version, const char *sha256, const char *file, int64_t size_bytes,
                      struct err *e) {
    struct artifact_name name;
    if (version[0] == '\0') return true;
    if (!sha256_hex_valid(sha256))
        return err_set(e, ERR_INVALID, "version %s has no SHA-256", version);
    if (!artifact_name_parse(file, &name, e)) return false;
    return size_bytes > 0 || err_set(e, ERR_INVALID, "version %s has no size", version);
}

static bool check(const struct wire_desired *d, struct err *e) {
    const struct wire_artifact *p = &d->prefetch;
    return check_one(d->version, d->sha256, d->file, d->size_bytes, e) &&
           check_one(p->version, p->sha256, p->file, p->size_bytes, e);
}

static bool decode(const char *json, struct wire_desired *out, struct err *e) {
    if (!json_decode(&wire_desired_schema, json, strlen(json), JSON_IGNORE_UNKNOWN, out, e))
        return false;
    if (check(out, e)) return true;
    json_clear(&wire_desired_schema, out);
    return false;
}

static void keep(struct wanted *w, struct wire_desired *d, const char *json) {
    json_clear(&wire_desired_schema, &w->desired);
    free(w->json);
    w->desired = *d;
    w->json = text_duplicate(json);
}

void wanted_load(struct wanted *w, const struct state *s) {
    char path[STATE_PATH_SIZE];
    struct err e = {0};
    struct wire_desired d;
    OWN_TEXT struct text json = TEXT_EMPTY;
    *w = (struct wanted){0};
    if (access(state_path(s, path, "desired.json"), F_OK) != 0) return;
    if (file_read(path, DESIRED_MAX, &json, &e) && decode(text_value(&json), &d, &e))
        keep(w, &d, text_value(&json));
    else
        log_warn("desired.damaged", "path=%s error=%s", path, e.text);
}

void wanted_fini(struct wanted *w) {
    json_clear(&wire_desired_schema, &w->desired);
    free(w->json);
    w->json = NULL;
    secret_wipe(w->download_token, sizeof w->download_token);
}

static void save(const struct state *s, const char *json) {
    char path[STATE_PATH_SIZE];
    struct err e = {0};
    if (file_write_durable(state_path(s, path, "desired.json"), json, strlen(json), 0600, &e))
        return;
    log_error("desired.not_saved", "code=%s error=%s", err_code_name(e.code), e.text);
}

/* The credential is new in every answer and a secret: it is used, and not written down. */
static void take_token(struct wanted *w, struct wire_desired *d, struct text *rest) {
    memcpy(w->download_token, d->download_token, sizeof w->download_token);
    secret_wipe(d->download_token, sizeof d->download_token);
    json_encode(&wire_desired_schema, d, rest);
}

void wanted_save(const struct wanted *w, const struct state *s) {
    if (w->json != NULL) save(s, w->json);
}

bool wanted_take(struct wanted *w, const struct state *s, const char *json, int64_t received_ms) {
    struct wire_desired d;
    struct err e = {0};
    OWN_TEXT struct text rest = TEXT_EMPTY;
    if (!decode(json, &d, &e)) {
        log_error("desired.refused", "code=%s error=%s", err_code_name(e.code), e.text);
        return false;
    }
    if (d.generation < w->desired.generation) {
        json_clear(&wire_desired_schema, &d);
        return false;
    }
    take_token(w, &d, &rest);
    w->answered = true;
    w->answered_ms = received_ms;
    if (w->json != NULL && strcmp(w->json, rest.data) == 0) {
        json_clear(&wire_desired_schema, &d);
        return false;
    }
    bool other = strcmp(d.sha256, w->desired.sha256) != 0 || strcmp(d.mode, w->desired.mode) != 0;
    if (other)
        log_info("desired.changed", "generation=%" PRId64 " version=%s mode=%s reason=%s",
                 d.generation, d.version, d.mode, d.reason);
    save(s, rest.data);
    keep(w, &d, rest.data);
    return true;
}

void wanted_version(const struct wanted *w, struct version *out) {
    const struct wire_desired *d = &w->desired;
    version_clear(out);
    if (d->version[0] == '\0') return;
    *out = (struct version){.size_bytes = d->size_bytes, .signature = text_duplicate(d->signature)};
    memcpy(out->sha256, d->sha256, sizeof out->sha256);
    memcpy(out->file, d->file, sizeof out->file);
    memcpy(out->version, d->version, sizeof out->version);
}

void wanted_prefetch(const struct wanted *w, struct version *out) {
    const struct wire_artifact *p = &w->desired.prefetch;
    version_clear(out);
    if (p->version[0] == '\0') return;
    *out = (struct version){.size_bytes = p->size_bytes, .signature = text_duplicate(p->signature)};
    memcpy(out->sha256, p->sha256, sizeof out->sha256);
    memcpy(out->file, p->file, sizeof out->file);
    memcpy(out->version, p->version, sizeof out->version);
}

/* A time that does not make sense is none. */
static int64_t sane_ms(int64_t ms) {
    return ms > 0 ? ms : 0;
}

void wanted_grant(const struct wanted *w, int64_t asleep_ms, struct reconcile_grant *out) {
    const struct wire_grant *g = &w->desired.grant;
    int64_t until_ms = w->answered_ms - asleep_ms + sane_ms(g->lease_ms);
    *out = (struct reconcile_grant){
        .given = g->rollout[0] != '\0',
        .lease_until_ms = w->answered ? until_ms : INT64_MIN,
        .policy = {.min_healthy_ms = sane_ms(g->min_healthy_ms),
                   .probation_ms = sane_ms(g->probation_ms),
                   .healthy_deadline_ms = sane_ms(g->healthy_deadline_ms),
                   .allow_unavailable = g->allow_unavailable}
    };
}

int64_t wanted_restart(const struct wanted *w, const char *node_id) {
    for (size_t i = 0; i < w->desired.nodes_count; i++)
        if (strcmp(w->desired.nodes[i].id, node_id) == 0)
            return w->desired.nodes[i].restart_generation;
    return 0;
}

bool wanted_draining(const struct wanted *w) {
    return strcmp(w->desired.mode, "draining") == 0;
}
