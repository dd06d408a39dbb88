/* grid-master: starts every part in order, waits for a signal, stops every part in reverse. */
#include "lib/bus_openssl.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/http_client.h"
#include "lib/join.h"
#include "lib/log.h"
#include "lib/secret.h"
#include "master/first_start.h"
#include "master/listen.h"
#include "master/manual.h"
#include "master/master.h"
#include "master/master_metrics.h"
#include "master/upkeep.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define INBOX_THREADS 4
#define LOCK_PATIENCE_MS 1000
#define TUF_LIFE_MIN_MS 2000
#define HEAPS 2 /* one per core would keep a tenth more memory with 10,000 agents */

struct threads {
    pthread_t db_writer, pump, intake, tick, keep, rollouts, inbox[INBOX_THREADS];
};

static atomic_bool stopping;

static void start_thread(pthread_t *thread, void *(*run)(void *), void *argument) {
    int error = pthread_create(thread, NULL, run, argument);
    if (error != 0) {
        log_error("master.thread", "error=%s", strerror(error));
        abort();
    }
}

/* A change of what an agent should be reaches it through the inbox, which exists only after the
 * agents do. */
static void desired_changed(void *context, const char *const *agent_ids, size_t count) {
    const struct master *m = context;
    if (m->inbox != NULL) inbox_desired_changed(m->inbox, agent_ids, count);
}

static void dismissed(void *context, const char *agent_id) {
    const struct master *m = context;
    if (m->inbox != NULL) inbox_forget(m->inbox, agent_id);
}

static void wait_for_tick(void) {
    nanosleep(&(struct timespec){.tv_nsec = UPKEEP_TICK_MS * 1000000L}, NULL);
}

/* Memory alone: parked heartbeats are answered in time whatever the database is busy with. */
static void *tick_run(void *argument) {
    struct master *m = argument;
    for (; !atomic_load(&stopping); wait_for_tick()) {
        int64_t now_ms = clock_monotonic_ms();
        inbox_tick(m->inbox, now_ms);
        agents_tick(m->agents, now_ms);
    }
    return NULL;
}

/* What waits for the database. */
static void *keep_run(void *argument) {
    struct upkeep upkeep = {.master = argument};
    for (; !atomic_load(&stopping); wait_for_tick()) upkeep_tick(&upkeep);
    return NULL;
}

/* A step may write tens of thousands of rows: neither heartbeats nor their reports wait for it. */
static void *rollouts_run(void *argument) {
    struct master *m = argument;
    for (; !atomic_load(&stopping); wait_for_tick())
        rollouts_tick(m->rollouts, clock_monotonic_ms(), clock_wall_ms());
    return NULL;
}

static enum catalog_signatures signatures_policy(const char *value) {
    if (strcmp(value, "on") == 0) return CATALOG_SIGNATURES_ON;
    return strcmp(value, "off") == 0 ? CATALOG_SIGNATURES_OFF : CATALOG_SIGNATURES_AUTO;
}

/* What a master that was killed had begun to write. */
static void tidy(const char *state) {
    static const char *const parts[] = {"", "keys", "trusted-keys"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (file_join(path, sizeof path, state, parts[i], NULL)) file_drop_unfinished(path);
}

static bool open_state(struct master *m, struct beginning *b, struct err *e) {
    const struct settings *s = m->settings;
    tidy(s->state);
    return first_start_state(m->db, s->state, m->grid_id, b, e) &&
           keys_open(&m->keys, s->state, b->fresh, e) &&
           (!b->fresh || first_start_done(m->db, m->grid_id, e));
}

static bool open_rollouts(struct master *m, struct err *e) {
    const struct rollouts_options options = {.db = m->db,
                                             .catalog = m->catalog,
                                             .agents = m->agents,
                                             .events = m->events,
                                             .quiet_ms = m->settings->rollout_quiet_ms};
    return rollouts_open(&m->rollouts, &options, e);
}

static bool open_parts(struct master *m, bool restored, struct err *e) {
    const struct settings *s = m->settings;
    downloads_key_make(keys_master(m->keys), &m->downloads);
    m->events = events_new(m->db);
    m->sessions = sessions_new(m->db, m->events);
    const struct repo_options repo = {.db = m->db,
                                      .keys = m->keys,
                                      .state_directory = s->state,
                                      .restored = restored,
                                      .timestamp_life_ms = s->tuf_timestamp_life_ms,
                                      .snapshot_life_ms = s->tuf_snapshot_life_ms,
                                      .targets_life_ms = s->tuf_targets_life_ms,
                                      .root_life_ms = s->tuf_root_life_ms};
    if (!repo_open(&m->repo, &repo, e) ||
        !catalog_open(&m->catalog, m->db, m->keys, m->repo, s->state,
                      signatures_policy(s->require_signature), e))
        return false;
    const struct agents_options agents = {.db = m->db,
                                          .catalog = m->catalog,
                                          .events = m->events,
                                          .suspect_ms = s->suspect_ms,
                                          .lost_ms = s->lost_ms,
                                          .desired_changed = desired_changed,
                                          .dismissed = dismissed,
                                          .context = m};
    return uploads_open(&m->uploads, s->state, m->catalog, e) &&
           agents_open(&m->agents, &agents, e) && open_rollouts(m, e) &&
           intake_open(&m->intake, s->binaries, m->catalog, m->agents, m->events,
                       s->scan_interval_ms, e);
}

static bool open_certificates(struct master *m, struct err *e) {
    const struct settings *s = m->settings;
    const char **names = listen_names(s, e);
    if (names == NULL) return false;
    const struct certificates_options options = {
        .state_directory = s->state,
        .names = names,
        .given_certificate = s->tls_certificate[0] != '\0' ? s->tls_certificate : NULL,
        .given_key = s->tls_key[0] != '\0' ? s->tls_key : NULL};
    bool opened = certificates_open(&m->certificates, &options, e);
    listen_names_free(names);
    if (opened) bus_openssl_use();
    return opened;
}

static void open_inbox(struct master *m) {
    bool closed = !m->settings->public_downloads;
    const struct inbox_options options = {.bus = m->bus,
                                          .keys = m->keys,
                                          .agents = m->agents,
                                          .interval_ms = m->settings->heartbeat_ms,
                                          .max_unproven = (size_t)m->settings->max_agents,
                                          .approve_agents = m->settings->approve_agents,
                                          .certificates = m->certificates,
                                          .downloads = closed ? &m->downloads : NULL};
    m->inbox = inbox_new(&options);
}

static bool open_bus(struct master *m, const struct listen_address *at, struct err *e) {
    const struct settings *s = m->settings;
    const struct bus_server_options options = {
        .address = at->host,
        .port = at->port,
        .max_parked = (size_t)s->max_agents,
        .certificate = m->certificates != NULL ? certificates_bus_path(m->certificates) : NULL,
        .max_connections = (size_t)s->bus_connections,
        .max_connections_per_address = (size_t)s->bus_connections_per_address};
    if (!bus_server_open(&m->bus, &options, e)) {
        err_wrap(e, "bus");
        return err_hint(e, "another master runs already, or choose another port with --bus PORT");
    }
    snprintf(m->bus_address, sizeof m->bus_address,
             strchr(at->host, ':') != NULL ? "[%s]:%d" : "%s:%d", at->host,
             bus_server_port(m->bus));
    open_inbox(m);
    return true;
}

static bool open_http(struct master *m, const struct listen_address *at,
                      struct http_server **server, struct err *e) {
    const struct settings *s = m->settings;
    bool tls = m->certificates != NULL;
    const struct http_server_options options = {
        .address = at->host,
        .port = at->port,
        .certificate = tls ? certificates_http_path(m->certificates) : NULL,
        .client_ca = s->client_ca[0] != '\0' ? s->client_ca : NULL,
        .client_certificates = s->require_client_certificate,
        .workers = (int)s->http_workers,
        .max_connections_per_address = join_is_loopback(at->host) ? 0 : 256,
        .keep_alive_ms = 5000,
        .routes = master_routes,
        .route_count = master_route_count,
        .context = m,
        .authorize = master_authorize,
        .finished = master_metrics_request};
    if (!http_server_start(server, &options, e)) {
        err_wrap(e, "http");
        if (e->hint[0] != '\0') return false;
        return err_hint(e, "another master runs already, or choose another port with --http PORT");
    }
    m->http_port = http_server_port(*server);
    bool v6 = strchr(at->host, ':') != NULL;
    snprintf(m->http_url, sizeof m->http_url, "http%s://%s%s%s:%d", tls ? "s" : "", v6 ? "[" : "",
             at->host, v6 ? "]" : "", m->http_port);
    return true;
}

/* For gridctl on this machine, by an address that it can dial. A full disk is no reason not to
 * serve: what is there can be read. */
static bool save_url(const struct master *m, const struct listen_address *at, struct err *e) {
    char path[PATH_MAX], line[330];
    bool any = strcmp(at->host, "0.0.0.0") == 0 || strcmp(at->host, "::") == 0;
    if (any)
        snprintf(line, sizeof line, "http%s://127.0.0.1:%d\n", m->certificates != NULL ? "s" : "",
                 m->http_port);
    else
        snprintf(line, sizeof line, "%s\n", m->http_url);
    if (!file_join(path, sizeof path, m->settings->state, "url", e)) return false;
    if (file_write_durable(path, line, strlen(line), 0644, e)) return true;
    if (e->code != ERR_NO_SPACE) return false;
    log_warn("master.url_not_saved", "error=%s", e->text);
    return true;
}

static bool announce(struct master *m, const struct listen *at, bool fresh, struct err *e) {
    if (!save_url(m, &at->http, e)) return false;
    printf("http %s\nbus %s\n", m->http_url, m->bus_address);
    if (fresh) first_start_help(m);
    fflush(stdout);
    events_record(m->events, "master.started", "master", "",
                  "the master started with version " GRID_VERSION);
    return true;
}

static void wait_for_signal(const sigset_t *signals) {
    int number = 0;
    sigwait(signals, &number);
    log_info("master.stopping", "signal=%s", strsignal(number));
}

/* Answers come first, then the threads that give them, then what they stood on. */
static void stop_serving(struct master *m, struct http_server *server, struct threads *t) {
    agents_stop(m->agents);
    http_server_stop(server);
    atomic_store(&stopping, true);
    pthread_join(t->rollouts, NULL);
    pthread_join(t->keep, NULL);
    pthread_join(t->tick, NULL);
    bus_server_stop(m->bus);
    for (int i = 0; i < INBOX_THREADS; i++) pthread_join(t->inbox[i], NULL);
    inbox_drain(m->inbox);
    intake_stop(m->intake);
    pthread_join(t->intake, NULL);
    events_stop(m->events);
    pthread_join(t->pump, NULL);
    struct err e;
    if (!agents_flush(m->agents, &e)) log_error("master.flush", "error=%s", e.text);
}

static void start_serving(struct master *m, struct threads *t) {
    start_thread(&t->pump, events_pump_run, m->events);
    start_thread(&t->intake, intake_run, m->intake);
    for (int i = 0; i < INBOX_THREADS; i++) start_thread(&t->inbox[i], inbox_run, m->inbox);
    start_thread(&t->tick, tick_run, m);
    start_thread(&t->keep, keep_run, m);
    start_thread(&t->rollouts, rollouts_run, m);
}

static bool serve(struct master *m, struct threads *t, const struct listen *at,
                  const struct beginning *b, const sigset_t *signals, struct err *e) {
    struct http_server *server = NULL;
    if (at->tls && !open_certificates(m, e)) return false;
    if (!open_parts(m, b->restored, e) || !open_bus(m, &at->bus, e) ||
        !open_http(m, &at->http, &server, e))
        return false;
    inbox_set_http_port(m->inbox, m->http_port);
    upkeep_sign_audit(m, true); /* a start comes before whoever may have been at the database */
    start_serving(m, t);
    bool announced = announce(m, at, b->fresh, e);
    if (announced) wait_for_signal(signals);
    stop_serving(m, server, t);
    return announced;
}

static void close_parts(struct master *m) {
    inbox_free(m->inbox);
    if (m->bus != NULL) bus_server_close(m->bus);
    if (m->intake != NULL) intake_close(m->intake);
    if (m->rollouts != NULL) rollouts_close(m->rollouts);
    if (m->agents != NULL) agents_close(m->agents);
    if (m->uploads != NULL) uploads_close(m->uploads);
    if (m->catalog != NULL) catalog_close(m->catalog);
    if (m->repo != NULL) repo_close(m->repo);
    sessions_free(m->sessions);
    events_free(m->events);
    rate_limiter_free(m->request_limit);
    rate_limiter_free(m->failed_login_limit);
    if (m->keys != NULL) keys_close(m->keys);
    certificates_close(m->certificates);
    secret_wipe(&m->downloads, sizeof m->downloads);
}

static void make_limits(struct master *m) {
    const struct rate_limit requests = {.per_second = 2000, .burst = 4000};
    const struct rate_limit failed_logins = {.per_second = 5.0 / 60, .burst = 10};
    m->request_limit = rate_limiter_new(requests, 10000);
    m->failed_login_limit = rate_limiter_new(failed_logins, 10000);
}

static bool run(const struct settings *settings, const sigset_t *signals, struct err *e) {
    struct master m = {
        .settings = settings, .started_at_ms = clock_wall_ms(), .started_ms = clock_monotonic_ms()};
    struct threads t;
    struct listen at;
    OWN_FD int lock = -1;
    char lock_path[PATH_MAX];
    struct beginning b;
    if (!listen_decide(settings, &at, e) || !file_make_directory(settings->state, 0700, e) ||
        !file_join(lock_path, sizeof lock_path, settings->state, "lock", e))
        return false;
    if (!file_lock_patiently(lock_path, "grid-master", LOCK_PATIENCE_MS, &lock, e)) {
        err_wrap(e, "state directory %s is in use", settings->state);
        return err_hint(
            e, "stop the other master first, or choose another directory with --state DIR");
    }
    bool done = false;
    if (store_open(&m.db, settings->state, e)) {
        make_limits(&m);
        db_observe_commits(m.db, &metric_db_commit_seconds);
        start_thread(&t.db_writer, db_writer_run, m.db);
        done = open_state(&m, &b, e) && serve(&m, &t, &at, &b, signals, e);
        close_parts(&m);
        db_stop(m.db);
        pthread_join(t.db_writer, NULL);
        db_close(m.db);
    }
    master_metrics_fini();
    return done;
}

static bool check_settings(const struct settings *s, int rest, int argc, char **argv,
                           struct err *e) {
    if (rest < argc)
        return err_set(e, ERR_USAGE, "%s: no argument is expected; try --help", argv[rest]);
    if (s->suspect_ms < s->heartbeat_ms || s->lost_ms < s->suspect_ms)
        return err_set(e, ERR_USAGE,
                       "--heartbeat, --suspect-after and --lost-after must grow in this order");
    if (s->max_agents < 1 || s->http_workers < 4)
        return err_set(e, ERR_USAGE, "--max-agents is at least 1, --http-workers at least 4");
    if (s->tuf_timestamp_life_ms < TUF_LIFE_MIN_MS || s->tuf_snapshot_life_ms < TUF_LIFE_MIN_MS ||
        s->tuf_targets_life_ms < TUF_LIFE_MIN_MS || s->tuf_root_life_ms < TUF_LIFE_MIN_MS)
        return err_set(e, ERR_USAGE,
                       "--tuf-timestamp-life, --tuf-snapshot-life, "
                       "--tuf-targets-life and --tuf-root-life are at least 2s");
    if (s->bus_connections < 0 || s->bus_connections_per_address < 0)
        return err_set(e, ERR_USAGE,
                       "--bus-connections and --bus-connections-per-address are 0 (any number) or "
                       "more");
    if (strcmp(s->require_signature, "auto") != 0 && strcmp(s->require_signature, "on") != 0 &&
        strcmp(s->require_signature, "off") != 0)
        return err_set(e, ERR_USAGE, "--require-signature %s: one of auto, on, off",
                       s->require_signature);
    return true;
}

int main(int argc, char **argv) {
    static struct settings settings;
    struct err e = {0};
    int rest = 0;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    umask(077);
    mallopt(M_ARENA_MAX, HEAPS);
    sign_setup();
    http_client_setup();
    master_metrics_setup();
    if (!options_parse(&master_options, argc, argv, &settings, &rest, &e))
        return err_report("grid-master", &e);
    if (settings.help) return manual_print(&master_manual, &settings);
    if (settings.version) return puts("grid-master " GRID_VERSION) == EOF;
    if (!settings.core_dumps) secret_bar_dumps();
    if (!check_settings(&settings, rest, argc, argv, &e) ||
        !log_configure("grid-master", settings.log_level, settings.log_format, &e) ||
        !run(&settings, &signals, &e))
        return err_report("grid-master", &e);
    return 0;
}
