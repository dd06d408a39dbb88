#include "master/upkeep.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/tuf_client.h"
#include "master/audit_points.h"

#include <malloc.h>
#include <string.h>

#define REVIEW_TICKS 10   /* a second */
#define PRUNE_TICKS 36000 /* an hour */
#define TRIM_TICKS 600    /* a minute */

static void prune(struct master *m) {
    struct err e;
    int64_t now = clock_wall_ms();
    if (!sessions_prune(m->db, now, &e) || !events_prune(m->events, now, &e) ||
        !tokens_prune(m->db, now, &e) || !audit_points_prune(m->db, AUDIT_ROWS_KEPT, &e))
        log_error("master.prune", "error=%s", e.text);
    uploads_prune(m->uploads, now);
}

static bool check_credential(const struct master *m, const char *credential, struct err *e) {
    return strncmp(credential, "session:", strlen("session:")) == 0
               ? sessions_check(m->db, credential, clock_wall_ms(), e)
               : tokens_check(m->db, credential, clock_wall_ms(), e);
}

/* Whoever follows the events keeps a connection that asks for its credential but once. */
static bool may_follow(void *context, const char *credential) {
    const struct master *m = context;
    struct err e;
    if (check_credential(m, credential, &e)) return true;
    if (e.code == ERR_UNAUTHENTICATED) return false;
    log_error("master.tokens", "error=%s", e.text);
    return true;
}

void upkeep_sign_audit(struct master *m, bool now) {
    struct err e;
    if (!audit_points_write(m->db, keys_master(m->keys), clock_wall_ms(), now, &e))
        log_error("master.audit", "error=%s", e.text);
}

/* What one agent claims could be untrue. Versions are seconds, or little more after many
 * publications at once: a claim far beyond that would only use numbers up. Roots are counted, and
 * no agent takes more steps at once than that. */
#define VERSION_AHEAD_MAX_S (INT64_C(24) * 3600)

static void outrun_agents(struct master *m) {
    int64_t most = clock_wall_ms() / 1000 + VERSION_AHEAD_MAX_S;
    struct repo_status ours;
    struct repo_seen seen;
    struct err e;
    repo_status(m->repo, &ours);
    const struct repo_seen limits = {.targets = most,
                                     .timestamp = most,
                                     .root = ours.headings[TUF_ROOT].version + TUF_ROOT_STEPS_MAX};
    agents_trusted(m->agents, &limits, &seen);
    if (!repo_outrun(m->repo, &seen, &e)) log_error("master.trust", "error=%s", e.text);
}

static void review(struct master *m) {
    struct err e;
    events_review(m->events, may_follow, m);
    upkeep_sign_audit(m, false);
    if (!repo_tick(m->repo, clock_wall_ms(), &e)) log_error("master.trust", "error=%s", e.text);
    outrun_agents(m);
}

/* What is broken has been said once, and what served before serves on. */
static void renew_certificates(struct master *m) {
    struct err e;
    bool renewed = false;
    if (m->certificates == NULL) return;
    if (!certificates_renew(m->certificates, clock_wall_ms(), &renewed, &e))
        log_error("master.certificate", "error=%s", e.text);
    else if (renewed)
        log_info("master.certificate_renewed", "path=%s", certificates_http_path(m->certificates));
}

/* Agents would have to come back for another one: an operator says when. */
static void watch_bus_certificate(const struct master *m, bool *told) {
    bool outdated = m->certificates != NULL && certificates_bus_outdated(m->certificates);
    if (outdated && !*told)
        log_warn("master.bus_certificate",
                 "path=%s changed=yes hint=restart the master: the bus shows the one before",
                 certificates_bus_path(m->certificates));
    *told = outdated;
}

/* A crowd of handshakes leaves pieces all over the heaps, which glibc would keep for good. */
static void give_memory_back(void) {
    (void)malloc_trim(0);
}

void upkeep_tick(struct upkeep *u) {
    struct master *m = u->master;
    struct err e;
    u->ticks++;
    if (!agents_flush(m->agents, &e)) log_error("master.flush", "error=%s", e.text);
    if (u->ticks % REVIEW_TICKS == 0) review(m);
    if (u->ticks % REVIEW_TICKS == 0) renew_certificates(m);
    if (u->ticks % REVIEW_TICKS == 0) watch_bus_certificate(m, &u->bus_told);
    if (u->ticks % PRUNE_TICKS == 0) prune(m);
    if (u->ticks % TRIM_TICKS == 0) give_memory_back();
}
