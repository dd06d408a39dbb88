/* Who this agent is and whom it trusts: STATE/identity. The key is made before the first
 * enrollment; `id` is written last, so that it is there exactly when the agent is enrolled. Blocks
 * on disk; one thread at a time. */
#pragma once

#include "agent/state.h"
#include "lib/err.h"
#include "lib/join.h"
#include "lib/secret.h"
#include "lib/sign.h"
#include "lib/wire.h"

struct identity {
    char agent_id[WIRE_AGENT_ID_SIZE];
    struct sign_secret *key;
    struct sign_public master_key;  /* signs what the master says */
    struct sign_public release_key; /* signs artifacts */
    char master_host[JOIN_HOST_SIZE];
    int master_port;      /* of the bus */
    char *ca_pem;         /* of the grid's CA: the bus speaks TLS; NULL: plain TCP */
    int64_t root_version; /* of the join string: the first root to trust; 0: not told */
    char root_sha256[SHA256_HEX_SIZE];
    char token_id[SECRET_ID_SIZE]; /* of the join token it enrolled with; "" when that is lost */
};

bool identity_enrolled(const struct state *s);

/* Everything of an enrolled agent. ERR_CORRUPT names the file that is missing or damaged. */
MUST_CHECK bool identity_load(const struct state *s, struct identity *out, struct err *e);

/* The agent's key, made on first use. */
MUST_CHECK bool identity_key(const struct state *s, struct sign_secret **out, struct err *e);

/* Makes the agent enrolled: all but the key, which is there already. */
MUST_CHECK bool identity_save(const struct state *s, const struct identity *identity,
                              struct err *e);

/* Writes all of it anew, the key too where it is gone. */
MUST_CHECK bool identity_restore(const struct state *s, const struct identity *identity,
                                 struct err *e);

/* Makes room for another enrollment. Until identity_settle the agent is not enrolled. */
MUST_CHECK bool identity_put_aside(const struct state *s, struct err *e);

/* After an enrollment that may have failed, or was cut short by the agent's end: what was put aside
 * comes back unless there is a complete identity in its place; then it stays as
 * STATE/identity.removed-TIME. */
MUST_CHECK bool identity_settle(const struct state *s, struct err *e);

void identity_fini(struct identity *identity);
