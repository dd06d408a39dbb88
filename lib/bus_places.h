/* Places: how many connections a server of the bus may have, in all and from one address. Not
 * thread-safe: its owner's lock guards it. Included by lib/bus*.c only. */
#pragma once

#include "lib/bus.h"

#include <sys/queue.h>

#define BUS_PLACES_CHAINS 1024

struct bus_origin; /* an address with connections */
LIST_HEAD(bus_origins, bus_origin);

struct bus_places {
    size_t max, max_per_address; /* 0: any number */
    size_t taken;
    struct bus_origins chains[BUS_PLACES_CHAINS];
    unsigned char hash_key[16]; /* clients must not know which addresses share a chain */
};

void bus_places_init(struct bus_places *p, size_t max, size_t max_per_address);
void bus_places_fini(struct bus_places *p); /* after every place was given back */

/* Takes a place for one connection from address, or says why there is none. */
enum bus_refusal { BUS_ADMITTED, BUS_FULL, BUS_ADDRESS_FULL };
enum bus_refusal bus_places_take(struct bus_places *p, const char *address);
void bus_places_give(struct bus_places *p, const char *address);
