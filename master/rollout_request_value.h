/* Amounts and durations of a rollout's request, out of JSON and back. Pure. */
#pragma once

#include "lib/err.h"
#include "master/rollout.h"

#define ROLLOUT_AMOUNT_MAX 1000000
#define ROLLOUT_AMOUNT_SIZE 16
#define ROLLOUT_DURATION_MAX_MS (INT64_C(30) * 24 * 3600 * 1000)

/* json: 3, "3" or "10%"; NULL: the fallback. least: the smallest count. words gets it as text. */
MUST_CHECK bool rollout_request_amount(const char *key, const char *json, const char *fallback,
                                       int32_t least, struct rollout_amount *out,
                                       char words[ROLLOUT_AMOUNT_SIZE], struct err *e);

struct rollout_duration {
    const char *key;
    const char *json; /* seconds, may have fractions; NULL: the fallback */
    int64_t fallback_ms;
    int64_t least_ms;
    bool may_be_never; /* "never": ROLLOUT_NEVER */
    int64_t *out_ms;
};
MUST_CHECK bool rollout_request_duration(const struct rollout_duration *d, struct err *e);

/* JSON values; the caller frees them. */
char *rollout_request_amount_text(struct rollout_amount amount);
char *rollout_request_duration_text(int64_t ms);
