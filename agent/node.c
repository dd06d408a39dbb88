#include "agent/node_internal.h"

#include "agent/backoff.h"
#include "agent/node_log.h"
#include "agent/ports.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/secret.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

enum { LOG_TAIL_MAX = 2048, STRIKES = 2, MOST_PORT_LOSSES = 3 };

void node_init(struct node *n, struct reconcile_node *facts, const struct state *s,
               const char *agent_id, size_t index, bool wanted) {
    *n = (struct node){.facts = facts, .pidfd = -1};
    *facts = (struct reconcile_node){.wanted = wanted, .phase = NODE_UNKNOWN};
    snprintf(n->id, sizeof n->id, "%s/%zu", agent_id, index);
    state_path(s, n->directory, "nodes/%zu", index);
    state_path(s, n->data, "nodes/%zu/data", index);
    record_load(n->directory, &n->record);
}

static void forget_health(struct node *n) {
    free(n->health_reasons);
    free(n->veto);
    n->health_reasons = n->veto = NULL;
    n->facts->misses = 0;
}

void node_fini(struct node *n) {
    forget_health(n);
    record_clear(&n->record);
    if (n->pidfd >= 0) close(n->pidfd);
    n->pidfd = -1;
}

void node_set_trouble(struct node *n, enum err_code code, const char *text) {
    n->trouble_code = code;
    snprintf(n->trouble, sizeof n->trouble, "%s", text);
}

static bool choose_question(const struct node *n, enum probe_kind *kind) {
    switch (n->facts->phase) {
    case NODE_UNKNOWN:
    case NODE_HELD:
        *kind = PROBE_EXAMINE;
        return true;
    case NODE_RUNNING:
        *kind = n->ask_stop ? PROBE_STOP : PROBE_HEALTH;
        return true;
    case NODE_DOWN:
    case NODE_STOPPING:
    default:
        return false;
    }
}

bool node_question(struct node *n, int64_t now_ms, struct probe_question *q, int64_t *due_ms) {
    enum probe_kind kind;
    if (n->asking || !choose_question(n, &kind)) return false;
    if (kind != PROBE_STOP && now_ms < n->ask_after_ms) {
        if (n->ask_after_ms < *due_ms) *due_ms = n->ask_after_ms;
        return false;
    }
    *q = (struct probe_question){.kind = kind, .life = n->life, .port = (int)n->record.port};
    snprintf(q->nonce, sizeof q->nonce, "%s", n->record.nonce);
    snprintf(q->data, sizeof q->data, "%s", n->data);
    snprintf(q->node_id, sizeof q->node_id, "%s", n->id);
    n->asking = true;
    return true;
}

static void take_good_answer(struct node *n, const struct health *h, int64_t now_ms) {
    struct reconcile_node *facts = n->facts;
    facts->misses = 0;
    facts->heard_ms = now_ms;
    n->capacity_bytes = h->capacity_bytes;
    n->free_bytes = h->free_bytes;
    if (n->record.version[0] == '\0') memcpy(n->record.version, h->version, sizeof h->version);
    facts->health = h->verdict;
    if (h->verdict == HEALTH_BAD || facts->proven) return;
    facts->proven = true;
    n->port_losses = 0;
    log_info("node.healthy", "node=%s pid=%d port=%" PRId64 " version=%s", n->id, (int)n->pid,
             n->record.port, n->record.version);
}

/* Silence is no complaint about a process that may still be starting. */
static void take_miss(struct node *n, int64_t now_ms) {
    struct reconcile_node *facts = n->facts;
    bool young = !facts->proven && now_ms < facts->started_ms + RECONCILE_HEALTHY_MS;
    if (facts->misses == 0) facts->silent_since_ms = now_ms;
    if (++facts->misses >= NODE_MISSES && !young) facts->health = HEALTH_BAD;
}

static void take_health(struct node *n, struct health *h, int64_t now_ms) {
    free(n->health_reasons);
    n->health_reasons = TAKE(h->reasons);
    if (h->ours)
        take_good_answer(n, h, now_ms);
    else
        take_miss(n, now_ms);
    int64_t usual_ms = n->probe_ms > 0 ? n->probe_ms : NODE_PROBE_MS;
    n->ask_after_ms = now_ms + (n->facts->proven ? usual_ms : NODE_YOUNG_PROBE_MS);
}

static void take_consent(struct node *n, struct probe_answer *a, int64_t now_ms) {
    n->ask_stop = false;
    n->facts->stop_answer = a->may_stop ? STOP_GRANTED : STOP_VETOED;
    n->facts->answered_ms = now_ms;
    free(n->veto);
    n->veto = TAKE(a->reasons);
}

static void become_down(struct node *n) {
    struct reconcile_node *facts = n->facts;
    facts->phase = NODE_DOWN;
    facts->running[0] = '\0';
    facts->proven = facts->killed = facts->hung = false;
    facts->health = HEALTH_NONE;
    facts->stop_answer = STOP_UNASKED;
    n->ask_stop = false;
    n->pid = 0;
    if (n->pidfd >= 0) close(n->pidfd);
    n->pidfd = -1;
    n->life++;
    n->asking = false;
    forget_health(n);
}

void node_become_running(struct node *n, pid_t pid, int pidfd, int64_t age_ms, int64_t now_ms) {
    n->started_at_ms = clock_wall_ms() - age_ms;
    n->up_since_ms = now_ms - age_ms;
    n->pid = pid;
    n->pidfd = pidfd;
    n->life++;
    n->asking = false;
    n->ask_after_ms = now_ms;
    n->strikes = 0;
    node_set_trouble(n, ERR_NONE, "");
    n->facts->phase = NODE_RUNNING;
    n->facts->started_ms = now_ms;
    snprintf(n->facts->running, sizeof n->facts->running, "%s", n->record.sha256);
}

/* The record tells better what was started: a node that an interpreter runs hashes the interpreter.
 */
static void adopt(struct node *n, struct adopt_result *found, int64_t now_ms) {
    const struct node_note *note = &found->note;
    if (strcmp(n->record.nonce, note->nonce) != 0) {
        snprintf(n->record.sha256, sizeof n->record.sha256, "%s", note->sha256);
        snprintf(n->record.version, sizeof n->record.version, "%s", note->version);
        snprintf(n->record.nonce, sizeof n->record.nonce, "%.64s", note->nonce);
        free(n->record.sandbox);
        n->record.sandbox = NULL;
    }
    if (note->port > 0) n->record.port = note->port;
    node_become_running(n, (pid_t)note->pid, TAKE_FD(found->pidfd), adopt_age_ms(note->start_time),
                        now_ms);
    log_info("node.adopted", "node=%s pid=%d port=%" PRId64 " version=%s", n->id, (int)n->pid,
             note->port, note->version);
}

/* One that listens has worked once: it is unhealthy now, and restarted when it stays silent. One
 * that does not yet has the time of a start. */
static void adopt_silent(struct node *n, struct adopt_result *found, int64_t now_ms) {
    log_warn("node.silent", "node=%s reason=%s", n->id, found->reason);
    adopt(n, found, now_ms);
    if (found->note.port <= 0) return;
    n->facts->proven = true;
    n->facts->health = HEALTH_BAD;
    n->health_reasons = text_duplicate(found->reason);
}

static void keep_exit(struct node *n, struct wire_exit *last) {
    OWN_TEXT struct text tail = TEXT_EMPTY;
    node_log_tail(n->directory, n->record.log_begin, LOG_TAIL_MAX, &tail);
    last->at_ms = clock_wall_ms();
    last->log_tail = text_take(&tail);
    free(n->record.last_exit.log_tail);
    n->record.last_exit = *last;
}

/* A process that an earlier agent started with the version on trial is gone, with the machine or
 * without it. */
static void note_unseen_end(struct node *n) {
    struct wire_exit last = {.kind = "unknown"};
    if (n->facts->phase != NODE_UNKNOWN || n->facts->tries == 0) return;
    keep_exit(n, &last);
}

static void take_examination(struct node *n, struct adopt_result *found, int64_t now_ms) {
    n->ask_after_ms = now_ms + NODE_EXAMINE_MS;
    switch (found->verdict) {
    case ADOPT_OURS:
        adopt(n, found, now_ms);
        break;
    case ADOPT_SILENT:
        if (++n->strikes >= STRIKES) adopt_silent(n, found, now_ms);
        break;
    case ADOPT_FREE:
        note_unseen_end(n);
        become_down(n);
        n->strikes = 0;
        if (n->trouble_code == ERR_CONFLICT) node_set_trouble(n, ERR_NONE, "");
        n->facts->start_after_ms = now_ms;
        break;
    case ADOPT_FOREIGN:
        if (++n->strikes < STRIKES)
            break; /* a node that has just begun looks like this for a moment */
        if (n->facts->phase != NODE_HELD)
            log_error("node.held", "node=%s reason=%s", n->id, found->reason);
        n->facts->phase = NODE_HELD;
        n->ask_after_ms = now_ms + NODE_PROBE_MS;
        node_set_trouble(n, ERR_CONFLICT, found->reason);
        break;
    }
}

void node_answer(struct node *n, struct probe_answer *a, int64_t now_ms) {
    if (a->question.life != n->life) return;
    n->asking = false;
    switch (a->question.kind) {
    case PROBE_EXAMINE:
        take_examination(n, &a->adopted, now_ms);
        break;
    case PROBE_HEALTH:
        if (n->facts->phase == NODE_RUNNING) take_health(n, &a->health, now_ms);
        break;
    case PROBE_STOP:
        if (n->facts->phase == NODE_RUNNING) take_consent(n, a, now_ms);
        break;
    }
}

static bool send_signal(struct node *n, int number) {
    if (n->pidfd < 0) return false;
    if (pidfd_send_signal(n->pidfd, number, NULL, 0) == 0 || errno == ESRCH) return true;
    log_error("node.signal_failed", "node=%s pid=%d signal=%d error=%s", n->id, (int)n->pid, number,
              strerrordesc_np(errno));
    return false;
}

void node_order(struct node *n, int64_t restart_generation, int64_t now_ms) {
    struct reconcile_node *facts = n->facts;
    facts->restart_ordered = restart_generation > n->record.restart_generation;
    if (facts->restart_ordered && restart_generation > n->order && facts->phase == NODE_DOWN)
        facts->start_after_ms = now_ms;
    n->order = restart_generation;
}

static void say_hung(struct node *n, int64_t now_ms) {
    char words[sizeof n->trouble];
    snprintf(words, sizeof words, "it answered nothing for %" PRId64 " s, so it is restarted",
             (now_ms - n->facts->silent_since_ms) / 1000);
    node_set_trouble(n, ERR_TIMEOUT, words);
    log_error("node.hung", "node=%s pid=%d reason=%s", n->id, (int)n->pid, words);
}

void node_terminate(struct node *n, int64_t now_ms) {
    log_info("node.stopping", "node=%s pid=%d", n->id, (int)n->pid);
    if (n->facts->hung) say_hung(n, now_ms);
    (void)send_signal(n, SIGTERM);
    (void)send_signal(n, SIGCONT); /* a stopped process ends too */
    n->facts->phase = NODE_STOPPING;
    n->facts->stopping_ms = now_ms;
    n->facts->stop_answer = STOP_UNASKED;
    n->ask_stop = false;
}

void node_kill(struct node *n) {
    log_warn("node.killing", "node=%s pid=%d", n->id, (int)n->pid);
    (void)send_signal(n, SIGKILL);
    n->facts->killed = true;
}

static bool has_ended(const struct node *n) {
    struct pollfd p = {.fd = n->pidfd, .events = POLLIN};
    return n->pidfd >= 0 && poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

/* What the process left in its session ends with it. Its number is its own until it is reaped,
 * which is for us to do only with a child. */
static void end_session(const struct node *n) {
    siginfo_t info = {0};
    if (waitid(P_PIDFD, (id_t)n->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return;
    if (info.si_pid == n->pid && n->pid > 1) (void)kill(-n->pid, SIGKILL);
}

/* Of a process that is not our child the status cannot be had. */
static void read_exit(const struct node *n, struct wire_exit *out) {
    siginfo_t info = {0};
    bool known = waitid(P_PIDFD, (id_t)n->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0;
    const char *kind = info.si_code == CLD_EXITED ? "exit" : "signal";
    snprintf(out->kind, sizeof out->kind, "%s", known ? kind : "unknown");
    if (known) out->value = info.si_status;
}

static uint32_t random_number(void) {
    uint32_t number;
    random_bytes(&number, sizeof number);
    return number;
}

void node_back_off(struct node *n, int64_t up_ms, int64_t now_ms) {
    struct reconcile_node *facts = n->facts;
    facts->failures = backoff_failed(facts->failures, up_ms);
    facts->start_after_ms =
        now_ms + backoff_pause_ms(&backoff_node, facts->failures, random_number());
}

/* A start that lost its port between our look and its own is nobody's failure: the next takes the
 * port when it is free again, another one else. By now it may be free: then the node's own word
 * counts. */
static bool lost_port(struct node *n, const struct wire_exit *last) {
    bool conflict = strcmp(last->kind, "exit") == 0 && last->value == err_exit_code(ERR_CONFLICT);
    if (n->facts->proven || n->port_losses >= MOST_PORT_LOSSES ||
        (!conflict && ports_free((int)n->record.port)))
        return false;
    n->port_losses++;
    return true;
}

static void end_without_port(struct node *n, int64_t now_ms) {
    become_down(n);
    n->facts->start_after_ms = now_ms;
}

static void end_unwanted(struct node *n, int64_t now_ms) {
    int64_t up_ms = now_ms - n->up_since_ms;
    become_down(n);
    n->record.restarts++;
    node_back_off(n, up_ms, now_ms);
}

bool node_reap(struct node *n, int64_t now_ms) {
    struct wire_exit last = {0};
    if (!has_ended(n)) return false;
    end_session(n);
    read_exit(n, &last);
    bool wanted = n->facts->phase == NODE_STOPPING && !n->facts->hung;
    log_line(wanted ? LOG_INFO : LOG_WARN, "node.ended", "node=%s pid=%d how=%s value=%" PRId64,
             n->id, (int)n->pid, last.kind, last.value);
    bool portless = !wanted && lost_port(n, &last);
    if ((wanted || portless) && n->facts->tries > 0) n->facts->tries--; /* it says nothing */
    if (portless) { /* what ended the one before stays its last exit */
        end_without_port(n, now_ms);
        return true;
    }
    keep_exit(n, &last);
    if (wanted) {
        become_down(n);
        n->facts->failures = 0;
        n->facts->start_after_ms = now_ms;
    } else {
        end_unwanted(n, now_ms);
    }
    return true;
}

void node_rotate_log(struct node *n, int64_t max_bytes) {
    struct err e = {0};
    int64_t cut_bytes = 0;
    if (!node_log_rotate(n->directory, max_bytes, &cut_bytes, &e))
        log_warn("node.log_not_rotated", "node=%s error=%s", n->id, e.text);
    if (cut_bytes == 0) return;
    n->record.log_begin -= cut_bytes;
    if (!record_save(n->directory, &n->record, &e))
        log_warn("node.record_not_saved", "node=%s error=%s", n->id, e.text);
}
