/* Pauses between attempts: doubling, capped, jittered by 25 % both ways so that a fleet does not
 * come back in step. Pure. */
#pragma once

#include <stdint.h>

struct backoff {
    int64_t first_ms;
    int64_t longest_ms; /* before jitter */
};

extern const struct backoff backoff_node;     /* restarts of a node: 1 s to 60 s */
extern const struct backoff backoff_download; /* attempts to get a version: 1 s to 60 s */
extern const struct backoff backoff_master;   /* attempts to reach the master: 200 ms to 5 s */

/* A process that ran this long starts with a clean slate when it ends. */
#define BACKOFF_RESET_MS 60000

/* The pause after this many failures in a row (1: the first); 0 for none. random: uniform over its
 * whole range, it places the pause within the jitter. */
int64_t backoff_pause_ms(const struct backoff *b, unsigned failures, uint32_t random);

/* Failures in a row when one more happened after the process had been up for up_ms. */
unsigned backoff_failed(unsigned failures, int64_t up_ms);
