/* Between the parts of agent/trust.h. */
#pragma once

#include "agent/trust.h"
#include "agent/trust_clock.h"
#include "agent/trust_view.h"
#include "lib/tuf_client.h"

#include <pthread.h>
#include <stdatomic.h>

struct trust_place { /* where the repository is */
    char url[600];
    char pin[WIRE_PIN_SIZE];
};

struct trust_outcome { /* of the last refresh */
    enum tuf_attack attack;
    struct err error; /* code ERR_NONE: it went well, or none was yet */
};

struct trust {
    struct trust_options options;
    /* the refresher's alone */
    struct tuf_client *client; /* NULL: no root is trusted yet */
    struct trust_place from;   /* of the refresh under way */
    struct trust_place mirror; /* url "": none */
    bool mirror_lacks;         /* metadata, when last asked */
    unsigned failures;         /* in a row */
    atomic_bool stopping;
    pthread_mutex_t lock;     /* guards everything below */
    pthread_cond_t news;      /* a wish, or the end of a refresh */
    struct trust_place place; /* the master's */
    struct trust_view view;
    struct trust_clock clock;
    int64_t root, timestamp; /* versions; 0: none */
    int64_t expires_ms;      /* of the timestamp */
    uint64_t asked, answered;
    uint64_t number;
    struct trust_outcome outcome;
};

/* Settles where the refresh under way asks: at the mirror when it has metadata, else at the
 * master (t->from when it begins). */
MUST_CHECK bool trust_choose_place(struct trust *t, struct err *e);

/* Gives t->client a root that the anchor proves, from disk or else from the repository. *attack
 * says what is wrong with that one. */
MUST_CHECK bool trust_find_root(struct trust *t, enum tuf_attack *attack, struct err *e);
/* The same from disk alone; true when there is one. */
bool trust_load_root(struct trust *t);

/* A file of the repository's metadata folder, of at most max_bytes. */
MUST_CHECK bool trust_fetch(void *trust, const char *file, size_t max_bytes, struct text *out,
                            struct err *e);
