/* The part of agent/supervise.h that carries out the turns of a transition and keeps the journal.
 */
#include "agent/supervise_internal.h"

#include "agent/diagnosis.h"
#include "agent/report.h"
#include "lib/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    RETRY_MS = 5000,
    NOTE_MS = 5000, /* between notes of how long a probation was watched, ... */
    NOTES = 10,     /* ... and at least so many of them */
    GAP_MAX_MS = 3000,
};

static bool on_trial(const struct transition *t) {
    return t->state == TRANSITION_SWITCHING || t->state == TRANSITION_PROBATION;
}

/* While the link to a committed version cannot be written, the file must go on to say that it is on
 * trial. */
static bool save(struct supervise *s, int64_t now_ms) {
    struct err e = {0};
    s->journal.retry_ms = now_ms + RETRY_MS;
    if (s->versions.moved_to[0] != '\0')
        return err_set(&s->journal_error, ERR_IO, "the link to the current version is not written");
    if (!journal_save(&s->journal, &e)) {
        log_error("journal.not_saved", "code=%s error=%s", err_code_name(e.code), e.text);
        s->journal_error = e;
        return false;
    }
    s->watched_noted_ms = s->journal.transition.watched_ms;
    s->journal.retry_ms = 0;
    return true;
}

static void say(const struct supervise *s, const char *event) {
    const struct journal *j = &s->journal;
    log_info(event, "from=%s to=%s rollout=%s attempt=%" PRId64 " reason=%s", j->from, j->to,
             j->rollout, j->attempt, j->reason);
}

/* On whose order. What is ordered anew of the same version meanwhile is carried out by what is
 * under way. */
static void note_order(struct supervise *s) {
    const struct wire_desired *d = &s->wanted.desired;
    struct journal *j = &s->journal;
    bool local = s->options.settings->binary_path[0] != '\0';
    snprintf(j->rollout, sizeof j->rollout, "%s", local ? "" : d->grant.rollout);
    j->attempt = local ? 0 : d->grant.attempt;
    j->generation = d->generation;
}

/* Nothing begins that is not written down; then the journal says what it said. */
static void begin(struct supervise *s, const struct reconcile_input *in, int64_t now_ms) {
    struct journal *j = &s->journal;
    struct journal before = *j;
    *j = journal_anew(&before);
    note_order(s);
    memcpy(j->from, s->versions.current.version, sizeof j->from);
    memcpy(j->to, s->versions.target.version, sizeof j->to);
    memcpy(j->to_sha256, s->versions.target.sha256, sizeof j->to_sha256);
    transition_take(&j->transition, TURN_BEGIN, j->to_sha256, &in->grant.policy);
    if (save(s, now_ms)) {
        say(s, "update.begun");
        journal_fini(&before);
        return;
    }
    s->begin_after_ms = before.retry_ms = j->retry_ms;
    journal_fini(j);
    *j = before;
}

static void fail(struct supervise *s, const struct node *n) {
    struct journal *j = &s->journal;
    struct err why = {0};
    OWN_TEXT struct text diagnosis = TEXT_EMPTY;
    int64_t deadline_ms = j->transition.policy.healthy_deadline_ms;
    report_failure(n, &s->versions.target, deadline_ms > 0 ? deadline_ms : RECONCILE_HEALTHY_MS,
                   &why);
    diagnosis_write(n, JOURNAL_DIAGNOSIS_MAX, &diagnosis);
    journal_blame(j, "version", &why, text_value(&diagnosis));
    if (strcmp(s->versions.target.sha256, j->transition.to) == 0) note_order(s);
    journal_add_failure(j);
    transition_take(&j->transition, TURN_FAIL, NULL, NULL);
    log_error("version.failed", "version=%s code=%s reason=%s", j->to, j->code, j->reason);
}

static void turn_back(struct supervise *s) {
    struct journal *j = &s->journal;
    struct err why = {0};
    bool lost = strcmp(s->versions.target.sha256, j->transition.to) == 0;
    if (lost)
        err_set(&why, ERR_CORRUPT, "the stored copy of %s is damaged or gone", j->to);
    else
        err_set(&why, ERR_NONE, "another version than %s is desired now", j->to);
    journal_blame(j, lost ? "machine" : "", &why, NULL);
    transition_take(&j->transition, TURN_BACK, NULL, NULL);
    say(s, "update.back");
}

static const char *const events[TURN_COUNT] = {
    [TURN_WATCH] = "update.watched",
    [TURN_COMMIT] = "update.committed",
    [TURN_STICK] = "update.stuck",
    [TURN_END] = "update.ended",
};

void supervise_take_turn(struct supervise *s, const struct reconcile_input *in, int64_t now_ms) {
    struct journal *j = &s->journal;
    const struct reconcile_decision *d = &s->decision;
    j->dirty = true;
    switch (d->turn) {
    case TURN_BEGIN:
        begin(s, in, now_ms);
        return;
    case TURN_FAIL:
        assert(d->failed_node < s->count);
        fail(s, &s->nodes[d->failed_node]);
        break;
    case TURN_BACK:
        turn_back(s);
        break;
    case TURN_WATCH:
    case TURN_COMMIT:
    case TURN_STICK:
    case TURN_END:
        transition_take(&j->transition, d->turn, NULL, NULL);
        assert(events[d->turn] != NULL);
        say(s, events[d->turn]);
        break;
    case TURN_NONE:
    case TURN_COUNT:
    default:
        break;
    }
    s->watched_at_ms = now_ms;
    (void)save(s, now_ms);
}

/* What the steps are about to do, written down before they do it. A disk that cannot take it does
 * not keep a machine from serving. */
void supervise_note_steps(struct supervise *s, int64_t now_ms) {
    struct journal *j = &s->journal;
    const struct transition *t = &j->transition;
    for (size_t i = 0; i < s->count && t->state != TRANSITION_NONE; i++) {
        struct reconcile_node *n = &s->facts[i];
        struct journal_node *noted = &j->nodes[i];
        bool moved = strcmp(n->assigned, t->to) == 0;
        if (s->steps[i] == STEP_START && moved && on_trial(t)) n->tries++;
        bool known = noted->moved == moved && noted->excused == n->excused &&
                     noted->tries == (int64_t)n->tries;
        if (known) continue;
        *noted = (struct journal_node){.moved = moved, .excused = n->excused, .tries = n->tries};
        j->dirty = true;
    }
    if (j->dirty && now_ms >= j->retry_ms) (void)save(s, now_ms);
}

/* A probation counts the time in which somebody watched: an agent that was stopped did not. */
void supervise_watch(struct supervise *s, int64_t now_ms, int64_t *due_ms) {
    struct journal *j = &s->journal;
    struct transition *t = &j->transition;
    int64_t since_ms = now_ms - s->watched_at_ms;
    bool watching = t->state == TRANSITION_PROBATION && reconcile_watches(s->facts, s->count);
    s->watched_at_ms = now_ms;
    if (watching) t->watched_ms += since_ms < GAP_MAX_MS ? since_ms : GAP_MAX_MS;
    int64_t note_ms =
        t->policy.probation_ms / NOTES < NOTE_MS ? t->policy.probation_ms / NOTES : NOTE_MS;
    if (watching && t->watched_ms - s->watched_noted_ms >= note_ms) j->dirty = true;
    if (j->dirty && now_ms >= j->retry_ms) (void)save(s, now_ms);
    if (j->dirty && j->retry_ms < *due_ms) *due_ms = j->retry_ms;
}

/* Without the journal, the records of the nodes' starts tell whether one was moved already. */
static void guess(struct supervise *s) {
    struct journal *j = &s->journal;
    const struct version *target = &s->versions.target;
    const char *current = s->versions.current.sha256;
    bool differs =
        target->sha256[0] != '\0' && current[0] != '\0' && strcmp(target->sha256, current) != 0;
    struct reconcile_grant grant;
    wanted_grant(&s->wanted, 0, &grant);
    for (size_t i = 0; i < s->count && differs; i++) {
        if (strcmp(s->nodes[i].record.sha256, target->sha256) != 0) continue;
        j->nodes[i].moved = true;
        if (j->transition.state != TRANSITION_NONE) continue;
        memcpy(j->to_sha256, target->sha256, sizeof j->to_sha256);
        memcpy(j->to, target->version, sizeof j->to);
        memcpy(j->from, s->versions.current.version, sizeof j->from);
        note_order(s);
        transition_take(&j->transition, TURN_BEGIN, target->sha256, &grant.policy);
    }
    log_warn("journal.made_anew", "state=%s to=%s", transition_state_name(j->transition.state),
             j->to);
}

/* Until a desired state was taken again, what was begun is what is desired. */
static void want_what_was_begun(struct supervise *s) {
    struct err e = {0};
    if (s->wanted.desired.generation > 0 || !on_trial(&s->journal.transition)) return;
    if (!versions_find(&s->versions, s->journal.transition.to, &s->versions.target, &e))
        log_warn("update.unknown", "sha256=%s error=%s", s->journal.transition.to, e.text);
}

void supervise_open_journal(struct supervise *s) {
    struct journal *j = &s->journal;
    struct transition *t = &j->transition;
    bool whole = journal_load(j, s->options.state, s->count, &s->journal_error);
    supervise_choose_target(s);
    if (!whole) {
        log_error("journal.damaged", "error=%s", s->journal_error.text);
        journal_blame(j, "", &s->journal_error, NULL);
        guess(s);
    }
    want_what_was_begun(s);
    for (size_t i = 0; i < s->count && t->state != TRANSITION_NONE; i++) {
        struct reconcile_node *n = &s->facts[i];
        if (j->nodes[i].moved) memcpy(n->assigned, t->to, sizeof n->assigned);
        n->excused = j->nodes[i].excused;
        n->tries = j->nodes[i].tries > 0 ? (unsigned)j->nodes[i].tries : 0;
    }
    s->watched_noted_ms = t->watched_ms;
    if (t->state != TRANSITION_NONE) say(s, "update.resumed");
}
