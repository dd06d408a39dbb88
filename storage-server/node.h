/* One running node as its request handlers see it. */
#pragma once

#include "storage-server/chunks.h"

#include <stdatomic.h>

struct node {
    const char *id;
    const char *nonce; /* given by whoever started us; "" when nobody did */
    const char *version;
    struct chunks *chunks;
    atomic_bool draining;
    atomic_int running; /* requests for chunks under way */
    int running_max;    /* more are told to come again: a worker must be left for /healthz */
};

/* conditions.h, draining among them. */
unsigned node_conditions(const struct node *n);

/* Counts a request for chunks in, until node_leave. ERR_RATE_LIMITED when there are too many. */
MUST_CHECK bool node_enter(struct node *n, struct err *e);
void node_leave(struct node *n);
