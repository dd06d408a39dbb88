#include "master/desired_world.h"

#include "lib/labels.h"
#include "master/rollouts_internal.h"
#include "master/store.h"

#include <stdio.h>
#include <string.h>

static bool take_rollout(struct db_row *row, void *argument, struct err *e) {
    struct desired_world *w = argument;
    w->rollouts = memory_resize(w->rollouts, w->rollout_count + 1, sizeof *w->rollouts);
    struct rollout_row read;
    if (!rollout_row_take(row, &read, e)) return false;
    struct deciding_rollout *d = &w->rollouts[w->rollout_count++];
    *d = (struct deciding_rollout){.number = read.number,
                                   .finished_at_ms = read.finished_at_ms,
                                   .completed = read.state.state == ROLLOUT_COMPLETED,
                                   .request = read.request};
    memcpy(d->artifact, read.request.name, sizeof d->artifact);
    return true;
}

bool desired_world_read(struct db_connection *c, struct desired_world *out, struct err *e) {
    *out = (struct desired_world){0};
    if (channels_read(c, &out->channels, &out->channel_count, e) &&
        catalog_read(c, NULL, NULL, NULL, NULL, &out->binaries, &out->binary_count, e) &&
        quarantine_read(c, &out->quarantined, &out->quarantined_count, e) &&
        db_query(c, Q_ROLLOUT_DECIDING, take_rollout, out, e, ""))
        return true;
    desired_world_clear(out);
    return false;
}

void desired_world_clear(struct desired_world *w) {
    for (size_t i = 0; i < w->rollout_count; i++) rollout_request_clear(&w->rollouts[i].request);
    free(w->rollouts);
    free(w->channels);
    free(w->binaries);
    free(w->quarantined);
    *w = (struct desired_world){0};
}

static const struct deciding_rollout *find_rollout(const struct desired_world *w, int64_t number) {
    for (size_t i = 0; i < w->rollout_count; i++)
        if (w->rollouts[i].number == number) return &w->rollouts[i];
    return NULL;
}

struct taking {
    struct desired_rollout *out;
    struct rollout state;
    struct rollout_member member;
};

static bool take_state(struct db_row *row, struct taking *t, struct err *e) {
    enum rollout_member_state state = MEMBER_WAITING;
    if (!rollout_member_state_parse(db_column_text(row, 1), &state) ||
        !rollout_state_parse(db_column_text(row, 8), &t->state.state))
        return err_set(e, ERR_CORRUPT, "rollout r-%lld or its member has no state",
                       (long long)db_column_int(row, 0));
    rollout_state_take(db_column_text(row, 9), &t->state.resume);
    rollout_cause_take(db_column_text(row, 10), &t->state.hold);
    rollout_cause_take(db_column_text(row, 12), &t->state.cause);
    enum rollout_cause cause = CAUSE_NONE;
    rollout_cause_take(db_column_text(row, 11), &cause);
    t->member.cause = (uint8_t)cause;
    t->member.state = (uint8_t)state;
    t->member.attempt = (int32_t)db_column_int(row, 2);
    return true;
}

static bool take_place(struct db_row *row, void *argument, struct err *e) {
    struct taking *t = argument;
    struct desired_rollout *out = t->out;
    out->number = db_column_int(row, 0);
    out->finished_at_ms = db_column_int(row, 7);
    text_cut(out->from_version, sizeof out->from_version, db_column_text(row, 3));
    text_cut(out->from_sha256, sizeof out->from_sha256, db_column_text(row, 4));
    text_cut(out->to_sha256, sizeof out->to_sha256, db_column_text(row, 5));
    text_cut(out->version, sizeof out->version, db_column_text(row, 6));
    return take_state(row, t, e);
}

static void describe_grant(const struct deciding_rollout *d, int32_t attempt, bool leave,
                           struct wire_grant *out) {
    const struct rollout_policy *p = &d->request.policy;
    *out = (struct wire_grant){.attempt = attempt,
                               .lease_ms = leave ? ROLLOUT_LEASE_MS : 0,
                               .min_healthy_ms = p->min_healthy_ms,
                               .probation_ms = p->probation_ms,
                               .healthy_deadline_ms = p->healthy_deadline_ms,
                               .allow_unavailable = p->allow_unavailable};
    snprintf(out->rollout, sizeof out->rollout, "r-%lld", (long long)d->number);
}

/* False when the rollout has nothing to say about this member after all. A committed member of one
 * that is over stays for that reason alone. */
static bool apply_orders(const struct deciding_rollout *d, const struct taking *t,
                         struct desired_place *out) {
    const struct rollout_member *m = &t->member;
    bool settled = out->rollout.finished_at_ms > 0 && m->state == MEMBER_COMMITTED;
    if (d == NULL || settled) return settled;
    struct rollout_orders orders = rollout_orders(&t->state, m);
    out->rollout.told = orders.told;
    out->prefetch = orders.prefetch;
    if (orders.told == TOLD_OTHERS) return false;
    if (m->attempt > 0) describe_grant(d, m->attempt, orders.leave, &out->grant);
    return true;
}

static bool take_nothing(struct db_row *row, void *argument, struct err *e) {
    (void)row, (void)argument, (void)e;
    return true;
}

static bool is_member(struct db_connection *c, int64_t number, const char *agent_id, bool *out,
                      struct err *e) {
    struct err why;
    *out = db_one(c, Q_MEMBER_EXISTS, take_nothing, NULL, &why, "is", number, agent_id);
    if (*out || why.code == ERR_NOT_FOUND) return true;
    *e = why;
    return false;
}

static bool leads_to_quarantine(const struct desired_world *w, const char *artifact,
                                const char *version) {
    for (size_t i = 0; i < w->quarantined_count; i++)
        if (strcmp(w->quarantined[i].artifact, artifact) == 0 &&
            strcmp(w->quarantined[i].version, version) == 0)
            return true;
    return false;
}

/* A machine that came after a rollout was over goes where its likes went. */
static bool find_late(struct db_connection *c, const struct desired_world *w, const char *artifact,
                      const char *agent_id, const char *labels, struct desired_rollout *out,
                      struct err *e) {
    for (size_t i = 0; i < w->rollout_count; i++) {
        const struct deciding_rollout *d = &w->rollouts[i];
        bool member = false;
        if (d->number <= out->number) return true;
        if (!d->completed || strcmp(d->artifact, artifact) != 0 ||
            !labels_match(labels, d->request.selector) ||
            leads_to_quarantine(w, artifact, d->request.version))
            continue;
        if (!is_member(c, d->number, agent_id, &member, e)) return false;
        if (member) continue;
        *out = (struct desired_rollout){
            .number = d->number, .finished_at_ms = d->finished_at_ms, .late = true};
        memcpy(out->version, d->request.version, sizeof out->version);
        return true;
    }
    return true;
}

/* The newest rollout that says something to the agent as a member. */
static bool find_member(struct db_connection *c, const struct desired_world *w,
                        const char *artifact, const char *agent_id, struct desired_place *out,
                        struct err *e) {
    for (int64_t below = INT64_MAX;;) {
        *out = (struct desired_place){.prefetch = false};
        struct taking t = {.out = &out->rollout};
        if (!db_query(c, Q_MEMBER_PLACE, take_place, &t, e, "ssi", agent_id, artifact, below))
            return false;
        below = out->rollout.number;
        if (below == 0 || apply_orders(find_rollout(w, below), &t, out)) return true;
    }
}

bool desired_world_place(struct db_connection *c, const struct desired_world *w,
                         const char *artifact, const char *agent_id, const char *labels,
                         struct desired_place *out, struct err *e) {
    if (!find_member(c, w, artifact, agent_id, out, e)) return false;
    bool active = out->rollout.number > 0 && out->rollout.finished_at_ms == 0;
    return active || find_late(c, w, artifact, agent_id, labels, &out->rollout, e);
}
