/* Agents: every enrolled machine in memory, with what it should be and what it last reported. The
 * database is the authority for what should be: operations change a row and raise its generation,
 * and memory takes a row only when its generation is higher. Heartbeats touch memory only; what
 * they change is written behind, grouped, with its events (agents_flush). Any thread; one inner
 * lock, never held across I/O. */
#pragma once

#include "lib/bus.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/wire.h"
#include "master/catalog.h"
#include "master/desired.h"
#include "master/events.h"

struct agents;

enum agent_status {
    AGENT_PENDING,
    AGENT_UP,
    AGENT_SUSPECT,
    AGENT_LOST,
    AGENT_REVOKED,
    AGENT_STATUS_COUNT
};
const char *agent_status_name(enum agent_status status);

enum agent_admission { ADMISSION_PENDING, ADMISSION_ADMITTED, ADMISSION_REVOKED };

struct agents_options {
    struct db *db;
    struct catalog *catalog;
    struct events *events;
    int64_t suspect_ms;
    int64_t lost_ms;
    /* Called without the lock when the desired state of these agents changed: whoever holds their
     * parked heartbeats answers them. */
    void (*desired_changed)(void *context, const char *const *agent_ids, size_t count);
    /* Called without the lock when an agent may not go on as it is (revoked, removed): its session
     * ends. */
    void (*dismissed)(void *context, const char *agent_id);
    void *context;
};

/* Reads all agents; those that were up count as up until their silence says otherwise. Refreshes
 * every desired state. */
MUST_CHECK bool agents_open(struct agents **out, const struct agents_options *options,
                            struct err *e);
void agents_stop(struct agents *a);  /* ends waiting log fetches */
void agents_close(struct agents *a); /* after every thread that uses it returned */
OWN_DEFINE(agents, struct agents, agents_close)

/* What the agent's own program should be. */
struct agent_self_view {
    char version[SEMVER_SIZE]; /* "": it keeps what it is */
    char sha256[SHA256_HEX_SIZE];
    struct wire_grant grant;
    char staged_version[SEMVER_SIZE];
    char staged_sha256[SHA256_HEX_SIZE];
};

/* One agent as it is now. Visitors see it under the lock: they copy or encode, never block, never
 * call back. */
struct agent_view {
    char id[WIRE_AGENT_ID_SIZE];
    struct sign_public public_key;
    enum agent_admission admission;
    enum agent_status status;
    enum desired_rule desired_rule;
    bool stopped;  /* it said so when it ended; not kept over a restart */
    char mode[16]; /* active, draining */
    char channel[CHANNEL_NAME_SIZE];
    int64_t generation;
    char desired_version[SEMVER_SIZE];
    char desired_sha256[SHA256_HEX_SIZE];
    char pin[SEMVER_SIZE]; /* "": none */
    char *desired_reason;
    char *conflict; /* two machines speak in its name: how that showed; NULL: they do not */
    struct wire_grant grant; /* to run desired_version; its rollout is "" when none says so */
    char staged_version[SEMVER_SIZE]; /* to be fetched beside it; "": nothing */
    char staged_sha256[SHA256_HEX_SIZE];
    struct agent_self_view self; /* the same for grid-agent */
    char *reported_labels;
    char *assigned_labels;
    char *labels; /* effective: assigned over reported */
    char platform[PLATFORM_SIZE];
    char arch[PLATFORM_SIZE];
    char address[BUS_ADDRESS_SIZE];
    int64_t enrolled_at_ms;
    int64_t last_seen_at_ms;      /* wall clock; 0: never */
    int64_t clock_offset_ms;      /* its wall clock less ours; 0 when it does not tell */
    struct wire_heartbeat report; /* its agent_id is "" when it never reported */
};

typedef bool agent_visitor(const struct agent_view *agent,
                           void *argument); /* false ends the walk */
void agents_visit(struct agents *a, agent_visitor *visitor, void *argument); /* in order of id */
/* These in their order, without those that are gone. As reports wait meanwhile: some dozens at once
 * at most. */
void agents_visit_these(struct agents *a, const char *const *ids, size_t count,
                        agent_visitor *visitor, void *argument);
MUST_CHECK bool agents_visit_one(struct agents *a, const char *id, agent_visitor *visitor,
                                 void *argument, struct err *e);

/* The highest versions of metadata that admitted agents have said they trust and that are not above
 * most; 0: there is none. */
struct repo_seen;
void agents_trusted(struct agents *a, const struct repo_seen *most, struct repo_seen *out);

#define AGENTS_NODE_STATES 6
#define AGENTS_VERSIONS_MAX 32
struct agents_summary {
    int64_t status[AGENT_STATUS_COUNT];
    int64_t node_state[AGENTS_NODE_STATES]; /* in the order of agents_node_states */
    int64_t failed_updates;                 /* agents that did not take what they should run */
    int64_t distrusting;                    /* agents that report an attack (struct wire_trust) */
    int64_t capacity_bytes;
    int64_t free_bytes;
    struct {
        char version[SEMVER_SIZE];
        int64_t agents;
    } versions[AGENTS_VERSIONS_MAX];
    size_t version_count;
};
extern const char *const agents_node_states[AGENTS_NODE_STATES]; /* starting healthy unhealthy
                                                                    backoff stopped draining */
void agents_summarize(struct agents *a, const char *selector, struct agents_summary *out);

/* Writes up to five ids of agents that run or want this digest into out, "" when there are none. */
void agents_holding(struct agents *a, const char *sha256, char *out, size_t size);

/* Whether an agent that is admitted should run these bytes, or says that it does, and so may fetch
 * them. What it says may be untrue, but who knows a digest knows of the bytes already. */
bool agents_may_fetch(struct agents *a, const char *id, const char *sha256);
/* How many of those that the selector names follow the channel. */
int64_t agents_on_channel(struct agents *a, const char *channel, const char *selector);

struct agent_enrollment {
    const char *id;
    const struct sign_public *public_key;
    const char *token; /* the join secret, in clear */
    const char *labels;
    const char *platform;
    const char *arch;
    const char *address;
    bool approve; /* an operator has to admit it */
};
/* One transaction: takes one use off the token and adds the agent. The same key under the same id
 * may enroll again, and a valid token then assigns its labels; another key is ERR_CONFLICT ("agent
 * id a-1 is taken", hint --id) and costs no use. The caller has checked that the key was proven. */
MUST_CHECK bool agents_enroll(struct agents *a, const struct agent_enrollment *enrollment,
                              enum agent_admission *admission, struct err *e);
MUST_CHECK bool agents_identity(struct agents *a, const char *id, struct sign_public *key,
                                enum agent_admission *admission, struct err *e);
/* Admits an agent that is pending; ends a conflict of two machines about its name. */
MUST_CHECK bool agents_approve(struct agents *a, const char *id, const char *principal,
                               struct err *e);
MUST_CHECK bool agents_revoke(struct agents *a, const char *id, const char *principal,
                              struct err *e);
MUST_CHECK bool agents_remove(struct agents *a, const char *id, bool force, const char *principal,
                              struct err *e);

/* Recomputes every agent's desired artifact from channels and catalog and tells those whose
 * changed. Run after anything the choice depends on has changed. */
MUST_CHECK bool agents_refresh(struct agents *a, struct err *e);

/* What desired.h says about this agent now, with what lost, for artifact "storage-server" or
 * "grid-agent"; its binary is NULL, its digest says which build it is. */
MUST_CHECK bool agents_why(struct agents *a, const char *id, const char *artifact,
                           struct desired_choice *choice, struct err *e);

/* A refresh inside somebody else's transaction: begin, then agents_refresh_row within the operation
 * for each agent that may have to do something else, then, once it is durable, agents_refresh_done,
 * which tells all of them at once. news: its grant or what it fetches ahead is another, so that it
 * is told even when its version stays. */
struct agents_refresh;
struct agents_refresh *agents_refresh_begin(struct agents *a);
MUST_CHECK bool agents_refresh_row(struct db_connection *c, struct agents_refresh *r,
                                   const char *id, bool news, struct err *e);
/* Within the same operation, for an agent that keeps what it has and may begin, or may not any
 * more: its row stays as it is, since a restart derives the leave from the rollout's. */
void agents_refresh_leave(struct agents_refresh *r, const char *id, const struct wire_grant *grant);
void agents_refresh_done(struct agents_refresh *r);
void agents_refresh_free(struct agents_refresh *r);

/* A number that is another whenever an agent joined, was admitted, or has other labels, and after
 * each agents_refresh. */
int64_t agents_mark(struct agents *a);

/* The whole desired state as a message, marked as told. Free with json_clear(&wire_desired_schema,
 * out). edition grows where the leave changes and the generation does not. */
MUST_CHECK bool agents_desired(struct agents *a, const char *id, struct wire_desired *out,
                               int64_t *edition, struct err *e);

/* Whether the agent, which acts on this generation, has something to be told at once. */
bool agents_news(struct agents *a, const char *id, int64_t generation);

/* A session begins: what was told before may have been lost. An agent that has seen a higher
 * generation than ours (the master was restored from a backup) is never answered with an older one.
 */
MUST_CHECK bool agents_greet(struct agents *a, const char *id, int64_t seen_generation,
                             struct err *e);

/* A process of the agent, by what its hello told, has begun a session from this address. Where two
 * machines turn out to speak in one name, the agent begins no switch any more until agents_approve.
 */
void agents_met(struct agents *a, const char *id, const char *instance, int64_t greeting,
                const char *address);

/* What an operator changes about an agent, all of it or nothing. */
struct agent_change {
    /* Lines "key=value" to assign, "key" to remove (JSON_LABEL_CHANGES); NULL: as they are. A label
     * of the agent's own configuration cannot be removed: ERR_CONFLICT says so. */
    const char *labels;
    const char *channel; /* NULL: as it is */
    const char *pin;     /* version of storage-server; "": none; NULL: as it is. ERR_NOT_FOUND, and
                            ERR_CONFLICT when it is quarantined or below the floor */
    const char *mode;    /* "active", "draining"; NULL: as it is */
    const char *tag;     /* agent_tag of what the change builds on, ERR_PRECONDITION; NULL: any */
};
MUST_CHECK bool agents_change(struct agents *a, const char *id, const struct agent_change *change,
                              const char *principal, struct err *e);

/* Differs whenever what operators change about the agent is different, and for its successors. */
#define AGENT_TAG_SIZE 48
char *agent_tag(const struct agent_view *view, char out[AGENT_TAG_SIZE]);

MUST_CHECK bool agents_set_labels(struct agents *a, const char *id, const char *changes,
                                  const char *principal, struct err *e);
MUST_CHECK bool agents_set_channel(struct agents *a, const char *id, const char *channel,
                                   const char *principal, struct err *e);
MUST_CHECK bool agents_set_mode(struct agents *a, const char *id, const char *mode,
                                const char *principal, struct err *e);
MUST_CHECK bool agents_restart_node(struct agents *a, const char *node_id, const char *principal,
                                    struct err *e);

/* Takes a proven heartbeat: the fields it owns move into the registry. ERR_NOT_FOUND, ERR_DENIED
 * (pending, revoked). */
MUST_CHECK bool agents_observe(struct agents *a, struct wire_heartbeat *report, const char *address,
                               int64_t now_ms, int64_t now_wall_ms, struct err *e);

/* The agent said that it stops: it is lost at once, until it speaks again. */
void agents_stopped(struct agents *a, const char *id);

/* Silence is an event too: moves agents to suspect and lost. */
void agents_tick(struct agents *a, int64_t now_ms);

/* Writes what heartbeats changed since the last flush, with their events, in one transaction; on
 * failure it stays for the next. */
MUST_CHECK bool agents_flush(struct agents *a, struct err *e);

/* Asks the agent for the tail of a node's log and waits for it, at most timeout_ms. ERR_CONFLICT
 * when the agent is not up, ERR_TIMEOUT. */
MUST_CHECK bool agents_fetch_log(struct agents *a, const char *agent_id, const char *node_id,
                                 int64_t max_bytes, int64_t timeout_ms, struct text *out,
                                 struct err *e);
