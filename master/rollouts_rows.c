/* Rollouts in the database. */
#include "master/rollouts_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void rollout_state_take(const char *name, enum rollout_state *out) {
    if (!rollout_state_parse(name, out)) *out = ROLLOUT_DRAFT;
}

void rollout_cause_take(const char *name, enum rollout_cause *out) {
    if (!rollout_cause_parse(name, out)) *out = CAUSE_NONE;
}

static void take_state(struct db_row *row, struct rollout *out) {
    rollout_state_take(db_column_text(row, 5), &out->resume);
    rollout_cause_take(db_column_text(row, 6), &out->cause);
    rollout_cause_take(db_column_text(row, 18), &out->hold);
    out->revision = db_column_int(row, 8);
    out->entered_ms = db_column_int(row, 10);
    out->progress_ms = db_column_int(row, 11);
    out->turns = (int32_t)db_column_int(row, 12);
    out->domain = (int32_t)db_column_int(row, 13);
}

bool rollout_row_take(struct db_row *row, struct rollout_row *out, struct err *e) {
    const char *request = db_column_text(row, 3);
    *out = (struct rollout_row){.number = db_column_int(row, 0),
                                .clock_ms = db_column_int(row, 9),
                                .created_at_ms = db_column_int(row, 14),
                                .finished_at_ms = db_column_int(row, 15),
                                .superseded_by = db_column_int(row, 17)};
    if (!rollout_state_parse(db_column_text(row, 4), &out->state.state))
        return err_set(e, ERR_CORRUPT, "rollout " ROLLOUT_ID_FORMAT " has no state", out->number);
    if (!rollout_request_decode_stored(request, strlen(request), &out->request, e))
        return err_wrap(e, "rollout " ROLLOUT_ID_FORMAT, out->number);
    take_state(row, &out->state);
    out->state.policy = out->request.policy;
    text_cut(out->reason, sizeof out->reason, db_column_text(row, 7));
    text_cut(out->principal, sizeof out->principal, db_column_text(row, 16));
    return true;
}

static void take_digests(struct db_row *row, struct rollout_agent_view *a) {
    free((char *)a->reason);
    free((char *)a->diagnosis);
    a->reason = text_duplicate(db_column_text(row, 5));
    a->diagnosis = text_duplicate(db_column_text(row, 6));
    text_cut(a->from_version, sizeof a->from_version, db_column_text(row, 11));
    text_cut(a->from_sha256, sizeof a->from_sha256, db_column_text(row, 12));
    text_cut(a->to_sha256, sizeof a->to_sha256, db_column_text(row, 13));
}

static bool take_member(struct db_row *row, void *argument, struct err *e) {
    struct live_rollout *l = argument;
    enum rollout_member_state state = MEMBER_WAITING;
    enum rollout_cause cause = CAUSE_NONE;
    if (!rollout_member_state_parse(db_column_text(row, 3), &state))
        return err_set(e, ERR_CORRUPT, "agent %s has no state in rollout " ROLLOUT_ID_FORMAT,
                       db_column_text(row, 0), l->row.number);
    rollout_cause_take(db_column_text(row, 4), &cause);
    size_t at = live_rollout_add(l, db_column_text(row, 0), db_column_text(row, 1));
    struct rollout_member *m = &l->row.state.members[at];
    m->canary = db_column_int(row, 2) != 0;
    m->state = (uint8_t)state;
    m->cause = (uint8_t)cause;
    m->attempt = (int32_t)db_column_int(row, 7);
    m->turn = (int32_t)db_column_int(row, 8);
    m->was_broken = db_column_int(row, 9) != 0;
    m->deadline_ms = db_column_int(row, 10);
    take_digests(row, &l->agents[at]);
    return true;
}

static bool read_members(struct db_connection *c, struct live_rollout *l, struct err *e) {
    live_rollout_name(l);
    if (!db_query(c, Q_MEMBER_LIST, take_member, l, e, "i", l->row.number)) return false;
    live_rollout_number_domains(l);
    return true;
}

static bool take_row(struct db_row *row, void *argument, struct err *e) {
    return rollout_row_take(row, argument, e);
}

static bool read_row(struct db_connection *c, int64_t number, struct rollout_row *out,
                     struct err *e) {
    if (db_one(c, Q_ROLLOUT_FIND, take_row, out, e, "i", number)) return true;
    if (e->code != ERR_NOT_FOUND) return false;
    err_set(e, ERR_NOT_FOUND, "no rollout " ROLLOUT_ID_FORMAT, number);
    return err_hint(e, "gridctl rollout list shows the rollouts");
}

bool live_rollout_read(struct db_connection *c, int64_t number, struct live_rollout **out,
                       struct err *e) {
    OWN(live_rollout) struct live_rollout *l = memory_zeroed(1, sizeof *l);
    if (!read_row(c, number, &l->row, e) || !read_members(c, l, e)) return false;
    *out = TAKE(l);
    return true;
}

struct counting {
    struct live_rollout *l;
    struct rollout_tally *tally;
};

static bool take_count(struct db_row *row, void *argument, struct err *e) {
    const struct counting *q = argument;
    struct live_rollout *l = q->l;
    const char *domain = db_column_text(row, 0);
    int64_t count = db_column_int(row, 2);
    enum rollout_member_state state = MEMBER_WAITING;
    if (!rollout_member_state_parse(db_column_text(row, 1), &state))
        return err_set(e, ERR_CORRUPT, "a member has no state in rollout " ROLLOUT_ID_FORMAT,
                       l->row.number);
    q->tally->states[state] += count;
    if (state != MEMBER_EXCLUDED) q->tally->selected += count;
    if (l->domain_count > 0 && strcmp(l->domain_names[l->domain_count - 1], domain) == 0)
        return true;
    l->domain_names = memory_resize(l->domain_names, l->domain_count + 1, sizeof *l->domain_names);
    text_cut(l->domain_names[l->domain_count++], sizeof *l->domain_names, domain);
    return true;
}

bool live_rollout_read_outline(struct db_connection *c, int64_t number, struct live_rollout **out,
                               struct rollout_tally *tally, struct err *e) {
    OWN(live_rollout) struct live_rollout *l = memory_zeroed(1, sizeof *l);
    struct counting q = {l, tally};
    *tally = (struct rollout_tally){0};
    if (!read_row(c, number, &l->row, e) ||
        !db_query(c, Q_MEMBER_COUNT, take_count, &q, e, "i", number))
        return false;
    live_rollout_name(l);
    l->domains = memory_zeroed(l->domain_count + 1, sizeof *l->domains);
    for (size_t i = 0; i < l->domain_count; i++) l->domains[i] = l->domain_names[i];
    *out = TAKE(l);
    return true;
}

struct loading {
    struct live_rollout *first, **last;
};

static bool add_live(struct db_row *row, void *argument, struct err *e) {
    struct loading *loading = argument;
    struct live_rollout *l = memory_zeroed(1, sizeof *l);
    *loading->last = l;
    loading->last = &l->next;
    return rollout_row_take(row, &l->row, e);
}

static bool take_taken(struct db_row *row, void *argument, struct err *e) {
    struct live_rollout *l = argument;
    (void)e;
    live_rollout_take_out(l, db_column_text(row, 0));
    return true;
}

bool live_rollouts_read(struct db_connection *c, struct live_rollout **list, struct err *e) {
    struct loading loading = {NULL, &loading.first};
    bool read = db_query(c, Q_ROLLOUT_LIVE, add_live, &loading, e, "");
    for (struct live_rollout *l = loading.first; read && l != NULL; l = l->next)
        read = read_members(c, l, e) && db_query(c, Q_MEMBER_TAKEN, take_taken, l, e, "is",
                                                 l->row.number, l->row.request.name);
    *list = loading.first;
    return read;
}

bool live_rollout_write_member(struct db_connection *c, const struct live_rollout *l, size_t index,
                               struct err *e) {
    const struct rollout_member *m = &l->row.state.members[index];
    const struct rollout_agent_view *a = &l->agents[index];
    return db_exec(c, Q_MEMBER_PUT, e, "ississssiiiisss", l->row.number, a->id,
                   l->domain_names[index], (int64_t)m->canary,
                   rollout_member_state_name((enum rollout_member_state)m->state),
                   rollout_cause_name((enum rollout_cause)m->cause), a->reason, a->diagnosis,
                   (int64_t)m->attempt, (int64_t)m->turn, (int64_t)m->was_broken, m->deadline_ms,
                   a->from_version, a->from_sha256, a->to_sha256);
}

bool live_rollout_write(struct db_connection *c, const struct live_rollout *l,
                        int64_t revision_before, struct err *e) {
    const struct rollout *s = &l->row.state;
    if (!db_exec(c, Q_ROLLOUT_UPDATE, e, "iissssiiiiiiiisi", l->row.number, revision_before,
                 rollout_state_name(s->state), rollout_state_name(s->resume),
                 rollout_cause_name(s->cause), l->row.reason, s->revision, l->row.clock_ms,
                 s->entered_ms, s->progress_ms, (int64_t)s->turns, (int64_t)s->domain,
                 l->row.finished_at_ms, l->row.superseded_by, rollout_cause_name(s->hold),
                 (int64_t)rollout_is_live(s)))
        return false;
    return db_changed_rows(c) == 1 ||
           err_set(e, ERR_CONFLICT, "rollout " ROLLOUT_ID_FORMAT " was changed by somebody else",
                   l->row.number);
}

static bool take_number(struct db_row *row, void *argument, struct err *e) {
    (void)e;
    *(int64_t *)argument = db_column_int(row, 0);
    return true;
}

bool live_rollout_insert(struct db_connection *c, struct live_rollout *l,
                         const char *idempotency_key, struct err *e) {
    OWN_TEXT struct text request = TEXT_EMPTY;
    rollout_request_encode(&l->row.request, &request);
    if (!db_exec(c, Q_ROLLOUT_INSERT, e, "ssssiss", l->row.request.name, l->row.request.version,
                 text_value(&request), rollout_state_name(l->row.state.state), l->row.created_at_ms,
                 l->row.principal, idempotency_key) ||
        !db_one(c, Q_ROLLOUT_NEWEST, take_number, &l->row.number, e, ""))
        return false;
    live_rollout_name(l);
    for (size_t i = 0; i < l->row.state.member_count; i++)
        if (!live_rollout_write_member(c, l, i, e)) return false;
    return live_rollout_write(c, l, 0, e);
}
