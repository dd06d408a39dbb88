#include "lib/http_pace.h"

/* A note may come late by the time between two others, never by more while somebody waits. */
#define STALE_MS (INT64_C(3) * HTTP_PACE_NOTE_MS)

bool http_pace_is_due(const struct http_pace *p, int64_t now_ms) {
    return p->awaited == 0 || now_ms - p->last.at_ms >= HTTP_PACE_NOTE_MS;
}

void http_pace_note(struct http_pace *p, int awaited, int64_t bytes, int64_t now_ms) {
    struct http_pace_mark here = {now_ms, bytes};
    bool goes_on = p->awaited == awaited && now_ms - p->last.at_ms <= STALE_MS;
    if (!goes_on) *p = (struct http_pace){awaited, here, here, here};
    p->last = here;
    if (now_ms - p->next.at_ms < HTTP_PACE_WINDOW_MS / 2) return;
    p->begin = p->next;
    p->next = here;
}

bool http_pace_is_slow(const struct http_pace *p, int64_t now_ms, int64_t *bps) {
    int64_t span_ms = p->last.at_ms - p->begin.at_ms;
    if (p->awaited == 0 || span_ms < HTTP_PACE_GRACE_MS || now_ms - p->last.at_ms > STALE_MS)
        return false;
    *bps = (p->last.bytes - p->begin.bytes) * 1000 / span_ms;
    return *bps < HTTP_PACE_MINIMUM_BPS;
}
