/* The work of one job of agent/fetch.h: from bytes somewhere to a verified version in the store.
 * One thread at a time. */
#pragma once

#include "agent/fetch.h"

struct fetch_work {
    const struct state *state;
    const struct fetch_place *place;
    struct trust *trust;
    int64_t stall_timeout_ms;
    bool (*progress)(void *argument, int64_t done_bytes, int64_t total_bytes); /* false cancels */
    bool (*go_on)(void *argument);                                             /* likewise */
    void (*verifying)(void *argument);
    void *argument;
};

/* What a failure means, as in struct fetch_status. */
struct fetch_blame {
    bool refused;
    const char *cause;
};

/* Resumes STATE/PARTS/SHA256.part. */
MUST_CHECK bool fetch_job_download(const struct fetch_work *w, const struct version *v,
                                   const struct fetch_source *from, struct fetch_blame *blame,
                                   struct err *e);

/* *out is what the file turned out to be; version_clear it. */
MUST_CHECK bool fetch_job_local(const struct fetch_work *w, const char *path, struct version *out,
                                struct err *e);
