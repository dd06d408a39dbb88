#include "agent/launcher/choose.h"

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/text.h"

#include <stdio.h>
#include <string.h>

/* The reason is kept for whoever asks later: the agent that runs then, or a person. */
static void keep_reason(const struct choice *c, const char *build, const char *reason) {
    OWN_TEXT struct text words = TEXT_EMPTY;
    char path[PATH_MAX], at[CLOCK_RFC3339_SIZE];
    struct err e;
    clock_rfc3339(clock_wall_ms(), at);
    text_add_format(&words, "build %s\nat %s\nreason %s\n", build, at, reason);
    if (!file_join(path, sizeof path, c->directory, "failed", &e) ||
        !file_write_durable(path, words.data, words.length, 0600, &e))
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
    char reason[64];
    snprintf(reason, sizeof reason, "%d starts in vain", c->starts.tries);
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
