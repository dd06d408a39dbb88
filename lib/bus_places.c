#include "lib/bus_places.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/text.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

struct bus_origin {
    LIST_ENTRY(bus_origin) next;
    size_t connections;
    char address[];
};

_Static_assert(sizeof((struct bus_places *)0)->hash_key == crypto_shorthash_KEYBYTES, "hash key");

void bus_places_init(struct bus_places *p, size_t max, size_t max_per_address) {
    *p = (struct bus_places){.max = max, .max_per_address = max_per_address};
    for (size_t i = 0; i < BUS_PLACES_CHAINS; i++) LIST_INIT(&p->chains[i]);
    crypto_shorthash_keygen(p->hash_key);
}

void bus_places_fini(struct bus_places *p) {
    assert(p->counts.open == 0);
}

static struct bus_origins *chain_of(struct bus_places *p, const char *address) {
    uint64_t hash = 0;
    unsigned char bytes[crypto_shorthash_BYTES];
    crypto_shorthash(bytes, (const unsigned char *)address, strlen(address), p->hash_key);
    memcpy(&hash, bytes, sizeof hash);
    return &p->chains[hash % BUS_PLACES_CHAINS];
}

static struct bus_origin *find(const struct bus_origins *chain, const char *address) {
    struct bus_origin *o = LIST_FIRST(chain);
    while (o != NULL && strcmp(o->address, address) != 0) o = LIST_NEXT(o, next);
    return o;
}

static struct bus_origin *add(struct bus_origins *chain, const char *address) {
    size_t size = strlen(address) + 1;
    struct bus_origin *o = memory_zeroed(1, sizeof *o + size);
    memcpy(o->address, address, size);
    LIST_INSERT_HEAD(chain, o, next);
    return o;
}

/* Whoever is refused can come again at once, so that not each time is worth a line. */
static void tell_refusal(struct bus_places *p, const char *address, const char *which) {
    static const struct rate_limit limit = {.per_second = 0.1, .burst = 10};
    if (!rate_take(&p->refusals_said, limit, 1, clock_monotonic_ms(), NULL)) {
        p->refusals_unsaid++;
        return;
    }
    log_warn("bus.connection_refused", "address=%s limit=%s unsaid_before=%u", address, which,
             p->refusals_unsaid);
    p->refusals_unsaid = 0;
}

bool bus_places_take(struct bus_places *p, const char *address) {
    struct bus_origins *chain = chain_of(p, address);
    struct bus_origin *o = find(chain, address);
    bool full = p->max > 0 && p->counts.open >= p->max;
    bool address_full = o != NULL && p->max_per_address > 0 && o->connections >= p->max_per_address;
    if (full || address_full) {
        ++*(full ? &p->counts.refused_total : &p->counts.refused_per_address);
        tell_refusal(p, address, full ? "total" : "address");
        return false;
    }
    if (o == NULL) o = add(chain, address);
    o->connections++;
    p->counts.open++;
    assert(o->connections <= p->counts.open);
    return true;
}

void bus_places_give(struct bus_places *p, const char *address) {
    struct bus_origin *o = find(chain_of(p, address), address);
    assert(o != NULL && p->counts.open > 0);
    assert(o->connections > 0);
    p->counts.open--;
    if (--o->connections > 0) return;
    LIST_REMOVE(o, next);
    free(o);
}
