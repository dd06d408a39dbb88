/* Agents: every enrolled machine in memory, with what it should be and what it last reported. Heartbeats touch memory only; what changes
 * is written behind, grouped, with its events in the same transaction (agents_flush). Any thread; one inner lock, never held across I/O. */
#pragma once

#include "lib/bus.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/wire.h"
#include "master/catalog.h"
#include "master/desired.h"
#include "master/events.h"

struct agents;

enum agent_status { AGENT_PENDING, AGENT_UP, AGENT_SUSPECT, AGENT_LOST, AGENT_REVOKED, AGENT_STATUS_COUNT };
const char *agent_status_name(enum agent_status status);

enum agent_admission { ADMISSION_PENDING, ADMISSION_ADMITTED, ADMISSION_REVOKED };

struct agents_options {
    struct db *db;
    struct catalog *catalog;
    struct events *events;
    int64_t suspect_ms;
    int64_t lost_ms;
    /* Called without the lock when an agent's desired state changed: whoever holds its parked heartbeat answers it. */
    void (*desired_changed)(void *context, const char *agent_id);
    void *context;
};

/* Reads all agents; those that were up count as up until their silence says otherwise. Refreshes every desired state. */
MUST_CHECK bool agents_open(struct agents **out, const struct agents_options *options, struct err *e);
void agents_close(struct agents *a);
OWN_DEFINE(agents, struct agents, agents_close)

/* A copy of one agent, for views and decisions: no pointer into the registry ever leaves it. */
struct agent_view {
    char id[WIRE_AGENT_ID_SIZE];
    char public_key[SIGN_PUBLIC_TEXT_SIZE];
    enum agent_admission admission;
    enum agent_status status;
    char mode[16];
    char channel[CHANNEL_NAME_SIZE];
    int64_t generation;
    char desired_version[SEMVER_SIZE];
    char desired_sha256[SHA256_HEX_SIZE];
    char desired_reason[256];
    enum desired_rule desired_rule;
    char *reported_labels; /* owned */
    char *assigned_labels; /* owned */
    char *labels;          /* effective; owned */
    char platform[PLATFORM_SIZE];
    char arch[PLATFORM_SIZE];
    char address[BUS_ADDRESS_SIZE];
    int64_t enrolled_at_ms;
    int64_t last_seen_at_ms;     /* wall */
    struct wire_heartbeat report; /* owned; agent_id "" when it never reported */
};
void agent_view_clear(struct agent_view *v);

/* ERR_NOT_FOUND names the id. */
MUST_CHECK bool agents_find(struct agents *a, const char *id, struct agent_view *out, struct err *e);
void agents_list(struct agents *a, struct agent_view **out, size_t *count); /* sorted by id */
void agents_list_free(struct agent_view *list, size_t count);

struct agents_summary {
    int64_t status[AGENT_STATUS_COUNT];
    int64_t node_state[6]; /* in the order of agents_node_states */
    int64_t capacity_bytes;
    int64_t free_bytes;
    struct {
        char version[SEMVER_SIZE];
        int64_t agents;
    } versions[32];
    size_t version_count;
};
extern const char *const agents_node_states[6]; /* starting healthy unhealthy backoff stopped draining */
void agents_summarize(struct agents *a, struct agents_summary *out);

/* --- membership --- */
struct agent_enrollment {
    const char *id;
    const struct sign_public *public_key;
    const char *token; /* the join secret, in clear */
    const char *labels;
    const char *platform;
    const char *arch;
    const char *address;
    bool approve; /* the grid wants operators to approve */
};
/* One transaction: consumes a use of the token and adds the agent. The same key under the same id enrolls again and needs a valid token
 * too; another key is ERR_CONFLICT ("agent id a-1 is taken", hint --id) and costs no use. *pending tells whether it waits for approval. */
MUST_CHECK bool agents_enroll(struct agents *a, const struct agent_enrollment *enrollment, bool *pending, struct err *e);

/* What hello needs to check a signature: key and admission of an id. ERR_NOT_FOUND. */
MUST_CHECK bool agents_identity(struct agents *a, const char *id, struct sign_public *key, enum agent_admission *admission,
                                struct err *e);

MUST_CHECK bool agents_approve(struct agents *a, const char *id, const char *principal, struct err *e);
MUST_CHECK bool agents_revoke(struct agents *a, const char *id, const char *principal, struct err *e);
MUST_CHECK bool agents_remove(struct agents *a, const char *id, bool force, const char *principal, struct err *e);

/* --- desired state --- */
/* Recomputes every agent's desired artifact from channels and catalog, persists what changed with a higher generation, then tells.
 * Run after anything that the choice depends on has changed. */
MUST_CHECK bool agents_refresh(struct agents *a, struct err *e);

/* The whole desired state as a message. Free with json_clear(&wire_desired_schema, out). */
MUST_CHECK bool agents_desired(struct agents *a, const char *id, struct wire_desired *out, struct err *e);

/* An agent that has seen a higher generation than ours (a restored master) is never answered with an older one. */
MUST_CHECK bool agents_raise_generation(struct agents *a, const char *id, int64_t seen, struct err *e);

/* label_changes: canonical labels to assign, and keys to remove joined by '\n'; either may be NULL. */
MUST_CHECK bool agents_set_labels(struct agents *a, const char *id, const char *assign, const char *remove,
                                  const char *principal, struct err *e);
MUST_CHECK bool agents_set_channel(struct agents *a, const char *id, const char *channel, const char *principal, struct err *e);
MUST_CHECK bool agents_set_mode(struct agents *a, const char *id, const char *mode, const char *principal, struct err *e);
MUST_CHECK bool agents_restart_node(struct agents *a, const char *node_id, const char *principal, struct err *e);

/* --- observed state --- */
/* Takes a proven heartbeat; report's owned fields move into the registry. *generation is what the agent should be at, so that the caller
 * can park or answer. ERR_NOT_FOUND, ERR_DENIED (revoked, pending). */
MUST_CHECK bool agents_observe(struct agents *a, struct wire_heartbeat *report, const char *address, int64_t now_ms,
                               int64_t now_wall_ms, int64_t *generation, struct err *e);

/* Silence is an event too: moves agents to suspect and lost. */
void agents_tick(struct agents *a, int64_t now_ms, int64_t now_wall_ms);

/* Writes what changed since the last flush, with events, in one transaction. The tick thread calls it every 100 ms. */
MUST_CHECK bool agents_flush(struct agents *a, struct err *e);

/* --- logs, fetched live --- */
/* Asks the agent for the tail of a node's log (node_id "" = its own) and waits for it, at most timeout_ms. ERR_CONFLICT when the agent
 * is not up, ERR_TIMEOUT. */
MUST_CHECK bool agents_fetch_log(struct agents *a, const char *agent_id, const char *node_id, int64_t max_bytes,
                                 int64_t timeout_ms, struct text *out, struct err *e);
void agents_stop(struct agents *a); /* wakes waiting log fetches */

/* Whether any agent runs or wants this digest: writes up to five ids, comma-separated, into out ("" when none). */
void agents_holding(struct agents *a, const char *sha256, char out[512]);
/* How many agents follow the channel. */
int64_t agents_on_channel(struct agents *a, const char *channel);
