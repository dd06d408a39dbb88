#include "master/lockouts.h"

#include "lib/own.h"
#include "lib/rate.h"
#include "master/events.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define KEYS 10000
#define HOUR_S 3600
#define PLACE_S (30 * 24 * HOUR_S)
#define PLACE_SIZE 192

struct lockouts {
    struct events *events;
    struct rate_limiter *by_address, *by_name, *failures_told;
    struct rate_limiter *places; /* "ADDRESS NAME" has no token left: that one signed in there */
    struct rate_limiter *told, *told_each;
    _Atomic int64_t untold;
};

struct lockouts *lockouts_new(struct events *events) {
    const struct rate_limit failures = {.per_second = 5.0 / 60, .burst = 5};
    const struct rate_limit failures_told = {.per_second = 1.0 / 6, .burst = 20};
    const struct rate_limit place = {.per_second = 1.0 / PLACE_S, .burst = 1};
    /* At most sixty in any hour: as many at once as come back within it. */
    const struct rate_limit told = {.per_second = 30.0 / HOUR_S, .burst = 30};
    const struct rate_limit told_each = {.per_second = 1.0 / HOUR_S, .burst = 1};
    struct lockouts *l = memory_zeroed(1, sizeof *l);
    l->events = events;
    l->by_address = rate_limiter_new(failures, KEYS);
    l->by_name = rate_limiter_new(failures, KEYS);
    l->failures_told = rate_limiter_new(failures_told, 1);
    l->places = rate_limiter_new(place, KEYS);
    l->told = rate_limiter_new(told, 1);
    l->told_each = rate_limiter_new(told_each, KEYS);
    return l;
}

void lockouts_free(struct lockouts *l) {
    if (l == NULL) return;
    rate_limiter_free(l->by_address);
    rate_limiter_free(l->by_name);
    rate_limiter_free(l->failures_told);
    rate_limiter_free(l->places);
    rate_limiter_free(l->told);
    rate_limiter_free(l->told_each);
    free(l);
}

static const char *place_of(const struct attempt *by, char out[PLACE_SIZE]) {
    snprintf(out, PLACE_SIZE, "%s %s", by->address, by->name);
    return out;
}

bool lockouts_check(struct lockouts *l, const struct attempt *by, int64_t now_ms, int64_t *wait_ms,
                    struct err *e) {
    char place[PLACE_SIZE];
    if (rate_limiter_allows(l->by_address, by->address, now_ms, wait_ms) &&
        (rate_limiter_allows(l->by_name, by->name, now_ms, wait_ms) ||
         !rate_limiter_allows(l->places, place_of(by, place), now_ms, NULL)))
        return true;
    return err_set(e, ERR_RATE_LIMITED, "too many failed attempts to sign in");
}

static void tell(struct lockouts *l, const char *what, const char *who, const char *address,
                 int64_t now_ms) {
    char words[320], key[PLACE_SIZE], others[80] = "";
    snprintf(key, sizeof key, "%s %s", what, who);
    if (!rate_limiter_allows(l->told, "", now_ms, NULL)) {
        l->untold++;
        return;
    }
    if (!rate_limiter_take(l->told_each, key, 1, now_ms, NULL)) return;
    (void)rate_limiter_take(l->told, "", 1, now_ms, NULL);
    int64_t untold = atomic_exchange(&l->untold, 0);
    if (untold > 0)
        snprintf(others, sizeof others, "; %lld times more before, untold", (long long)untold);
    snprintf(words, sizeof words,
             "%.16s %.64s is kept from signing in for a while: too many failures, the last at "
             "%.64s%s",
             what, who, address, others);
    events_record_change(l->events, "user.locked_out", who, "anonymous", words);
}

/* Counts one, and tells when it was the last that was free. */
static bool took_last(struct rate_limiter *failures, const char *key, int64_t now_ms) {
    (void)rate_limiter_take(failures, key, 1, now_ms, NULL);
    return !rate_limiter_allows(failures, key, now_ms, NULL);
}

void lockouts_not_invited(struct lockouts *l, const char *address, int64_t now_ms) {
    if (took_last(l->by_address, address, now_ms)) tell(l, "address", address, address, now_ms);
}

void lockouts_failed(struct lockouts *l, const struct attempt *by, bool known, int64_t now_ms) {
    bool name_out = took_last(l->by_name, by->name, now_ms) && known;
    if (rate_limiter_take(l->failures_told, "", 1, now_ms, NULL)) {
        char words[160];
        snprintf(words, sizeof words, "somebody at %s failed to sign in", by->address);
        events_record(l->events, "user.login_failed", known ? by->name : "unknown", "", words);
    }
    if (name_out) tell(l, "user", by->name, by->address, now_ms);
    lockouts_not_invited(l, by->address, now_ms);
}

void lockouts_signed_in(struct lockouts *l, const struct attempt *by, int64_t now_ms) {
    char place[PLACE_SIZE];
    (void)rate_limiter_take(l->places, place_of(by, place), 1, now_ms, NULL);
}
