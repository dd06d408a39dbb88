#include "agent/supervise_internal.h"

#include "agent/alive.h"
#include "agent/cache.h"
#include "agent/node_log.h"
#include "agent/report.h"
#include "lib/bus.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/log_recent.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS 1000 /* the longest the loop sleeps while something is under way */
#define HEARTBEAT_MAX (BUS_MESSAGE_MAX_BYTES - 1024) /* leaves room for the frame around it */
#define MOST_ROUNDS 8 /* decisions in a row before the world is looked at again */

void supervise_use(struct supervise *s, struct fetch *fetch, struct probes *probes) {
    s->fetch = fetch;
    s->fetching.fetch = fetch;
    s->probes = probes;
}

void supervise_wake(void *supervise) {
    const struct supervise *s = supervise;
    uint64_t one = 1;
    if (write(s->event_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        log_error("supervise.wake", "error=%s", strerrordesc_np(errno));
}

void supervise_stop(struct supervise *s, bool stop_nodes) {
    atomic_store(&s->stop_nodes, stop_nodes);
    atomic_store(&s->stopping, true);
    supervise_wake(s);
}

/* Bytes that run may be published under another number: that is to be proven, too. */
static void rename_current(struct supervise *s) {
    const struct version *target = &s->versions.target, *current = &s->versions.current;
    bool same_bytes = target->sha256[0] != '\0' && strcmp(target->sha256, current->sha256) == 0;
    if (!same_bytes || strcmp(target->file, current->file) == 0) return;
    if (trust_allows_switch(s->options.trust, target, NULL))
        versions_rename(&s->versions);
    else
        trust_look(s->options.trust);
}

void supervise_choose_target(struct supervise *s) {
    struct err e = {0};
    if (s->options.settings->binary_path[0] == '\0')
        wanted_version(&s->wanted, &s->versions.target);
    else if (s->versions.local[0] != '\0' &&
             !versions_find(&s->versions, s->versions.local, &s->versions.target, &e))
        log_error("local.lost", "error=%s", e.text);
    wanted_prefetch(&s->wanted, &s->versions.prefetch);
    rename_current(s);
}

/* The master's key is pinned; a mirror that the configuration names shows its own certificate. */
static void set_base_url(struct supervise *s, int http_port, const char *http_pin) {
    const struct settings *settings = s->options.settings;
    const char *host = s->options.identity->master_host;
    struct fetching *f = &s->fetching;
    char master[sizeof f->base_url] = "";
    bool v6 = strchr(host, ':') != NULL;
    if (http_port > 0)
        snprintf(master, sizeof master, "%s://%s%s%s:%d", http_pin[0] != '\0' ? "https" : "http",
                 v6 ? "[" : "", host, v6 ? "]" : "", http_port);
    bool mirror = settings->master_binary_url[0] != '\0';
    snprintf(f->base_url, sizeof f->base_url, "%s", mirror ? settings->master_binary_url : master);
    bool at_master = strcmp(f->base_url, master) == 0;
    snprintf(f->pin, sizeof f->pin, "%s", at_master ? http_pin : "");
    trust_source(s->options.trust, master, http_pin);
}

/* What was refused may be welcome by now. */
static void take_trust(struct supervise *s) {
    uint64_t number = trust_number(s->options.trust);
    if (number == s->trust_number) return;
    s->trust_number = number;
    fetching_forget(&s->fetching);
    supervise_choose_target(s);
}

static void take_desired(struct supervise *s) {
    struct exchange_desired now;
    int64_t generation = s->wanted.desired.generation;
    exchange_get_desired(s->options.exchange, &now);
    s->connected = now.connected;
    fetching_connected(&s->fetching, now.connected);
    set_base_url(s, now.http_port, now.http_pin);
    if (now.log_told != 0 && now.log_told == s->log.request_id) {
        free(s->log.words);
        s->log = (struct wire_log){0};
    }
    if (now.number != s->desired_number &&
        wanted_take(&s->wanted, s->options.state, now.json, now.received_ms)) {
        if (s->wanted.desired.generation != generation) fetching_forget(&s->fetching);
        supervise_choose_target(s);
        s->collect_due = true;
    }
    if (now.number != s->desired_number) fetching_allow(&s->fetching, s->wanted.download_token);
    s->desired_number = now.number;
    free(now.json);
}

static void take_fetched(struct supervise *s, int64_t now_ms) {
    char sha256[SHA256_HEX_SIZE];
    bool local = false;
    if (!fetching_update(&s->fetching, now_ms, sha256, &local)) return;
    s->collect_due = true;
    if (!local) return;
    memcpy(s->versions.local, sha256, sizeof s->versions.local);
    supervise_choose_target(s);
}

static void take_answers(struct supervise *s, int64_t now_ms) {
    for (struct probe_answer *a; (a = probes_take(s->probes)) != NULL;) {
        assert(a->question.node < s->count);
        node_answer(&s->nodes[a->question.node], a, now_ms);
        probe_answer_free(a);
    }
}

static void take_exits(struct supervise *s, int64_t now_ms) {
    for (size_t i = 0; i < s->count; i++)
        if (node_reap(&s->nodes[i], now_ms) && !s->facts[i].wanted)
            log_info("node.gone", "node=%s", s->nodes[i].id);
}

static void take_orders(struct supervise *s, int64_t now_ms) {
    for (size_t i = 0; i < s->count; i++)
        node_order(&s->nodes[i], wanted_restart(&s->wanted, s->nodes[i].id), now_ms);
}

/* JSON may need six characters for one byte, and a heartbeat must fit a message of the bus. */
static char *fit_log(struct text *words) {
    enum { ENCODED_MAX = BUS_MESSAGE_MAX_BYTES / 2 };
    for (;;) {
        OWN_TEXT struct text encoded = TEXT_EMPTY;
        json_quote(text_value(words), &encoded);
        if (encoded.length <= ENCODED_MAX) return text_take(words);
        struct text half = TEXT_EMPTY;
        text_add(&half, text_value(words) + words->length / 2);
        text_fini(words);
        *words = half;
    }
}

static void answer_log_request(struct supervise *s) {
    const struct wire_log_request *r = &s->wanted.desired.log;
    if (r->request_id == 0 || r->request_id == s->log_answered) return;
    OWN_TEXT struct text words = TEXT_EMPTY;
    size_t max = r->max_bytes > 0 && r->max_bytes < WIRE_LOG_MAX_BYTES ? (size_t)r->max_bytes
                                                                       : WIRE_LOG_MAX_BYTES;
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->nodes[i].id, r->node_id) == 0)
            node_log_tail(s->nodes[i].directory, NODE_LOG_ALL, max, &words);
    if (r->node_id[0] == '\0') log_recent(max, &words);
    text_add(&words, "");
    free(s->log.words);
    s->log = (struct wire_log){.request_id = r->request_id, .words = fit_log(&words)};
    s->log_answered = r->request_id;
}

/* A lease is counted by the master, too, who does not sleep when this machine does. */
static int64_t asleep_ms(void) {
    return clock_boot_ms() - clock_monotonic_ms();
}

/* What is here already may be unwelcome by now: then it counts as missing until a switch to it may
 * begin, and asking for it tells why. What has begun is finished. */
static void ask_trust(struct supervise *s, struct reconcile_input *in) {
    const struct transition *t = &in->transition;
    const char *target = in->target.sha256;
    bool under_way = t->state != TRANSITION_NONE && strcmp(t->to, target) == 0;
    bool runs = strcmp(in->current.sha256, target) == 0;
    if (!in->target.staged || under_way || runs || strcmp(s->versions.local, target) == 0) return;
    in->target.staged = trust_allows_switch(s->options.trust, &s->versions.target, NULL);
}

static void describe_world(struct supervise *s, int64_t now_ms, struct reconcile_input *in) {
    const struct settings *settings = s->options.settings;
    bool reachable = s->fetching.base_url[0] != '\0';
    bool local = settings->binary_path[0] != '\0';
    const struct wire_desired *d = &s->wanted.desired;
    *in = (struct reconcile_input){.generation = s->wanted.desired.generation,
                                   .draining = wanted_draining(&s->wanted),
                                   .held = d->hold[0] != '\0',
                                   .connected = s->connected || local,
                                   .transition = s->journal.transition,
                                   .unwritable = now_ms < s->begin_after_ms,
                                   .hung_after_ms = settings->restart_hung_ms,
                                   .may_download = settings->auto_download && reachable && !local};
    versions_describe(&s->versions, in);
    ask_trust(s, in);
    fetching_describe(&s->fetching, in);
    if (!local) wanted_grant(&s->wanted, asleep_ms(), &in->grant);
    in->target_failed =
        journal_failed(&s->journal, in->target.sha256, local ? "" : d->grant.rollout,
                       d->grant.attempt, d->generation) != NULL;
}

/* A start that made no process, through no fault of the version, is no try. */
static void take_try_back(struct reconcile_node *facts, bool failed) {
    bool innocent = !failed || facts->machine_failed;
    if (facts->phase != NODE_RUNNING && innocent && facts->tries > 0) facts->tries--;
}

static void start_node(struct supervise *s, size_t i, int64_t now_ms) {
    struct node *n = &s->nodes[i];
    struct version version = {0};
    struct err e = {0};
    for (size_t j = 0; j < s->count; j++) s->ports[j] = j != i ? (int)s->nodes[j].record.port : 0;
    if (!versions_find(&s->versions, s->facts[i].assigned, &version, &e)) {
        log_error("node.no_version", "node=%s error=%s", n->id, e.text);
        return;
    }
    const struct node_launch launch = {.state = s->options.state,
                                       .version = &version,
                                       .avoid_memfd = &s->avoid_memfd,
                                       .sandbox = &s->sandbox,
                                       .first_port = s->options.settings->first_port,
                                       .last_port = s->options.settings->last_port,
                                       .reserved = s->ports,
                                       .reserved_count = s->count,
                                       .restart_generation = wanted_restart(&s->wanted, n->id)};
    bool failed = !node_start(n, &launch, now_ms, &e);
    if (failed && e.code == ERR_CORRUPT) {
        log_error("version.damaged", "version=%s error=%s", version.version, e.text);
        if (!cache_discard(s->options.state, version.sha256, &e))
            log_error("version.not_discarded", "error=%s", e.text);
    }
    take_try_back(&s->facts[i], failed);
    version_clear(&version);
}

/* True when the facts are not what they were. */
static bool take_step(struct supervise *s, size_t i, int64_t now_ms) {
    struct node *n = &s->nodes[i];
    switch (s->steps[i]) {
    case STEP_START:
        start_node(s, i, now_ms);
        return true;
    case STEP_ASK:
        s->facts[i].stop_answer = STOP_ASKED;
        n->ask_stop = true;
        return true;
    case STEP_TERMINATE:
        node_terminate(n, now_ms);
        return true;
    case STEP_KILL:
        node_kill(n);
        return true;
    case STEP_NONE:
    default:
        return false;
    }
}

static bool act(struct supervise *s, const struct reconcile_input *in, int64_t now_ms) {
    const struct reconcile_decision *d = &s->decision;
    if (d->commit[0] != '\0') {
        versions_commit(&s->versions, d->commit, now_ms);
        s->collect_due = true;
    }
    if (d->turn != TURN_NONE) supervise_take_turn(s, in, now_ms);
    if (d->commit[0] != '\0' || d->turn != TURN_NONE) return true;
    bool changed = false;
    supervise_note_steps(s, now_ms);
    for (size_t i = 0; i < s->count; i++) changed |= take_step(s, i, now_ms);
    return changed;
}

static void decide(struct supervise *s, int64_t now_ms) {
    struct reconcile_input in;
    for (int round = 0; round < MOST_ROUNDS; round++) {
        describe_world(s, now_ms, &in);
        reconcile(&in, s->facts, s->steps, s->count, now_ms, &s->decision);
        if (!act(s, &in, now_ms)) return;
    }
    s->decision.wake_ms = now_ms;
}

void supervise_publish(struct supervise *s) {
    struct wire_heartbeat h;
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct text stable = TEXT_EMPTY;
    struct report_input in = {.agent_id = s->options.identity->agent_id,
                              .agent_version = s->options.settings->program_version,
                              .labels = s->options.settings->labels,
                              .binary_path = s->options.settings->binary_path,
                              .may_download = s->options.settings->auto_download,
                              .wanted = &s->wanted,
                              .versions = &s->versions,
                              .fetching = &s->fetching,
                              .decision = &s->decision,
                              .journal = &s->journal,
                              .journal_error = &s->journal_error,
                              .nodes = s->nodes,
                              .count = s->count,
                              .sandbox = &s->sandbox,
                              .log = s->log.request_id != 0 ? &s->log : NULL};
    (void)!file_free_bytes(s->options.state->root, &in.free_bytes, NULL);
    report_build(&in, &h);
    self_report(s->options.self, &s->wanted.desired, &h.self);
    trust_report(s->options.trust, &h.trust);
    report_encode(&h, HEARTBEAT_MAX, &json);
    report_stable(&h, &stable);
    json_clear(&wire_heartbeat_schema, &h);
    bool news = s->stable == NULL || strcmp(s->stable, text_value(&stable)) != 0;
    free(s->stable);
    s->stable = text_take(&stable);
    exchange_report(s->options.exchange, text_value(&json), news, s->log.request_id);
}

static void ask_questions(struct supervise *s, int64_t now_ms, int64_t *due_ms) {
    struct probe_question q;
    int64_t probe_ms = transition_probe_ms(&s->journal.transition, NODE_PROBE_MS);
    for (size_t i = 0; i < s->count; i++) {
        s->nodes[i].probe_ms = probe_ms;
        if (!node_question(&s->nodes[i], now_ms, &q, due_ms)) continue;
        q.node = i;
        probes_ask(s->probes, &q);
    }
}

static void rotate_logs(struct supervise *s, int64_t now_ms) {
    if (now_ms < s->rotate_ms) return;
    s->rotate_ms = now_ms + SUPERVISE_PAUSE_MS;
    for (size_t i = 0; i < s->count; i++) node_rotate_log(&s->nodes[i], NODE_LOG_MAX_BYTES);
}

/* What the agent's own program may be exchanged for, when. Nodes live on meanwhile, so only those
 * that are on their way matter. */
static void look_at_self(struct supervise *s, int64_t now_ms, int64_t *due_ms) {
    enum transition_state state = s->journal.transition.state;
    struct self_world world = {.desired = &s->wanted.desired,
                               .base_url = s->fetching.base_url,
                               .pin = s->fetching.pin,
                               .token = s->wanted.download_token,
                               .answered = s->wanted.answered,
                               .answered_ms = s->wanted.answered_ms - asleep_ms(),
                               .connected = s->connected,
                               .may_download = s->options.settings->auto_download,
                               .quiet = state == TRANSITION_NONE || state == TRANSITION_STUCK,
                               .examined = true};
    for (size_t i = 0; i < s->count; i++) {
        enum node_phase phase = s->facts[i].phase;
        world.examined = world.examined && phase != NODE_UNKNOWN;
        world.quiet = world.quiet && phase != NODE_UNKNOWN && phase != NODE_STOPPING;
        world.held += phase == NODE_HELD;
    }
    self_look(s->options.self, &world, now_ms, due_ms);
}

/* Old versions go once nothing is under way. */
static void collect(struct supervise *s) {
    bool quiet = s->decision.update == UPDATE_IDLE && s->fetching.job == 0;
    for (size_t i = 0; i < s->count; i++) {
        enum node_phase phase = s->facts[i].phase; /* what is being stopped still has its version */
        quiet = quiet && phase != NODE_UNKNOWN && phase != NODE_STOPPING;
    }
    if (!s->collect_due || !quiet) return;
    OWN_MEMORY const char **keep = memory_zeroed(s->count, sizeof *keep);
    for (size_t i = 0; i < s->count; i++) keep[i] = s->facts[i].running;
    versions_collect(&s->versions, keep, s->count);
    s->collect_due = false;
}

static void wait_for_news(struct supervise *s, int64_t due_ms) {
    int64_t now_ms = clock_monotonic_ms();
    nfds_t used = 0;
    uint64_t ignored;
    bool watching = s->fetching.job != 0;
    int64_t longest = watching ? LOOK_MS : SUPERVISE_PAUSE_MS;
    if (alive_every_ms() < longest) longest = alive_every_ms();
    int64_t wait_ms = due_ms - now_ms < longest ? due_ms - now_ms : longest;
    s->watched[used++] = (struct pollfd){.fd = s->event_fd, .events = POLLIN};
    for (size_t i = 0; i < s->count; i++)
        if (s->nodes[i].pidfd >= 0)
            s->watched[used++] = (struct pollfd){.fd = s->nodes[i].pidfd, .events = POLLIN};
    (void)poll(s->watched, used, wait_ms > 0 ? (int)wait_ms : 0);
    while (read(s->event_fd, &ignored, sizeof ignored) > 0) continue;
    alive_tell();
}

static void take_everything(struct supervise *s, int64_t now_ms) {
    take_desired(s);
    take_trust(s);
    take_fetched(s, now_ms);
    take_answers(s, now_ms);
    take_exits(s, now_ms);
    take_orders(s, now_ms);
    answer_log_request(s);
}

static void want_fetched(struct supervise *s, int64_t now_ms, int64_t *due_ms) {
    const char *sha256 = s->decision.fetch;
    struct version version = {0};
    struct err e = {0};
    bool known = sha256[0] != '\0' && versions_find(&s->versions, sha256, &version, &e);
    if (sha256[0] != '\0' && !known) fetching_refuse(&s->fetching, sha256, &e);
    fetching_want(&s->fetching, known ? &version : NULL, now_ms, due_ms);
    version_clear(&version);
}

static void run_once(struct supervise *s) {
    int64_t now_ms = clock_monotonic_ms();
    int64_t due_ms = INT64_MAX;
    supervise_look_after_state(s, now_ms);
    take_everything(s, now_ms);
    supervise_watch(s, now_ms, &due_ms);
    decide(s, now_ms);
    if (s->decision.wake_ms < due_ms) due_ms = s->decision.wake_ms;
    want_fetched(s, now_ms, &due_ms);
    versions_retry(&s->versions, now_ms, &due_ms);
    look_at_self(s, now_ms, &due_ms);
    ask_questions(s, now_ms, &due_ms);
    rotate_logs(s, now_ms);
    collect(s);
    supervise_publish(s);
    wait_for_news(s, due_ms);
}

/* Every process of ours ends; true while one still runs. */
static bool end_nodes(struct supervise *s, int64_t now_ms, int64_t *due_ms) {
    bool running = false;
    for (size_t i = 0; i < s->count; i++) {
        struct reconcile_node *facts = &s->facts[i];
        (void)node_reap(&s->nodes[i], now_ms);
        if (facts->phase == NODE_RUNNING) node_terminate(&s->nodes[i], now_ms);
        if (facts->phase != NODE_STOPPING) continue;
        running = true;
        int64_t deadline_ms = facts->stopping_ms + RECONCILE_DRAIN_MS;
        if (now_ms >= deadline_ms && !facts->killed) node_kill(&s->nodes[i]);
        if (!facts->killed && deadline_ms < *due_ms) *due_ms = deadline_ms;
    }
    return running;
}

static void run_end(struct supervise *s) {
    for (;;) {
        int64_t now_ms = clock_monotonic_ms();
        int64_t due_ms = INT64_MAX;
        bool running = end_nodes(s, now_ms, &due_ms);
        supervise_publish(s);
        if (!running) return;
        wait_for_news(s, due_ms);
    }
}

void *supervise_run(void *supervise) {
    struct supervise *s = supervise;
    while (!atomic_load(&s->stopping)) run_once(s);
    if (atomic_load(&s->stop_nodes)) run_end(s);
    return NULL;
}
