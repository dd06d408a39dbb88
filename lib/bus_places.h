/* Places: how many connections a server of the bus may have, in all and from one address. Not
 * thread-safe: its owner's lock guards it. Included by lib/bus*.c only. */
#pragma once

#include "lib/bus.h"
#include "lib/rate.h"

#include <sys/queue.h>

#define BUS_PLACES_CHAINS 1024

struct bus_origin; /* an address with connections */
LIST_HEAD(bus_origins, bus_origin);

struct bus_places {
    size_t max, max_per_address; /* 0: any number */
    struct bus_connections counts;
    struct bus_origins chains[BUS_PLACES_CHAINS];
    unsigned char hash_key[16]; /* clients must not know which addresses share a chain */
    struct rate_bucket refusals_said;
    unsigned refusals_unsaid;
};

void bus_places_init(struct bus_places *p, size_t max, size_t max_per_address);
void bus_places_fini(struct bus_places *p); /* after every place was given back */

/* Takes a place for one connection from address. False when there is none: counted, and logged now
 * and then. */
bool bus_places_take(struct bus_places *p, const char *address);
void bus_places_give(struct bus_places *p, const char *address);
