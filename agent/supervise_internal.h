/* Between the parts of agent/supervise.h. */
#pragma once

#include "agent/supervise.h"

#include "agent/fetching.h"
#include "agent/journal.h"
#include "agent/node.h"
#include "agent/sandbox.h"
#include "agent/versions.h"
#include "agent/wanted.h"

#include <poll.h>
#include <stdatomic.h>

#define SUPERVISE_PAUSE_MS 10000 /* between looks at the logs' sizes and the state directory */

struct supervise {
    struct supervise_options options;
    struct fetch *fetch;
    struct probes *probes;
    struct wanted wanted;
    struct versions versions;
    struct fetching fetching;
    struct journal journal;
    struct err journal_error; /* why it could not be read, or written last */
    int64_t begin_after_ms;   /* nothing begins before: the journal could not be written */
    int64_t watched_at_ms;    /* a probation was last looked at */
    int64_t watched_noted_ms; /* of the probation that are in the file */
    struct reconcile_decision decision;
    struct node *nodes;
    struct reconcile_node *facts;
    enum step *steps;
    struct pollfd *watched;
    int *ports;
    size_t count;
    uint64_t desired_number;
    uint64_t trust_number;
    bool connected;
    bool avoid_memfd;
    struct sandbox sandbox;
    bool collect_due; /* the store may hold what nothing needs */
    int64_t rotate_ms;
    int64_t look_ms;     /* at the state directory */
    struct wire_log log; /* an answer on its way to the master */
    int64_t log_answered;
    char *stable; /* the last report without what changes all the time */
    int event_fd;
    atomic_bool stopping;
    atomic_bool stop_nodes;
};

void supervise_choose_target(struct supervise *s); /* from what is wanted */
void supervise_publish(struct supervise *s);       /* tells the exchange a report */

/* The journal, and the turns of a transition that are written into it before anybody acts. */
void supervise_open_journal(struct supervise *s);
void supervise_take_turn(struct supervise *s, const struct reconcile_input *in, int64_t now_ms);
void supervise_note_steps(struct supervise *s, int64_t now_ms);
void supervise_watch(struct supervise *s, int64_t now_ms, int64_t *due_ms);

/* Restores what was deleted from the state directory, now and then. */
void supervise_look_after_state(struct supervise *s, int64_t now_ms);
