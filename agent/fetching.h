/* Attempts to get versions: which one is under way, how the last ones ended, when the next is due.
 * One thread. */
#pragma once

#include "agent/fetch.h"
#include "agent/reconcile.h"
#include "agent/versions.h"
#include "lib/wire.h"

enum { FETCHING_MOST = 6 }; /* versions that may be wanted at about the same time, and then some */

/* How the attempts at one version ended so far. */
struct fetching_try {
    char sha256[SHA256_HEX_SIZE]; /* "" : unused */
    int64_t attempts;
    unsigned failures; /* in a row; 0: none has failed yet */
    bool refused;
    bool away;         /* the last one failed for want of the master, which was away then */
    const char *cause; /* of the last failure: "download", "machine", "untrusted" */
    struct err error;
    int64_t after_ms;
    int64_t best_bytes; /* furthest that any attempt came */
};

struct fetching {
    struct fetch *fetch;
    bool connected;                       /* the master answers on the bus */
    char base_url[600];                   /* "" while the master's address is not known */
    char pin[WIRE_PIN_SIZE];              /* of its key; "" for none */
    char token[WIRE_DOWNLOAD_TOKEN_SIZE]; /* to show there; "" for none */
    uint64_t job;                         /* number of the job under way, 0 for none */
    char sha256[SHA256_HEX_SIZE];         /* ... of a download */
    struct fetch_status status;           /* of the job under way */
    struct fetching_try tries[FETCHING_MOST];
    size_t next_try;           /* to be overwritten when another version comes */
    struct fetching_try local; /* at the local file */
    char local_path[256];      /* binary_path; "" : none */
    bool local_done;
};

void fetching_init(struct fetching *f, struct fetch *fetch, const char *local_path);

/* What became of the job under way. True when a version has come into the store; *local says that
 * it is the local file's. */
bool fetching_update(struct fetching *f, int64_t now_ms, char sha256[SHA256_HEX_SIZE], bool *local);

/* Makes the jobs be as decided: NULL wants no download. Looks after the local file, too. Lowers
 * *due_ms. */
void fetching_want(struct fetching *f, const struct version *version, int64_t now_ms,
                   int64_t *due_ms);

/* That nobody knows enough about this digest to ask for it. */
void fetching_refuse(struct fetching *f, const char *sha256, const struct err *why);

/* Whether the master answers on the bus. While it does not, that it could not be reached is no news
 * about a version; once it is back, what failed so is worth repeating at once. */
void fetching_connected(struct fetching *f, bool connected);

/* The credential of the latest answer: an attempt that lacked one is worth repeating at once. */
void fetching_allow(struct fetching *f, const char *token);

/* A new desired state: what was refused may be asked for again. */
void fetching_forget(struct fetching *f);

void fetching_describe(const struct fetching *f, struct reconcile_input *in);

/* What is known of attempts at this version; NULL: there was none. */
const struct fetching_try *fetching_find(const struct fetching *f, const char *sha256);

/* The same if the last attempt is known to have failed, not merely for want of a master that was
 * away; NULL otherwise. */
const struct fetching_try *fetching_failure(const struct fetching *f, const char *sha256);

/* Whether the attempt under way at this version is a repetition that has not come further than
 * those before: then the last failure is still the news. */
bool fetching_repeats(const struct fetching *f, const char *sha256);
