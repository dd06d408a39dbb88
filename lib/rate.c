#include "lib/rate.h"

#include "lib/own.h"
#include "lib/text.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

/* Sums of fractions miss by their last bits: whoever waited as told finds the tokens there. */
static bool covers(double tokens, double amount) {
    return amount <= tokens + 1e-13 * fmax(1, amount);
}

static int64_t wait_for(double missing, double per_second) {
    double ms = per_second > 0 ? ceil(missing / per_second * 1000) : INFINITY;
    return ms < 9e18 ? (int64_t)ms : INT64_MAX;
}

static void refill(struct rate_bucket *b, struct rate_limit limit, int64_t now_ms) {
    if (now_ms < 1) now_ms = 1; /* 0 would mean full */
    if (b->updated_ms == 0) {
        b->tokens = limit.burst;
        b->updated_ms = now_ms;
    }
    if (now_ms <= b->updated_ms) return;
    double elapsed_s = (double)(now_ms - b->updated_ms) / 1000;
    b->tokens = fmin(limit.burst, b->tokens + elapsed_s * limit.per_second);
    b->updated_ms = now_ms;
}

bool rate_take(struct rate_bucket *b, struct rate_limit limit, double amount, int64_t now_ms,
               int64_t *wait_ms) {
    refill(b, limit, now_ms);
    bool enough = covers(b->tokens, amount);
    int64_t wait = 0;
    if (enough)
        b->tokens = fmax(0, b->tokens - amount);
    else
        wait = covers(limit.burst, amount) ? wait_for(amount - b->tokens, limit.per_second)
                                           : INT64_MAX;
    if (wait_ms != NULL) *wait_ms = wait;
    return enough;
}

/* One key's bucket: in a chain of its hash, and in a ring by last use (newest behind the ring's
 * anchor). */
struct entry {
    struct entry *chain;
    struct entry *newer;
    struct entry *older;
    struct rate_bucket bucket;
    char key[];
};

struct rate_limiter {
    struct rate_limit limit;
    size_t max_keys;
    size_t chain_count; /* a power of two */
    /* Callers choose keys, so they must not know which of them share a chain. */
    unsigned char hash_key[crypto_shorthash_KEYBYTES];
    pthread_mutex_t lock; /* guards what follows; a leaf */
    struct entry **chains;
    struct entry *ring; /* the anchor; older: the newest entry, newer: the oldest */
    size_t count;
};

struct rate_limiter *rate_limiter_new(struct rate_limit limit, size_t max_keys) {
    struct rate_limiter *l = memory_zeroed(1, sizeof *l);
    assert(max_keys > 0);
    int started = sodium_init();
    assert(started >= 0);
    l->limit = limit;
    l->max_keys = max_keys;
    l->chain_count = 1;
    while (l->chain_count < max_keys) l->chain_count *= 2;
    l->chains = memory_zeroed(l->chain_count, sizeof(struct entry *));
    l->ring = memory_zeroed(1, sizeof *l->ring);
    l->ring->newer = l->ring->older = l->ring;
    crypto_shorthash_keygen(l->hash_key);
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

static struct entry **chain_of(const struct rate_limiter *l, const char *key) {
    unsigned char bytes[crypto_shorthash_BYTES];
    uint64_t hash = 0;
    crypto_shorthash(bytes, (const unsigned char *)key, strlen(key), l->hash_key);
    memcpy(&hash, bytes, sizeof hash);
    return &l->chains[hash & (l->chain_count - 1)];
}

static struct entry *find(const struct rate_limiter *l, const char *key) {
    struct entry *entry = *chain_of(l, key);
    while (entry != NULL && strcmp(entry->key, key) != 0) entry = entry->chain;
    return entry;
}

static void ring_leave(struct entry *entry) {
    entry->newer->older = entry->older;
    entry->older->newer = entry->newer;
}

static void ring_enter(struct rate_limiter *l, struct entry *entry) {
    entry->newer = l->ring;
    entry->older = l->ring->older;
    l->ring->older->newer = entry;
    l->ring->older = entry;
}

static void evict_oldest(struct rate_limiter *l) {
    struct entry *oldest = l->ring->newer;
    assert(l->count > 0 && oldest != l->ring);
    struct entry **link = chain_of(l, oldest->key);
    while (*link != oldest) link = &(*link)->chain;
    *link = oldest->chain;
    ring_leave(oldest);
    free(oldest);
    l->count--;
}

static struct entry *insert(struct rate_limiter *l, const char *key) {
    if (l->count == l->max_keys) evict_oldest(l);
    size_t length = strlen(key);
    struct entry *entry = memory_zeroed(1, sizeof *entry + length + 1);
    struct entry **chain = chain_of(l, key);
    memcpy(entry->key, key, length);
    entry->chain = *chain;
    *chain = entry;
    ring_enter(l, entry);
    l->count++;
    assert(l->count <= l->max_keys);
    return entry;
}

bool rate_limiter_take(struct rate_limiter *l, const char *key, double amount, int64_t now_ms,
                       int64_t *wait_ms) {
    pthread_mutex_lock(&l->lock);
    struct entry *entry = find(l, key);
    if (entry != NULL) {
        ring_leave(entry);
        ring_enter(l, entry);
    } else {
        entry = insert(l, key);
    }
    bool taken = rate_take(&entry->bucket, l->limit, amount, now_ms, wait_ms);
    pthread_mutex_unlock(&l->lock);
    return taken;
}

bool rate_limiter_allows(struct rate_limiter *l, const char *key, int64_t now_ms,
                         int64_t *wait_ms) {
    pthread_mutex_lock(&l->lock);
    struct entry *entry = find(l, key);
    struct rate_bucket copy = {0};
    if (entry != NULL) {
        ring_leave(entry);
        ring_enter(l, entry);
        copy = entry->bucket;
    }
    bool allowed = rate_take(&copy, l->limit, 1, now_ms, wait_ms);
    pthread_mutex_unlock(&l->lock);
    return allowed;
}

void rate_limiter_free(struct rate_limiter *l) {
    if (l == NULL) return;
    while (l->count > 0) evict_oldest(l);
    assert(l->ring->newer == l->ring && l->ring->older == l->ring);
    pthread_mutex_destroy(&l->lock);
    free(l->ring);
    free(l->chains);
    free(l);
}
