#include "agent/fetching.h"

#include "agent/backoff.h"
#include "lib/encode.h"
#include "lib/log.h"
#include "lib/secret.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void fetching_init(struct fetching *f, struct fetch *fetch, const char *local_path) {
    *f = (struct fetching){.fetch = fetch};
    snprintf(f->local_path, sizeof f->local_path, "%s", local_path);
}

static uint32_t random_number(void) {
    uint32_t number;
    random_bytes(&number, sizeof number);
    return number;
}

const struct fetching_try *fetching_find(const struct fetching *f, const char *sha256) {
    for (size_t i = 0; i < FETCHING_MOST && sha256[0] != '\0'; i++)
        if (strcmp(f->tries[i].sha256, sha256) == 0) return &f->tries[i];
    return NULL;
}

const struct fetching_try *fetching_failure(const struct fetching *f, const char *sha256) {
    const struct fetching_try *t = fetching_find(f, sha256);
    return t != NULL && t->failures > 0 && !t->away ? t : NULL;
}

static struct fetching_try *tries_of(struct fetching *f, const char *sha256) {
    for (size_t i = 0; i < FETCHING_MOST; i++)
        if (strcmp(f->tries[i].sha256, sha256) == 0) return &f->tries[i];
    assert(f->next_try < FETCHING_MOST);
    struct fetching_try *fresh = &f->tries[f->next_try];
    f->next_try = (f->next_try + 1) % FETCHING_MOST;
    *fresh = (struct fetching_try){.cause = ""};
    snprintf(fresh->sha256, sizeof fresh->sha256, "%s", sha256);
    return fresh;
}

/* Whoever is away is away for every version. */
static void mark_away(const struct fetching *f, struct fetching_try *t) {
    if (t->failures > 0 && t->error.code == ERR_UNREACHABLE && !f->connected) t->away = true;
}

static void note_failure(struct fetching *f, struct fetching_try *t, int64_t now_ms) {
    const struct fetch_status *s = &f->status;
    t->error = s->error;
    t->refused = s->refused;
    t->cause = s->cause;
    t->failures++;
    t->away = false;
    mark_away(f, t);
    if (s->done_bytes > t->best_bytes) t->best_bytes = s->done_bytes;
    t->after_ms = now_ms + backoff_pause_ms(&backoff_download, t->failures, random_number());
}

bool fetching_update(struct fetching *f, int64_t now_ms, char sha256[SHA256_HEX_SIZE],
                     bool *local) {
    struct fetch_status now;
    fetch_status(f->fetch, &now);
    if (f->job == 0 || now.job != f->job) return false;
    f->status = now;
    if (now.phase != FETCH_DONE && now.phase != FETCH_FAILED) return false;
    *local = f->sha256[0] == '\0';
    struct fetching_try *t = *local ? &f->local : tries_of(f, f->sha256);
    memcpy(sha256, now.sha256, SHA256_HEX_SIZE);
    f->job = 0;
    f->sha256[0] = '\0';
    if (now.phase == FETCH_FAILED) {
        note_failure(f, t, now_ms);
        return false;
    }
    *t = (struct fetching_try){.cause = ""};
    if (*local) f->local_done = true;
    return true;
}

static void make_url(const struct fetching *f, const struct version *v, struct text *out) {
    text_add_format(out, "%s/binaries/", f->base_url);
    encode_url(out, v->file);
}

void fetching_refuse(struct fetching *f, const char *sha256, const struct err *why) {
    struct fetching_try *t = tries_of(f, sha256);
    log_error("fetch.unknown", "sha256=%s error=%s", sha256, why->text);
    t->error = *why;
    t->cause = "download";
    t->refused = true;
    t->away = false;
    t->failures++;
}

static void begin_download(struct fetching *f, const struct version *v) {
    assert(f->job == 0 && f->sha256[0] == '\0');
    OWN_TEXT struct text url = TEXT_EMPTY;
    struct fetching_try *t = tries_of(f, v->sha256);
    make_url(f, v, &url);
    t->attempts++;
    const struct fetch_source from = {.url = url.data, .pin = f->pin, .token = f->token};
    f->job = fetch_download(f->fetch, v, &from);
    f->status = (struct fetch_status){
        .job = f->job, .phase = FETCH_DOWNLOADING, .total_bytes = v->size_bytes};
    memcpy(f->sha256, v->sha256, sizeof f->sha256);
    log_info("fetch.begin", "file=%s url=%s attempt=%lld", v->file, url.data,
             (long long)t->attempts);
}

static void want_local(struct fetching *f, int64_t now_ms, int64_t *due_ms) {
    if (f->local_path[0] == '\0' || f->local_done || f->job != 0) return;
    if (now_ms >= f->local.after_ms)
        f->job = fetch_local(f->fetch, f->local_path);
    else if (f->local.after_ms < *due_ms)
        *due_ms = f->local.after_ms;
}

void fetching_want(struct fetching *f, const struct version *version, int64_t now_ms,
                   int64_t *due_ms) {
    bool downloading = f->job != 0 && f->sha256[0] != '\0';
    if (downloading && (version == NULL || strcmp(f->sha256, version->sha256) != 0)) {
        fetch_cancel(f->fetch);
        f->job = 0;
        f->sha256[0] = '\0';
    }
    if (version != NULL && f->job == 0) begin_download(f, version);
    want_local(f, now_ms, due_ms);
}

void fetching_connected(struct fetching *f, bool connected) {
    bool back = connected && !f->connected;
    f->connected = connected;
    for (size_t i = 0; i < FETCHING_MOST; i++) {
        mark_away(f, &f->tries[i]);
        if (back && f->tries[i].away) f->tries[i].after_ms = 0;
    }
}

void fetching_allow(struct fetching *f, const char *token) {
    bool other = strcmp(f->token, token) != 0;
    snprintf(f->token, sizeof f->token, "%s", token);
    for (size_t i = 0; i < FETCHING_MOST; i++)
        if (other && f->tries[i].error.code == ERR_UNAUTHENTICATED) f->tries[i].after_ms = 0;
}

void fetching_forget(struct fetching *f) {
    memset(f->tries, 0, sizeof f->tries);
    f->local = (struct fetching_try){0};
}

static void describe(const struct fetching *f, struct reconcile_version *v) {
    const struct fetching_try *t = fetching_find(f, v->sha256);
    v->fetch_failed = t != NULL && t->failures > 0;
    v->fetch_refused = t != NULL && t->refused;
    v->fetch_after_ms = t != NULL ? t->after_ms : 0;
}

void fetching_describe(const struct fetching *f, struct reconcile_input *in) {
    memcpy(in->fetching, f->sha256, sizeof in->fetching);
    describe(f, &in->target);
    describe(f, &in->current);
    describe(f, &in->prefetch);
}

bool fetching_repeats(const struct fetching *f, const char *sha256) {
    const struct fetching_try *t = fetching_find(f, sha256);
    bool under_way = sha256[0] != '\0' && strcmp(f->sha256, sha256) == 0;
    return under_way && t != NULL && t->failures > 0 && f->status.done_bytes <= t->best_bytes;
}
