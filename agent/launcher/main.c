/* grid-launcher: starts the agent, hands signals on to it, and goes back to the build before when a
 * new one does not come up. Installed with the first agent, never updated by it: whatever happens
 * to the agent, this still works. One thread. */
#include "agent/backoff.h"
#include "agent/launcher/builds.h"
#include "agent/launcher/child.h"
#include "agent/launcher/choose.h"
#include "agent/launcher/manual.h"
#include "agent/launcher/settings.h"
#include "agent/node_log.h"
#include "agent/state.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { LOG_LOOK_MS = 60000 };

struct launcher {
    struct settings settings;
    char **arguments; /* of the agent, NULL behind the last */
    int argument_count;
    struct choice choice;
    int lock_fd;
    sigset_t signals;
    unsigned failures; /* in a row, for the pause */
};

static bool start(struct launcher *l, struct child *c, struct err *e) {
    struct starts *starts = &l->choice.starts;
    OWN_MEMORY char **argv = memory_zeroed((size_t)l->argument_count + 4, sizeof *argv);
    argv[0] = l->choice.program;
    argv[1] = "--state";
    argv[2] = l->settings.state;
    for (int i = 0; i < l->argument_count; i++) argv[3 + i] = l->arguments[i];
    if (starts_begin(starts)) choose_save(&l->choice);
    if (!child_start(c, l->choice.program, argv, e)) return false;
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

/* As child_watch, with a look at the log now and then. */
static enum child_event watch_until(struct launcher *l, struct child *c, int64_t until_ms) {
    for (;;) {
        rotate_log(l);
        int64_t look_ms = clock_monotonic_ms() + LOG_LOOK_MS;
        bool last = until_ms >= 0 && until_ms <= look_ms;
        enum child_event event = child_watch(c, &l->signals, last ? until_ms : look_ms);
        if (event == CHILD_ENDED || last) return event;
    }
}

/* Until it ended; tells whether it had run long enough by then. */
static bool watch(struct launcher *l, struct child *c) {
    int64_t until_ms = c->began_ms + l->settings.proven_after_ms;
    if (watch_until(l, c, until_ms) == CHILD_ENDED) return false;
    if (starts_proved(&l->choice.starts)) {
        choose_save(&l->choice);
        log_info("agent.proven", "build=%s", l->choice.starts.build);
    }
    (void)watch_until(l, c, -1);
    return true;
}

static void settle(struct launcher *l, const struct child *c, bool ran_long) {
    char how[32];
    enum starts_end end = child_crashed(c) ? STARTS_CRASHED : STARTS_EXITED;
    if (c->told) end = STARTS_TOLD;
    child_describe(c, how);
    log_line(c->told ? LOG_INFO : LOG_WARN, "agent.ended",
             "pid=%d build=%s reason=%s after_ms=%" PRId64, (int)c->pid, l->choice.starts.build,
             how, clock_monotonic_ms() - c->began_ms);
    if (!ran_long && starts_ended(&l->choice.starts, end)) choose_save(&l->choice);
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
    bool went_back = false;
    do {
        if (!choose(&l->choice, &went_back, e)) return false;
        if (went_back) l->failures = 0;
        if (!start(l, &c, e)) return false;
        bool ran_long = watch(l, &c);
        settle(l, &c, ran_long);
        *exit_code = child_exit_code(&c);
        if (c.told) return true;
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
    child_block_signals(&l->signals);
    return keep_running(l, exit_code, e);
}

int main(int argc, char **argv) {
    static struct launcher launcher = {.lock_fd = -1};
    struct settings *s = &launcher.settings;
    struct err e = {0};
    int rest = 0, exit_code = 0;
    state_pass_over_master();
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
