/* Attempts to get a version: which one is under way, how the last one ended, when the next is due.
 * One thread. */
#pragma once

#include "agent/fetch.h"
#include "agent/reconcile.h"
#include "agent/versions.h"
#include "lib/wire.h"

struct fetching {
    struct fetch *fetch;
    char base_url[600];                   /* "" while the master's address is not known */
    char token[WIRE_DOWNLOAD_TOKEN_SIZE]; /* to show there; "" for none */
    uint64_t job;                         /* number of the job under way, 0 for none */
    char sha256[SHA256_HEX_SIZE];         /* ... of a download */
    int64_t attempt;                      /* at this version */
    struct fetch_status status;           /* of the job under way */
    /* how the last attempt ended */
    char failed[SHA256_HEX_SIZE];
    bool refused;
    struct err error;
    unsigned failures;
    int64_t after_ms;
    int64_t best_bytes;   /* furthest that any attempt came */
    char local_path[256]; /* binary_path; "" : none */
    bool local_done;
};

void fetching_init(struct fetching *f, struct fetch *fetch, const char *local_path);

/* What became of the job under way. True when a version has come into the store; *local says that
 * it is the local file's. */
bool fetching_update(struct fetching *f, int64_t now_ms, char sha256[SHA256_HEX_SIZE], bool *local);

/* Makes the jobs be as decided: sha256 "" wants none. Looks after the local file, too. Lowers
 * *due_ms. */
void fetching_want(struct fetching *f, const struct versions *v, const char *sha256, int64_t now_ms,
                   int64_t *due_ms);

/* The credential of the latest answer: an attempt that lacked one is worth repeating at once. */
void fetching_allow(struct fetching *f, const char *token);

/* A new desired state: what was refused may be asked for again. */
void fetching_forget(struct fetching *f);

void fetching_describe(const struct fetching *f, struct reconcile_input *in);

/* Whether the attempt under way is a repetition that has not come further than those before: then
 * the last failure is still the news. */
bool fetching_repeats(const struct fetching *f);
