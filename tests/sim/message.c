#include "tests/sim/world.h"

bool desired_equal(const struct sim_desired *a, const struct sim_desired *b) {
    return a->generation == b->generation && a->version == b->version &&
           a->prefetch == b->prefetch && a->rollout == b->rollout && a->attempt == b->attempt &&
           a->edition == b->edition && a->draining == b->draining &&
           a->allow_unavailable == b->allow_unavailable && a->lease_ms == b->lease_ms &&
           a->min_healthy_ms == b->min_healthy_ms && a->probation_ms == b->probation_ms &&
           a->healthy_deadline_ms == b->healthy_deadline_ms;
}
