#include "agent/backoff.h"

#include <assert.h>

enum { JITTER_PERCENT = 25 };

const struct backoff backoff_node = {.first_ms = 1000, .longest_ms = 60000};
const struct backoff backoff_download = {.first_ms = 1000, .longest_ms = 60000};
const struct backoff backoff_master = {.first_ms = 200, .longest_ms = 5000};

int64_t backoff_pause_ms(const struct backoff *b, unsigned failures, uint32_t random) {
    if (failures == 0) return 0;
    assert(b->first_ms > 0 && b->first_ms <= b->longest_ms);
    int64_t pause = b->first_ms;
    for (unsigned i = 1; i < failures && pause < b->longest_ms; i++) pause *= 2;
    if (pause > b->longest_ms) pause = b->longest_ms;
    int64_t spread = pause * 2 * JITTER_PERCENT / 100;
    int64_t offset = (int64_t)(((uint64_t)spread * random) >> 32);
    assert(offset >= 0 && offset <= spread);
    return pause - spread / 2 + offset;
}

unsigned backoff_failed(unsigned failures, int64_t up_ms) {
    if (up_ms >= BACKOFF_RESET_MS) return 1;
    return failures < UINT32_MAX ? failures + 1 : failures;
}
