/* Questions to a node over HTTP on this machine's loopback. Any thread; each blocks for at most two
 * seconds. */
#pragma once

#include "agent/reconcile.h"
#include "lib/err.h"
#include "lib/semver.h"

#include <stdint.h>

#define HEALTH_TIMEOUT_MS 2000

struct health {
    bool ours; /* the process that was asked for answered; the rest is what it says */
    enum node_health verdict;  /* HEALTH_NONE unless it is ours */
    char *reasons;             /* lines; NULL for none */
    char version[SEMVER_SIZE]; /* "" : not told */
    int64_t capacity_bytes;    /* 0: not told */
    int64_t free_bytes;
};
void health_clear(struct health *h);

/* GET /healthz. True when the process with this nonce answered, whatever it says of itself.
 * Otherwise reasons says who else did, or why nobody. */
bool health_ask(int port, const char *nonce, struct health *out);

/* Pure: what status and reasons (lines) of /healthz mean. */
enum node_health health_judge(const char *status, const char *reasons);

/* GET /v1/ok-to-stop. Only a clear no is a veto; *reasons (lines, NULL for none, free it) says why.
 */
bool health_may_stop(int port, char **reasons);
