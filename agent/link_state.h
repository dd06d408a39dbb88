/* The link's decisions: when to say hello, when to send a heartbeat, when to wait. Pure.
 *
 *            hello answered                        LOST (no answer, broken, refused)
 *   DOWN --> HELLO ------------> LIVE ---------------------------------------------> DOWN
 *    ^         | failed            | heartbeats: one always under way, a second one for news
 *    +---------+                   +--
 *   DOWN waits a jittered pause that grows until a heartbeat was answered. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum link_phase { LINK_DOWN, LINK_HELLO, LINK_LIVE };

enum link_event {
    LINK_TICK,           /* time passed */
    LINK_CHANGED,        /* the observed state has news for the master */
    LINK_HELLO_ANSWERED, /* a session began */
    LINK_ANSWERED,       /* a heartbeat of this session was answered */
    LINK_LOST,           /* whatever was under way failed or was refused */
};

enum link_action { LINK_WAIT, LINK_SEND_HELLO, LINK_SEND_HEARTBEAT };

struct link_state { /* zero is the start: hello at once */
    enum link_phase phase;
    unsigned failures;  /* in a row, since a heartbeat was answered */
    unsigned under_way; /* heartbeats sent and not answered; at most 2 */
    bool news;          /* came while two were under way */
    int64_t hello_after_ms;
};

/* Takes one event and says what to do. After an action other than LINK_WAIT nothing else is due.
 * With LINK_WAIT *wake_ms is when LINK_TICK is due: INT64_MAX when only an event ends the wait. */
enum link_action link_next(struct link_state *s, enum link_event event, int64_t now_ms,
                           uint32_t random, int64_t *wake_ms);
