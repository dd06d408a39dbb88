#include "agent/link_state.h"

#include "agent/backoff.h"

#include <assert.h>

enum { MOST_UNDER_WAY = 2 };

static enum link_action send_heartbeat(struct link_state *s) {
    assert(s->phase == LINK_LIVE && s->under_way < MOST_UNDER_WAY);
    s->under_way++;
    s->news = false;
    return LINK_SEND_HEARTBEAT;
}

static enum link_action lose(struct link_state *s, int64_t now_ms, uint32_t random,
                             int64_t *wake_ms) {
    if (s->phase != LINK_DOWN) {
        s->failures++;
        s->hello_after_ms = now_ms + backoff_pause_ms(&backoff_master, s->failures, random);
    }
    s->phase = LINK_DOWN;
    s->under_way = 0;
    s->news = false;
    *wake_ms = s->hello_after_ms;
    return LINK_WAIT;
}

static enum link_action down(struct link_state *s, int64_t now_ms, int64_t *wake_ms) {
    assert(s->phase == LINK_DOWN && s->under_way == 0);
    if (now_ms >= s->hello_after_ms) {
        s->phase = LINK_HELLO;
        return LINK_SEND_HELLO;
    }
    *wake_ms = s->hello_after_ms;
    return LINK_WAIT;
}

static enum link_action greeted(struct link_state *s, enum link_event event) {
    if (event != LINK_HELLO_ANSWERED) return LINK_WAIT;
    s->phase = LINK_LIVE;
    s->under_way = 0;
    return send_heartbeat(s);
}

static enum link_action live(struct link_state *s, enum link_event event) {
    if (event == LINK_ANSWERED) {
        s->failures = 0;
        if (s->under_way > 0) s->under_way--;
    }
    if (event == LINK_CHANGED) s->news = true;
    if (s->under_way == 0 || (s->news && s->under_way < MOST_UNDER_WAY)) return send_heartbeat(s);
    return LINK_WAIT;
}

enum link_action link_next(struct link_state *s, enum link_event event, int64_t now_ms,
                           uint32_t random, int64_t *wake_ms) {
    assert(s->under_way <= MOST_UNDER_WAY);
    *wake_ms = INT64_MAX;
    if (event == LINK_LOST) return lose(s, now_ms, random, wake_ms);
    switch (s->phase) {
    case LINK_HELLO:
        return greeted(s, event);
    case LINK_LIVE:
        return live(s, event);
    case LINK_DOWN:
    default:
        return down(s, now_ms, wake_ms);
    }
}
