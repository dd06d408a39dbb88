/* The desired state that was taken last; it is on disk before anybody acts on it. One thread. */
#pragma once

#include "agent/state.h"
#include "agent/version.h"
#include "lib/wire.h"

struct wanted {
    struct wire_desired desired;                   /* generation 0: none was ever taken */
    char *json;                                    /* the same, as it is kept */
    char download_token[WIRE_DOWNLOAD_TOKEN_SIZE]; /* of the last answer, never on disk; "" for none
                                                    */
};

void wanted_load(struct wanted *w, const struct state *s);
void wanted_fini(struct wanted *w);

/* Takes a new one, and its download token in any case. False when it says the same as before, is
 * older, or makes no sense (then it is logged). */
bool wanted_take(struct wanted *w, const struct state *s, const char *json);

/* Writes down again what was taken last. */
void wanted_save(const struct wanted *w, const struct state *s);

/* The desired version; sha256 "" when none is desired. *out is cleared first. */
void wanted_version(const struct wanted *w, struct version *out);

/* The highest restart order for the node; 0 for none. */
int64_t wanted_restart(const struct wanted *w, const char *node_id);
bool wanted_draining(const struct wanted *w);
