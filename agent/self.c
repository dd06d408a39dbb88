#include "agent/self_internal.h"

#include "agent/trial.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

/* Whether the process that started us is the launcher that holds STATE/agent. */
static bool launched(const struct state *state) {
    char path[STATE_PATH_SIZE];
    OWN_TEXT struct text note = TEXT_EMPTY;
    OWN_FD int fd = open(state_path(state, path, "agent/lock"), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) return false;
    if (!file_read(path, 4096, &note, NULL)) return false;
    const char *words = text_value(&note);
    return strncmp(words, "pid ", 4) == 0 && strtol(words + 4, NULL, 10) == getppid();
}

void self_find_running(const struct state *state, char out[BUILDS_NAME_SIZE]) {
    char program[PATH_MAX] = "", builds[STATE_PATH_SIZE];
    out[0] = '\0';
    if (!launched(state) || readlink("/proc/self/exe", program, sizeof program - 1) < 0) return;
    state_path(state, builds, "agent/");
    size_t length = strlen(builds);
    char *slash = strrchr(program, '/');
    if (strncmp(program, builds, length) != 0 || slash < program + length) return;
    *slash = '\0';
    if (builds_name_valid(program + length))
        snprintf(out, BUILDS_NAME_SIZE, "%s", program + length);
}

struct self *self_new(const struct self_options *options) {
    struct self *s = memory_zeroed(1, sizeof *s);
    s->options = *options;
    s->began_ms = clock_monotonic_ms();
    s->tidy_due = true;
    s->decision.wake_ms = INT64_MAX;
    s->staging.directory = state_path(options->state, s->directory, "agent");
    self_find_running(options->state, s->running);
    self_journal_load(&s->journal, options->state);
    if (s->running[0] != '\0') log_info("self.build", "build=%s", s->running);
    return s;
}

void self_use(struct self *s, struct fetch *fetch) {
    fetching_init(&s->staging.fetching, fetch, "");
}

void self_free(struct self *s) {
    if (s == NULL) return;
    self_journal_clear(&s->journal);
    secret_wipe(&s->staging.fetching, sizeof s->staging.fetching);
    free(s);
}

static void note_answers(struct self *s, const struct self_world *w, int64_t now_ms) {
    const struct wire_desired *d = w->desired;
    if (w->answered) s->lease_until_ms = w->answered_ms + d->self.grant.lease_ms;
    if (w->answered && s->reached_ms == 0) s->reached_ms = now_ms;
    bool taken_over = w->examined && (int64_t)w->held <= s->journal.held;
    if (!taken_over) s->taken_over_ms = 0;
    if (taken_over && s->taken_over_ms == 0) s->taken_over_ms = now_ms;
    uint64_t trust = trust_number(s->options.trust);
    bool news = d->generation != s->generation || trust != s->trust_number;
    if (news) fetching_forget(&s->staging.fetching);
    s->generation = d->generation;
    memcpy(s->hold, d->hold, sizeof s->hold);
    s->trust_number = trust;
}

/* What is here already may be unwelcome by now: then asking for it again tells why. What has begun
 * is finished. */
static bool is_welcome(struct self *s, const struct wire_artifact *a, const char *name) {
    struct version v = {0};
    if (self_under_way(s) && strcmp(s->journal.to, name) == 0) return true;
    self_staging_version(a, &v);
    bool welcome = trust_allows_switch(s->options.trust, &v, NULL);
    version_clear(&v);
    return welcome;
}

static bool lacks(struct self *s, const struct wire_artifact *a, char name[BUILDS_NAME_SIZE],
                  bool *staged) {
    char before[BUILDS_NAME_SIZE];
    memcpy(before, name, sizeof before);
    bool named = self_staging_name(a, name);
    s->tidy_due = s->tidy_due || strcmp(before, name) != 0;
    *staged = named && (strcmp(name, s->running) == 0 ||
                        (self_staging_has(&s->staging, name) && is_welcome(s, a, name)));
    return named && !*staged;
}

/* The target first; nothing for a build that failed, nor without a launcher. */
static const struct wire_artifact *choose_fetch(struct self *s, const struct wire_desired_self *d) {
    bool target = lacks(s, &d->target, s->target, &s->target_staged);
    bool prefetch = lacks(s, &d->prefetch, s->prefetch, &s->prefetch_staged);
    if (s->running[0] == '\0') return NULL;
    if (target && !self_tried(&s->journal, s->target, &d->grant)) return &d->target;
    return prefetch ? &d->prefetch : NULL;
}

static void fetch(struct self *s, const struct self_world *w, int64_t now_ms, int64_t *due_ms) {
    struct fetching *f = &s->staging.fetching;
    char sha256[SHA256_HEX_SIZE];
    bool local = false;
    s->may_download = w->may_download;
    snprintf(f->base_url, sizeof f->base_url, "%s", w->base_url);
    snprintf(f->pin, sizeof f->pin, "%s", w->pin);
    fetching_connected(f, w->connected);
    fetching_allow(f, w->token);
    if (fetching_update(f, now_ms, sha256, &local)) s->tidy_due = true;
    const struct wire_artifact *a = choose_fetch(s, &w->desired->self);
    self_staging_want(&s->staging, w->may_download ? a : NULL, now_ms, due_ms);
}

static void decide(struct self *s, const struct self_world *w, int64_t now_ms) {
    char reason[TRIAL_REASON_SIZE];
    const struct self_facts facts = {
        .journal = &s->journal,
        .running = s->running,
        .target = s->target,
        .staged = s->target_staged,
        .quiet = w->quiet,
        .connected = w->connected,
        .held = w->desired->hold[0] != '\0',
        .given_up = s->journal.to[0] != '\0' && trial_given_up(s->directory, s->journal.to, reason),
        .grant = w->desired->self.grant,
        .lease_until_ms = s->lease_until_ms,
        .began_ms = s->began_ms,
        .reached_ms = s->reached_ms,
        .taken_over_ms = s->taken_over_ms,
    };
    self_decide(&facts, now_ms, &s->decision);
}

bool self_under_way(const struct self *s) {
    return s->journal.stage == SELF_SWITCHING || s->journal.stage == SELF_PROBATION ||
           s->journal.stage == SELF_RETURNING;
}

/* A trial that is over, and builds that nothing needs any more, go once nothing is under way. */
static void tidy(struct self *s) {
    char current[BUILDS_NAME_SIZE] = "", previous[BUILDS_NAME_SIZE] = "";
    struct err none;
    if (!s->tidy_due || s->running[0] == '\0' || s->staging.fetching.job != 0 || self_under_way(s))
        return;
    if (!trial_end(s->directory, &none)) return;
    (void)!builds_linked(s->directory, "current", current, &none);
    (void)!builds_linked(s->directory, "previous", previous, &none);
    const char *const keep[] = {s->running, current, previous, s->target, s->prefetch};
    builds_collect(s->directory, keep, sizeof keep / sizeof keep[0]);
    s->tidy_due = false;
}

void self_look(struct self *s, const struct self_world *world, int64_t now_ms, int64_t *due_ms) {
    if (s->leaving) return;
    note_answers(s, world, now_ms);
    fetch(s, world, now_ms, due_ms);
    decide(s, world, now_ms);
    bool waits = s->trouble.code != ERR_NONE && now_ms < s->retry_ms;
    if (s->decision.action == SELF_STAY) s->trouble = (struct err){0};
    if (s->decision.action != SELF_STAY && !waits) self_act(s, world, now_ms);
    tidy(s);
    if (s->decision.wake_ms < *due_ms) *due_ms = s->decision.wake_ms;
    if (waits && s->retry_ms < *due_ms) *due_ms = s->retry_ms;
}
