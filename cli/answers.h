/* What the master answers: the parts of its JSON that tables show. -o json passes the whole answer
 * on instead. Absent strings are NULL. Each schema goes with json_decode or json_decode_list and
 * their clear functions. */
#pragma once

#include "lib/json.h"

struct answer_share {
    char *version;
    int64_t agents;
};

struct answer_agent_counts {
    int64_t pending, up, suspect, lost, revoked;
};

struct answer_node_counts {
    int64_t starting, healthy, unhealthy, backoff, stopped, draining;
};

struct answer_channel {
    char *name;
    char *artifact;
    char *version;
    char *updated_at;
    int64_t agents;
};
extern const struct json_schema answer_channel_schema;

struct answer_summary {
    char *version;
    char *grid_id;
    char *started_at;
    int64_t uptime_s;
    char *http_url;
    char *bus_address;
    struct answer_agent_counts agents;
    struct answer_node_counts nodes;
    struct answer_share *versions;
    size_t versions_count;
    int64_t binaries;
    int64_t rejected;
    int64_t failed_updates;
    struct answer_channel *channels;
    size_t channels_count;
    int64_t capacity_bytes;
    int64_t free_bytes;
    int64_t last_event;
};
extern const struct json_schema answer_summary_schema;

/* What the master tells doctor of itself. */
struct answer_role {
    char *name;
    char *expires_at;
    bool signed_here;
};

struct answer_facts {
    char *now;
    int64_t descriptors_limit, descriptors_used, descriptors_needed;
    char *state_directory;
    int64_t state_free_bytes, state_capacity_bytes;
    char *loose_files; /* lines */
    char *database;    /* "ok", or what is wrong */
    char *last_backup_at;
    char *behind_at; /* agents knew a newer state than the database */
    char *release_key_id;
    int64_t publishers;
    char *require_signature;
    struct answer_role *metadata; /* of TUF */
    size_t metadata_count;
    int64_t held;
    int64_t agents_without_root;
    char *certificate_expires_at; /* of HTTPS */
    bool certificate_given;       /* by the operator: nobody but them renews it */
    bool bus_certificate_outdated;
};
extern const struct json_schema answer_facts_schema;

struct answer_exit {
    char *kind;
    int64_t value;
    char *at;
};

struct answer_node {
    char *id;
    char *agent_id;
    char *host;
    char *state;
    char *version;
    int64_t pid;
    int64_t port;
    char *started_at;
    int64_t restarts;
    char *reasons;
    struct answer_exit last_exit;
    int64_t capacity_bytes;
    int64_t free_bytes;
};
extern const struct json_schema answer_node_schema;

struct answer_update {
    char *state;
    char *from;
    char *to;
    int64_t attempt;
    char *code;
    char *reason;
    int64_t done_bytes;
    int64_t total_bytes;
};

struct answer_belief { /* what an agent believes of the repository */
    int64_t root;
    int64_t targets;
    int64_t timestamp;
    char *attack;
    char *reason;
};

struct answer_agent {
    char *id;
    char *status;
    char *mode;
    char *version;
    char *desired_version;
    char *desired_reason;
    struct answer_update update;
    char *reason;
    char *platform;
    char *arch;
    char *labels;
    char *assigned_labels;
    char *channel;
    char *pin;
    char *rollout;
    char *address;
    char *agent_version;
    char *last_seen_at;
    char *enrolled_at;
    struct answer_belief trust;
    char *binary_path;
    char *sandbox; /* lines */
    int64_t generation;
    int64_t free_bytes;
    int64_t clock_offset_ms;
    char *conflict;
    struct answer_node *nodes;
    size_t nodes_count;
};
extern const struct json_schema answer_agent_schema;

/* What a rule says about the version of an agent. */
struct answer_decision {
    char *rule;
    char *version;
    char *reason;
};

struct answer_running {
    char *version;
};

struct answer_program {
    struct answer_decision desired;
    struct answer_running running;
    char *holds; /* lines */
};

struct answer_why {
    char *agent_id;
    struct answer_decision desired;
    struct answer_running running;
    struct answer_update update;
    struct answer_decision *lost;
    size_t lost_count;
    struct answer_program agent; /* the agent's own program */
    char *holds;                 /* lines */
};
extern const struct json_schema answer_why_schema;

struct answer_binary {
    char *version;
    char *platform;
    char *arch;
    char *checksum;
    int64_t size_bytes;
    char *path;
    int64_t uploaded_at; /* Unix seconds */
    char *name;
    bool is_signed;
    bool publisher_signed;
    char *key_id;
    bool yanked;
    bool published, has_published; /* an older master does not tell */
    char *notes;
};
extern const struct json_schema answer_binary_schema;

/* Whether the master says that signed targets do not name it. */
static inline bool answer_binary_left_out(const struct answer_binary *b) {
    return b->has_published && !b->published;
}

struct answer_rejected {
    char *file;
    char *reason;
    char *code;
    char *seen_at;
};
extern const struct json_schema answer_rejected_schema;

struct answer_validity {
    bool valid;
    char *expected_checksum;
};
extern const struct json_schema answer_validity_schema;

struct answer_token {
    char *id;
    char *kind;
    char *role;
    char *scope;
    char *labels;
    int64_t uses_left;
    char *expires_at;
    char *created_at;
    char *created_by;
};
extern const struct json_schema answer_token_schema;

struct answer_created_token {
    char *id;
    char *secret;
    char *join;
};
extern const struct json_schema answer_created_token_schema;

struct answer_key {
    char *key_id;
    char *public_key;
    char *use;
    char *trusted_at;
};
extern const struct json_schema answer_key_schema;

struct answer_trust_key {
    char *id;     /* in metadata */
    char *key_id; /* as people call it */
    bool here;
};

struct answer_trust_role {
    char *name;
    int64_t version;
    char *expires_at;
    int64_t threshold;
    struct answer_trust_key *keys;
    size_t keys_count;
    char *next; /* public key that waits for a root to name it */
};

struct answer_trust {
    char *root_sha256;
    bool offline;
    struct answer_trust_role *roles;
    size_t roles_count;
    char *agents_without_root; /* lines */
    int64_t held;
};
extern const struct json_schema answer_trust_schema;

struct answer_held {
    char *file;
    char *sha256;
    int64_t size_bytes;
    char *held_at;
    char *reason;
    char *principal;
    bool is_signed;
};
extern const struct json_schema answer_held_schema;

struct answer_event {
    int64_t seq;
    char *at;
    char *kind;
    char *subject;
    char *text;
    char *principal;
    char *data; /* JSON */
};
extern const struct json_schema answer_event_schema;

struct answer_user {
    char *name;
    char *role;
    char *scope;
    char *created_at;
    char *created_by;
    char *expires_at; /* of an invitation that nobody has taken yet */
    char *link;       /* of a new one */
};
extern const struct json_schema answer_user_schema;

struct answer_audit_row {
    int64_t seq;
    char *at;
    char *principal;
    char *action;
    char *subject;
    char *data; /* JSON */
    char *hash;
};
extern const struct json_schema answer_audit_row_schema;

struct answer_audit_point {
    int64_t seq;
    char *at;
    char *hash;
    char *signature; /* base64 */
};
extern const struct json_schema answer_audit_point_schema;

struct answer_readiness {
    char *status;
    char *reasons; /* lines */
};
extern const struct json_schema answer_readiness_schema;

/* Decodes the body of an answer; the error says that it was the master's. */
struct http_answer;
MUST_CHECK bool answer_decode(const struct json_schema *schema, const struct http_answer *answer,
                              void *out, struct err *e);
MUST_CHECK bool answer_decode_list(const struct json_schema *schema,
                                   const struct http_answer *answer, void **items, size_t *count,
                                   struct err *e);
