#include "agent/launcher/choose.h"

#include "agent/trial.h"
#include "lib/log.h"

#include <stdio.h>
#include <string.h>

/* The reason is kept for whoever asks later: the agent that runs then, or a person. */
static void keep_reason(const struct choice *c, const char *build, const char *reason) {
    struct err e;
    if (!trial_give_up(c->directory, build, reason, &e))
        log_warn("launcher.not_saved", "error=%s", e.text);
}

/* False when there is nothing to go back to: no previous build, the same one, or a damaged one. */
static bool go_back(struct choice *c, const char *failed, const char *reason) {
    char previous[BUILDS_NAME_SIZE], program[PATH_MAX];
    struct err e;
    if (!builds_linked(c->directory, "previous", previous, &e) || strcmp(previous, failed) == 0)
        return false;
    if (!builds_prove(c->directory, previous, program, &e)) {
        log_error("agent.no_way_back", "build=%s error=%s", previous, e.text);
        return false;
    }
    log_error("agent.fallback", "from=%s to=%s reason=%s", failed, previous, reason);
    keep_reason(c, failed, reason);
    if (!builds_go_back(c->directory, previous, &e))
        log_warn("launcher.not_saved", "error=%s", e.text);
    starts_of(&c->starts, previous);
    memcpy(c->program, program, sizeof program);
    return true;
}

bool choose(struct choice *c, bool *went_back, struct err *e) {
    char current[BUILDS_NAME_SIZE] = "";
    bool proved = builds_linked(c->directory, "current", current, e) &&
                  builds_prove(c->directory, current, c->program, e);
    *went_back = !proved && go_back(c, current, e->text);
    if (*went_back) return true;
    if (!proved) {
        err_wrap(e, "no agent to start");
        return err_hint(e, "install it again: gridctl agent join-command");
    }
    starts_of(&c->starts, current);
    char reason[128];
    snprintf(reason, sizeof reason, "%d starts in vain%s%s", c->starts.tries,
             c->last_end[0] != '\0' ? ", the last ended with " : "", c->last_end);
    if (!starts_exhausted(&c->starts)) return true;
    *went_back = go_back(c, current, reason);
    if (!*went_back) log_warn("agent.no_way_back", "build=%s tries=%d", current, c->starts.tries);
    return true;
}

void choose_save(const struct choice *c) {
    struct err e;
    if (!starts_save(c->directory, &c->starts, &e))
        log_warn("launcher.not_saved", "error=%s", e.text);
}
