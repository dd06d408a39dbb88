/* Chance, all of it from one seed: the same seed gives the same world on every machine. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

struct dice dice_of(uint64_t seed);
uint64_t dice_next(struct dice *d);
int64_t dice_below(struct dice *d, int64_t limit); /* 0 to limit - 1; 0 for limit <= 0 */
int64_t dice_between(struct dice *d, int64_t low, int64_t high); /* both included */
bool dice_chance(struct dice *d, int64_t of_a_million);
