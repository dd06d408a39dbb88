/* The part of agent/self.h that says how its update fares. */
#include "agent/self_internal.h"

#include "agent/update_words.h"

#include <stdio.h>
#include <string.h>

#define NO_LAUNCHER "started without grid-launcher"

static void set_builds(struct wire_update *u, const char *from, const char *to) {
    char digest[SHA256_HEX_SIZE];
    if (from[0] != '\0') builds_split(from, u->from, digest);
    if (to[0] != '\0') builds_split(to, u->to, digest);
}

static void set_grant(struct wire_update *u, const struct wire_grant *grant) {
    memcpy(u->rollout, grant->rollout, sizeof u->rollout);
    u->rollout_attempt = grant->attempt;
}

static void describe_bytes(const struct self *s, const struct wire_artifact *a,
                           struct wire_update *u) {
    const struct fetching *f = &s->staging.fetching;
    const struct fetching_try *t = fetching_find(f, a->sha256);
    const struct fetching_try *failure = self_staging_failure(&s->staging, a->sha256);
    u->attempt = t != NULL ? t->attempts : 0;
    if (failure != NULL) {
        update_set_failure(u, &failure->error, failure->cause);
        return;
    }
    bool coming = strcmp(f->sha256, a->sha256) == 0;
    update_set_state(u, coming && f->status.phase == FETCH_VERIFYING ? "verifying" : "downloading");
    u->done_bytes = coming ? f->status.done_bytes : 0;
    u->total_bytes = a->size_bytes;
    if (s->may_download) return;
    update_set_state(u, "waiting");
    update_set_reason(u, "grid-agent %s is desired, but auto_download_binary is off", u->to);
}

static void describe_hold(const struct self *s, const struct wire_artifact *target,
                          struct wire_update *u) {
    update_set_state(u, "waiting");
    switch (s->decision.hold) {
    case SELF_HOLD_BYTES:
        describe_bytes(s, target, u);
        break;
    case SELF_HOLD_LEAVE:
        update_set_reason(u,
                          "grid-agent %s waits for leave to switch: the rollout is paused, or its "
                          "last leave has run out",
                          u->to);
        break;
    case SELF_HOLD_MASTER:
        update_set_reason(u, "grid-agent %s waits until the master answers", u->to);
        break;
    case SELF_HOLD_NODES:
        update_set_reason(u, "grid-agent %s waits until the nodes are settled", u->to);
        break;
    case SELF_HOLD_HELD:
        update_set_reason(u, "grid-agent %s waits: %.200s", u->to, s->hold);
        break;
    case SELF_HOLD_LAUNCHER:
    case SELF_HOLD_NONE:
    default:
        break;
    }
}

static void describe_journal(const struct self_journal *j, const char *state,
                             struct wire_update *u) {
    update_set_state(u, state);
    set_builds(u, j->from, j->to);
    set_grant(u, &j->grant);
    memcpy(u->code, j->code, sizeof u->code);
    memcpy(u->cause, j->cause, sizeof u->cause);
    update_set_reason(u, "%s", j->reason);
    u->diagnosis = text_duplicate(j->diagnosis);
}

static void describe_probation(const struct self *s, struct wire_update *u) {
    describe_journal(&s->journal, "probation", u);
    if (s->taken_over_ms == 0) update_set_reason(u, "the nodes are being taken over");
    if (s->reached_ms == 0) update_set_reason(u, "the master has not answered yet");
}

/* Nothing is under way: what is desired is there, waits, or failed. */
static void describe_rest(const struct self *s, const struct wire_desired_self *d,
                          struct wire_update *u) {
    bool wanted = s->target[0] != '\0' && strcmp(s->target, s->running) != 0;
    set_builds(u, s->running, wanted ? s->target : s->running);
    if (s->target[0] != '\0') set_grant(u, &d->grant);
    if (!s->unwritten) u->edition = d->grant.edition;
    if (!wanted)
        update_set_state(u, "idle");
    else if (self_tried(&s->journal, s->target, &d->grant))
        describe_journal(&s->journal, "failed", u);
    else
        describe_hold(s, &d->target, u);
}

static void describe_update(const struct self *s, const struct wire_desired_self *d,
                            struct wire_update *u) {
    switch (s->journal.stage) {
    case SELF_SWITCHING:
        describe_journal(&s->journal, "switching", u);
        break;
    case SELF_PROBATION:
        describe_probation(s, u);
        break;
    case SELF_RETURNING:
        describe_journal(&s->journal, "returning", u);
        break;
    case SELF_NONE:
    case SELF_COMMITTED:
    case SELF_FAILED:
    default:
        describe_rest(s, d, u);
        break;
    }
    if (s->trouble.code == ERR_NONE) return;
    update_set_failure(u, &s->trouble, "machine");
    if (s->journal.stage == SELF_RETURNING) update_set_state(u, "stuck");
}

static void describe_staging(const struct self *s, const struct wire_artifact *a,
                             struct wire_staging *g) {
    if (s->prefetch[0] == '\0') return;
    memcpy(g->sha256, a->sha256, sizeof g->sha256);
    g->total_bytes = a->size_bytes;
    if (s->prefetch_staged) {
        snprintf(g->state, sizeof g->state, "staged");
        g->done_bytes = g->total_bytes;
        return;
    }
    const struct fetching_try *failure = self_staging_failure(&s->staging, a->sha256);
    snprintf(g->state, sizeof g->state, failure != NULL ? "failed" : "downloading");
    bool coming = strcmp(s->staging.fetching.sha256, a->sha256) == 0;
    if (coming) g->done_bytes = s->staging.fetching.status.done_bytes;
    if (failure == NULL) return;
    snprintf(g->code, sizeof g->code, "%s", err_code_name(failure->error.code));
    snprintf(g->cause, sizeof g->cause, "%s", failure->cause);
    g->reason = text_duplicate(failure->error.text);
}

/* Whoever started it by hand is the one to give it another program. */
static void describe_unlaunched(const struct self *s, const struct wire_desired *desired,
                                struct wire_self *out) {
    const struct wire_desired_self *d = &desired->self;
    struct err why = {.code = ERR_UNAVAILABLE, .text = NO_LAUNCHER};
    bool wanted = s->target[0] != '\0';
    update_set_state(&out->update, "idle");
    update_set_reason(&out->update, NO_LAUNCHER);
    if (wanted) {
        update_set_failure(&out->update, &why, "machine");
        set_grant(&out->update, &d->grant);
        memcpy(out->update.to, d->target.version, sizeof out->update.to);
    }
    if (s->prefetch[0] == '\0') return;
    struct wire_staging *g = &out->staging;
    memcpy(g->sha256, d->prefetch.sha256, sizeof g->sha256);
    snprintf(g->state, sizeof g->state, "failed");
    snprintf(g->code, sizeof g->code, "%s", err_code_name(why.code));
    snprintf(g->cause, sizeof g->cause, "machine");
    g->reason = text_duplicate(NO_LAUNCHER);
}

void self_report(const struct self *s, const struct wire_desired *desired, struct wire_self *out) {
    *out = (struct wire_self){0};
    if (s->running[0] == '\0') {
        snprintf(out->version, sizeof out->version, "%s", s->options.version);
        describe_unlaunched(s, desired, out);
        return;
    }
    builds_split(s->running, out->version, out->sha256);
    describe_update(s, &desired->self, &out->update);
    describe_staging(s, &desired->self.prefetch, &out->staging);
}
