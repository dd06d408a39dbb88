#include "agent/fetching.h"

#include "agent/backoff.h"
#include "lib/encode.h"
#include "lib/log.h"
#include "lib/secret.h"

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

static void note_failure(struct fetching *f, int64_t now_ms) {
    const struct fetch_status *s = &f->status;
    bool same = strcmp(f->failed, s->sha256) == 0;
    memcpy(f->failed, s->sha256, sizeof f->failed);
    f->error = s->error;
    f->refused = s->refused;
    f->failures = same ? f->failures + 1 : 1;
    f->best_bytes = same && f->best_bytes > s->done_bytes ? f->best_bytes : s->done_bytes;
    f->after_ms = now_ms + backoff_pause_ms(&backoff_download, f->failures, random_number());
}

static void note_success(struct fetching *f, bool local) {
    f->failed[0] = '\0';
    f->failures = 0;
    f->error = (struct err){0};
    if (local) f->local_done = true;
}

bool fetching_update(struct fetching *f, int64_t now_ms, char sha256[SHA256_HEX_SIZE],
                     bool *local) {
    struct fetch_status now;
    fetch_status(f->fetch, &now);
    if (f->job == 0 || now.job != f->job) return false;
    f->status = now;
    if (now.phase != FETCH_DONE && now.phase != FETCH_FAILED) return false;
    *local = f->sha256[0] == '\0';
    memcpy(sha256, now.sha256, SHA256_HEX_SIZE);
    f->job = 0;
    f->sha256[0] = '\0';
    if (now.phase == FETCH_DONE)
        note_success(f, *local);
    else
        note_failure(f, now_ms);
    return now.phase == FETCH_DONE;
}

static void make_url(const struct fetching *f, const struct version *v, struct text *out) {
    text_add_format(out, "%s/binaries/", f->base_url);
    encode_url(out, v->file);
}

static void begin_download(struct fetching *f, const struct versions *v, const char *sha256) {
    struct version version = {0};
    struct err e = {0};
    OWN_TEXT struct text url = TEXT_EMPTY;
    if (!versions_find(v, sha256, &version, &e)) {
        log_error("fetch.unknown", "sha256=%s error=%s", sha256, e.text);
        snprintf(f->failed, sizeof f->failed, "%s", sha256);
        f->error = e;
        f->refused = true;
        return;
    }
    make_url(f, &version, &url);
    if (strcmp(f->failed, sha256) != 0) f->attempt = 0;
    f->attempt++;
    f->job = fetch_download(f->fetch, &version, url.data, f->token);
    memcpy(f->sha256, version.sha256, sizeof f->sha256);
    log_info("fetch.begin", "file=%s url=%s attempt=%lld", version.file, url.data,
             (long long)f->attempt);
    version_clear(&version);
}

static void want_local(struct fetching *f, int64_t now_ms, int64_t *due_ms) {
    if (f->local_path[0] == '\0' || f->local_done || f->job != 0) return;
    if (now_ms >= f->after_ms)
        f->job = fetch_local(f->fetch, f->local_path);
    else if (f->after_ms < *due_ms)
        *due_ms = f->after_ms;
}

void fetching_want(struct fetching *f, const struct versions *v, const char *sha256, int64_t now_ms,
                   int64_t *due_ms) {
    bool downloading = f->job != 0 && f->sha256[0] != '\0';
    if (downloading && strcmp(f->sha256, sha256) != 0) {
        fetch_cancel(f->fetch);
        f->job = 0;
        f->sha256[0] = '\0';
    }
    if (sha256[0] != '\0' && f->job == 0) begin_download(f, v, sha256);
    want_local(f, now_ms, due_ms);
}

void fetching_allow(struct fetching *f, const char *token) {
    bool other = strcmp(f->token, token) != 0;
    snprintf(f->token, sizeof f->token, "%s", token);
    if (other && f->error.code == ERR_UNAUTHENTICATED) f->after_ms = 0;
}

void fetching_forget(struct fetching *f) {
    f->failed[0] = '\0';
    f->refused = false;
    f->failures = 0;
    f->after_ms = 0;
    f->best_bytes = 0;
    f->attempt = 0;
    f->error = (struct err){0};
}

void fetching_describe(const struct fetching *f, struct reconcile_input *in) {
    memcpy(in->fetching, f->sha256, sizeof in->fetching);
    memcpy(in->fetch_failed, f->failed, sizeof in->fetch_failed);
    in->fetch_after_ms = f->after_ms;
    in->fetch_refused = f->refused;
}

bool fetching_repeats(const struct fetching *f) {
    bool again = f->failed[0] != '\0' && strcmp(f->failed, f->sha256) == 0;
    return again && f->status.done_bytes <= f->best_bytes;
}
