/* Slow questions about nodes, asked on threads of their own: health, permission to stop, whose
 * process it is. At most one question per node is under way; answers are taken by the supervisor.
 * Any thread. */
#pragma once

#include "agent/adopt.h"
#include "agent/health.h"

#include <stddef.h>
#include <stdint.h>

enum probe_kind { PROBE_HEALTH, PROBE_STOP, PROBE_EXAMINE };

struct probe_question {
    enum probe_kind kind;
    size_t node;
    uint64_t life; /* which process of the node it is about; comes back with the answer */
    int port;
    char nonce[128];
    char data[4096];
    char node_id[WIRE_NODE_ID_SIZE];
};

struct probe_answer {
    struct probe_question question;
    struct health health;        /* PROBE_HEALTH */
    bool may_stop;               /* PROBE_STOP */
    char *reasons;               /* PROBE_STOP: of a veto, lines */
    struct adopt_result adopted; /* PROBE_EXAMINE: its pidfd is the taker's */
    struct probe_answer *next;   /* private */
};
void probe_answer_free(struct probe_answer *a); /* closes a pidfd that nobody took */

struct probes;

struct probes *probes_new(void (*answered)(void *argument), void *argument);
void probes_free(struct probes *p); /* after every probes_run returned */

void *probes_run(void *probes); /* a thread, one of several */
void probes_stop(struct probes *p);

void probes_ask(struct probes *p, const struct probe_question *q); /* copied */
struct probe_answer *probes_take(struct probes *p);                /* NULL when there is none */
