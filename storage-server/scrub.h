/* Scrub: proves every chunk again and again at an even pace, so that damage is found while there
 * are other copies. A pass goes through the directories in order; DIRECTORY/scrub.json remembers
 * where it is, so that restarts do not keep it from its end. */
#pragma once

#include "storage-server/chunks.h"
#include "storage-server/pause.h"

struct scrub {
    struct chunks *chunks;
    const char *directory;
    struct pause *pause;
    int64_t interval_ms; /* from the start of a pass to the start of the next */
    int64_t rate_bps;    /* bytes a second; 0: never scrubs */
};

/* Thread function; returns when the pause has ended. */
void *scrub_run(void *scrub);

struct scrub_state {
    int64_t directory;   /* the next one to go through; CHUNK_DIRECTORIES: the pass is done */
    int64_t begun_at_ms; /* Unix time */
};

/* Pure: how long to wait before the next directory, 0 for go on; begins a new pass when it is time.
 * A clock that was set back never makes it wait for more than one interval. */
int64_t scrub_next(struct scrub_state *state, int64_t interval_ms, int64_t now_ms);
