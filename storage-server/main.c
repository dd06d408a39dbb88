/* storage-server: one node. Opens its directory, serves it, and on SIGTERM finishes what is
 * running. */
#include "storage-server/chunks.h"
#include "storage-server/faults/faults.h"
#include "storage-server/fence.h"
#include "storage-server/lock.h"
#include "storage-server/manual.h"
#include "storage-server/measures.h"
#include "storage-server/node.h"
#include "storage-server/pause.h"
#include "storage-server/routes.h"
#include "storage-server/scrub.h"
#include "storage-server/settings.h"

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define PROBE_INTERVAL_MS 1000
#define DRAIN_LOOK_MS 20
#define KEEP_ALIVE_MS 5000
#define SPARE_WORKERS 4 /* for /healthz while all others are busy with chunks */

struct program {
    struct settings settings;
    struct node node;
    struct lock_note note;
    struct http_server *server;
    struct scrub scrub;
    struct pause pause;
    int lock_fd;
    pthread_t prober;
    pthread_t scrubber;
};

/* Threads of the program inherit this: signals come to the main thread alone, by sigtimedwait. */
static void block_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond a limit is an error like a full disk */
}

static void *probe_run(void *argument) {
    struct program *p = argument;
    while (pause_for(&p->pause, PROBE_INTERVAL_MS)) {
        chunks_probe(p->node.chunks);
        chunks_trim(p->node.chunks);
    }
    return NULL;
}

static void start_thread(pthread_t *thread, void *(*run)(void *), void *argument) {
    int error = pthread_create(thread, NULL, run, argument);
    if (error == 0) return;
    log_error("start.failed", "error=%s", strerrordesc_np(error));
    exit(1);
}

static bool open_node(struct program *p, struct err *e) {
    const struct settings *s = &p->settings;
    p->node = (struct node){
        .id = s->id,
        .nonce = s->nonce,
        .version = GRID_VERSION,
        .running_max = (int)s->workers - SPARE_WORKERS,
    };
    return lock_note_self(&p->note, s->id, s->nonce, GRID_VERSION, e) &&
           file_make_directory(s->data, 0700, e) && lock_take(s->data, &p->note, &p->lock_fd, e) &&
           chunks_open(&p->node.chunks, s->data, s->reserve_bytes, e);
}

static bool start_server(struct program *p, struct err *e) {
    const struct settings *s = &p->settings;
    struct http_server_options options = {
        .address = strcmp(s->host, "localhost") == 0 ? "127.0.0.1" : s->host,
        .port = (int)s->port,
        .workers = (int)s->workers,
        .keep_alive_ms = KEEP_ALIVE_MS,
        .routes = routes,
        .route_count = route_count,
        .context = &p->node,
        .authorize = routes_authorize,
        .finished = routes_finished,
    };
    faults_take_routes(&options);
    if (!http_server_start(&p->server, &options, e)) return false;
    p->note.port = http_server_port(p->server);
    return lock_update(p->lock_fd, &p->note, e);
}

static void start_threads(struct program *p) {
    const struct settings *s = &p->settings;
    pause_init(&p->pause);
    p->scrub = (struct scrub){
        .chunks = p->node.chunks,
        .directory = s->data,
        .pause = &p->pause,
        .interval_ms = s->scrub_interval_ms,
        .rate_bps = s->scrub_rate_bps,
    };
    start_thread(&p->prober, probe_run, p);
    if (s->scrub_rate_bps > 0) start_thread(&p->scrubber, scrub_run, &p->scrub);
}

static void stop_threads(struct program *p) {
    pause_end(&p->pause);
    pthread_join(p->prober, NULL);
    if (p->settings.scrub_rate_bps > 0) pthread_join(p->scrubber, NULL);
    pause_fini(&p->pause);
}

static void say_where(const struct program *p) {
    const char *host = p->settings.host;
    bool v6 = strchr(host, ':') != NULL;
    printf("listening http://%s%s%s:%lld\n", v6 ? "[" : "", host, v6 ? "]" : "",
           (long long)p->note.port);
    fflush(stdout);
    log_info("node.listening", "id=%s port=%lld version=%s chunks=%lld", p->settings.id,
             (long long)p->note.port, GRID_VERSION, (long long)chunks_count(p->node.chunks));
    faults_listening();
}

static bool signal_within(const sigset_t *set, int64_t ms) {
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    return sigtimedwait(set, NULL, &time) > 0;
}

/* Nothing that was acknowledged is lost by this: requests cut here were not answered. */
static void leave_now(const struct program *p) {
    log_warn("node.cut", "running=%d", atomic_load(&p->node.running));
    _exit(0);
}

static void *stop_server(void *server) {
    http_server_stop(server);
    return NULL;
}

/* Lets running requests finish, while new ones are told that we stop; a second signal or the
 * deadline ends that. */
static void drain(struct program *p, const sigset_t *set) {
    int64_t deadline_ms = clock_monotonic_ms() + p->settings.drain_ms;
    pthread_t stopper;
    atomic_store(&p->node.draining, true);
    http_server_drain(p->server);
    log_info("node.draining", "running=%d", atomic_load(&p->node.running));
    while (atomic_load(&p->node.running) > 0)
        if (clock_monotonic_ms() >= deadline_ms || signal_within(set, DRAIN_LOOK_MS)) leave_now(p);
    start_thread(&stopper, stop_server, p->server);
    while (pthread_tryjoin_np(stopper, NULL) != 0)
        if (clock_monotonic_ms() >= deadline_ms || signal_within(set, DRAIN_LOOK_MS)) leave_now(p);
}

static bool serve(struct program *p, const sigset_t *set, struct err *e) {
    int caught = 0;
    if (!open_node(p, e)) return false;
    fence_in(p->settings.data);
    if (!start_server(p, e)) return false;
    start_threads(p);
    say_where(p);
    while (sigwait(set, &caught) != 0 || faults_stubborn()) continue;
    drain(p, set);
    stop_threads(p);
    log_info("node.stopped", "id=%s", p->settings.id);
    return true;
}

static int run(struct program *p) {
    struct err e = {0};
    sigset_t set;
    const struct settings *s = &p->settings;
    if (!settings_check(s, &e) || !log_configure("storage-server", s->log_level, s->log_format, &e))
        return err_report("storage-server", &e);
    block_signals(&set);
    faults_begin(GRID_VERSION, s->id, s->data);
    measures_setup(GRID_VERSION);
    bool served = serve(p, &set, &e);
    chunks_close(p->node.chunks);
    if (p->lock_fd >= 0) close(p->lock_fd);
    measures_fini();
    return served ? 0 : err_report("storage-server", &e);
}

int main(int argc, char **argv) {
    static struct program program = {.lock_fd = -1};
    struct err e = {0};
    int rest = 0;
    if (!options_parse(&node_options, argc, argv, &program.settings, &rest, &e))
        return err_report("storage-server", &e);
    if (program.settings.help) return manual_print(&node_manual, &program.settings);
    if (program.settings.version) return printf("storage-server %s\n", GRID_VERSION) > 0 ? 0 : 1;
    if (rest < argc) {
        err_set(&e, ERR_USAGE, "%s: storage-server takes options only", argv[rest]);
        return err_report("storage-server", &e);
    }
    return run(&program);
}
