#include "tests/sim/queue.h"

#include "lib/text.h"

#include <assert.h>
#include <stdlib.h>

enum { SLOTS = 1 << 15, WORDS = SLOTS / 64 };

void queue_init(struct queue *q) {
    *q = (struct queue){.free = QUEUE_NONE, .far = QUEUE_NONE};
    q->first = memory_zeroed(SLOTS, sizeof *q->first);
    q->last = memory_zeroed(SLOTS, sizeof *q->last);
    q->occupied = memory_zeroed(WORDS, sizeof *q->occupied);
}

void queue_fini(struct queue *q) {
    free(q->events);
    free(q->first);
    free(q->last);
    free(q->occupied);
    *q = (struct queue){0};
}

static void grow(struct queue *q) {
    size_t before = q->capacity;
    q->capacity = before == 0 ? 1024 : 2 * before;
    assert(q->capacity < QUEUE_NONE);
    q->events = memory_resize(q->events, q->capacity, sizeof *q->events);
    for (size_t i = q->capacity; i-- > before;) {
        q->events[i].next = q->free;
        q->free = (uint32_t)i;
    }
}

static void file(struct queue *q, uint32_t index) {
    struct planned *e = &q->events[index];
    e->next = QUEUE_NONE;
    if (e->at_ms >= q->turn_ms + SLOTS) {
        e->next = q->far;
        q->far = index;
        return;
    }
    size_t slot = (size_t)(e->at_ms % SLOTS);
    uint64_t bit = 1ULL << (slot % 64);
    if ((q->occupied[slot / 64] & bit) == 0)
        q->first[slot] = index;
    else
        q->events[q->last[slot]].next = index;
    q->last[slot] = index;
    q->occupied[slot / 64] |= bit;
}

void queue_add(struct queue *q, const struct planned *e) {
    if (q->free == QUEUE_NONE) grow(q);
    uint32_t index = q->free;
    q->free = q->events[index].next;
    q->events[index] = *e;
    if (e->at_ms < q->now_ms) q->events[index].at_ms = q->now_ms;
    q->length++;
    file(q, index);
}

/* The wheel has turned: what was far may be near now. */
static void turn(struct queue *q) {
    uint32_t chain = QUEUE_NONE;
    q->turn_ms += SLOTS;
    q->now_ms = q->turn_ms;
    for (uint32_t i = q->far, next; i != QUEUE_NONE; i = next) {
        next = q->events[i].next;
        q->events[i].next = chain;
        chain = i;
    }
    q->far = QUEUE_NONE;
    for (uint32_t i = chain, next; i != QUEUE_NONE; i = next) {
        next = q->events[i].next;
        file(q, i);
    }
}

/* The first occupied slot from now on in this turn; SLOTS when there is none. */
static size_t find_slot(const struct queue *q) {
    size_t slot = (size_t)(q->now_ms - q->turn_ms);
    size_t word = slot / 64;
    uint64_t bits = q->occupied[word] & (~0ULL << (slot % 64));
    while (bits == 0 && ++word < WORDS) bits = q->occupied[word];
    return bits == 0 ? SLOTS : word * 64 + (size_t)__builtin_ctzll(bits);
}

bool queue_next(struct queue *q, struct planned *out) {
    if (q->length == 0) return false;
    size_t slot = find_slot(q);
    while (slot == SLOTS) {
        turn(q);
        slot = find_slot(q);
    }
    uint32_t index = q->first[slot];
    *out = q->events[index];
    if (out->next == QUEUE_NONE)
        q->occupied[slot / 64] &= ~(1ULL << (slot % 64));
    else
        q->first[slot] = out->next;
    q->events[index].next = q->free;
    q->free = index;
    q->length--;
    q->now_ms = out->at_ms;
    return true;
}
