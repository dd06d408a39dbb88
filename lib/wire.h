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

#define WIRE_AGENT_ID_SIZE 64 /* [A-Za-z0-9][A-Za-z0-9._-]*, at most 63 */
#define WIRE_NODE_ID_SIZE 80  /* "<agent id>/<index>" */
#define WIRE_NONCE_HEX_SIZE 65
#define WIRE_KEY_HEX_SIZE 65
#define WIRE_LOG_MAX_BYTES (64 * 1024)
#define WIRE_DOWNLOAD_TOKEN_SIZE 224

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
    int64_t generation; /* highest desired generation this agent has seen */
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

/* What the agent does about its desired version. state: "idle" (runs what it should),
 * "downloading", "verifying", "switching", "failed" (reason says why; the old version keeps
 * running), "waiting" (desired is empty). */
struct wire_update {
    char state[16];
    char from[SEMVER_SIZE];
    char to[SEMVER_SIZE];
    int64_t attempt;
    int64_t done_bytes;
    int64_t total_bytes;
    char code[32];    /* err_code_name of the failure, "" when none */
    char reason[256]; /* one sentence */
};
extern const struct json_schema wire_update_schema;

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
    char platform[PLATFORM_SIZE];
    char arch[PLATFORM_SIZE];
    char agent_version[SEMVER_SIZE];
    char *labels;
    char binary_path[256]; /* of the configuration: this file is used instead of a download */
    int64_t free_bytes;    /* on the agent's state directory */
    int64_t clock_ms;      /* wall time at the agent when this was sent; 0: not told */
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

struct wire_desired {
    char type[24];
    int64_t generation;
    char mode[16]; /* active draining */
    char name[ARTIFACT_NAME_SIZE];
    char version[SEMVER_SIZE]; /* "" : nothing is desired yet */
    char sha256[SHA256_HEX_SIZE];
    int64_t size_bytes;
    char file[ARTIFACT_FILE_SIZE];
    char *signature;  /* minisign text by the release key, binding file */
    char reason[256]; /* why this version, or why none */
    struct wire_node_order *nodes;
    size_t nodes_count;
    struct wire_log_request log;
    char download_token[WIRE_DOWNLOAD_TOKEN_SIZE]; /* for a few minutes; "" where downloads are
                                                      open to everybody */
};
extern const struct json_schema wire_desired_schema;

struct wire_goodbye {
    char type[24];
    char agent_id[WIRE_AGENT_ID_SIZE];
};
extern const struct json_schema wire_goodbye_schema;

/* Ids that may name agents (WIRE_AGENT_ID_SIZE). ERR_INVALID names the rule. */
MUST_CHECK bool wire_agent_id_check(const char *id, struct err *e);
