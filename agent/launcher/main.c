/* grid-launcher: starts the agent, hands signals on to it, and goes back to the build before when a
 * new one does not come up. Installed with the first agent, never updated by it: whatever happens
 * to the agent, this still works. One thread. */
#include "agent/backoff.h"
#include "agent/builds.h"
#include "agent/launcher/child.h"
#include "agent/launcher/choose.h"
#include "agent/launcher/manual.h"
#include "agent/launcher/settings.h"
#include "agent/node_log.h"
#include "agent/state.h"
#include "agent/trial.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/secret.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum {
    LOOK_MS = 5000, /* the longest between looks at the agent */
    TRIAL_LOOK_MS = 500,
    LEAST_LOOKS = 10, /* within the time after which an agent hangs */
};

struct launcher {
    struct settings settings;
    char **arguments; /* of the agent, NULL behind the last */
    int argument_count;
    struct choice choice;
    int lock_fd;
    sigset_t signals;
    unsigned failures; /* in a row, for the pause */
    bool on_trial;     /* the build that runs, as far as we know */
    int64_t relayed;   /* of what it says on trial */
};

static bool execute(struct launcher *l, struct child *c, struct err *e) {
    OWN_MEMORY char **argv = memory_zeroed((size_t)l->argument_count + 4, sizeof *argv);
    argv[0] = l->choice.program;
    argv[1] = "--state";
    argv[2] = l->settings.state;
    for (int i = 0; i < l->argument_count; i++) argv[3 + i] = l->arguments[i];
    OWN_FD int log = l->on_trial ? trial_log(l->choice.directory, e) : -1;
    const struct child_plan plan = {.program = l->choice.program,
                                    .argv = argv,
                                    .stderr_fd = log,
                                    .sign_every_ms = l->settings.hung_after_ms / LEAST_LOOKS};
    return child_start(c, &plan, e);
}

static bool start(struct launcher *l, struct child *c, struct err *e) {
    struct starts *starts = &l->choice.starts;
    if (starts_begin(starts)) choose_save(&l->choice);
    l->on_trial = trial_of(l->choice.directory, starts->build);
    if (!execute(l, c, e)) return false;
    log_info("agent.start", "pid=%d build=%s tries=%d proven=%s", (int)c->pid, starts->build,
             starts->tries, starts->proven ? "yes" : "no");
    return true;
}

/* The log of a plain start, which nobody else looks after; we and the agent append to it. */
static void rotate_log(const struct launcher *l) {
    struct err e;
    int64_t cut_bytes;
    if (!node_log_rotate(l->choice.directory, NODE_LOG_MAX_BYTES, &cut_bytes, &e))
        log_warn("launcher.log_not_rotated", "error=%s", e.text);
}

static int64_t look_pause_ms(const struct launcher *l) {
    int64_t pause_ms = l->settings.hung_after_ms / LEAST_LOOKS;
    if (l->on_trial && (pause_ms == 0 || pause_ms > TRIAL_LOOK_MS)) return TRIAL_LOOK_MS;
    return pause_ms == 0 || pause_ms > LOOK_MS ? LOOK_MS : pause_ms;
}

static bool keeps_proof_back(const struct launcher *l) {
    return l->on_trial && trial_of(l->choice.directory, l->choice.starts.build);
}

/* Whether it has run long enough by now; a build on trial is proven by its agent. */
static bool look_at(struct launcher *l, struct child *c, bool ran_long) {
    rotate_log(l);
    if (l->on_trial) trial_relay(l->choice.directory, &l->relayed, STDERR_FILENO);
    child_look(c, l->settings.hung_after_ms / look_pause_ms(l));
    if (ran_long || child_ran_ms(c) < l->settings.proven_after_ms || keeps_proof_back(l))
        return ran_long;
    if (starts_proved(&l->choice.starts)) {
        choose_save(&l->choice);
        log_info("agent.proven", "build=%s", l->choice.starts.build);
    }
    return true;
}

static int64_t next_look_ms(const struct launcher *l, const struct child *c, bool ran_long) {
    int64_t at_ms = clock_monotonic_ms() + look_pause_ms(l);
    int64_t proven_ms = c->began_ms + l->settings.proven_after_ms;
    bool sooner = !ran_long && proven_ms < at_ms && clock_monotonic_ms() < proven_ms;
    return sooner ? proven_ms : at_ms;
}

/* Until it ended; tells whether it had run long enough by then. */
static bool watch(struct launcher *l, struct child *c) {
    bool ran_long = false;
    enum child_event event;
    do {
        ran_long = look_at(l, c, ran_long);
        event = child_watch(c, &l->signals, next_look_ms(l, c, ran_long));
    } while (event != CHILD_ENDED);
    if (l->on_trial) trial_relay(l->choice.directory, &l->relayed, STDERR_FILENO);
    return ran_long && !c->hung;
}

static void settle(struct launcher *l, const struct child *c, bool ran_long) {
    char *how = l->choice.last_end;
    enum starts_end end = child_crashed(c) ? STARTS_CRASHED : STARTS_EXITED;
    if (c->told) end = STARTS_TOLD;
    child_describe(c, how);
    log_line(c->told ? LOG_INFO : LOG_WARN, "agent.ended",
             "pid=%d build=%s reason=%s after_ms=%" PRId64, (int)c->pid, l->choice.starts.build,
             how, clock_monotonic_ms() - c->began_ms);
    if (!ran_long && starts_ended(&l->choice.starts, end)) choose_save(&l->choice);
    l->failures = ran_long ? 0 : l->failures + 1;
}

/* It ended to make way for another build, which is no failure. */
static bool makes_way(const struct launcher *l) {
    char current[BUILDS_NAME_SIZE];
    struct err none;
    return builds_linked(l->choice.directory, "current", current, &none) &&
           strcmp(current, l->choice.starts.build) != 0;
}

static int64_t pause_ms(const struct launcher *l) {
    struct backoff b = {.first_ms = l->settings.pause_ms, .longest_ms = 60 * l->settings.pause_ms};
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0) random = UINT32_MAX / 2;
    return backoff_pause_ms(&b, l->failures, random);
}

static bool keep_running(struct launcher *l, int *exit_code, struct err *e) {
    struct child c;
    bool went_back = false;
    do {
        if (!choose(&l->choice, &went_back, e)) return false;
        if (went_back) l->failures = 0;
        if (!start(l, &c, e)) return false;
        bool ran_long = watch(l, &c);
        settle(l, &c, ran_long);
        child_fini(&c);
        *exit_code = child_exit_code(&c);
        if (c.told) return true;
        if (makes_way(l)) l->failures = 0;
    } while (child_pause(&l->signals, pause_ms(l)));
    *exit_code = 0;
    return true;
}

static bool find_directory(struct launcher *l, struct err *e) {
    char *directory = l->choice.directory;
    if (!file_join(directory, PATH_MAX, l->settings.state, "agent", e)) return false;
    if (access(directory, F_OK) == 0) return true;
    err_set(e, ERR_NOT_FOUND, "%s: no agent is installed there", l->settings.state);
    return err_hint(e,
                    "install one with what gridctl agent join-command prints, or give its --state");
}

static bool lock_directory(struct launcher *l, struct err *e) {
    char lock[PATH_MAX];
    if (!file_join(lock, sizeof lock, l->choice.directory, "lock", e)) return false;
    if (file_lock(lock, "grid-launcher", &l->lock_fd, e)) return true;
    if (e->code == ERR_CONFLICT) return err_hint(e, "stop that launcher first");
    return err_hint(e, "make %s a directory that the launcher may write to", l->choice.directory);
}

static bool run(struct launcher *l, int *exit_code, struct err *e) {
    struct err why;
    if (!log_configure("grid-launcher", l->settings.log_level, l->settings.log_format, e) ||
        !find_directory(l, e))
        return false;
    if (l->settings.use[0] != '\0') return builds_use(l->choice.directory, l->settings.use, e);
    if (!lock_directory(l, e)) return false;
    if (!starts_read(l->choice.directory, &l->choice.starts, &why))
        log_warn("launcher.no_record", "error=%s", why.text);
    file_drop_unfinished(l->choice.directory);
    child_block_signals(&l->signals);
    return keep_running(l, exit_code, e);
}

int main(int argc, char **argv) {
    static struct launcher launcher = {.lock_fd = -1};
    struct settings *s = &launcher.settings;
    struct err e = {0};
    int rest = 0, exit_code = 0;
    state_pass_over_master();
    secret_bar_dumps(); /* a join string may be in the environment, for the agent */
    if (!options_parse(&launcher_options, argc, argv, s, &rest, &e))
        return err_report("grid-launcher", &e);
    if (s->help) return manual_print(&launcher_manual, s);
    if (s->version) return printf("grid-launcher %s\n", GRID_VERSION) > 0 ? 0 : 1;
    launcher.arguments = argv + rest;
    launcher.argument_count = argc - rest;
    if (!run(&launcher, &exit_code, &e)) exit_code = err_report("grid-launcher", &e);
    if (launcher.lock_fd >= 0) close(launcher.lock_fd);
    return exit_code;
}
