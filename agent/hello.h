/* The greeting that begins a session, or shows whether the master knows this agent at all. Any
 * thread. */
#pragma once

#include "agent/identity.h"
#include "lib/session.h"
#include "lib/text.h"

struct hello { /* one that is under way */
    char nonce[WIRE_NONCE_HEX_SIZE];
    struct session_exchange mine;
};

/* Which process of the agent speaks, so that the master notices two of one name. Zero for one that
 * only asks and begins no session. */
struct hello_series {
    char instance[WIRE_INSTANCE_SIZE];
    int64_t greetings; /* so far */
};
void hello_series_begin(struct hello_series *s);

/* A new greeting, signed, as the frame to send. generation: the highest desired one seen so far. */
void hello_write(const struct identity *who, int64_t generation, struct hello_series *series,
                 struct hello *out, struct text *frame);

/* The proven answer to it. ERR_NOT_FOUND: the master knows no such agent. ERR_UNTRUSTED: it is not
 * the master's. */
MUST_CHECK bool hello_read(const struct identity *who, const struct hello *sent, const void *bytes,
                           size_t length, struct wire_hello_answer *out, struct err *e);
