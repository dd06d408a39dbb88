/* Everything that the choice for agents depends on, as one transaction sees it: channels, catalog,
 * quarantine and the rollouts that say something. Inside an operation only. */
#pragma once

#include "lib/db.h"
#include "lib/wire.h"
#include "master/desired.h"
#include "master/rollout_request.h"

/* A rollout that is live or COMPLETED. */
struct deciding_rollout {
    int64_t number;
    char artifact[ARTIFACT_NAME_SIZE];
    int64_t finished_at_ms; /* 0: active */
    bool completed;         /* and so decides for machines that came after it */
    struct rollout_request request;
};

struct desired_world {
    struct channel *channels;
    size_t channel_count;
    struct binary *binaries;
    size_t binary_count;
    struct quarantined *quarantined;
    size_t quarantined_count;
    struct deciding_rollout *rollouts; /* newest first */
    size_t rollout_count;
};
MUST_CHECK bool desired_world_read(struct db_connection *c, struct desired_world *out,
                                   struct err *e);
void desired_world_clear(struct desired_world *w);

/* Where one agent stands with one artifact. */
struct desired_place {
    struct desired_rollout rollout;
    struct wire_grant grant; /* its rollout is "" when there is none */
    bool prefetch;           /* of rollout.version */
};
MUST_CHECK bool desired_world_place(struct db_connection *c, const struct desired_world *w,
                                    const char *artifact, const char *agent_id, const char *labels,
                                    struct desired_place *out, struct err *e);
