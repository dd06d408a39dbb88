/* Repeatable random numbers for property tests: the same on every run and machine. */
#pragma once

#include <stdint.h>

static uint64_t random_state = 0x9E3779B97F4A7C15u;

/* xorshift64* (Vigna 2016); a number below limit. */
__attribute__((unused)) static inline uint64_t random_below(uint64_t limit) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * 0x2545F4914F6CDD1Du >> 11) % limit;
}
