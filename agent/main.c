/* grid-agent: makes this machine run what the grid wants of it. Threads start here: the link to the
 * master, the supervisor, the fetcher, and a few that ask nodes how they are. */
#include "agent/backoff.h"
#include "agent/enroll.h"
#include "agent/fetch.h"
#include "agent/identity.h"
#include "agent/link.h"
#include "agent/manual.h"
#include "agent/probe.h"
#include "agent/settings.h"
#include "agent/state.h"
#include "agent/supervise.h"
#include "lib/clock.h"
#include "lib/http_client.h"
#include "lib/log.h"
#include "lib/log_recent.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { MOST_PROBERS = 8, REJOIN = SIGUSR1 /* from the link: the master does not know us */ };

struct program {
    struct settings settings;
    struct state state;
    struct identity identity;
    struct bus_client *bus;
    struct exchange *exchange;
    struct fetch *fetch;
    struct probes *probes;
    struct link *link;
    struct supervise *supervise;
    sigset_t signals;
    pthread_t main_thread;
    bool told_to_end;    /* before it was enrolled */
    atomic_bool invited; /* to enroll anew, should the master not know it any more */
};

/* Threads inherit this: signals come to the main thread alone, by sigwait. */
static void block_signals(sigset_t *set) {
    struct sigaction hangup;
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, REJOIN);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(set, SIGHUP); /* nohup */
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static bool told_within(struct program *p, int64_t ms) {
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    if (sigtimedwait(&p->signals, NULL, &time) > 0) p->told_to_end = true;
    return p->told_to_end;
}

/* --- who we are --- */

static bool may_try_again(const struct program *p, int64_t began_ms, enum err_code code) {
    int64_t limit_ms = p->settings.enroll_within_ms;
    return enroll_may_retry(code) && (limit_ms == 0 || clock_monotonic_ms() < began_ms + limit_ms);
}

static bool try_to_enroll(struct program *p, const struct enroll_plan *plan, struct err *e) {
    int64_t began_ms = clock_monotonic_ms();
    for (unsigned failures = 1;; failures++) {
        uint32_t random;
        random_bytes(&random, sizeof random);
        if (enroll(&p->state, plan, p->settings.labels, p->bus, &p->identity, e)) return true;
        if (!may_try_again(p, began_ms, e->code)) return false;
        log_warn("enroll.waiting", "master=%s port=%d code=%s error=%s", plan->host, plan->port,
                 err_code_name(e->code), e->text);
        if (told_within(p, backoff_pause_ms(&backoff_master, failures, random))) return true;
    }
}

static bool become_enrolled(struct program *p, struct err *e) {
    struct enroll_plan plan;
    bool planned =
        enroll_plan(&p->settings, &plan, e) && bus_client_open(&p->bus, plan.host, plan.port, e);
    bool enrolled = planned && try_to_enroll(p, &plan, e);
    secret_wipe(&plan, sizeof plan);
    return enrolled;
}

static bool check_id(const struct program *p, struct err *e) {
    const char *wanted = p->settings.agent_id;
    if (wanted[0] == '\0' || strcmp(wanted, p->identity.agent_id) == 0) return true;
    err_set(e, ERR_CONFLICT, "state directory %.100s belongs to agent %s, not to %s", p->state.root,
            p->identity.agent_id, wanted);
    return err_hint(e, "start with --id %s, or give agent %s a --state directory of its own",
                    p->identity.agent_id, wanted);
}

/* The address enrolled with, unless the configuration names another one now: masters move. */
static bool open_bus(struct program *p, struct err *e) {
    struct identity *who = &p->identity;
    const char *named = p->settings.master;
    if (named[0] != '\0' &&
        !join_parse_address(named, 7000, who->master_host, &who->master_port, e))
        return false;
    if (who->master_host[0] == '\0')
        snprintf(who->master_host, sizeof who->master_host, "localhost");
    return bus_client_open(&p->bus, who->master_host, who->master_port, e);
}

static bool know_yourself(struct program *p, struct err *e) {
    if (!identity_settle(&p->state, e)) return false;
    if (!identity_enrolled(&p->state)) return become_enrolled(p, e);
    return identity_load(&p->state, &p->identity, e) && check_id(p, e) && open_bus(p, e);
}

/* --- removed, and invited again --- */

/* Once for an answer that will not change; its nodes live on meanwhile. */
static void removed(void *program) {
    struct program *p = program;
    if (atomic_exchange(&p->invited, false)) pthread_kill(p->main_thread, REJOIN);
}

static bool plan_return(struct program *p, struct enroll_plan *out, struct err *e) {
    if (!enroll_plan(&p->settings, out, e)) return false;
    memcpy(out->agent_id, p->identity.agent_id, sizeof out->agent_id);
    bus_client_close(p->bus);
    p->bus = NULL;
    return bus_client_open(&p->bus, out->host, out->port, e);
}

/* With the new join string in place of the identity that the master does not know, or back to that
 * when it is refused. */
static bool enroll_anew(struct program *p, struct err *e) {
    struct enroll_plan plan = {0};
    struct identity next = {0};
    struct err why = {0};
    bool enrolled = plan_return(p, &plan, &why) && identity_put_aside(&p->state, &why) &&
                    enroll(&p->state, &plan, p->settings.labels, p->bus, &next, &why);
    secret_wipe(&plan, sizeof plan);
    if (!identity_settle(&p->state, e)) return false;
    if (enrolled) {
        identity_fini(&p->identity);
        p->identity = next;
        return true;
    }
    log_warn("enroll.not_again", "code=%s error=%s", err_code_name(why.code), why.text);
    atomic_store(&p->invited, enroll_may_retry(why.code));
    if (p->bus != NULL) bus_client_close(p->bus);
    p->bus = NULL;
    return open_bus(p, e);
}

/* --- threads --- */

static pthread_t start_thread(void *(*run)(void *), void *argument) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, run, argument);
    if (error == 0) return thread;
    log_error("start.failed", "error=%s", strerrordesc_np(error));
    exit(1);
}

static bool make_parts(struct program *p, struct err *e) {
    int64_t generation = 0;
    p->exchange = exchange_new();
    const struct supervise_options supervise = {&p->settings, &p->state, &p->identity, p->exchange};
    if (!supervise_open(&p->supervise, &supervise, &generation, e)) return false;
    const struct fetch_options fetch = {.state = &p->state,
                                        .release_key = &p->identity.release_key,
                                        .changed = supervise_wake,
                                        .argument = p->supervise};
    p->fetch = fetch_new(&fetch);
    p->probes = probes_new(supervise_wake, p->supervise);
    supervise_use(p->supervise, p->fetch, p->probes);
    const struct link_options link = {&p->identity, p->exchange, p->bus, generation, removed, p};
    p->link = link_new(&link);
    exchange_on_report(p->exchange, link_report_changed, p->link);
    exchange_on_desired(p->exchange, supervise_wake, p->supervise);
    return true;
}

static void free_parts(struct program *p) {
    link_free(p->link);
    probes_free(p->probes);
    fetch_free(p->fetch);
    if (p->supervise != NULL) supervise_close(p->supervise);
    exchange_free(p->exchange);
    p->link = NULL;
    p->probes = NULL;
    p->fetch = NULL;
    p->supervise = NULL;
    p->exchange = NULL;
}

static void free_rest(struct program *p) {
    if (p->bus != NULL) bus_client_close(p->bus);
    identity_fini(&p->identity);
    state_close(&p->state);
}

static void say_who(const struct program *p) {
    printf("agent %s state %s\n", p->identity.agent_id, p->state.root);
    fflush(stdout);
    log_info("agent.started", "agent=%s state=%s master=%s port=%d nodes=%" PRId64,
             p->identity.agent_id, p->state.root, p->identity.master_host, p->identity.master_port,
             p->settings.nodes);
}

/* Stop all, then free all: first the supervisor, whose last report the link then takes to the
 * master. Returns the signal that ended it. */
static int work(struct program *p) {
    int caught = 0;
    pthread_t probers[MOST_PROBERS];
    size_t count = 2 + (size_t)p->settings.nodes / 8;
    if (count > MOST_PROBERS) count = MOST_PROBERS;
    pthread_t link = start_thread(link_run, p->link);
    pthread_t fetch = start_thread(fetch_run, p->fetch);
    pthread_t supervise = start_thread(supervise_run, p->supervise);
    for (size_t i = 0; i < count; i++) probers[i] = start_thread(probes_run, p->probes);
    while (sigwait(&p->signals, &caught) != 0) continue;
    bool stop_nodes = p->settings.stop_nodes && caught != REJOIN;
    log_info("agent.stopping", "signal=%d nodes=%s", caught, stop_nodes ? "stop" : "live on");
    fetch_stop(p->fetch);
    supervise_stop(p->supervise, stop_nodes);
    pthread_join(supervise, NULL);
    link_stop(p->link);
    probes_stop(p->probes);
    pthread_join(link, NULL);
    pthread_join(fetch, NULL);
    for (size_t i = 0; i < count; i++) pthread_join(probers[i], NULL);
    log_info("agent.stopped", "agent=%s", p->identity.agent_id);
    return caught;
}

static bool work_as_long_as_invited(struct program *p, struct err *e) {
    for (;;) {
        if (!make_parts(p, e)) return false;
        say_who(p);
        if (work(p) != REJOIN) return true;
        free_parts(p);
        if (!enroll_anew(p, e)) return false;
    }
}

static bool run(struct program *p, struct err *e) {
    if (!log_configure("grid-agent", p->settings.log_level, p->settings.log_format, e))
        return false;
    log_recent_keep(WIRE_LOG_MAX_BYTES);
    sign_setup();
    http_client_setup();
    block_signals(&p->signals);
    if (!state_open(&p->state, p->settings.state, e) || !know_yourself(p, e)) return false;
    if (p->told_to_end || p->settings.enroll_within_ms > 0) return true;
    p->main_thread = pthread_self();
    atomic_store(&p->invited, enroll_is_invited(&p->settings, &p->identity));
    return work_as_long_as_invited(p, e);
}

int main(int argc, char **argv) {
    static struct program program = {.state.lock_fd = -1};
    struct err e = {0};
    if (!settings_load(&program.settings, argc, argv, &e)) {
        settings_clear(&program.settings);
        return err_report("grid-agent", &e);
    }
    int status = 0;
    if (program.settings.help)
        status = manual_print(&agent_manual, &program.settings);
    else if (program.settings.version)
        status = printf("grid-agent %s\n", GRID_VERSION) > 0 ? 0 : 1;
    else if (!run(&program, &e))
        status = err_report("grid-agent", &e);
    free_parts(&program);
    free_rest(&program);
    settings_clear(&program.settings);
    log_recent_keep(0);
    return status;
}
