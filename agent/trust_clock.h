/* What time it is at least, by what was signed and by the boot clock: no wall clock, which anybody
 * may set, makes metadata look older or younger than they are. Kept in STATE/tuf/clock, so that an
 * agent that starts again within one life of the machine does not begin at the floor. One thread at
 * a time. */
#pragma once

#include "agent/state.h"

#include <stdint.h>

#define TRUST_CLOCK_DAY_MS ((int64_t)24 * 60 * 60 * 1000) /* that a timestamp lives */

struct trust_clock {
    int64_t floor_ms;      /* Unix time; 0: nothing is known */
    int64_t taken_boot_ms; /* when that was, by clock_boot_ms */
};

/* What is on disk; from another life of the machine the floor alone. */
void trust_clock_load(struct trust_clock *c, const struct state *s);

/* A timestamp that is trusted expires then: it was signed a day before. True when that is news. */
bool trust_clock_take(struct trust_clock *c, int64_t expires_ms, int64_t boot_ms);

MUST_CHECK bool trust_clock_save(const struct trust_clock *c, const struct state *s, struct err *e);

/* Forgets it, on disk too: whoever held the keys that are gone now may have signed any time. */
MUST_CHECK bool trust_clock_reset(struct trust_clock *c, const struct state *s, struct err *e);

int64_t trust_clock_now(const struct trust_clock *c, int64_t boot_ms); /* 0: nothing is known */
