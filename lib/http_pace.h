/* How fast a client takes its answer or gives its body, by the bytes that TCP moved while somebody
 * waited for it. Pure: one thread at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HTTP_PACE_NOTE_MS 500      /* whoever waits notes so often */
#define HTTP_PACE_GRACE_MS 1000    /* nobody is judged by less */
#define HTTP_PACE_WINDOW_MS 3000   /* nor by more; by half of it at least once it has passed */
#define HTTP_PACE_MINIMUM_BPS 4096 /* bytes per second; a bad telephone line does more */

struct http_pace_mark {
    int64_t at_ms;
    int64_t bytes;
};

struct http_pace {
    int awaited;                 /* POLLIN or POLLOUT; 0: nothing noted yet */
    struct http_pace_mark begin; /* of the window */
    struct http_pace_mark next;  /* where the next window begins */
    struct http_pace_mark last;
};

bool http_pace_is_due(const struct http_pace *p, int64_t now_ms); /* for a note */

/* While the client is waited for: so many bytes have moved in that direction since it connected.
 * Another direction, or a while without a note (nobody waited), begins a new window. */
void http_pace_note(struct http_pace *p, int awaited, int64_t bytes, int64_t now_ms);

/* True when it is waited for, long enough to be judged, and below the minimum; *bps is its rate. */
bool http_pace_is_slow(const struct http_pace *p, int64_t now_ms, int64_t *bps);
