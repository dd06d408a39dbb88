#include "agent/member.h"

#include "agent/alive.h"
#include "agent/backoff.h"
#include "agent/enroll.h"
#include "agent/hello.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <stdio.h>
#include <string.h>

enum { HELLO_MS = 5000 };

static bool told_within(struct member *m, int64_t ms) {
    alive_tell();
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    if (sigtimedwait(m->signals, NULL, &time) > 0) m->told_to_end = true;
    return m->told_to_end;
}

static bool may_try_again(const struct member *m, int64_t began_ms, enum err_code code) {
    int64_t limit_ms = m->settings->enroll_within_ms;
    return enroll_may_retry(code) && (limit_ms == 0 || clock_monotonic_ms() < began_ms + limit_ms);
}

static bool connect_and_enroll(struct member *m, struct enroll_plan *plan, struct err *e) {
    return (m->bus != NULL || enroll_connect(plan, &m->bus, e)) &&
           enroll(m->state, plan, m->settings->labels, m->bus, &m->identity, e);
}

static bool try_to_enroll(struct member *m, struct enroll_plan *plan, struct err *e) {
    int64_t began_ms = clock_monotonic_ms();
    for (unsigned failures = 1;; failures++) {
        uint32_t random;
        random_bytes(&random, sizeof random);
        if (connect_and_enroll(m, plan, e)) return true;
        if (!may_try_again(m, began_ms, e->code)) return false;
        log_warn("enroll.waiting", "master=%s port=%d code=%s error=%s hint=%s", plan->host,
                 plan->port, err_code_name(e->code), e->text, e->hint);
        if (told_within(m, backoff_pause_ms(&backoff_master, failures, random))) return true;
    }
}

static bool become_enrolled(struct member *m, struct err *e) {
    struct enroll_plan plan = {0};
    bool enrolled = enroll_plan(m->settings, &plan, e) && try_to_enroll(m, &plan, e);
    enroll_plan_clear(&plan);
    return enrolled;
}

static bool check_id(const struct member *m, struct err *e) {
    const char *wanted = m->settings->agent_id;
    if (wanted[0] == '\0' || strcmp(wanted, m->identity.agent_id) == 0) return true;
    err_set(e, ERR_CONFLICT, "state directory %.100s belongs to agent %s, not to %s",
            m->state->root, m->identity.agent_id, wanted);
    return err_hint(e, "start with --id %s, or give agent %s a --state directory of its own",
                    m->identity.agent_id, wanted);
}

static void close_bus(struct member *m) {
    if (m->bus != NULL) bus_client_close(m->bus);
    m->bus = NULL;
}

static bool damaged_ca(const struct member *m, struct err *e) {
    char path[STATE_PATH_SIZE];
    err_wrap(e, "%.200s", state_path(m->state, path, "identity/ca.pem"));
    return err_hint(e, "copy the master's STATE/tls/ca.pem there");
}

/* The address enrolled with, unless the configuration names another one now: masters move. */
static bool open_bus(struct member *m, struct err *e) {
    struct identity *who = &m->identity;
    const char *named = m->settings->master;
    close_bus(m);
    if (named[0] != '\0' &&
        !join_parse_address(named, 7000, who->master_host, &who->master_port, e))
        return false;
    if (who->master_host[0] == '\0')
        snprintf(who->master_host, sizeof who->master_host, "localhost");
    const struct bus_trust trust = {who->ca_pem, WIRE_MASTER_NAME};
    bool opened = bus_client_open(&m->bus, who->master_host, who->master_port,
                                  who->ca_pem != NULL ? &trust : NULL, e);
    return opened || e->code != ERR_CORRUPT || damaged_ca(m, e);
}

/* Being a member of two grids is nothing that a join string can bring about. */
static bool is_of_this_grid(const struct member *m, struct err *e) {
    const struct identity *who = &m->identity;
    if (!enroll_is_foreign(m->settings, who)) return true;
    err_set(e, ERR_CONFLICT,
            "this machine is agent %s of the grid of %s already; the join string is of another "
            "grid and was not used",
            who->agent_id, who->master_host);
    return err_hint(e,
                    "to move it, take it out of its grid (gridctl agent rm %s there) and join "
                    "again, or give this agent a --state directory of its own",
                    who->agent_id);
}

/* The agent goes on for the grid that it is of. */
static bool warn_of_another_grid(const struct member *m) {
    struct err e = {0};
    if (!is_of_this_grid(m, &e))
        log_warn("enroll.other_grid", "agent=%s error=%s hint=%s", m->identity.agent_id, e.text,
                 e.hint);
    return true;
}

static bool load(struct member *m, struct err *e) {
    return identity_load(m->state, &m->identity, e) && check_id(m, e) && open_bus(m, e);
}

bool member_begin(struct member *m, struct err *e) {
    if (!identity_settle(m->state, e)) return false;
    return identity_enrolled(m->state) ? load(m, e) && warn_of_another_grid(m)
                                       : become_enrolled(m, e);
}

static bool plan_anew(struct member *m, struct enroll_plan *out, struct err *e) {
    if (!enroll_plan(m->settings, out, e)) return false;
    memcpy(out->agent_id, m->identity.agent_id, sizeof out->agent_id);
    close_bus(m);
    return enroll_connect(out, &m->bus, e);
}

bool member_begin_anew(struct member *m, struct err *e) {
    struct enroll_plan plan = {0};
    struct identity next = {0};
    struct err why = {0};
    bool enrolled = plan_anew(m, &plan, e) && identity_put_aside(m->state, e) &&
                    enroll(m->state, &plan, m->settings->labels, m->bus, &next, e);
    enroll_plan_clear(&plan);
    bool settled = identity_settle(m->state, &why) && (enrolled || open_bus(m, &why));
    if (enrolled) {
        identity_fini(&m->identity);
        m->identity = next;
    }
    if (!settled) close_bus(m);
    if (!settled && e != NULL) *e = why;
    return enrolled && settled;
}

bool member_is_invited(const struct member *m) {
    return enroll_is_invited(m->settings, &m->identity);
}

/* Once; no answer is none. */
static bool is_removed(const struct member *m) {
    struct hello hello;
    struct hello_series nobody = {.greetings = 0};
    struct wire_hello_answer answer;
    struct err e = {0};
    OWN_TEXT struct text frame = TEXT_EMPTY;
    OWN_MEMORY void *bytes = NULL;
    size_t length = 0;
    hello_write(&m->identity, 0, &nobody, &hello, &frame);
    bool known = bus_call(m->bus, frame.data, frame.length, HELLO_MS, &bytes, &length, &e) &&
                 hello_read(&m->identity, &hello, bytes, length, &answer, &e);
    secret_wipe(&hello, sizeof hello);
    if (!known)
        log_warn("enroll.not_known", "agent=%s code=%s error=%s", m->identity.agent_id,
                 err_code_name(e.code), e.text);
    return !known && e.code == ERR_NOT_FOUND;
}

static bool return_invited(struct member *m, struct err *e) {
    if (member_is_invited(m))
        return state_open(m->state, m->settings->state, e) && member_begin_anew(m, e);
    err_set(e, ERR_NOT_FOUND, "the master does not know agent %s any more: it was removed",
            m->identity.agent_id);
    return err_hint(e, "join again with a new join string (gridctl agent join-command)");
}

bool member_settle(struct member *m, struct err *e) {
    bool there = state_find(m->state, m->settings->state, NULL) && identity_enrolled(m->state);
    if (!there) return state_open(m->state, m->settings->state, e) && member_begin(m, e);
    if (!load(m, e)) return false;
    return is_removed(m) ? return_invited(m, e) : is_of_this_grid(m, e);
}

void member_fini(struct member *m) {
    close_bus(m);
    identity_fini(&m->identity);
}
