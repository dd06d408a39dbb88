/* A progress line on stderr while bytes move; nothing when stderr is no terminal. One thread. */
#pragma once

#include "cli/output.h"

struct progress {
    const char *label;
    struct output_style style; /* of stderr */
    int64_t base_bytes;        /* added to what each step says is done and in total */
    int64_t began_ms;
    int64_t shown_ms;
    int64_t first_bytes; /* done when it began: not counted into the rate */
    bool visible;
};

/* label must stay valid. */
void progress_begin(struct progress *p, const char *label, const struct output_style *style);

/* For the progress field of http_call, with the progress as argument; true always. total_bytes 0:
 * unknown. */
bool progress_step(void *progress, int64_t done_bytes, int64_t total_bytes);

/* Clears the line. */
void progress_end(struct progress *p);

/* "label  ██████░░░░  60 %  1.2 MB of 2.0 MB  3.4 MB/s  2 s left", no longer than the terminal.
 * rate_bps 0: unknown. Pure. */
void progress_line(const char *label, int64_t done_bytes, int64_t total_bytes, int64_t rate_bps,
                   const struct output_style *style, struct text *out);
