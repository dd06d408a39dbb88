/* How a rollout begins, and what it would do. */
#include "master/rollouts_internal.h"

#include "lib/clock.h"
#include "master/channels.h"
#include "master/floors.h"
#include "master/quarantine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEY_LASTS_MS (24 * 3600 * INT64_C(1000))

static struct rollout_request copy_request(const struct rollout_request *request) {
    struct live_rollout from = {.row = {.request = *request}};
    struct live_rollout *copy = live_rollout_copy(&from);
    struct rollout_request taken = copy->row.request;
    copy->row.request = (struct rollout_request){.windows = NULL};
    live_rollout_free(copy);
    return taken;
}

/* A rollout in DRAFT with everybody it selects. */
static struct live_rollout *draft(struct rollouts *r, const struct rollout_request *request,
                                  const char *principal) {
    struct live_rollout *l = memory_zeroed(1, sizeof *l);
    l->row.request = copy_request(request);
    live_rollout_choose_topology(&l->row.request, r->options.agents);
    l->row.state.policy = request->policy;
    l->row.state.domain = -1;
    l->row.state.revision = 1;
    l->row.created_at_ms = clock_wall_ms();
    l->clock_at_ms = clock_monotonic_ms();
    l->mark = agents_mark(r->options.agents);
    text_cut(l->row.principal, sizeof l->row.principal, principal);
    live_rollout_select(l, r->options.agents);
    return l;
}

static bool check_selection(const struct live_rollout *l, struct err *e) {
    if (l->row.state.member_count > 0) return true;
    const char *selector = l->row.request.selector;
    if (selector[0] == '\0') {
        err_set(e, ERR_NOT_FOUND, "there is no agent yet that could be moved");
        return err_hint(e, "gridctl agent join-command prints what to run on a machine");
    }
    err_set(e, ERR_NOT_FOUND, "no agent matches selector \"%.120s\"", selector);
    return err_hint(e, "gridctl agent list shows the agents and their labels");
}

struct launched {
    const struct live_rollout *l;
    bool any;
};

static bool find_launched(const struct agent_view *v, void *argument) {
    struct launched *found = argument;
    size_t at = 0;
    found->any = v->report.self.sha256[0] != '\0' && live_rollout_find(found->l, v->id, &at);
    return !found->any;
}

/* Agents that nobody would start again cannot exchange their own program. */
static bool check_launched(struct rollouts *r, const struct live_rollout *l, struct err *e) {
    struct launched found = {.l = l};
    if (!live_rollout_self(l)) return true;
    agents_visit(r->options.agents, find_launched, &found);
    if (found.any) return true;
    err_set(e, ERR_CONFLICT, "none of the %zu selected agents was started by grid-launcher",
            l->row.state.member_count);
    return err_hint(e, "install them by gridctl agent join-command, which sets a launcher up");
}

static bool check_version(struct db_connection *c, const struct rollout_request *q, struct err *e) {
    if (!channels_check_offered(c, q->name, q->version, e) ||
        !floors_check(c, q->name, q->version, e))
        return false;
    if (q->override_quarantine || quarantine_check(c, q->name, q->version, e)) return true;
    if (e->code != ERR_CONFLICT) return false;
    return err_hint(e, "roll out another version, or say override_quarantine: true");
}

/* The first member that another active rollout of the artifact has as well. */
static bool overlaps(const struct live_rollout *l, const struct live_rollout *other,
                     const char **agent_id) {
    size_t at = 0;
    if (!rollout_is_active(other->row.state.state) ||
        strcmp(l->row.request.name, other->row.request.name) != 0)
        return false;
    for (size_t i = 0; i < l->row.state.member_count; i++) {
        *agent_id = l->agents[i].id;
        if (live_rollout_find(other, *agent_id, &at) &&
            other->row.state.members[at].state != MEMBER_EXCLUDED)
            return true;
    }
    return false;
}

static bool check_overlap(const struct rollouts *r, const struct live_rollout *l, struct err *e) {
    const char *agent_id = NULL;
    for (const struct live_rollout *o = r->live; o != NULL; o = o->next) {
        if (l->row.request.supersede || !overlaps(l, o, &agent_id)) continue;
        err_set(e, ERR_CONFLICT,
                "agent %s is being moved by rollout " ROLLOUT_ID_FORMAT " to %s %s", agent_id,
                o->row.number, o->row.request.name, o->row.request.version);
        return err_hint(e, "wait until it is over, stop it, or take over with supersede: true");
    }
    return true;
}

/* Rollouts that this one takes over end in the same transaction. */
static void supersede(struct rollouts *r, struct steps *s, const struct live_rollout *l) {
    const char *agent_id = NULL;
    int64_t now_ms = clock_monotonic_ms(), now_wall_ms = clock_wall_ms();
    for (struct live_rollout *o = r->live; o != NULL; o = o->next) {
        if (!overlaps(l, o, &agent_id)) continue;
        struct live_rollout *after = live_rollout_copy(o);
        const struct rollout_time at = live_rollout_time(o, now_ms, now_wall_ms);
        live_rollout_look(after, r->options.agents, after->row.state.members);
        if (live_rollout_next(&after->row.state, ROLLOUT_SUPERSEDE, at))
            steps_add(s, o, after, ROLLOUT_SUPERSEDE);
        else
            live_rollout_free(after);
    }
}

/* Where a member is in the middle of a move, it goes back to where that began. Who still runs the
 * version and waits for its turn to return is in none: it stays, or all of them would go at once.
 */
static bool is_between(const struct rollout_member *m) {
    return m->state == MEMBER_GRANTED || m->state == MEMBER_FAILED || m->state == MEMBER_HELD ||
           (m->state == MEMBER_LEAVING && !m->facts.on_target) || m->state == MEMBER_RETURNING ||
           m->state == MEMBER_RETURN_FAILED;
}

static void inherit_origins(const struct live_rollout *old, struct live_rollout *l) {
    for (size_t i = 0; i < old->row.state.member_count; i++) {
        size_t at = 0;
        if (!is_between(&old->row.state.members[i]) ||
            !live_rollout_find(l, old->agents[i].id, &at))
            continue;
        struct rollout_agent_view *a = &l->agents[at];
        memcpy(a->from_version, old->agents[i].from_version, sizeof a->from_version);
        memcpy(a->from_sha256, old->agents[i].from_sha256, sizeof a->from_sha256);
    }
}

/* Of a version for other machines alone nothing would come but a rollout that is completed at once.
 */
static bool check_builds(const struct live_rollout *l, struct err *e) {
    const struct rollout_request *q = &l->row.request;
    for (size_t i = 0; i < l->row.state.member_count; i++)
        if (l->agents[i].to_sha256[0] != '\0') return true;
    err_set(e, ERR_CONFLICT, "%s %s has no build for any of the %zu selected agents", q->name,
            q->version, l->row.state.member_count);
    return err_hint(e, "gridctl binary list shows for which machines it is published");
}

/* The new rollout is the first of the steps; its number is needed by those that it supersedes. */
static bool complete(struct db_connection *c, struct steps *s, struct err *e) {
    struct live_rollout *l = s->list[0].after;
    if (!check_version(c, &l->row.request, e) || !live_rollout_equip(c, l, e) ||
        !check_builds(l, e))
        return false;
    for (size_t i = 1; i < s->count; i++) inherit_origins(s->list[i].before, l);
    return true;
}

struct knowing {
    const char *principal, *key;
    int64_t *number;
};

static bool take_number(struct db_row *row, void *argument, struct err *e) {
    (void)e;
    *(int64_t *)argument = db_column_int(row, 0);
    return true;
}

static bool find_known(struct db_connection *c, void *argument, struct err *e) {
    const struct knowing *k = argument;
    return db_query(c, Q_ROLLOUT_BY_KEY, take_number, k->number, e, "ssi", k->principal, k->key,
                    clock_wall_ms() - KEY_LASTS_MS);
}

/* *number: of the rollout that was made with this key; 0 when there is none. */
static bool look_up_key(struct rollouts *r, const char *principal, const char *key, int64_t *number,
                        struct err *e) {
    struct knowing k = {principal, key, number};
    *number = 0;
    return key[0] == '\0' || db_read(r->options.db, find_known, &k, e);
}

static bool begin(struct rollouts *r, const struct rollout_request *request, const char *principal,
                  const char *key, int64_t *number, struct err *e) {
    OWN(live_rollout) struct live_rollout *l = draft(r, request, principal);
    if (!check_selection(l, e) || !check_launched(r, l, e) || !check_overlap(r, l, e)) return false;
    struct steps s = {.rollouts = r,
                      .principal = principal,
                      .now_ms = clock_monotonic_ms(),
                      .check = complete,
                      .idempotency_key = key,
                      .number = number};
    const struct live_rollout *mine = l;
    steps_add(&s, NULL, TAKE(l), ROLLOUT_TICK);
    supersede(r, &s, mine);
    return rollouts_write(&s, e);
}

bool rollouts_start(struct rollouts *r, const struct rollout_request *request,
                    const char *principal, const char *idempotency_key, int64_t *number,
                    bool *existed, struct err *e) {
    rollouts_take_turn(r);
    bool done = look_up_key(r, principal, idempotency_key, number, e);
    *existed = done && *number > 0;
    if (done && !*existed) done = begin(r, request, principal, idempotency_key, number, e);
    rollouts_end_turn(r);
    return done;
}

struct planning {
    struct rollouts *rollouts;
    struct live_rollout *l;
    struct err *conflict;
};

/* What would refuse the start is told, not failed on. */
static bool note_conflict(bool fine, const struct err *why, struct err *conflict, struct err *e) {
    if (fine) return true;
    if (why->code != ERR_CONFLICT) {
        *e = *why;
        return false;
    }
    if (conflict->code == ERR_NONE) *conflict = *why;
    return true;
}

static bool read_plan(struct db_connection *c, void *argument, struct err *e) {
    const struct planning *p = argument;
    struct err why;
    bool fine = check_version(c, &p->l->row.request, &why);
    if (!note_conflict(fine, &why, p->conflict, e) || !live_rollout_equip(c, p->l, e)) return false;
    fine = check_builds(p->l, &why);
    return note_conflict(fine, &why, p->conflict, e);
}

static bool plan(struct rollouts *r, struct live_rollout *l, struct err *conflict, struct err *e) {
    struct planning p = {r, l, conflict};
    struct err why;
    if (!check_selection(l, e) || !db_read(r->options.db, read_plan, &p, e)) return false;
    bool fine = check_launched(r, l, &why) && check_overlap(r, l, &why);
    return note_conflict(fine, &why, conflict, e);
}

bool rollouts_plan(struct rollouts *r, const struct rollout_request *request,
                   rollout_visitor *visitor, void *argument, struct err *conflict, struct err *e) {
    OWN(live_rollout) struct live_rollout *l = NULL;
    *conflict = (struct err){.code = ERR_NONE};
    rollouts_take_turn(r);
    l = draft(r, request, "");
    bool planned = plan(r, l, conflict, e);
    rollouts_end_turn(r);
    if (!planned) return false;
    struct rollout_view view;
    live_rollout_look(l, r->options.agents, l->row.state.members);
    live_rollout_view(l, &view);
    visitor(&view, argument);
    return true;
}
