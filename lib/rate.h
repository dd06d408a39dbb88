/* Token buckets. The bucket is pure; the limiter keeps one per key, bounded, least recently used
 * out first. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rate_bucket {
    double tokens;
    int64_t updated_ms; /* monotonic; 0 = full */
};

struct rate_limit {
    double per_second;
    double burst;
};

/* Takes amount if that many tokens are there; otherwise takes nothing and *wait_ms (may be NULL)
 * says in how many ms they will be, INT64_MAX for never: an amount above the burst, a rate of 0. */
bool rate_take(struct rate_bucket *b, struct rate_limit limit, double amount, int64_t now_ms,
               int64_t *wait_ms);

struct rate_limiter;

/* Any thread may use a limiter. It keeps max_keys buckets at most; a key without one has a full
 * one. Never NULL. */
struct rate_limiter *rate_limiter_new(struct rate_limit limit, size_t max_keys);
bool rate_limiter_take(struct rate_limiter *l, const char *key, double amount, int64_t now_ms,
                       int64_t *wait_ms);

/* Whether a take would succeed, taking nothing: for limits that count failures only. */
bool rate_limiter_allows(struct rate_limiter *l, const char *key, int64_t now_ms, int64_t *wait_ms);
void rate_limiter_free(struct rate_limiter *l);
