/* What will happen and when: a wheel of one slot per millisecond for the near future, a list for
 * what is further away. Events of the same millisecond come out in the order they went in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_NONE UINT32_MAX

struct planned {
    int64_t at_ms;
    uint32_t next; /* the queue's own */
    uint32_t agent;
    uint32_t life;    /* of whatever it is about: void when that has ended meanwhile */
    uint32_t message; /* in the network's pool */
    uint8_t kind;
    uint8_t node;
    uint8_t detail;
};

struct queue {
    struct planned *events;
    size_t capacity;
    size_t length; /* events that wait */
    uint32_t free; /* chain of unused ones */
    uint32_t *first, *last;
    uint64_t *occupied; /* a bit per slot */
    uint32_t far;       /* chain, in order of arrival turned around */
    int64_t now_ms;
    int64_t turn_ms; /* the wheel covers turn_ms until a whole turn later */
};

void queue_init(struct queue *q);
void queue_fini(struct queue *q);

/* An event of the past happens now. */
void queue_add(struct queue *q, const struct planned *e);

/* The next event; false when there is none. Moves now_ms to its time. */
bool queue_next(struct queue *q, struct planned *out);
