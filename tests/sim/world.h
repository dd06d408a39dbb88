/* One virtual grid: machines with agents and nodes, the network, the master, and what goes wrong
 * with them. Everything that decides is the real code (master/rollout.h, agent/reconcile.h,
 * agent/link_state.h); everything that acts is modelled here. */
#pragma once

#include "agent/link_state.h"
#include "agent/reconcile.h"
#include "master/rollout.h"
#include "tests/sim/dice.h"
#include "tests/sim/queue.h"
#include "tests/sim/scenario.h"

enum { SIM_VERSIONS = 12, SIM_NODES_MAX = 3, SIM_ROLLOUTS_MAX = 10 };
enum { SIM_LOOKS = 3 }; /* so often people let go on what paused itself, once faults stopped */

enum happening {
    SIM_TO_MASTER, /* a message arrives */
    SIM_TO_AGENT,
    SIM_LINK,     /* the agent's link looks at its clock */
    SIM_AGENT,    /* the agent decides again */
    SIM_START,    /* the agent's process begins */
    SIM_EXAMINED, /* the agent knows what became of a node's process */
    SIM_PROBED,   /* a health check's answer */
    SIM_CONSENT,  /* a node's answer whether it may stop */
    SIM_PROCESS,  /* a node's process takes its next state */
    SIM_FETCHED,  /* a download ends */
    SIM_POWER,    /* the machine comes up */
    SIM_PARK_END, /* a parked heartbeat's interval is over */
    SIM_TICK,     /* the master looks at its rollouts */
    SIM_MASTER_UP,
    SIM_FAULT,   /* the next fault begins */
    SIM_MEND,    /* a fault ends; detail says which kind */
    SIM_OPERATE, /* an operator's next order */
    SIM_LOOK,    /* the whole world is looked at */
};

enum flaw {
    FLAW_NONE,
    FLAW_EXITS,       /* soon after each start */
    FLAW_EXITS_LATER, /* after it worked for a while */
    FLAW_HANGS,       /* never answers */
    FLAW_HANGS_LATER,
    FLAW_UNHEALTHY, /* says that it fails */
    FLAW_UNHEALTHY_LATER,
};
struct build {
    enum flaw flaw;
    int64_t after_ms; /* ..._LATER */
    int32_t domain;   /* only there; -1: everywhere */
    int32_t node;     /* only with this index; -1: any */
    int64_t hit_ppm;  /* so many machines */
    int64_t start_ms; /* until it works */
};
/* Digest and number at once; "" for version 0, which is none. */
const char *version_name(int version);
int version_number(const char *name);

enum message_kind {
    MESSAGE_HELLO,
    MESSAGE_WELCOME,
    MESSAGE_REPORT,
    MESSAGE_DESIRED,
    MESSAGE_REFUSED
};

enum update_state {
    SAYS_IDLE,
    SAYS_DOWNLOADING,
    SAYS_WAITING,
    SAYS_SWITCHING,
    SAYS_PROBATION,
    SAYS_RETURNING,
    SAYS_FAILED,
    SAYS_STUCK
};

/* What the agent says of an update: the fields of struct wire_update that decide anything. */
struct sim_update {
    uint8_t state; /* enum update_state */
    uint8_t cause; /* enum rollout_cause */
    uint8_t rollout;
    int32_t attempt;
    int64_t edition;
};
struct sim_report {
    int64_t generation;
    uint8_t version; /* current */
    uint8_t target;
    uint8_t ahead;       /* version whose bytes are to be fetched ahead ... */
    bool staged;         /* ... and are there */
    uint8_t fetch_cause; /* ... or why not */
    uint8_t nodes;
    uint8_t working; /* nodes that are healthy */
    struct sim_update update;
};
struct sim_desired {
    int64_t generation;
    uint8_t version;
    uint8_t prefetch;
    uint8_t rollout; /* 0: none */
    bool draining;
    bool allow_unavailable;
    int32_t attempt;
    int64_t edition; /* of the leave: another one of the same generation */
    int64_t lease_ms, min_healthy_ms, probation_ms, healthy_deadline_ms;
};
bool desired_equal(const struct sim_desired *a, const struct sim_desired *b);

struct message {
    uint32_t next_free;
    uint32_t session;
    uint32_t ticket;
    uint32_t sequence; /* of answers in their session, in the order in which they were sealed */
    uint8_t kind;      /* enum message_kind */
    union {
        struct sim_report report;
        struct sim_desired desired;
    };
};

struct network {
    struct message *pool;
    size_t capacity;
    size_t under_way;
    uint32_t free;
};

enum process_state { PROCESS_GONE, PROCESS_STARTING, PROCESS_GOOD, PROCESS_ILL, PROCESS_HUNG };
enum disk_state { DISK_GOOD, DISK_FULL, DISK_READ_ONLY, DISK_DEAD };

struct sim_node {
    uint32_t life; /* of the process: raised by each start and end */
    uint8_t process;
    uint8_t version;
    bool asked;         /* a consent is under way */
    int64_t started_ms; /* process */
    int64_t good_ms;    /* when it ceased to be good */
    struct noted {      /* as in agent/journal.h */
        bool moved, excused;
        uint32_t tries;
    } noted, durable;            /* in the agent's memory, on disk */
    struct reconcile_node facts; /* in the agent's memory */
};

enum { SIM_FAILURES = 8 };

/* A version that did not work there, and on whose order. */
struct sim_failure {
    uint8_t version; /* 0: none */
    uint8_t rollout;
    int32_t attempt;
    int64_t generation;
};

/* As agent/journal.h, without the nodes. */
struct sim_journal {
    struct transition transition;
    uint8_t rollout;
    int32_t attempt;
    int64_t generation;
    uint8_t cause;                             /* why it goes back: enum rollout_cause */
    struct sim_failure failures[SIM_FAILURES]; /* newest first */
};

/* What survives a crash of the agent. */
struct disk {
    uint16_t store; /* bit per version: verified bytes */
    uint8_t current, previous;
    struct sim_desired desired;
    struct sim_journal journal;
};

/* How the attempts to fetch a version ended so far. */
struct sim_try {
    uint8_t version; /* 0: unused */
    uint8_t cause;
    uint32_t failures;
    int64_t after_ms;
};
enum { SIM_TRIES = 3 };

struct machine {
    /* the machine */
    int32_t domain;
    int32_t node_count;
    uint32_t first_node;
    bool powered, cut_out, cut_in;
    uint8_t disk_state;
    bool vetoes;
    int64_t download_ms;
    struct disk disk;
    /* the agent's process */
    bool agent_up;
    uint32_t life;       /* raised by each start and end */
    int32_t crash_after; /* durable writes from now; -1: it does not crash */
    int64_t agent_wake_ms;
    /* the agent's memory */
    struct sim_desired wanted;
    struct link_state link;
    uint32_t session, ticket;
    uint32_t received;    /* highest sequence of the session's answers */
    uint32_t asked[2];    /* tickets of heartbeats under way; 0: none */
    int64_t answer_by_ms; /* INT64_MAX: nothing is under way */
    int64_t link_wake_ms;
    bool connected;
    int64_t lease_until_ms;
    uint8_t current, previous; /* as on disk, or as they will be once it can be written */
    struct sim_journal journal;
    bool dirty; /* the journal differs from the disk's */
    int64_t retry_ms, begin_after_ms, watched_at_ms, watched_noted_ms;
    uint8_t fetching;
    struct sim_try tries[SIM_TRIES];
    struct reconcile_decision decision;
    struct sim_report said;
    int64_t latest_arrival_ms[2]; /* of messages sent: to the agent, to the master */
    /* for the rules */
    bool moving; /* it worked, and goes to another version because the grid said so */
    uint8_t moving_rollout;
    int64_t moving_ms; /* since when it goes to the latest one */
    uint8_t down_for;  /* rollout that it is counted for: it does not work because it moves; 0 */
    uint32_t down_index;
};

struct row {
    bool member, removed; /* of the grid; removed machines stay gone */
    bool draining;
    uint8_t pin;
    uint8_t status; /* 0 up, 1 suspect, 2 lost */
    uint32_t session;
    uint32_t parked;   /* ticket, 0: none */
    uint32_t sent;     /* answers of the session */
    uint32_t received; /* highest ticket of the session ... */
    uint64_t window;   /* ... and which of those before it: each is taken once */
    int64_t seen_ms;
    struct sim_report report, flushed;
    int64_t news_event; /* of the latest change of what the master knows of it */
    struct sim_desired desired;
    int64_t told_edition;                 /* of the newest answer of the session */
    bool leave;                           /* desired is a grant with a lease */
    int64_t leave_ended_ms[SIM_VERSIONS]; /* when it last ceased to be one to that version */
    uint8_t active;                       /* rollout that may move it, 0: none */
    uint32_t member_index;                /* there */
    uint8_t kept;                         /* version that a rollout left it on, 0: none */
    int64_t kept_wall_ms;
};

struct member_row {
    int32_t domain;
    uint8_t state, cause;
    bool canary, was_broken;
    int32_t attempt, turn;
    int64_t deadline_ms;
};

struct sim_rollout {
    uint8_t number; /* 0: unused */
    uint8_t target;
    bool override;
    int64_t began_ms;
    int64_t entered_ms; /* its state, by the world's clock */
    int32_t turns_seen;
    uint64_t domains;          /* selector: a bit per domain */
    int32_t modulo, remainder; /* ... and of these agents each so manieth */
    int64_t window_ms;         /* open so long, closed so long; 0: always open */
    struct rollout live;
    struct rollout_member *scratch;
    struct rollout durable; /* without members */
    struct member_row *rows;
    uint32_t *agents; /* by member */
    uint8_t *from;
    int32_t *yielded; /* by member: the attempt that it gave back before it began */
    int64_t durable_clock_ms;
    int64_t clock_ms, clock_at_ms; /* its clock showed clock_ms at the world's clock_at_ms */
    int64_t ended_wall_ms;
    int64_t looked_event; /* of the latest look at the facts; -1: none yet */
    uint32_t *down;       /* agents that do not work because they move */
    size_t down_count;
    int looked_after; /* resumed by people after faults stopped, so many times */
};

struct master {
    bool up, can_write;
    int64_t wrote_ms; /* since when it can write again */
    struct row *rows;
    struct sim_rollout rollouts[SIM_ROLLOUTS_MAX];
    uint8_t channel;
    bool watched; /* an operator pauses whatever grants next */
    int64_t channel_wall_ms;
    uint16_t quarantine;             /* bit per version ... */
    int64_t banned_ms[SIM_VERSIONS]; /* ... and since when */
    uint32_t sessions;
    int64_t editions; /* given out, by every run of the master */
    int64_t wall_offset_ms;
    int64_t started_ms;
    int64_t generation;
};

struct world {
    struct scenario scenario;
    struct dice dice;
    struct queue queue;
    struct network network;
    struct master master;
    struct machine *machines;
    struct sim_node *nodes;
    size_t count;
    struct build builds[SIM_VERSIONS];
    int versions; /* used: 1 to versions - 1 */
    int64_t now_ms;
    int64_t faults_end_ms;
    int64_t events;
    bool calm;   /* no new faults */
    bool broken; /* a rule was */
};

void world_init(struct world *w, const struct scenario *s);
void world_fini(struct world *w);

/* Lets it run to its end. False when a rule was broken; that was told. */
bool world_run(struct world *w);

/* In so many milliseconds. */
void world_after(struct world *w, int64_t delay_ms, const struct planned *e);
