/* grid-launcher: starts the agent, hands signals on to it, and goes back to the build before when a
 * new one does not come up. Installed with the first agent, never updated by it: whatever happens
 * to the agent, this still works. One thread. */
#include "agent/backoff.h"
#include "agent/launcher/builds.h"
#include "agent/launcher/child.h"
#include "agent/launcher/manual.h"
#include "agent/launcher/settings.h"
#include "agent/launcher/starts.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

struct launcher {
    struct settings settings;
    char **arguments; /* of the agent, NULL behind the last */
    int argument_count;
    char directory[PATH_MAX]; /* STATE/agent */
    char program[PATH_MAX];   /* of the build that starts.build names */
    int lock_fd;
    sigset_t signals;
    struct starts starts;
    unsigned failures; /* in a row, for the pause */
};

/* A full disk must not keep the agent from starting: counting then goes on in memory. */
static void save_starts(const struct launcher *l) {
    struct err e;
    if (!starts_save(l->directory, &l->starts, &e))
        log_warn("launcher.not_saved", "error=%s", e.text);
}

/* --- which build --- */

/* The reason is kept for whoever asks later: the agent that runs then, or a person. */
static void keep_reason(const struct launcher *l, const char *build, const char *reason) {
    OWN_TEXT struct text words = TEXT_EMPTY;
    char path[PATH_MAX], at[CLOCK_RFC3339_SIZE];
    struct err e;
    clock_rfc3339(clock_wall_ms(), at);
    text_add_format(&words, "build %s\nat %s\nreason %s\n", build, at, reason);
    if (!file_join(path, sizeof path, l->directory, "failed", &e) ||
        !file_write_durable(path, words.data, words.length, 0600, &e))
        log_warn("launcher.not_saved", "error=%s", e.text);
}

/* False when there is nothing to go back to: no previous build, the same one, or a damaged one. */
static bool go_back(struct launcher *l, const char *failed, const char *reason) {
    char previous[BUILDS_NAME_SIZE], program[PATH_MAX];
    struct err e;
    if (!builds_linked(l->directory, "previous", previous, &e) || strcmp(previous, failed) == 0)
        return false;
    if (!builds_prove(l->directory, previous, program, &e)) {
        log_error("agent.no_way_back", "build=%s error=%s", previous, e.text);
        return false;
    }
    log_error("agent.fallback", "from=%s to=%s reason=%s", failed, previous, reason);
    keep_reason(l, failed, reason);
    if (!builds_go_back(l->directory, previous, &e))
        log_warn("launcher.not_saved", "error=%s", e.text);
    starts_of(&l->starts, previous);
    memcpy(l->program, program, sizeof program);
    l->failures = 0;
    return true;
}

/* Settles on the build to start next: current, or the one before when current cannot be executed
 * or was started in vain too often. */
static bool choose(struct launcher *l, struct err *e) {
    char current[BUILDS_NAME_SIZE] = "";
    bool proved = builds_linked(l->directory, "current", current, e) &&
                  builds_prove(l->directory, current, l->program, e);
    if (!proved && go_back(l, current, e->text)) return true;
    if (!proved) {
        err_wrap(e, "no agent to start");
        return err_hint(e, "install it again: gridctl agent join-command");
    }
    starts_of(&l->starts, current);
    char reason[64];
    snprintf(reason, sizeof reason, "%d starts in vain", l->starts.tries);
    if (starts_exhausted(&l->starts) && !go_back(l, current, reason))
        log_warn("agent.no_way_back", "build=%s tries=%d", current, l->starts.tries);
    return true;
}

/* --- one run --- */

static bool start(struct launcher *l, struct child *c, struct err *e) {
    OWN_MEMORY char **argv = memory_zeroed((size_t)l->argument_count + 4, sizeof *argv);
    argv[0] = l->program;
    argv[1] = "--state";
    argv[2] = l->settings.state;
    for (int i = 0; i < l->argument_count; i++) argv[3 + i] = l->arguments[i];
    if (starts_begin(&l->starts)) save_starts(l);
    if (!child_start(c, l->program, argv, e)) return false;
    log_info("agent.start", "pid=%d build=%s tries=%d proven=%s", (int)c->pid, l->starts.build,
             l->starts.tries, l->starts.proven ? "yes" : "no");
    return true;
}

/* Until it ended; tells whether it had run long enough by then. */
static bool watch(struct launcher *l, struct child *c) {
    int64_t until_ms = c->began_ms + l->settings.proven_after_ms;
    if (child_watch(c, &l->signals, until_ms) == CHILD_ENDED) return false;
    if (starts_proved(&l->starts)) {
        save_starts(l);
        log_info("agent.proven", "build=%s", l->starts.build);
    }
    while (child_watch(c, &l->signals, -1) != CHILD_ENDED) continue;
    return true;
}

static void settle(struct launcher *l, const struct child *c, bool ran_long) {
    char how[32];
    enum starts_end end = child_crashed(c) ? STARTS_CRASHED : STARTS_EXITED;
    if (c->told) end = STARTS_TOLD;
    child_describe(c, how);
    log_line(c->told ? LOG_INFO : LOG_WARN, "agent.ended",
             "pid=%d build=%s reason=%s after_ms=%" PRId64, (int)c->pid, l->starts.build, how,
             clock_monotonic_ms() - c->began_ms);
    if (!ran_long && starts_ended(&l->starts, end)) save_starts(l);
    l->failures = ran_long ? 0 : l->failures + 1;
}

static int64_t pause_ms(const struct launcher *l) {
    struct backoff b = {.first_ms = l->settings.pause_ms, .longest_ms = 60 * l->settings.pause_ms};
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0) random = UINT32_MAX / 2;
    return backoff_pause_ms(&b, l->failures, random);
}

static bool keep_running(struct launcher *l, int *exit_code, struct err *e) {
    struct child c;
    do {
        if (!choose(l, e) || !start(l, &c, e)) return false;
        bool ran_long = watch(l, &c);
        settle(l, &c, ran_long);
        *exit_code = child_exit_code(&c);
        if (c.told) return true;
    } while (child_pause(&l->signals, pause_ms(l)));
    *exit_code = 0;
    return true;
}

static bool find_directory(struct launcher *l, struct err *e) {
    if (!file_join(l->directory, sizeof l->directory, l->settings.state, "agent", e)) return false;
    if (access(l->directory, F_OK) == 0) return true;
    err_set(e, ERR_NOT_FOUND, "%s: no agent is installed there", l->settings.state);
    return err_hint(e,
                    "install one with what gridctl agent join-command prints, or give its --state");
}

static bool lock_directory(struct launcher *l, struct err *e) {
    char lock[PATH_MAX];
    if (!file_join(lock, sizeof lock, l->directory, "lock", e)) return false;
    if (file_lock(lock, "grid-launcher", &l->lock_fd, e)) return true;
    return err_hint(e, "stop that launcher first");
}

static bool run(struct launcher *l, int *exit_code, struct err *e) {
    struct err why;
    if (!log_configure("grid-launcher", l->settings.log_level, l->settings.log_format, e) ||
        !find_directory(l, e))
        return false;
    if (l->settings.use[0] != '\0') return builds_use(l->directory, l->settings.use, e);
    if (!lock_directory(l, e)) return false;
    if (!starts_read(l->directory, &l->starts, &why))
        log_warn("launcher.no_record", "error=%s", why.text);
    child_block_signals(&l->signals);
    return keep_running(l, exit_code, e);
}

int main(int argc, char **argv) {
    static struct launcher launcher = {.lock_fd = -1};
    struct settings *s = &launcher.settings;
    struct err e = {0};
    int rest = 0, exit_code = 0;
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
