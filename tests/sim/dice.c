#include "tests/sim/dice.h"

/* Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014), the mixing function.
 */
struct dice dice_of(uint64_t seed) {
    return (struct dice){.state = seed * 0x9E3779B97F4A7C15U + 0x632BE59BD9B4E019U};
}

uint64_t dice_next(struct dice *d) {
    uint64_t mixed = d->state += 0x9E3779B97F4A7C15U;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31);
}

int64_t dice_below(struct dice *d, int64_t limit) {
    return limit > 0 ? (int64_t)(dice_next(d) % (uint64_t)limit) : 0;
}

int64_t dice_between(struct dice *d, int64_t low, int64_t high) {
    return low + dice_below(d, high - low + 1);
}

bool dice_chance(struct dice *d, int64_t of_a_million) {
    return dice_below(d, 1000000) < of_a_million;
}
