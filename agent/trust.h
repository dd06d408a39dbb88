/* What this machine believes of builds: the repository's metadata, in STATE/tuf/ byte for byte,
 * kept up to date from the master and proven by lib/tuf_client.h. Time is the newest timestamp's
 * expiry minus a day, plus what passed on the boot clock since it was taken: never the wall clock.
 * One thread at a time. */
#pragma once

#include "agent/state.h"
#include "agent/version.h"
#include "lib/tuf_client.h"
#include "lib/wire.h"

struct trust;

/* How the first root is known. */
struct trust_anchor {
    int64_t root_version; /* of the join string; 0: none, then ... */
    char root_sha256[SHA256_HEX_SIZE];
    const struct sign_public *release_key; /* ... 1.root.json must be signed by this key, once */
};

/* Where the repository is: "https://HOST:PORT", the pin of its key ("" over plain HTTP). */
struct trust_source {
    const char *url;
    const char *pin;
};

MUST_CHECK bool trust_open(struct trust **out, const struct state *state,
                           const struct trust_anchor *anchor, struct err *e);
void trust_close(struct trust *t);
OWN_DEFINE(trust, struct trust, trust_close)

/* Fetches what is new; blocks on the network. ERR_UNTRUSTED when somebody tries something. */
MUST_CHECK bool trust_refresh(struct trust *t, const struct trust_source *from, struct err *e);

/* Whether the trusted targets name exactly these bytes under this file name, for this machine, and
 * not below the floor that they set for the artifact. ERR_UNTRUSTED says which of these is not so,
 * ERR_NOT_FOUND that they do not name the file. No network. */
MUST_CHECK bool trust_allows(struct trust *t, const struct version *v, struct err *e);

/* For the heartbeat. */
void trust_report(const struct trust *t, struct wire_trust *out);
