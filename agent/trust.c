#include "agent/trust_internal.h"

#include "agent/backoff.h"
#include "lib/clock.h"
#include "lib/condition.h"
#include "lib/log.h"
#include "lib/secret.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { GO_ON_MS = 100 };

static const struct backoff retry = {.first_ms = 1000, .longest_ms = 10 * 60 * 1000};
static const struct backoff regular = {.first_ms = TRUST_EVERY_MS, .longest_ms = TRUST_EVERY_MS};

static void wait_until_ms(struct trust *t, int64_t monotonic_ms) {
    const struct timespec at = {.tv_sec = monotonic_ms / 1000,
                                .tv_nsec = monotonic_ms % 1000 * 1000000};
    (void)pthread_cond_timedwait(&t->news, &t->lock, &at);
}

/* What the client trusts now becomes what everybody sees. */
static void publish(struct trust *t) {
    const struct tuf_root *root = t->client != NULL ? tuf_client_root(t->client) : NULL;
    const struct tuf_timestamp *timestamp =
        t->client != NULL ? tuf_client_timestamp(t->client) : NULL;
    const struct tuf_targets *targets = t->client != NULL ? tuf_client_targets(t->client) : NULL;
    struct trust_view view = {0};
    trust_view_take(&view, targets);
    pthread_mutex_lock(&t->lock);
    struct trust_view before = t->view;
    if (view.version != before.version) t->number++;
    t->view = view;
    t->root = root != NULL ? root->heading.version : 0;
    t->timestamp = timestamp != NULL ? timestamp->heading.version : 0;
    t->expires_ms = timestamp != NULL ? timestamp->heading.expires_ms : 0;
    bool moved = timestamp != NULL &&
                 trust_clock_take(&t->clock, timestamp->heading.expires_ms, clock_boot_ms());
    struct trust_clock clock = t->clock;
    pthread_mutex_unlock(&t->lock);
    struct err e = {0};
    trust_view_clear(&before);
    if (moved && !trust_clock_save(&clock, t->options.state, &e))
        log_warn("trust.clock", "error=%s", e.text);
}

struct trust *trust_open(const struct trust_options *options) {
    struct trust *t = memory_zeroed(1, sizeof *t);
    t->options = *options;
    pthread_mutex_init(&t->lock, NULL);
    condition_init(&t->news);
    if (options->mirror != NULL)
        snprintf(t->mirror.url, sizeof t->mirror.url, "%s", options->mirror);
    if (!trust_load_root(t)) return t;
    if (tuf_client_timestamp(t->client) != NULL) trust_clock_load(&t->clock, options->state);
    publish(t);
    return t;
}

void trust_close(struct trust *t) {
    if (t == NULL) return;
    if (t->client != NULL) tuf_client_close(t->client);
    trust_view_clear(&t->view);
    pthread_cond_destroy(&t->news);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

void trust_source(struct trust *t, const char *url, const char *pin) {
    pthread_mutex_lock(&t->lock);
    bool same = strcmp(t->place.url, url) == 0 && strcmp(t->place.pin, pin) == 0;
    if (!same) {
        text_cut(t->place.url, sizeof t->place.url, url);
        text_cut(t->place.pin, sizeof t->place.pin, pin);
        t->asked++;
        pthread_cond_broadcast(&t->news);
    }
    pthread_mutex_unlock(&t->lock);
}

void trust_look(struct trust *t) {
    pthread_mutex_lock(&t->lock);
    t->asked++;
    pthread_cond_broadcast(&t->news);
    pthread_mutex_unlock(&t->lock);
}

void trust_stop(struct trust *t) {
    atomic_store(&t->stopping, true);
    pthread_mutex_lock(&t->lock);
    pthread_cond_broadcast(&t->news);
    pthread_mutex_unlock(&t->lock);
}

/* Under the lock. A timestamp that nobody replaces in time is held back by somebody. */
static bool is_frozen(const struct trust *t) {
    int64_t now_ms = trust_clock_now(&t->clock, clock_boot_ms());
    return t->timestamp > 0 && t->expires_ms <= now_ms;
}

/* Under the lock. */
static bool refuse_frozen(const struct trust *t, struct err *e) {
    char expired[CLOCK_RFC3339_SIZE];
    return err_set(e, ERR_UNTRUSTED,
                   "the newest timestamp that came here (version %" PRId64 ") expired at %s: newer "
                   "ones are held back",
                   t->timestamp, clock_rfc3339(t->expires_ms, expired));
}

static int64_t time_now(struct trust *t) {
    pthread_mutex_lock(&t->lock);
    int64_t now_ms = trust_clock_now(&t->clock, clock_boot_ms());
    pthread_mutex_unlock(&t->lock);
    return now_ms;
}

static bool refresh(struct trust *t, struct trust_outcome *out) {
    struct err *e = &out->error;
    if (!trust_choose_place(t, e) || !trust_find_root(t, &out->attack, e)) return false;
    int64_t now_ms = time_now(t);
    bool done = tuf_client_refresh(t->client, now_ms, e);
    /* A new root may have taken the keys from whoever moved the time ahead. */
    if (!done && time_now(t) < now_ms) done = tuf_client_refresh(t->client, time_now(t), e);
    if (!done) out->attack = tuf_client_attack(t->client);
    return done;
}

static void tell(const struct trust_outcome *before, const struct trust_outcome *now) {
    bool failed = now->error.code != ERR_NONE;
    if (failed && strcmp(now->error.text, before->error.text) != 0)
        log_warn("trust.not_refreshed", "attack=%s code=%s error=%s", tuf_attack_name(now->attack),
                 err_code_name(now->error.code), now->error.text);
    if (before->attack != TUF_NO_ATTACK && now->attack == TUF_NO_ATTACK)
        log_info("trust.attack_over", "attack=%s", tuf_attack_name(before->attack));
}

/* Ends the refresh that began for the wishes up to this one. */
static void note_end(struct trust *t, uint64_t wish, struct trust_outcome *now) {
    pthread_mutex_lock(&t->lock);
    const struct trust_outcome before = t->outcome;
    if (now->attack == TUF_NO_ATTACK && is_frozen(t)) {
        now->attack = TUF_FREEZE;
        refuse_frozen(t, &now->error);
    }
    if (before.attack != TUF_NO_ATTACK && now->attack == TUF_NO_ATTACK) t->number++;
    t->outcome = *now;
    t->answered = wish;
    pthread_cond_broadcast(&t->news);
    pthread_mutex_unlock(&t->lock);
    tell(&before, now);
}

static uint32_t random_number(void) {
    uint32_t number;
    random_bytes(&number, sizeof number);
    return number;
}

/* When the next refresh is due, unless it is wished for. */
static int64_t refresh_once(struct trust *t, uint64_t wish) {
    struct trust_outcome now = {0};
    bool done = refresh(t, &now);
    if (done) now = (struct trust_outcome){0};
    if (!done && t->mirror_lacks)
        err_wrap(&now.error, "%.80s has no metadata, so from the master", t->mirror.url);
    publish(t);
    note_end(t, wish, &now);
    t->failures = done ? 0 : t->failures + 1;
    t->options.changed(t->options.argument);
    return clock_monotonic_ms() + (done ? backoff_pause_ms(&regular, 1, random_number())
                                        : backoff_pause_ms(&retry, t->failures, random_number()));
}

/* The number of the latest wish, once there is one or the time has come. */
static uint64_t wait_for_wish(struct trust *t, int64_t due_ms) {
    pthread_mutex_lock(&t->lock);
    while (!atomic_load(&t->stopping) && t->asked == t->answered && clock_monotonic_ms() < due_ms)
        wait_until_ms(t, due_ms);
    uint64_t wish = t->asked;
    t->from = t->place;
    pthread_mutex_unlock(&t->lock);
    return wish;
}

void *trust_run(void *trust) {
    struct trust *t = trust;
    int64_t due_ms = clock_monotonic_ms() + TRUST_EVERY_MS; /* the first comes with the source */
    for (;;) {
        uint64_t wish = wait_for_wish(t, due_ms);
        if (atomic_load(&t->stopping)) return NULL;
        due_ms = refresh_once(t, wish);
    }
}

bool trust_refresh(struct trust *t, bool (*go_on)(void *argument), void *argument, struct err *e) {
    bool wanted = true;
    struct err found;
    pthread_mutex_lock(&t->lock);
    uint64_t wish = ++t->asked;
    pthread_cond_broadcast(&t->news);
    while (t->answered < wish && wanted && !atomic_load(&t->stopping)) {
        wait_until_ms(t, clock_monotonic_ms() + GO_ON_MS);
        pthread_mutex_unlock(&t->lock);
        wanted = go_on == NULL || go_on(argument);
        pthread_mutex_lock(&t->lock);
    }
    bool answered = t->answered >= wish;
    found = t->outcome.error;
    pthread_mutex_unlock(&t->lock);
    if (!answered) return err_set(e, ERR_UNAVAILABLE, "cancelled");
    if (found.code == ERR_NONE) return true;
    if (e != NULL) *e = found;
    return err_wrap(e, "metadata of the repository");
}

/* Under the lock. */
static bool is_named(const struct trust *t, const struct version *v, struct err *e) {
    if (t->view.version > 0) return trust_view_allows(&t->view, v, e);
    return err_set(e, ERR_NOT_FOUND, "no targets are trusted yet that could name %s", v->file);
}

bool trust_allows(struct trust *t, const struct version *v, int64_t *targets_version,
                  struct err *e) {
    pthread_mutex_lock(&t->lock);
    bool allowed = false;
    if (is_named(t, v, e)) allowed = !is_frozen(t) || refuse_frozen(t, e);
    *targets_version = t->view.version;
    pthread_mutex_unlock(&t->lock);
    return allowed;
}

bool trust_allows_switch(struct trust *t, const struct version *v, struct err *e) {
    pthread_mutex_lock(&t->lock);
    bool allowed = t->root == 0 || is_named(t, v, e);
    pthread_mutex_unlock(&t->lock);
    return allowed;
}

uint64_t trust_number(struct trust *t) {
    pthread_mutex_lock(&t->lock);
    uint64_t number = t->number;
    pthread_mutex_unlock(&t->lock);
    return number;
}

void trust_report(struct trust *t, struct wire_trust *out) {
    pthread_mutex_lock(&t->lock);
    const char *attack = tuf_attack_name(t->outcome.attack);
    *out =
        (struct wire_trust){.root = t->root, .targets = t->view.version, .timestamp = t->timestamp};
    if (attack[0] != '\0') out->attack = text_duplicate(attack);
    const struct err *e = &t->outcome.error;
    if (e->code != ERR_NONE) out->reason = text_duplicate(e->text);
    pthread_mutex_unlock(&t->lock);
}
