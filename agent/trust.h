/* What this machine believes of builds: the repository's metadata, in STATE/tuf/ byte for byte,
 * kept up to date from the master by a thread of its own and proven by lib/tuf_client.h. Time is
 * the newest timestamp's expiry minus a day, plus what passed on the boot clock since it was taken:
 * never the wall clock. Any thread; nothing but trust_run and trust_refresh waits for the
 * network. */
#pragma once

#include "agent/state.h"
#include "agent/version.h"
#include "lib/sign.h"
#include "lib/wire.h"

#define TRUST_EVERY_MS (60 * 60 * 1000) /* between two looks at the repository */

struct trust;

/* How the first root is known. */
struct trust_anchor {
    int64_t root_version; /* of the join string; 0: none, then ... */
    char root_sha256[SHA256_HEX_SIZE];
    struct sign_public release_key; /* ... 1.root.json must be signed by this key, once */
};

struct trust_options {
    const struct state *state;
    struct trust_anchor anchor;
    const char *mirror; /* URL that is asked before the master; "" or NULL for none; copied */
    void (*changed)(void *argument); /* after every refresh; called without locks */
    void *argument;
};

/* Reads what is on disk; what is damaged there is fetched again. */
struct trust *trust_open(const struct trust_options *options);
void trust_close(struct trust *t); /* after trust_run returned */
OWN_DEFINE(trust, struct trust, trust_close)

void *trust_run(void *trust); /* the thread */
void trust_stop(struct trust *t);

/* Where the master is: "https://HOST:PORT" and the pin of its key ("" over plain HTTP). url "":
 * nobody knows yet. Copied. A mirror is asked first; one that has no metadata, but builds alone, is
 * passed over in favour of the master. The pin is the master's alone: for an https mirror the
 * system's CAs vouch. */
void trust_source(struct trust *t, const char *url, const char *pin);

/* Has what is new fetched soon, and does not wait. */
void trust_look(struct trust *t);

/* Has what is new fetched, and waits for it; go_on is asked now and then whether that is still
 * wanted (NULL: it is). ERR_UNTRUSTED when somebody tries something; other errors are the network's
 * or the disk's. */
MUST_CHECK bool trust_refresh(struct trust *t, bool (*go_on)(void *argument), void *argument,
                              struct err *e);

/* Whether these bytes may come onto this machine: the trusted targets, which are no older than
 * their timestamp allows, name them under this file name, for this machine, neither withdrawn nor
 * below the floor of their artifact. *targets_version: which targets said so. ERR_UNTRUSTED says
 * which of these is not so, ERR_NOT_FOUND that no target has this name. */
MUST_CHECK bool trust_allows(struct trust *t, const struct version *v, int64_t *targets_version,
                             struct err *e);

/* Whether a switch to bytes that came in by trust_allows, or before there was any metadata, may
 * begin: the same, but the age of the metadata does not matter, nor that there are none while no
 * root is trusted yet. With a root, targets that somebody keeps back would speak for nothing. */
MUST_CHECK bool trust_allows_switch(struct trust *t, const struct version *v, struct err *e);

/* Grows when other targets are trusted, and when an attack is over: what was refused may be asked
 * for again. */
uint64_t trust_number(struct trust *t);

/* For the heartbeat; free with json_clear(&wire_trust_schema, out). */
void trust_report(struct trust *t, struct wire_trust *out);
