/* What the master answers about rollouts, quarantined digests and floors; goes with
 * cli/answers.h. Absent strings are NULL. */
#pragma once

#include "cli/answers.h"

struct answer_progress {
    int64_t selected, waiting, deferred, excluded, granted, committed, failed, held;
    int64_t leaving, returning, returned, return_failed;
    int64_t in_flight, unavailable, slots;
};

struct answer_window {
    char *days;
    char *from;
    char *to;
    char *tz;
};

/* Numbers, "10%", "never": as they are written in JSON. */
struct answer_policy {
    char *canary;
    char *max_parallel;
    char *max_failures;
    char *min_healthy_s;
    char *probation_s;
    char *auto_promote_s;
    struct answer_window *windows;
    size_t windows_count;
};

struct answer_rollout {
    char *id;
    char *name;
    char *version;
    char *state;
    char *resume_state;
    char *cause;
    char *reason;
    char *hold;
    char *selector;
    struct answer_policy policy;
    struct answer_progress progress;
    char *current_domain;
    char *created_at;
    char *finished_at; /* NULL while active */
    char *principal;
    char *superseded_by;
};
extern const struct json_schema answer_rollout_schema;

struct answer_rollout_agent {
    char *agent_id;
    char *state;
    char *phase;
    char *domain;
    bool canary;
    int64_t attempt;
    char *from;
    char *to;
    char *cause;
    char *reason;
    char *diagnosis; /* lines */
};
extern const struct json_schema answer_rollout_agent_schema;

/* An agent and why it is named. */
struct answer_named {
    char *agent_id;
    char *reason;
    char *reasons; /* lines */
};

struct answer_batch {
    int64_t number;
    char *kind;
    char *domain;
    char *agents; /* lines */
};

struct answer_blast {
    int64_t at_once, before_first_check, before_revert;
};

struct answer_refusal {
    char *code;
    char *text;
    char *hint;
};

struct answer_plan {
    char *version;
    char *name;
    int64_t selected;
    struct answer_named *excluded;
    size_t excluded_count;
    struct answer_named *deferred;
    size_t deferred_count;
    struct answer_named *veto;
    size_t veto_count;
    struct answer_batch *batches;
    size_t batches_count;
    struct answer_blast blast_radius;
    struct answer_refusal conflict; /* text NULL: it may start */
    char *words;                    /* lines */
};
extern const struct json_schema answer_plan_schema;

struct answer_quarantined {
    char *digest;
    char *name;
    char *version;
    char *reason;
    char *rollout;
    char *created_at;
};
extern const struct json_schema answer_quarantined_schema;

struct answer_floor {
    char *name;
    char *version;
    char *set_at;
};
extern const struct json_schema answer_floor_schema;

/* Whether a rollout in this state may still move agents. Pure. */
bool rollout_state_active(const char *state);
