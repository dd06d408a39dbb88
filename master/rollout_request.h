/* The body of POST /api/rollouts, completed with defaults and checked. Pure, but that the
 * zones of windows are looked up on this machine. */
#pragma once

#include "lib/artifact.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/semver.h"
#include "lib/text.h"
#include "master/rollout.h"
#include "master/rollout_window.h"

#define ROLLOUT_SELECTOR_SIZE 512
#define ROLLOUT_WINDOWS_MAX 16

struct rollout_request {
    char name[ARTIFACT_NAME_SIZE]; /* "storage-server" */
    char version[SEMVER_SIZE];
    char selector[ROLLOUT_SELECTOR_SIZE];
    char canary[16];
    char max_parallel[16];
    char
        topology[64]; /* label whose values are failure domains; "": "rack" when a selected agent
                         has it, else "zone" when one has it, else one domain; "none": one domain */
    bool supersede;
    bool override_quarantine;
    struct rollout_window *windows; /* owned */
    size_t windows_count;
    struct rollout_policy policy; /* the same in the engine's terms */
};

/* Body -> request. Amounts may be numbers or texts ("2", 2, "10%"), durations are seconds and may
 * have fractions; auto_promote_s is a number or "never". An unknown key is refused, naming those
 * there are. Free with rollout_request_clear. */
MUST_CHECK bool rollout_request_decode(const char *json, size_t length, struct rollout_request *out,
                                       struct err *e);
/* What was taken once, out of the database: zones that this machine does not have are no error. */
MUST_CHECK bool rollout_request_decode_stored(const char *json, size_t length,
                                              struct rollout_request *out, struct err *e);
/* The same the other way: every key with its value in force. */
void rollout_request_encode(const struct rollout_request *request, struct text *out);
void rollout_request_clear(struct rollout_request *request);

/* Whether a maintenance window is open at this wall time; true when there are none.
 * *next_change_ms: when that changes, INT64_MAX when never (within a week). Reads zone files: ask
 * again at *next_change_ms, not with every tick. */
MUST_CHECK bool rollout_window_open(const struct rollout_request *request, int64_t now_wall_ms,
                                    bool *open, int64_t *next_change_ms, struct err *e);
