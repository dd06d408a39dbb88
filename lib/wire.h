/* Messages between agents and the master: the only place where both meet. Each message is one JSON
 * object in a frame of lib/session.h; unknown keys are ignored. Level-triggered: a heartbeat
 * carries the whole observed state and its answer the whole desired state; imperatives are counters
 * in it.
 *
 *   agent                                      master
 *   P {"type":"challenge","nonce"}         ->
 *                                          <-  K {"type":"challenge","nonce","challenge",
 *                                                 "master_key","release_key","http_port"}
 *   K {"type":"enroll","challenge",        ->      signed by the new key
 *      "token",...}
 *                                          <-  K {"type":"enrolled","nonce","agent_id","status"}
 *   K {"type":"hello","nonce",             ->      signed by the agent's key
 *      "exchange_key",...}
 *                                          <-  K {"type":"hello","nonce","session",
 *                                                 "exchange_key","interval_ms",...}
 *   S {"type":"heartbeat", observed}       ->      parked until desired changes, at most the
 *                                                 interval
 *                                          <-  S {"type":"desired",...}
 *   S {"type":"goodbye","agent_id"}        ->      it stops on purpose; answered like a heartbeat
 *                                          <-  S {"type":"desired",...}
 *   anything refused                       <-  K {"type":"error","nonce","code","text","hint"}
 *
 * Texts, labels and lines that a message leaves out are NULL; labels of enroll and heartbeat never
 * are.
 */
#pragma once

#include "lib/artifact.h"
#include "lib/hash.h"
#include "lib/json.h"
#include "lib/secret.h"
#include "lib/session.h"

#define WIRE_AGENT_ID_SIZE 64   /* [A-Za-z0-9][A-Za-z0-9._-]*, at most 63 */
#define WIRE_NODE_ID_SIZE 80    /* "<agent id>/<index>" */
#define WIRE_ROLLOUT_ID_SIZE 24 /* "r-1", "r-2", ... */
#define WIRE_NONCE_HEX_SIZE 65
#define WIRE_KEY_HEX_SIZE 65
#define WIRE_LOG_MAX_BYTES (64 * 1024)
#define WIRE_DOWNLOAD_TOKEN_SIZE 224
#define WIRE_INSTANCE_SIZE 33
#define WIRE_PIN_SIZE 128
#define WIRE_MASTER_NAME "grid-master" /* for which the certificate of its bus is good */

#define WIRE_INTERVAL_MS 5000
#define WIRE_SUSPECT_MS 15000
#define WIRE_LOST_MS 60000

/* Purposes of signed frames: a signature made for one is worth nothing for another. */
#define WIRE_PURPOSE_AGENT "grid agent message 1"
#define WIRE_PURPOSE_MASTER "grid master message 1"

/* "challenge", "heartbeat", ...: read first, to choose the schema. */
struct wire_type {
    char type[24];
};
extern const struct json_schema wire_type_schema;

struct wire_challenge_request {
    char type[24];
    char nonce[WIRE_NONCE_HEX_SIZE];
};
extern const struct json_schema wire_challenge_request_schema;

struct wire_challenge {
    char type[24];
    char nonce[WIRE_NONCE_HEX_SIZE];     /* the agent's, sent back */
    char challenge[WIRE_NONCE_HEX_SIZE]; /* the master's, good for one enrollment within 60 s */
    char master_key[SIGN_PUBLIC_TEXT_SIZE];
    char release_key[SIGN_PUBLIC_TEXT_SIZE];
    int64_t http_port;
};
extern const struct json_schema wire_challenge_schema;

struct wire_enroll {
    char type[24];
    char nonce[WIRE_NONCE_HEX_SIZE];
    char challenge[WIRE_NONCE_HEX_SIZE];
    char agent_id[WIRE_AGENT_ID_SIZE];
    char public_key[SIGN_PUBLIC_TEXT_SIZE];
    char master_key[SIGN_PUBLIC_TEXT_SIZE]; /* whom it speaks to: a message for another master is
                                               refused */
    char *token;                            /* sealed to the master's key (sign_seal) */
    char platform[PLATFORM_SIZE];
    char arch[PLATFORM_SIZE];
    char agent_version[SEMVER_SIZE];
    char *labels;
};
extern const struct json_schema wire_enroll_schema;

struct wire_enrolled {
    char type[24];
    char nonce[WIRE_NONCE_HEX_SIZE];
    char agent_id[WIRE_AGENT_ID_SIZE];
    char status[16]; /* "up" or "pending" */
};
extern const struct json_schema wire_enrolled_schema;

struct wire_hello {
    char type[24];
    char nonce[WIRE_NONCE_HEX_SIZE];
    char agent_id[WIRE_AGENT_ID_SIZE];
    char master_key[SIGN_PUBLIC_TEXT_SIZE];
    char exchange_key[WIRE_KEY_HEX_SIZE];
    int64_t generation;                /* highest desired generation this agent has seen */
    char instance[WIRE_INSTANCE_SIZE]; /* random, of this process of the agent; "": not told */
    int64_t greeting;                  /* how many hellos this process has said, with this one */
};
extern const struct json_schema wire_hello_schema;

struct wire_hello_answer {
    char type[24];
    char nonce[WIRE_NONCE_HEX_SIZE];
    char agent_id[WIRE_AGENT_ID_SIZE];
    char session[SESSION_ID_HEX_SIZE];
    char exchange_key[WIRE_KEY_HEX_SIZE];
    int64_t interval_ms;
    int64_t http_port;
    char http_pin[WIRE_PIN_SIZE]; /* of the key that HTTPS shows, as curl takes it
                                     ("sha256//BASE64", several joined by ';'); "": plain HTTP */
};
extern const struct json_schema wire_hello_answer_schema;

struct wire_error {
    char type[24];
    char nonce[WIRE_NONCE_HEX_SIZE]; /* of the refused message; of a session frame: hex of its
                                        session id and sequence */
    char code[32];                   /* err_code_name, or "hello_required" */
    char text[256];
    char hint[192];
};
extern const struct json_schema wire_error_schema;

/* How a node's last process ended. kind: "" (never ended), "exit", "signal", "unknown" (it was
 * adopted, so its status is lost). */
struct wire_exit {
    char kind[12];
    int64_t value;
    int64_t at_ms;
    char *log_tail; /* last lines it wrote; at most 2 KiB */
};
extern const struct json_schema wire_exit_schema;

struct wire_node {
    char id[WIRE_NODE_ID_SIZE];
    char state[16]; /* starting healthy unhealthy backoff stopped draining */
    char version[SEMVER_SIZE];
    char sha256[SHA256_HEX_SIZE];
    int64_t pid;
    int64_t port;
    int64_t started_at_ms;
    int64_t restarts;
    int64_t restart_generation; /* the highest restart order carried out */
    int64_t capacity_bytes;
    int64_t free_bytes;
    char *reasons; /* lines */
    struct wire_exit last_exit;
};
extern const struct json_schema wire_node_schema;

/* What the agent does about its desired version. state:
 *   "idle"        runs what it should, and that is proven
 *   "downloading" "verifying"
 *   "waiting"     may not begin (desired is empty, draining, a veto, no leave): reason says why
 *   "switching"   begun: it is finished or taken back, whatever the master says meanwhile
 *   "probation"   every node runs the new version and is being watched
 *   "returning"   the new version failed: nodes go back
 *   "failed"      the old version runs again (or still); reason says why
 *   "stuck"       not even the old version runs: it is tried for ever */
struct wire_update {
    char state[16];
    char from[SEMVER_SIZE];
    char to[SEMVER_SIZE];
    int64_t attempt; /* of the download */
    int64_t done_bytes;
    int64_t total_bytes;
    char code[32];  /* err_code_name of the failure, "" when none */
    char cause[12]; /* whose fault: "version", "machine", "download", "untrusted", "veto",
                       "draining"; "" when none */
    char *reason;   /* one sentence */
    char rollout[WIRE_ROLLOUT_ID_SIZE]; /* of the grant that this is about; "" for none */
    int64_t rollout_attempt;
    /* Of the grant that it acts on, while nothing has begun by it: if that gives no leave, nothing
     * begins before another edition comes. 0: not told. */
    int64_t edition;
    char *diagnosis; /* of a version that failed here: how its process ended and its last lines */
};
extern const struct json_schema wire_update_schema;

/* Bytes fetched ahead of their turn. state: "" (none asked for), "downloading", "staged" (verified,
 * in the store), "failed". */
struct wire_staging {
    char state[16];
    char sha256[SHA256_HEX_SIZE];
    int64_t done_bytes;
    int64_t total_bytes;
    char code[32];
    char cause[12]; /* "machine", "download", "untrusted" */
    char *reason;
};
extern const struct json_schema wire_staging_schema;

/* The agent's own build, which it updates like a node's. */
struct wire_self {
    char version[SEMVER_SIZE];
    char sha256[SHA256_HEX_SIZE]; /* "" when no grid-launcher started it: then it cannot update */
    struct wire_update update;
    struct wire_staging staging;
};
extern const struct json_schema wire_self_schema;

/* What the agent believes of builds (agent/trust.h). Versions are of trusted metadata, 0: none. */
struct wire_trust {
    int64_t root;
    int64_t targets;
    int64_t timestamp;
    char *attack; /* of the last refresh (lib/tuf_client.h): "" or NULL when it went well or met
                     nothing but the network's troubles */
    char *reason; /* one sentence; NULL for none */
};
extern const struct json_schema wire_trust_schema;

struct wire_log {
    int64_t request_id; /* the desired.log.request_id that this answers */
    char *words;
};
extern const struct json_schema wire_log_schema;

struct wire_heartbeat {
    char type[24];
    char agent_id[WIRE_AGENT_ID_SIZE];
    int64_t generation;        /* of the desired state the agent acts on */
    char version[SEMVER_SIZE]; /* its nodes run this; "" while there is none */
    char sha256[SHA256_HEX_SIZE];
    struct wire_update update;
    struct wire_staging staging;
    struct wire_self self;
    char platform[PLATFORM_SIZE];
    char arch[PLATFORM_SIZE];
    char agent_version[SEMVER_SIZE];
    char *labels;
    char *binary_path;  /* of the configuration: this file is used instead of a download */
    int64_t free_bytes; /* on the agent's state directory */
    int64_t clock_ms;   /* wall time at the agent when this was sent; 0: not told */
    struct wire_trust trust;
    char *sandbox; /* lines "LAYER=yes" or "LAYER=no: WHY" of how running nodes are fenced in, or
                      the next one while none runs; NULL: none told */
    struct wire_node *nodes;
    size_t nodes_count;
    struct wire_log log;
};
extern const struct json_schema wire_heartbeat_schema;

struct wire_node_order {
    char id[WIRE_NODE_ID_SIZE];
    int64_t restart_generation;
};

struct wire_log_request {
    int64_t request_id;              /* 0: none */
    char node_id[WIRE_NODE_ID_SIZE]; /* "" asks for the agent's own log */
    int64_t max_bytes;
};

/* Leave to switch to the version beside it. Without a rollout (channel, pin) a switch may begin
 * whenever the master answers, and is proven as soon as every node works. */
struct wire_grant {
    char rollout[WIRE_ROLLOUT_ID_SIZE]; /* "" : no rollout */
    int64_t attempt;                    /* of this agent in this rollout; the report repeats it */
    int64_t edition;  /* another one whenever the leave changed; the report repeats it, too */
    int64_t lease_ms; /* a switch may begin within, from receipt; 0: what has begun is finished,
                         nothing begins */
    int64_t min_healthy_ms; /* the last continuous healthy stretch of the probation */
    int64_t probation_ms;
    int64_t healthy_deadline_ms; /* for each node, from its start; 0: the agent's own */
    bool allow_unavailable;      /* nodes are not asked whether they may stop */
};
extern const struct json_schema wire_grant_schema;

/* Published bytes. version "" : none. */
struct wire_artifact {
    char version[SEMVER_SIZE];
    char sha256[SHA256_HEX_SIZE];
    int64_t size_bytes;
    char file[ARTIFACT_FILE_SIZE];
    char *signature; /* minisign text by the release key, binding file */
};
extern const struct json_schema wire_artifact_schema;

/* What the agent's own program should be. */
struct wire_desired_self {
    struct wire_artifact target;
    struct wire_artifact prefetch;
    struct wire_grant grant;
};
extern const struct json_schema wire_desired_self_schema;

struct wire_desired {
    char type[24];
    int64_t generation;
    char mode[16]; /* active draining */
    char name[ARTIFACT_NAME_SIZE];
    char version[SEMVER_SIZE]; /* "" : nothing is desired yet */
    char sha256[SHA256_HEX_SIZE];
    int64_t size_bytes;
    char file[ARTIFACT_FILE_SIZE];
    char *signature;               /* minisign text by the release key, binding file */
    char reason[256];              /* why this version, or why none */
    char hold[256];                /* while set no switch begins: why */
    struct wire_grant grant;       /* to run version */
    struct wire_artifact prefetch; /* to be fetched and verified, not run */
    struct wire_desired_self self;
    struct wire_node_order *nodes;
    size_t nodes_count;
    struct wire_log_request log;
    char download_token[WIRE_DOWNLOAD_TOKEN_SIZE]; /* for a few minutes; "" where downloads are
                                                      open to everybody */
    char http_pin[WIRE_PIN_SIZE];                  /* as in wire_hello_answer, as of now */
};
extern const struct json_schema wire_desired_schema;

struct wire_goodbye {
    char type[24];
    char agent_id[WIRE_AGENT_ID_SIZE];
};
extern const struct json_schema wire_goodbye_schema;

/* Ids that may name agents (WIRE_AGENT_ID_SIZE). ERR_INVALID names the rule. */
MUST_CHECK bool wire_agent_id_check(const char *id, struct err *e);
