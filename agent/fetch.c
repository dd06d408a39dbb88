#include "agent/fetch_job.h"

#include "lib/log.h"
#include "lib/secret.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct order {
    uint64_t number; /* 0: nothing to do */
    struct version version;
    char *url; /* of a download */
    char pin[WIRE_PIN_SIZE];
    char token[WIRE_DOWNLOAD_TOKEN_SIZE];
    char *path; /* of a local file */
};

struct fetch {
    struct fetch_options options;
    pthread_mutex_t lock; /* guards order, status, stopping */
    pthread_cond_t wanted;
    struct order order; /* the latest that was asked for and not begun */
    struct fetch_status status;
    bool stopping;
    atomic_uint_fast64_t current; /* the job that may go on; another number cancels */
    atomic_uint_fast64_t last;
};

static void order_clear(struct order *o) {
    version_clear(&o->version);
    free(o->url);
    free(o->path);
    secret_wipe(o, sizeof *o);
}

struct fetch *fetch_new(const struct fetch_options *options) {
    struct fetch *f = memory_zeroed(1, sizeof *f);
    f->options = *options;
    if (f->options.place == NULL) f->options.place = &fetch_store;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->wanted, NULL);
    return f;
}

void fetch_free(struct fetch *f) {
    if (f == NULL) return;
    order_clear(&f->order);
    pthread_cond_destroy(&f->wanted);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

static uint64_t place_order(struct fetch *f, struct order *o) {
    pthread_mutex_lock(&f->lock);
    o->number = atomic_fetch_add(&f->last, 1) + 1;
    order_clear(&f->order);
    f->order = *o;
    atomic_store(&f->current, o->number);
    f->status = (struct fetch_status){
        .job = o->number, .phase = FETCH_DOWNLOADING, .total_bytes = o->version.size_bytes};
    memcpy(f->status.sha256, o->version.sha256, sizeof f->status.sha256);
    pthread_cond_signal(&f->wanted);
    pthread_mutex_unlock(&f->lock);
    return o->number;
}

uint64_t fetch_download(struct fetch *f, const struct version *version,
                        const struct fetch_source *from) {
    struct order o = {.url = text_duplicate(from->url)};
    text_cut(o.pin, sizeof o.pin, from->pin);
    text_cut(o.token, sizeof o.token, from->token);
    version_copy(&o.version, version);
    return place_order(f, &o);
}

uint64_t fetch_local(struct fetch *f, const char *path) {
    struct order o = {.path = text_duplicate(path)};
    return place_order(f, &o);
}

void fetch_cancel(struct fetch *f) {
    pthread_mutex_lock(&f->lock);
    order_clear(&f->order);
    atomic_store(&f->current, 0);
    f->status = (struct fetch_status){.job = f->status.job, .phase = FETCH_IDLE};
    pthread_mutex_unlock(&f->lock);
}

void fetch_status(struct fetch *f, struct fetch_status *out) {
    pthread_mutex_lock(&f->lock);
    *out = f->status;
    pthread_mutex_unlock(&f->lock);
}

void fetch_stop(struct fetch *f) {
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    atomic_store(&f->current, 0);
    pthread_cond_signal(&f->wanted);
    pthread_mutex_unlock(&f->lock);
}

/* One job's view of the fetcher. */
struct run {
    struct fetch *fetch;
    uint64_t number;
};

static bool on_progress(void *argument, int64_t done_bytes, int64_t total_bytes) {
    struct run *r = argument;
    struct fetch *f = r->fetch;
    (void)total_bytes;
    pthread_mutex_lock(&f->lock);
    bool current = atomic_load(&f->current) == r->number;
    if (current) f->status.done_bytes = done_bytes;
    pthread_mutex_unlock(&f->lock);
    return current;
}

/* Changes the status of a job that is still the current one, and tells. */
static void tell(const struct run *r, enum fetch_phase phase, const char *sha256,
                 const struct fetch_blame *blame, const struct err *error) {
    struct fetch *f = r->fetch;
    pthread_mutex_lock(&f->lock);
    bool current = atomic_load(&f->current) == r->number;
    if (current) {
        f->status.phase = phase;
        f->status.refused = blame != NULL && blame->refused;
        f->status.cause = blame != NULL ? blame->cause : "";
        if (sha256 != NULL) memcpy(f->status.sha256, sha256, SHA256_HEX_SIZE);
        if (error != NULL) f->status.error = *error;
    }
    pthread_mutex_unlock(&f->lock);
    if (current) f->options.changed(f->options.argument);
}

static bool go_on(void *argument) {
    const struct run *r = argument;
    return atomic_load(&r->fetch->current) == r->number;
}

static void on_verifying(void *argument) {
    tell(argument, FETCH_VERIFYING, NULL, NULL, NULL);
}

static bool do_order(const struct fetch_work *w, struct order *o, struct fetch_blame *blame,
                     struct err *e) {
    struct version found;
    const struct fetch_source from = {.url = o->url, .pin = o->pin, .token = o->token};
    if (o->url != NULL) return fetch_job_download(w, &o->version, &from, blame, e);
    if (!fetch_job_local(w, o->path, &found, e)) return false;
    version_clear(&o->version);
    o->version = found;
    return true;
}

static void run_order(struct fetch *f, struct order *o) {
    struct run r = {f, o->number};
    struct err e = {0};
    struct fetch_blame blame = {.cause = "machine"};
    const struct fetch_work w = {.state = f->options.state,
                                 .place = f->options.place,
                                 .trust = f->options.trust,
                                 .stall_timeout_ms = f->options.stall_timeout_ms,
                                 .progress = on_progress,
                                 .go_on = go_on,
                                 .verifying = on_verifying,
                                 .argument = &r};
    bool done = do_order(&w, o, &blame, &e);
    if (done)
        log_info("fetch.done", "file=%s version=%s sha256=%s", o->version.file, o->version.version,
                 o->version.sha256);
    else if (atomic_load(&f->current) == o->number)
        log_warn("fetch.failed", "code=%s error=%s", err_code_name(e.code), e.text);
    tell(&r, done ? FETCH_DONE : FETCH_FAILED, o->version.sha256, &blame, &e);
}

static bool next_order(struct fetch *f, struct order *out) {
    pthread_mutex_lock(&f->lock);
    while (f->order.number == 0 && !f->stopping) pthread_cond_wait(&f->wanted, &f->lock);
    *out = f->order;
    f->order = (struct order){0};
    bool go_on = !f->stopping;
    pthread_mutex_unlock(&f->lock);
    return go_on;
}

void *fetch_run(void *fetch) {
    struct fetch *f = fetch;
    struct order o;
    while (next_order(f, &o)) {
        run_order(f, &o);
        order_clear(&o);
    }
    order_clear(&o);
    return NULL;
}
