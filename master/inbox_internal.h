/* What the files of the inbox room share: inbox.c (threads, sessions, end), inbox_greet.c
 * (challenge, enroll, hello, refusals), inbox_session.c (heartbeats, goodbyes), inbox_answer.c
 * (what agents are told). */
#pragma once

#include "lib/rate.h"
#include "master/inbox.h"
#include "master/peers.h"

#include <pthread.h>
#include <stdatomic.h>

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
    struct peers peers;
    struct spent_challenge *spent; /* newest first */
    unsigned telling;              /* who answers many agents at once */
    pthread_cond_t told;           /* that nobody does any more */
};

/* ERR_UNAVAILABLE when too many sessions wait for their first message. */
MUST_CHECK bool inbox_add_session(struct inbox *i, const struct session *s,
                                  const struct wire_hello *hello, struct err *e);
void inbox_tell_pin(const struct inbox *i, char out[WIRE_PIN_SIZE]); /* "" : HTTP is plain */
void inbox_free_spent(struct inbox *i);

/* Plain and signed frames, and those of a session. Answer, park or discard r. */
void inbox_take_greeting(struct inbox *i, struct bus_request *r, const struct frame *f);
void inbox_take_session_frame(struct inbox *i, struct bus_request *r, const struct frame *f);

/* An answer that is owed. */
struct answer {
    struct bus_request *request;
    unsigned char session[SESSION_ID_SIZE];
    uint64_t sequence;
    char agent_id[WIRE_AGENT_ID_SIZE];
};

/* Under the lock: what answering p's parked request needs. False when nothing is parked. */
bool inbox_take_parked(struct inbox *i, struct peer *p, struct answer *out);
/* Tells the agent its desired state as it is now. */
void inbox_answer(struct inbox *i, const struct answer *to);
/* The same for all that were parked for the interval. */
void inbox_answer_due(struct inbox *i, int64_t now_ms);
/* Reports that come while many agents are told wait until the last answer is out. */
void inbox_wait_for_telling(struct inbox *i);

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
