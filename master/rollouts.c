/* The rollouts that are live, and looking at all of them. */
#include "master/rollouts_internal.h"

#include "lib/clock.h"

#include <inttypes.h>
#include <string.h>

void rollouts_take_turn(struct rollouts *r) {
    pthread_mutex_lock(&r->lock);
    while (r->turn_taken) pthread_cond_wait(&r->turn_ended, &r->lock);
    r->turn_taken = true;
    pthread_mutex_unlock(&r->lock);
}

void rollouts_end_turn(struct rollouts *r) {
    pthread_mutex_lock(&r->lock);
    r->turn_taken = false;
    pthread_cond_signal(&r->turn_ended);
    pthread_mutex_unlock(&r->lock);
}

struct live_rollout *rollouts_find(struct rollouts *r, int64_t number) {
    struct live_rollout *l = r->live;
    while (l != NULL && l->row.number != number) l = l->next;
    return l;
}

static bool load(struct db_connection *c, void *argument, struct err *e) {
    struct rollouts *r = argument;
    return live_rollouts_read(c, &r->live, e);
}

/* What was written is the last that is known: time goes on from there. */
static void recover(struct rollouts *r) {
    int64_t now_ms = clock_monotonic_ms();
    for (struct live_rollout *l = r->live; l != NULL; l = l->next) {
        l->clock_at_ms = now_ms;
        l->mark = -1;
        rollout_recover(&l->row.state, l->row.clock_ms, r->options.quiet_ms);
        live_rollout_look(l, r->options.agents, l->row.state.members);
    }
}

bool rollouts_open(struct rollouts **out, const struct rollouts_options *options, struct err *e) {
    OWN(rollouts) struct rollouts *r = memory_zeroed(1, sizeof *r);
    r->options = *options;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->turn_ended, NULL);
    if (!db_read(options->db, load, r, e)) return err_wrap(e, "load rollouts");
    recover(r);
    *out = TAKE(r);
    return true;
}

void rollouts_close(struct rollouts *r) {
    for (struct live_rollout *l = r->live, *next; l != NULL; l = next) {
        next = l->next;
        live_rollout_free(l);
    }
    pthread_cond_destroy(&r->turn_ended);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static bool visit_live(struct rollouts *r, int64_t number, rollout_visitor *visitor,
                       void *argument) {
    struct rollout_view view;
    pthread_mutex_lock(&r->lock);
    const struct live_rollout *l = rollouts_find(r, number);
    if (l != NULL) {
        live_rollout_view(l, &view);
        (void)visitor(&view, argument);
    }
    pthread_mutex_unlock(&r->lock);
    return l != NULL;
}

struct reading {
    int64_t number;
    struct live_rollout *out;
    struct rollout_tally tally; /* of an outline */
};

static bool read_whole(struct db_connection *c, void *argument, struct err *e) {
    struct reading *q = argument;
    return live_rollout_read(c, q->number, &q->out, e);
}

static bool read_outline(struct db_connection *c, void *argument, struct err *e) {
    struct reading *q = argument;
    return live_rollout_read_outline(c, q->number, &q->out, &q->tally, e);
}

bool rollouts_read(struct rollouts *r, int64_t number, struct live_rollout **out, struct err *e) {
    struct reading q = {.number = number};
    if (!db_read(r->options.db, read_whole, &q, e)) return false;
    *out = q.out;
    return true;
}

bool rollouts_visit_one(struct rollouts *r, int64_t number, rollout_visitor *visitor,
                        void *argument, struct err *e) {
    OWN(live_rollout) struct live_rollout *over = NULL;
    struct rollout_view view;
    if (visit_live(r, number, visitor, argument)) return true;
    if (!rollouts_read(r, number, &over, e)) return false;
    live_rollout_view(over, &view);
    (void)visitor(&view, argument);
    return true;
}

bool rollouts_visit_outline(struct rollouts *r, int64_t number, rollout_visitor *visitor,
                            void *argument, struct err *e) {
    struct reading over = {.number = number};
    struct rollout_view view;
    if (visit_live(r, number, visitor, argument)) return true;
    if (!db_read(r->options.db, read_outline, &over, e)) return false;
    live_rollout_view(over.out, &view);
    view.tally = over.tally;
    (void)visitor(&view, argument);
    live_rollout_free(over.out);
    return true;
}

struct headings {
    struct rollout_heading *list;
    size_t count;
};

static bool add_heading(struct db_row *row, void *argument, struct err *e) {
    struct headings *h = argument;
    (void)e;
    h->list = memory_resize(h->list, h->count + 1, sizeof *h->list);
    struct rollout_heading *heading = &h->list[h->count++];
    *heading = (struct rollout_heading){.number = db_column_int(row, 0)};
    text_cut(heading->name, sizeof heading->name, db_column_text(row, 1));
    text_cut(heading->version, sizeof heading->version, db_column_text(row, 2));
    (void)rollout_state_parse(db_column_text(row, 3), &heading->state);
    return true;
}

static bool read_headings(struct db_connection *c, void *argument, struct err *e) {
    return db_query(c, Q_ROLLOUT_HEADINGS, add_heading, argument, e, "");
}

bool rollouts_list(struct rollouts *r, struct rollout_heading **out, size_t *count, struct err *e) {
    struct headings h = {.list = NULL};
    *out = NULL;
    *count = 0;
    if (!db_read(r->options.db, read_headings, &h, e)) {
        free(h.list);
        return false;
    }
    *out = h.list;
    *count = h.count;
    return true;
}

void rollouts_visit_live(struct rollouts *r, rollout_visitor *visitor, void *argument) {
    struct rollout_view view;
    bool on = true;
    pthread_mutex_lock(&r->lock);
    for (const struct live_rollout *l = r->live; on && l != NULL; l = l->next) {
        live_rollout_view(l, &view);
        on = visitor(&view, argument);
    }
    pthread_mutex_unlock(&r->lock);
}

struct need {
    const char *sha256;
    bool all;
    int64_t number;
    char agent_id[WIRE_AGENT_ID_SIZE];
};

static bool take_need(struct db_row *row, void *argument, struct err *e) {
    struct need *n = argument;
    (void)e;
    n->number = db_column_int(row, 0);
    text_cut(n->agent_id, sizeof n->agent_id, db_column_text(row, 1));
    return true;
}

static bool find_need(struct db_connection *c, void *argument, struct err *e) {
    struct need *n = argument;
    return db_query(c, Q_MEMBER_NEEDS, take_need, n, e, "si", n->sha256, (int64_t)n->all);
}

bool rollouts_check_unneeded(struct rollouts *r, const char *sha256, bool all, struct err *e) {
    struct need n = {.sha256 = sha256, .all = all};
    if (!db_read(r->options.db, find_need, &n, e)) return false;
    if (n.number == 0) return true;
    err_set(e, ERR_CONFLICT, "rollout " ROLLOUT_ID_FORMAT " may still send agent %s there",
            n.number, n.agent_id);
    return err_hint(e, "wait until it is over, or stop it: gridctl rollout stop " ROLLOUT_ID_FORMAT,
                    n.number);
}

void rollouts_summarize(struct rollouts *r, struct rollouts_summary *out) {
    *out = (struct rollouts_summary){0};
    pthread_mutex_lock(&r->lock);
    out->steps = r->steps;
    for (const struct live_rollout *l = r->live; l != NULL; l = l->next) {
        const struct rollout *s = &l->row.state;
        if (!rollout_is_active(s->state)) continue;
        out->states[s->state]++;
        for (size_t i = 0; i < s->member_count; i++) out->members[s->members[i].state]++;
    }
    pthread_mutex_unlock(&r->lock);
}
