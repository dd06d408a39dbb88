/* Which steps there are: those that time and facts make due, and those that somebody orders. */
#include "master/rollouts_internal.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "master/floors.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define STRAGGLERS_MS 1000 /* how often those that are over are looked at */
#define CLOCK_KEPT_MS                                                                              \
    10000 /* so much of its time a rollout may forget when the master is killed                    \
           */

/* Its windows stay closed: once a minute is often enough to say why. */
static void tell_zone(const struct live_rollout *l, int64_t now_wall_ms, const struct err *e) {
    static _Atomic int64_t told_minute;
    int64_t minute = now_wall_ms / 60000;
    if (atomic_exchange(&told_minute, minute) != minute)
        log_error("rollout.window", "rollout=" ROLLOUT_ID_FORMAT " error=%s", l->row.number,
                  e->text);
}

struct rollout_time live_rollout_time(const struct live_rollout *l, int64_t now_ms,
                                      int64_t now_wall_ms) {
    struct rollout_time at = {.now_ms = live_rollout_clock(l, now_ms), .window_open = true};
    int64_t next_change_ms = 0;
    struct err e;
    if (!rollout_window_open(&l->row.request, now_wall_ms, &at.window_open, &next_change_ms, &e)) {
        tell_zone(l, now_wall_ms, &e);
        at.window_open = false;
    }
    return at;
}

/* What another rollout has just found out about the version holds for this one, too. */
static bool is_condemned(const struct rollouts *r, const struct live_rollout *l) {
    const struct rollout_request *its = &l->row.request;
    for (const struct live_rollout *o = r->live; o != NULL && !its->override_quarantine;
         o = o->next) {
        const struct rollout *s = &o->row.state;
        bool bad = s->state == ROLLOUT_REVERTING &&
                   (s->cause == CAUSE_VERSION || s->cause == CAUSE_SILENT);
        if (o != l && bad && strcmp(o->row.request.name, its->name) == 0 &&
            strcmp(o->row.request.version, its->version) == 0)
            return true;
    }
    return false;
}

/* The event's outcome, to be looked at before anything is copied. Members are owned. */
static struct rollout try_event(struct rollouts *r, const struct live_rollout *l,
                                enum rollout_event event, struct rollout_time at, bool *taken) {
    struct rollout next = l->row.state;
    next.condemned = event == ROLLOUT_TICK && is_condemned(r, l);
    next.members = memory_zeroed(next.member_count + 1, sizeof *next.members);
    memcpy(next.members, l->row.state.members, next.member_count * sizeof *next.members);
    live_rollout_look(l, r->options.agents, next.members);
    *taken = live_rollout_next(&next, event, at);
    return next;
}

static bool is_durable(const struct live_rollout *l, const struct rollout *next) {
    return next->revision != l->row.state.revision || next->hold != l->row.state.hold;
}

/* Nothing to write: only what is seen has changed. */
static void take_sight(struct rollouts *r, struct live_rollout *l, struct rollout *next) {
    pthread_mutex_lock(&r->lock);
    struct rollout_member *old = l->row.state.members;
    l->row.state = *next;
    pthread_mutex_unlock(&r->lock);
    free(old);
}

/* A floor may have been set since it was over: until then it counted for nobody. */
static bool check_origins(struct db_connection *c, struct steps *s, struct err *e) {
    const struct live_rollout *l = s->list[0].after;
    const char *checked = "";
    for (size_t i = 0; i < l->row.state.member_count; i++) {
        const char *from = l->agents[i].from_version;
        if (l->row.state.members[i].state != MEMBER_LEAVING || strcmp(from, checked) == 0) continue;
        if (!floors_check(c, l->row.request.name, from, e)) return false;
        checked = from;
    }
    return true;
}

/* Takes next. */
static bool write_step(struct rollouts *r, const struct live_rollout *l, struct rollout *next,
                       enum rollout_event event, const char *principal, int64_t now_ms,
                       struct err *e) {
    struct live_rollout *after = live_rollout_copy(l);
    free(after->row.state.members);
    after->row.state = *next;
    after->failing = false;
    struct steps s = {.rollouts = r,
                      .principal = principal,
                      .now_ms = now_ms,
                      .idempotency_key = "",
                      .check = event == ROLLOUT_ROLLBACK ? check_origins : NULL};
    steps_add(&s, l, after, event);
    return rollouts_write(&s, e);
}

/* It is tried again with every tick, and said once. */
static void note_failure(struct live_rollout *l, const char *event, const struct err *e) {
    if (!l->failing) log_error(event, "rollout=%s error=%s", l->id, e->text);
    l->failing = true;
}

static void tick_one(struct rollouts *r, struct live_rollout *l, int64_t now_ms,
                     int64_t now_wall_ms) {
    const struct rollout_time at = live_rollout_time(l, now_ms, now_wall_ms);
    struct err e;
    bool taken = false;
    struct rollout next = try_event(r, l, ROLLOUT_TICK, at, &taken);
    if (!is_durable(l, &next)) {
        take_sight(r, l, &next);
        return;
    }
    if (!write_step(r, l, &next, ROLLOUT_TICK, "", now_ms, &e)) note_failure(l, "rollout.step", &e);
}

static bool equip(struct db_connection *c, struct steps *s, struct err *e) {
    return live_rollout_equip(c, s->list[0].after, e);
}

static bool takes_late_joiners(enum rollout_state state) {
    return rollout_is_active(state) && state != ROLLOUT_REVERTING;
}

/* What was published since may be the build that some lacked. */
static bool lacks_builds(struct live_rollout *l) {
    bool any = false;
    for (size_t i = 0; i < l->row.state.member_count; i++) {
        struct rollout_member *m = &l->row.state.members[i];
        if (m->state != MEMBER_EXCLUDED || m->cause != CAUSE_NO_BUILD) continue;
        any = m->changed = true;
    }
    return any;
}

/* Some member may still move to this build. */
static bool needs(const struct live_rollout *l, const struct binary *build) {
    for (size_t i = 0; i < l->row.state.member_count; i++) {
        uint8_t state = l->row.state.members[i].state;
        bool over = state == MEMBER_EXCLUDED || state == MEMBER_COMMITTED;
        if (!over && strcmp(l->agents[i].to_sha256, build->sha256) == 0) return true;
    }
    return false;
}

/* Of the builds that its members move to, all may still be offered or not. */
static bool look_for_builds(struct rollouts *r, struct live_rollout *l, struct err *e) {
    OWN_MEMORY struct binary *builds = NULL;
    size_t count = 0;
    bool withdrawn = false;
    if (!catalog_list(r->options.catalog, l->row.request.name, NULL, NULL, l->row.request.version,
                      &builds, &count, e))
        return false;
    for (size_t i = 0; i < count; i++)
        withdrawn |= !binary_is_offered(&builds[i]) && needs(l, &builds[i]);
    pthread_mutex_lock(&r->lock);
    l->row.state.withdrawn = withdrawn;
    pthread_mutex_unlock(&r->lock);
    return true;
}

/* Machines that came, or came to match, after it began; and those that were moved elsewhere. */
static void update_members(struct rollouts *r, struct live_rollout *l, int64_t now_ms) {
    struct agents *agents = r->options.agents;
    int64_t mark = agents_mark(agents);
    struct err e;
    if (mark == l->mark) return;
    l->mark = mark;
    if (!look_for_builds(r, l, &e)) {
        l->mark = -1;
        note_failure(l, "rollout.builds", &e);
    }
    struct live_rollout *after = live_rollout_copy(l);
    bool news = live_rollout_relabel(after, agents);
    if (takes_late_joiners(l->row.state.state)) {
        news |= lacks_builds(after);
        news |= live_rollout_select(after, agents);
    }
    if (!news) {
        live_rollout_free(after);
        return;
    }
    after->row.state.revision++;
    after->failing = false;
    struct steps s = {
        .rollouts = r, .principal = "", .now_ms = now_ms, .idempotency_key = "", .check = equip};
    steps_add(&s, l, after, ROLLOUT_TICK);
    if (rollouts_write(&s, &e)) return;
    l->mark = -1;
    note_failure(l, "rollout.members", &e);
}

static bool save_clock(struct db_connection *c, void *argument, struct err *e) {
    const struct live_rollout *l = argument;
    return db_exec(c, Q_ROLLOUT_CLOCK, e, "ii", l->row.number, l->row.clock_ms);
}

/* A long wait writes nothing else. */
static void keep_clock(struct rollouts *r, struct live_rollout *l, int64_t now_ms) {
    struct err e;
    bool waits = rollout_is_active(l->row.state.state);
    if (!waits || now_ms - l->clock_at_ms < CLOCK_KEPT_MS) return;
    l->row.clock_ms = live_rollout_clock(l, now_ms);
    l->clock_at_ms = now_ms;
    if (!db_write(r->options.db, save_clock, l, &e))
        log_error("rollout.clock", "rollout=" ROLLOUT_ID_FORMAT " error=%s", l->row.number, e.text);
}

static bool is_due(const struct live_rollout *l, int64_t now_ms) {
    bool active = rollout_is_active(l->row.state.state);
    return active || now_ms - l->looked_ms >= STRAGGLERS_MS || now_ms < l->looked_ms;
}

static void look_after(struct rollouts *r, int64_t number, int64_t now_ms, int64_t now_wall_ms) {
    struct live_rollout *l = rollouts_find(r, number);
    if (l == NULL || !is_due(l, now_ms)) return;
    l->looked_ms = now_ms;
    update_members(r, l, now_ms);
    l = rollouts_find(r, number);
    if (l != NULL) tick_one(r, l, now_ms, now_wall_ms);
    l = rollouts_find(r, number);
    if (l != NULL) keep_clock(r, l, now_ms);
}

/* A step may take rollouts out of the list: each is found anew by its number. */
static int64_t newest_below(const struct rollouts *r, int64_t number) {
    const struct live_rollout *l = r->live;
    while (l != NULL && l->row.number >= number) l = l->next;
    return l != NULL ? l->row.number : 0;
}

void rollouts_tick(struct rollouts *r, int64_t now_ms, int64_t now_wall_ms) {
    rollouts_take_turn(r);
    for (int64_t number = INT64_MAX; (number = newest_below(r, number)) > 0;)
        look_after(r, number, now_ms, now_wall_ms);
    rollouts_end_turn(r);
}

static const struct {
    enum rollout_event order;
    const char *name, *done;
} orders[] = {
    {ROLLOUT_PAUSE,    "pause",    "paused"     },
    {ROLLOUT_RESUME,   "resume",   "resumed"    },
    {ROLLOUT_PROMOTE,  "promote",  "promoted"   },
    {ROLLOUT_STOP,     "stop",     "stopped"    },
    {ROLLOUT_ROLLBACK, "rollback", "rolled back"},
};
#define ORDER_COUNT (sizeof orders / sizeof orders[0])

static const char *done_of(enum rollout_event order) {
    for (size_t i = 0; i < ORDER_COUNT; i++)
        if (orders[i].order == order) return orders[i].done;
    return "changed";
}

/* The state decides; asking the engine keeps the answer true. */
static void name_allowed(struct rollouts *r, const struct live_rollout *l, struct rollout_time at,
                         struct text *out) {
    for (size_t i = 0; i < ORDER_COUNT; i++) {
        bool taken = false;
        struct rollout next = try_event(r, l, orders[i].order, at, &taken);
        free(next.members);
        if (taken) text_add_format(out, "%s%s", out->length > 0 ? ", " : "", orders[i].name);
    }
}

static bool refuse_withdrawn(const struct live_rollout *l, struct err *e) {
    err_set(e, ERR_CONFLICT,
            "rollout " ROLLOUT_ID_FORMAT " cannot be resumed: %s %s was yanked or left out of the "
            "signed targets, so agents would refuse it",
            l->row.number, l->row.request.name, l->row.request.version);
    return err_hint(e,
                    "gridctl rollout rollback " ROLLOUT_ID_FORMAT
                    ", or gridctl rollout stop " ROLLOUT_ID_FORMAT
                    "; what is left out comes back by gridctl binary sign and push",
                    l->row.number, l->row.number);
}

static bool refuse(struct rollouts *r, const struct live_rollout *l, enum rollout_event order,
                   struct rollout_time at, struct err *e) {
    OWN_TEXT struct text allowed = TEXT_EMPTY;
    name_allowed(r, l, at, &allowed);
    err_set(e, ERR_CONFLICT, "rollout " ROLLOUT_ID_FORMAT " is in state %s: it cannot be %s",
            l->row.number, rollout_state_name(l->row.state.state), done_of(order));
    if (rollout_is_active(l->row.state.state) && allowed.length == 0)
        return err_hint(
            e, "wait until it has ended: gridctl rollout status " ROLLOUT_ID_FORMAT " --wait",
            l->row.number);
    if (allowed.length == 0) return err_hint(e, "it is over; start another");
    return err_hint(e, "what can be done now: %s", allowed.data);
}

struct newer {
    const struct live_rollout *l;
    int64_t number;
};

static bool take_newer(struct db_row *row, void *argument, struct err *e) {
    (void)e;
    ((struct newer *)argument)->number = db_column_int(row, 0);
    return true;
}

static bool find_newer(struct db_connection *c, void *argument, struct err *e) {
    struct newer *n = argument;
    return db_query(c, Q_MEMBER_NEWER, take_newer, n, e, "is", n->l->row.number,
                    n->l->row.request.name);
}

/* Going back from a rollout that is over must not undo a later one. */
static bool check_newest(struct rollouts *r, const struct live_rollout *l, struct err *e) {
    struct newer n = {l, 0};
    if (rollout_is_active(l->row.state.state)) return true;
    if (!db_read(r->options.db, find_newer, &n, e)) return false;
    if (n.number == 0) return true;
    err_set(e, ERR_CONFLICT,
            "rollout " ROLLOUT_ID_FORMAT " cannot be rolled back: " ROLLOUT_ID_FORMAT
            " has moved its agents since",
            l->row.number, n.number);
    return err_hint(e, "roll that one back first, or roll out the version you want");
}

static bool carry_out(struct rollouts *r, const struct live_rollout *l, enum rollout_event order,
                      const char *principal, struct err *e) {
    int64_t now_ms = clock_monotonic_ms();
    const struct rollout_time at = live_rollout_time(l, now_ms, clock_wall_ms());
    bool taken = false;
    struct rollout next = try_event(r, l, order, at, &taken);
    bool in_vain = order == ROLLOUT_RESUME && next.withdrawn && next.state == ROLLOUT_PAUSED;
    bool may = taken || (in_vain ? refuse_withdrawn(l, e) : refuse(r, l, order, at, e));
    may = may && (order != ROLLOUT_ROLLBACK || check_newest(r, l, e));
    if (!may || !is_durable(l, &next)) {
        free(next.members);
        return may;
    }
    return write_step(r, l, &next, order, principal, now_ms, e);
}

bool rollouts_order(struct rollouts *r, int64_t number, enum rollout_event order,
                    const char *principal, struct err *e) {
    OWN(live_rollout) struct live_rollout *over = NULL;
    rollouts_take_turn(r);
    const struct live_rollout *l = rollouts_find(r, number);
    if (l == NULL && rollouts_read(r, number, &over, e)) {
        over->clock_at_ms = clock_monotonic_ms();
        l = over;
    }
    bool done = l != NULL && carry_out(r, l, order, principal, e);
    rollouts_end_turn(r);
    return done;
}
