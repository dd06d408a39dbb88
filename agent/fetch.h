/* Gets versions into the store, or another place: by resumable download or from a local file,
 * verified, on a thread of its own so that nobody waits for it. One job at a time; a new one, or
 * fetch_cancel, ends the one under way within a moment. What was downloaded of it stays and is
 * resumed later. When to try again is the caller's decision. Any thread. */
#pragma once

#include "agent/state.h"
#include "agent/trust.h"
#include "agent/version.h"
#include "lib/err.h"
#include "lib/wire.h"

#include <stdint.h>

struct fetch;

/* Where a fetcher puts what it has verified. */
struct fetch_place {
    const char *parts; /* below STATE, for what is under way: "tmp" */
    const char *name;  /* artifacts of this name alone: another program is none, however signed */
    /* Takes the file at path over, which is behind fd. */
    bool (*keep)(const struct state *s, const struct version *v, int fd, const char *path,
                 struct err *e);
};
extern const struct fetch_place fetch_store; /* agent/cache.h */

struct fetch_options {
    const struct state *state;
    const struct fetch_place *place; /* NULL: fetch_store */
    struct trust *trust;
    int64_t stall_timeout_ms;        /* 0: the client's default */
    void (*changed)(void *argument); /* after every change of phase; called without locks */
    void *argument;
};

enum fetch_phase { FETCH_IDLE, FETCH_DOWNLOADING, FETCH_VERIFYING, FETCH_DONE, FETCH_FAILED };

struct fetch_status {
    uint64_t job; /* number of the job that this is about; 0: none yet */
    enum fetch_phase phase;
    char sha256[SHA256_HEX_SIZE]; /* of a local file once it is known */
    int64_t done_bytes;
    int64_t total_bytes;
    bool refused;      /* FETCH_FAILED: the same job would fail again, however often */
    const char *cause; /* FETCH_FAILED: "download", "machine" or "untrusted" (struct wire_staging);
                          a constant */
    struct err error;
};

struct fetch *fetch_new(const struct fetch_options *options);
void fetch_free(struct fetch *f); /* after fetch_run returned */

void *fetch_run(void *fetch); /* the thread */
void fetch_stop(struct fetch *f);

/* Where a download comes from. */
struct fetch_source {
    const char *url;
    const char *pin;   /* of the server's key (struct http_trust); "": none */
    const char *token; /* to show there; "": none */
};

/* Downloads version from there, once agent/trust.h allows it; all are copied. Returns the job's
 * number. */
uint64_t fetch_download(struct fetch *f, const struct version *version,
                        const struct fetch_source *from);

/* Takes the file at path, whoever vouches for it; copied. */
uint64_t fetch_local(struct fetch *f, const char *path);

void fetch_cancel(struct fetch *f);
void fetch_status(struct fetch *f, struct fetch_status *out);
