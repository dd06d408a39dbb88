/* grid-agent: makes this machine run what the grid wants of it. Threads start here: the link to the
 * master, the supervisor, the fetcher, what keeps the repository's metadata, and a few that ask
 * nodes how they are. */
#include "agent/alive.h"
#include "agent/enroll.h"
#include "agent/fetch.h"
#include "agent/link.h"
#include "agent/manual.h"
#include "agent/member.h"
#include "agent/probe.h"
#include "agent/self.h"
#include "agent/settings.h"
#include "agent/state.h"
#include "agent/supervise.h"
#include "agent/trust.h"
#include "lib/http_client.h"
#include "lib/log.h"
#include "lib/log_recent.h"
#include "lib/secret.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

enum { MOST_PROBERS = 8 };

struct program {
    struct settings settings;
    struct state state;
    struct member member;
    struct exchange *exchange;
    struct trust *trust;
    struct fetch *fetch;
    struct fetch *self_fetch; /* of builds of the agent */
    struct probes *probes;
    struct link *link;
    struct supervise *supervise;
    struct self *self;
    sigset_t signals;
    int signal_fd;
    int removed_fd;      /* from the link: the master does not know us */
    int leave_fd;        /* from the supervisor: another build is to run */
    atomic_bool invited; /* to enroll anew, should the master not know it any more */
};

/* Threads inherit this: signals come to the main thread alone, which waits for them. */
static void block_signals(sigset_t *set) {
    struct sigaction hangup;
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(set, SIGHUP); /* nohup */
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN); /* means nothing here, and is no reason to end */
    signal(SIGUSR2, SIG_IGN);
}

/* Once for an answer that will not change; its nodes live on meanwhile. */
static void removed(void *program) {
    struct program *p = program;
    if (atomic_exchange(&p->invited, false)) (void)eventfd_write(p->removed_fd, 1);
}

/* For another build of this program. */
static void leave(void *program) {
    const struct program *p = program;
    (void)eventfd_write(p->leave_fd, 1);
}

static pthread_t start_thread(void *(*run)(void *), void *argument) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, run, argument);
    if (error == 0) return thread;
    log_error("start.failed", "error=%s", strerrordesc_np(error));
    exit(1);
}

/* The supervisor comes after the trust that it asks. */
static void tell_supervisor(void *program) {
    const struct program *p = program;
    if (p->supervise != NULL) supervise_wake(p->supervise);
}

static struct trust *open_trust(struct program *p) {
    const struct identity *who = &p->member.identity;
    struct trust_options options = {
        .state = &p->state,
        .anchor = {.root_version = who->root_version, .release_key = who->release_key},
        .mirror = p->settings.master_binary_url,
        .changed = tell_supervisor,
        .argument = p
    };
    memcpy(options.anchor.root_sha256, who->root_sha256, sizeof options.anchor.root_sha256);
    return trust_open(&options);
}

static bool make_parts(struct program *p, struct err *e) {
    int64_t generation = 0;
    p->exchange = exchange_new();
    p->trust = open_trust(p);
    const struct self_options self = {.state = &p->state,
                                      .version = p->settings.program_version,
                                      .trust = p->trust,
                                      .leave = leave,
                                      .argument = p};
    p->self = self_new(&self);
    const struct supervise_options supervise = {&p->settings, &p->state, &p->member.identity,
                                                p->exchange,  p->self,   p->trust};
    if (!supervise_open(&p->supervise, &supervise, &generation, e)) return false;
    const struct fetch_options fetch = {
        .state = &p->state, .trust = p->trust, .changed = supervise_wake, .argument = p->supervise};
    struct fetch_options self_fetch = fetch;
    self_fetch.place = &self_staging_place;
    p->fetch = fetch_new(&fetch);
    p->self_fetch = fetch_new(&self_fetch);
    self_use(p->self, p->self_fetch);
    p->probes = probes_new(supervise_wake, p->supervise);
    supervise_use(p->supervise, p->fetch, p->probes);
    const struct link_options link = {&p->member.identity, p->exchange, p->member.bus,
                                      generation,          removed,     p};
    p->link = link_new(&link);
    exchange_on_report(p->exchange, link_report_changed, p->link);
    exchange_on_desired(p->exchange, supervise_wake, p->supervise);
    return true;
}

static void free_parts(struct program *p) {
    link_free(p->link);
    probes_free(p->probes);
    fetch_free(p->fetch);
    fetch_free(p->self_fetch);
    if (p->supervise != NULL) supervise_close(p->supervise);
    self_free(p->self);
    trust_close(p->trust);
    exchange_free(p->exchange);
    p->link = NULL;
    p->probes = NULL;
    p->fetch = NULL;
    p->self_fetch = NULL;
    p->self = NULL;
    p->trust = NULL;
    p->supervise = NULL;
    p->exchange = NULL;
}

static void free_rest(struct program *p) {
    member_fini(&p->member);
    state_close(&p->state);
    if (p->signal_fd >= 0) close(p->signal_fd);
    if (p->removed_fd >= 0) close(p->removed_fd);
    if (p->leave_fd >= 0) close(p->leave_fd);
}

static void say_who(const struct program *p) {
    const struct identity *who = &p->member.identity;
    printf("agent %s state %s\n", who->agent_id, p->state.root);
    fflush(stdout);
    log_info("agent.started", "agent=%s state=%s master=%s port=%d nodes=%" PRId64, who->agent_id,
             p->state.root, who->master_host, who->master_port, p->settings.nodes);
}

static bool open_waits(struct program *p, struct err *e) {
    p->signal_fd = signalfd(-1, &p->signals, SFD_CLOEXEC);
    p->removed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->leave_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return (p->signal_fd >= 0 && p->removed_fd >= 0 && p->leave_fd >= 0) ||
           err_errno(e, errno, "wait for signals");
}

enum { REMOVED = 0, LEAVING = -1 };

/* The signal that ends us; REMOVED when the master does not know us and we may enroll anew, LEAVING
 * when another build is to take our place. */
static int wait_for_end(struct program *p) {
    struct pollfd fds[] = {
        {.fd = p->signal_fd,  .events = POLLIN},
        {.fd = p->removed_fd, .events = POLLIN},
        {.fd = p->leave_fd,   .events = POLLIN}
    };
    struct signalfd_siginfo caught;
    eventfd_t count;
    for (;;) {
        (void)poll(fds, 3, -1);
        if ((fds[0].revents & POLLIN) != 0 &&
            read(p->signal_fd, &caught, sizeof caught) == sizeof caught)
            return (int)caught.ssi_signo;
        if ((fds[1].revents & POLLIN) != 0 && eventfd_read(p->removed_fd, &count) == 0)
            return REMOVED;
        if ((fds[2].revents & POLLIN) != 0) return LEAVING;
    }
}

/* Stop all, then free all: first the supervisor, whose last report the link then takes to the
 * master. Returns as wait_for_end. */
static int work(struct program *p) {
    pthread_t probers[MOST_PROBERS];
    size_t count = 2 + (size_t)p->settings.nodes / 8;
    if (count > MOST_PROBERS) count = MOST_PROBERS;
    pthread_t link = start_thread(link_run, p->link);
    pthread_t trust = start_thread(trust_run, p->trust);
    pthread_t fetch = start_thread(fetch_run, p->fetch);
    pthread_t self_fetch = start_thread(fetch_run, p->self_fetch);
    pthread_t supervise = start_thread(supervise_run, p->supervise);
    for (size_t i = 0; i < count; i++) probers[i] = start_thread(probes_run, p->probes);
    int caught = wait_for_end(p);
    bool stop_nodes = p->settings.stop_nodes && caught > 0;
    log_info("agent.stopping", "signal=%d nodes=%s", caught, stop_nodes ? "stop" : "live on");
    trust_stop(p->trust);
    fetch_stop(p->fetch);
    fetch_stop(p->self_fetch);
    supervise_stop(p->supervise, stop_nodes);
    pthread_join(supervise, NULL);
    link_stop(p->link);
    probes_stop(p->probes);
    pthread_join(link, NULL);
    pthread_join(trust, NULL);
    pthread_join(fetch, NULL);
    pthread_join(self_fetch, NULL);
    for (size_t i = 0; i < count; i++) pthread_join(probers[i], NULL);
    log_info("agent.stopped", "agent=%s", p->member.identity.agent_id);
    return caught;
}

/* A refusal leaves it as it was: known to nobody, looking after its nodes. */
static bool join_again(struct program *p, struct err *e) {
    if (member_begin_anew(&p->member, e)) return true;
    log_warn("enroll.not_again", "code=%s error=%s", err_code_name(e->code), e->text);
    atomic_store(&p->invited, enroll_may_retry(e->code));
    return p->member.bus != NULL;
}

static bool work_as_long_as_invited(struct program *p, struct err *e) {
    for (;;) {
        if (!make_parts(p, e)) return false;
        say_who(p);
        if (work(p) != REMOVED) return true;
        free_parts(p);
        if (!join_again(p, e)) return false;
    }
}

static bool run(struct program *p, struct err *e) {
    if (!log_configure("grid-agent", p->settings.log_level, p->settings.log_format, e))
        return false;
    log_recent_keep(WIRE_LOG_MAX_BYTES);
    if (!p->settings.core_dumps) secret_bar_dumps();
    sign_setup();
    http_client_setup();
    block_signals(&p->signals);
    p->member.settings = &p->settings;
    p->member.state = &p->state;
    p->member.signals = &p->signals;
    if (p->settings.enroll_within_ms > 0) return member_settle(&p->member, e);
    if (!state_open(&p->state, p->settings.state, e) || !member_begin(&p->member, e)) return false;
    if (p->member.told_to_end) return true;
    atomic_store(&p->invited, member_is_invited(&p->member));
    return open_waits(p, e) && work_as_long_as_invited(p, e);
}

int main(int argc, char **argv) {
    static struct program program = {
        .state.lock_fd = -1, .signal_fd = -1, .removed_fd = -1, .leave_fd = -1};
    struct err e = {0};
    alive_begin();
    if (!settings_load(&program.settings, argc, argv, &e)) {
        settings_clear(&program.settings);
        return err_report("grid-agent", &e);
    }
    int status = 0;
    program.settings.program_version = GRID_VERSION;
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
