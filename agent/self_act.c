/* The part of agent/self.h that changes things: what is written down comes before what is done. */
#include "agent/self_internal.h"

#include "agent/trial.h"
#include "lib/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { RETRY_MS = 5000, WORDS_MAX = 2048 };

/* The journal says so on disk, or nothing has changed. */
static bool write_down(struct self *s, enum self_stage stage, struct err *e) {
    enum self_stage before = s->journal.stage;
    s->journal.stage = stage;
    s->unwritten = !self_journal_save(&s->journal, s->options.state, e);
    if (!s->unwritten) return true;
    s->journal.stage = before;
    return err_wrap(e, "write down the agent's update");
}

static void leave(struct self *s) {
    assert(!s->leaving);
    s->leaving = true;
    s->options.leave(s->options.argument);
}

static bool switch_links(struct self *s, struct err *e) {
    return trial_begin(s->directory, s->journal.to, e) &&
           builds_use(s->directory, s->journal.to, e);
}

static void set_failure(struct self_journal *j, enum err_code code, const char *cause,
                        const char *format, ...) PRINTF_LIKE(4, 5);
static void set_failure(struct self_journal *j, enum err_code code, const char *cause,
                        const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(j->reason, sizeof j->reason, format, arguments);
    va_end(arguments);
    snprintf(j->code, sizeof j->code, "%s", err_code_name(code));
    snprintf(j->cause, sizeof j->cause, "%s", cause);
}

/* Once it is written down it is final; before that it may be tried again. */
static bool fail(struct self *s, struct err *e) {
    if (!write_down(s, SELF_FAILED, e)) return false;
    log_error("self.failed", "build=%s cause=%s reason=%s", s->journal.to, s->journal.cause,
              s->journal.reason);
    s->tidy_due = true;
    return true;
}

/* The bytes of the new build do not hold what its name promises, or the disk fails: this agent
 * stays. */
static bool stay(struct self *s, const struct err *why, struct err *e) {
    set_failure(&s->journal, why->code, "machine", "%s", why->text);
    return fail(s, e);
}

static bool finish_switch(struct self *s, struct err *e) {
    struct err why = {0};
    s->journal.switches++;
    if (!write_down(s, SELF_SWITCHING, e)) {
        s->journal.switches--; /* what the disk prevents is no switch */
        return false;
    }
    if (!switch_links(s, &why)) return stay(s, &why, e);
    log_info("self.switch", "from=%s to=%s rollout=%s attempt=%" PRId64, s->journal.from,
             s->journal.to, s->journal.grant.rollout, s->journal.grant.attempt);
    leave(s);
    return true;
}

static bool begin_switch(struct self *s, const struct self_world *w, struct err *e) {
    assert(s->target[0] != '\0' && strcmp(s->target, s->running) != 0);
    struct self_journal before = s->journal;
    s->journal = (struct self_journal){
        .stage = before.stage, .grant = w->desired->self.grant, .held = (int64_t)w->held};
    memcpy(s->journal.from, s->running, sizeof s->journal.from);
    memcpy(s->journal.to, s->target, sizeof s->journal.to);
    if (finish_switch(s, e)) {
        free(before.diagnosis);
        return true;
    }
    bool begun = s->journal.stage != before.stage;
    if (begun) {
        free(before.diagnosis);
        return false;
    }
    self_journal_clear(&s->journal);
    s->journal = before;
    return false;
}

static bool commit(struct self *s, struct err *e) {
    if (!write_down(s, SELF_COMMITTED, e)) return false;
    log_info("self.committed", "build=%s before=%s", s->journal.to, s->journal.from);
    s->tidy_due = true;
    return true;
}

static void say_why_back(struct self *s) {
    struct self_journal *j = &s->journal;
    j->unseen = s->decision.verdict == SELF_SILENT;
    int64_t within_s = self_deadline_ms(&j->grant) / 1000;
    if (s->decision.verdict == SELF_SILENT)
        set_failure(j, ERR_TIMEOUT, "version",
                    "the new agent did not reach the master within %" PRId64 " s", within_s);
    if (s->decision.verdict == SELF_NOT_TAKEN_OVER)
        set_failure(j, ERR_CONFLICT, "version",
                    "the new agent did not take over the nodes within %" PRId64 " s", within_s);
}

/* What is current changes last: until then this build is what starts. */
static bool go_back(struct self *s, struct err *e) {
    char program[PATH_MAX];
    say_why_back(s);
    if (!write_down(s, SELF_RETURNING, e) ||
        !builds_prove(s->directory, s->journal.from, program, e) ||
        !builds_go_back(s->directory, s->journal.from, e))
        return false;
    log_warn("self.return", "from=%s to=%s reason=%s", s->journal.to, s->journal.from,
             s->journal.reason);
    leave(s);
    return true;
}

static void keep_words(struct self *s, const char *reason) {
    OWN_TEXT struct text words = TEXT_EMPTY;
    if (reason[0] != '\0') text_add_format(&words, "%s\n", reason);
    trial_words(s->directory, WORDS_MAX, &words);
    free(s->journal.diagnosis);
    s->journal.diagnosis = text_take(&words);
}

static bool note_failure(struct self *s, struct err *e) {
    struct self_journal *j = &s->journal;
    char reason[TRIAL_REASON_SIZE] = "", version[SEMVER_SIZE], digest[SHA256_HEX_SIZE];
    builds_split(j->to, version, digest);
    (void)trial_given_up(s->directory, j->to, reason);
    if (s->decision.verdict == SELF_GIVEN_UP)
        set_failure(j, ERR_UNAVAILABLE, "version", "grid-agent %s gave way to the one before: %s",
                    version, reason);
    if (s->decision.verdict == SELF_IN_VAIN)
        set_failure(j, ERR_UNAVAILABLE, "version", "grid-agent %s never came up in %d switches",
                    version, SELF_MOST_SWITCHES);
    if (s->decision.verdict == SELF_REPLACED)
        set_failure(j, ERR_CONFLICT, "machine", "another build was put in the place of %s",
                    version);
    keep_words(s, reason);
    return fail(s, e);
}

static bool forget(struct self *s, struct err *e) {
    if (!write_down(s, SELF_NONE, e)) return false;
    log_warn("self.undecided", "build=%s reason=neither build reached the master", s->journal.to);
    s->tidy_due = true;
    return true;
}

static bool enter(struct self *s, struct err *e) {
    if (!write_down(s, SELF_PROBATION, e)) return false;
    log_info("self.probation", "build=%s before=%s", s->journal.to, s->journal.from);
    return true;
}

static bool carry_out(struct self *s, const struct self_world *world, struct err *e) {
    switch (s->decision.action) {
    case SELF_BEGIN:
        return begin_switch(s, world, e);
    case SELF_FINISH:
        return finish_switch(s, e);
    case SELF_ENTER:
        return enter(s, e);
    case SELF_COMMIT:
        return commit(s, e);
    case SELF_GO_BACK:
        return go_back(s, e);
    case SELF_FAIL:
        return note_failure(s, e);
    case SELF_FORGET:
        return forget(s, e);
    case SELF_STAY:
    default:
        return true;
    }
}

void self_act(struct self *s, const struct self_world *world, int64_t now_ms) {
    struct err e = {0};
    s->trouble = (struct err){0};
    s->decision.wake_ms = now_ms; /* what is next is decided anew */
    if (carry_out(s, world, &e)) return;
    log_error("self.trouble", "code=%s error=%s", err_code_name(e.code), e.text);
    s->trouble = e;
    s->retry_ms = now_ms + RETRY_MS;
    s->decision.wake_ms = s->retry_ms;
}
