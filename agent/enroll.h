/* Enrollment: a token and a new key for a place in the grid. Blocks on the network. */
#pragma once

#include "agent/identity.h"
#include "agent/settings.h"
#include "agent/state.h"
#include "lib/bus.h"

/* Where the master is and what is known of it before anything was said. */
struct enroll_plan {
    char agent_id[WIRE_AGENT_ID_SIZE];
    char host[JOIN_HOST_SIZE];
    int port;
    bool pinned; /* by a join string; else the keys of the master's answer are taken, on loopback
                    only */
    struct sign_public master_key;
    struct sign_public release_key;
    char http_host[JOIN_HOST_SIZE]; /* where the CA's certificate is got from */
    int http_port;
    char ca_sha256[SHA256_HEX_SIZE]; /* of it; "": the bus speaks no TLS */
    int64_t root_version;            /* as in struct join */
    char root_sha256[SHA256_HEX_SIZE];
    char *ca_pem; /* once enroll_connect got it */
    char token[SECRET_TEXT_SIZE];
    char agent_version[SEMVER_SIZE];
};

/* Works the plan out of the settings; after failure too, enroll_plan_clear. ERR_USAGE when there is
 * no token, or a bare one for another machine. */
MUST_CHECK bool enroll_plan(const struct settings *s, struct enroll_plan *out, struct err *e);

void enroll_plan_clear(struct enroll_plan *p); /* wipes the token */

/* Opens the bus to that master, after getting the certificate of the grid's CA from it, which must
 * have the digest that the join string names: nothing else of the answer is believed. Errors as of
 * enroll, ERR_UNTRUSTED for another certificate. */
MUST_CHECK bool enroll_connect(struct enroll_plan *plan, struct bus_client **out, struct err *e);

/* Asks and answers once; on success STATE/identity is complete and *out is what it holds.
 * ERR_UNREACHABLE and ERR_TIMEOUT may be tried again, and so may what enroll_may_retry says;
 * anything else is final. */
MUST_CHECK bool enroll(const struct state *state, const struct enroll_plan *plan,
                       const char *labels, struct bus_client *bus, struct identity *out,
                       struct err *e);

/* Whether the settings hold a join string of another grid than this identity is of. */
bool enroll_is_foreign(const struct settings *s, const struct identity *who);

/* Whether the settings hold a join string that this identity did not enroll with. */
bool enroll_is_invited(const struct settings *s, const struct identity *who);

bool enroll_may_retry(enum err_code code);
