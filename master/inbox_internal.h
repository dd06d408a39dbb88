/* What the files of the inbox room share: inbox.c (sessions, heartbeats), inbox_greet.c (challenge,
 * enroll, hello, refusals). */
#pragma once

#include "lib/rate.h"
#include "lib/session.h"
#include "lib/wire.h"
#include "master/inbox.h"

#include <pthread.h>
#include <stdatomic.h>

/* One session of one agent. */
struct peer {
    struct session session;
    char agent_id[WIRE_AGENT_ID_SIZE];
    char instance[WIRE_INSTANCE_SIZE]; /* of its hello */
    int64_t greeting;
    bool live; /* it has proven itself and speaks for the agent */
    int64_t created_ms;
    struct peer *older; /* in the list of unproven sessions */
    struct bus_request *parked;
    uint64_t parked_sequence;
    int64_t edition; /* of the newest answer that was sealed */
    int64_t parked_at_ms;
    struct peer *previous, *next; /* in the list of parked ones, oldest first */
};

/* A challenge is good for one enrollment: it is remembered for as long as it would be valid. */
struct spent_challenge {
    char challenge[WIRE_NONCE_HEX_SIZE];
    int64_t at_ms;
    struct spent_challenge *older;
};

struct inbox {
    struct inbox_options options;
    int http_port;
    unsigned char challenge_key[SECRET_MAC_KEY_SIZE];
    struct rate_limiter *failures; /* enrollments refused, per address and per token from there */
    atomic_int_fast64_t heartbeats;
    pthread_mutex_t lock; /* guards everything below */
    void *sessions;       /* tree of struct peer by session id */
    void *live;           /* tree of live ones by agent id */
    size_t count;
    struct peer *unproven; /* newest first */
    size_t unproven_count;
    struct spent_challenge *spent; /* newest first */
    struct peer *oldest, *newest;  /* parked */
    size_t parked_count;
    unsigned telling;    /* who answers many agents at once */
    pthread_cond_t told; /* that nobody does any more */
};

/* ERR_UNAVAILABLE when too many sessions wait for their first message. */
MUST_CHECK bool inbox_add_session(struct inbox *i, const struct session *s,
                                  const struct wire_hello *hello, struct err *e);
void inbox_tell_pin(const struct inbox *i, char out[WIRE_PIN_SIZE]); /* "" : HTTP is plain */
void inbox_free_spent(struct inbox *i);

/* Plain and signed frames. Answers or discards r. */
void inbox_take_greeting(struct inbox *i, struct bus_request *r, const struct frame *f);

/* Answers with a signed error. code: err_code_name, or "hello_required". nonce: the refused
 * message's. */
void inbox_refuse(struct inbox *i, struct bus_request *r, const char *code, const char *nonce,
                  const char *text);

/* A session frame's nonce: its session id and sequence, which no two frames share. */
void inbox_frame_nonce(const unsigned char session[SESSION_ID_SIZE], uint64_t sequence,
                       char out[WIRE_NONCE_HEX_SIZE]);

/* The same for a session frame. */
void inbox_refuse_frame(struct inbox *i, struct bus_request *r, const struct frame *f,
                        const struct err *e);
void inbox_require_hello(struct inbox *i, struct bus_request *r, const struct frame *f);
