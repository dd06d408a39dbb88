#include "agent/report_internal.h"

#include "agent/diagnosis.h"
#include "agent/update_words.h"

#include <stdio.h>
#include <string.h>

enum { TAIL_MAX = 2048, TAILS_MAX = 64 * 1024, PROGRESS_PARTS = 20 };

static void describe_override(const struct report_input *in, struct wire_update *u) {
    const struct fetching *f = in->fetching;
    if (in->binary_path[0] == '\0') return;
    if (!f->local_done && f->local.error.code != ERR_NONE) {
        update_set_failure(u, &f->local.error, "machine");
        return;
    }
    const char *desired = in->wanted->desired.version;
    bool published = version_proven(&in->versions->target);
    update_set_reason(u, "binary_path %.80s (%s) is used%s%s", in->binary_path,
                      published ? "published" : "not published",
                      desired[0] != '\0' ? " instead of the desired version " : "", desired);
}

static void describe_unfetched(const struct fetching_try *t, struct wire_update *u) {
    update_set_failure(u, &t->error, t->cause);
}

static void describe_fetch(const struct report_input *in, struct wire_update *u) {
    const struct fetching *f = in->fetching;
    const char *sha256 = in->versions->target.sha256;
    const struct fetching_try *t = fetching_find(f, sha256);
    bool under_way = strcmp(f->sha256, sha256) == 0;
    bool repeats = fetching_repeats(f, sha256);
    u->attempt = t != NULL ? t->attempts : 0;
    u->total_bytes = under_way ? f->status.total_bytes : in->versions->target.size_bytes;
    if (under_way) u->done_bytes = f->status.done_bytes;
    if (t != NULL && t->failures > 0 && (repeats || in->decision->update == UPDATE_UNFETCHED))
        describe_unfetched(t, u);
    else
        update_set_state(u, under_way && f->status.phase == FETCH_VERIFYING ? "verifying"
                                                                            : "downloading");
}

/* Why nodes go back, or went. */
static void describe_blame(const struct report_input *in, struct wire_update *u) {
    const struct journal *j = in->journal;
    memcpy(u->code, j->code, sizeof u->code);
    memcpy(u->cause, j->cause, sizeof u->cause);
    update_set_reason(u, "%s", j->reason);
    u->diagnosis = text_duplicate(j->diagnosis);
}

static const struct journal_failure *given_up(const struct report_input *in) {
    const struct wire_desired *d = &in->wanted->desired;
    return journal_failed(in->journal, in->versions->target.sha256,
                          in->binary_path[0] != '\0' ? "" : d->grant.rollout, d->grant.attempt,
                          d->generation);
}

/* A first version that fails is tried on, because there is no other. */
static void describe_failed_first(const struct report_input *in, struct wire_update *u) {
    const struct node *n = &in->nodes[in->decision->failed_node];
    OWN_TEXT struct text diagnosis = TEXT_EMPTY;
    struct err why = {0};
    report_failure(n, &in->versions->target, RECONCILE_HEALTHY_MS, &why);
    update_set_failure(u, &why, "version");
    diagnosis_write(n, JOURNAL_DIAGNOSIS_MAX, &diagnosis);
    u->diagnosis = text_take(&diagnosis);
}

static void describe_failed(const struct report_input *in, struct wire_update *u) {
    const struct journal_failure *f = given_up(in);
    update_set_state(u, "failed");
    if (f == NULL) {
        describe_failed_first(in, u);
        return;
    }
    if (strcmp(in->journal->to_sha256, f->sha256) == 0)
        u->diagnosis = text_duplicate(in->journal->diagnosis);
    memcpy(u->code, f->code, sizeof u->code);
    update_set_reason(u, "%s", f->reason);
    update_set_cause(u, "version");
}

/* What keeps nodes from working that is no version's fault. */
static void describe_machine(const struct report_input *in, struct wire_update *u) {
    char words[160];
    for (size_t i = 0; i < in->count && u->cause[0] == '\0'; i++) {
        const struct node *n = &in->nodes[i];
        bool prevented = n->facts->phase == NODE_DOWN && n->facts->machine_failed;
        bool complains = n->facts->phase == NODE_RUNNING && n->facts->health == HEALTH_MACHINE;
        if (!n->facts->wanted || (!prevented && !complains)) continue;
        report_flatten(complains ? n->health_reasons : n->trouble, words, sizeof words);
        update_set_cause(u, "machine");
        update_set_reason(u, "node %s: %s", n->id, words);
    }
}

/* From and to are those of what is under way, whatever is desired by now. */
static void describe_transition(const struct report_input *in, const char *state,
                                struct wire_update *u) {
    update_set_state(u, state);
    memcpy(u->from, in->journal->from, sizeof u->from);
    memcpy(u->to, in->journal->to, sizeof u->to);
    if (in->decision->update == UPDATE_RETURNING || in->decision->update == UPDATE_STUCK)
        describe_blame(in, u);
    else
        describe_machine(in, u);
    if (u->reason == NULL) report_hold(in, u);
    if (u->reason == NULL)
        update_set_reason(u, "%s", in->journal->reason); /* the journal's own state */
}

static void describe_order(const struct report_input *in, struct wire_update *u) {
    const struct wire_grant *g = &in->wanted->desired.grant;
    if (in->binary_path[0] != '\0') return;
    memcpy(u->rollout, g->rollout, sizeof u->rollout);
    u->rollout_attempt = g->attempt;
    /* A journal that could not be written may say on disk that something has begun. */
    if (!in->decision->begun && !in->journal->dirty) u->edition = g->edition;
}

static void describe_switching(const struct report_input *in, struct wire_update *u) {
    if (in->journal->transition.state != TRANSITION_NONE) {
        describe_transition(in, "switching", u);
        return;
    }
    update_set_state(u, "switching"); /* a first version, or the way back to current */
    describe_machine(in, u);
    if (u->reason == NULL) report_hold(in, u);
}

static void describe_update(const struct report_input *in, struct wire_update *u) {
    memcpy(u->from, in->versions->current.version, sizeof u->from);
    memcpy(u->to, in->versions->target.version, sizeof u->to);
    describe_order(in, u);
    switch (in->decision->update) {
    case UPDATE_WAITING:
        update_set_state(u, "waiting");
        report_hold(in, u);
        break;
    case UPDATE_FETCHING:
    case UPDATE_UNFETCHED:
        describe_fetch(in, u);
        break;
    case UPDATE_SWITCHING:
        describe_switching(in, u);
        break;
    case UPDATE_PROBATION:
        describe_transition(in, "probation", u);
        break;
    case UPDATE_RETURNING:
        describe_transition(in, "returning", u);
        break;
    case UPDATE_STUCK:
        describe_transition(in, "stuck", u);
        break;
    case UPDATE_FAILED:
        describe_failed(in, u);
        break;
    case UPDATE_IDLE:
    default:
        update_set_state(u, "idle");
        break;
    }
    if (u->reason == NULL || in->decision->hold == HOLD_NOTHING_DESIRED) describe_override(in, u);
}

static void describe_staging(const struct report_input *in, struct wire_staging *out) {
    const struct version *v = &in->versions->prefetch;
    const struct fetching *f = in->fetching;
    const struct fetching_try *t = fetching_failure(f, v->sha256);
    bool under_way = v->sha256[0] != '\0' && strcmp(f->sha256, v->sha256) == 0;
    bool failed = t != NULL && (!under_way || fetching_repeats(f, v->sha256));
    if (v->sha256[0] == '\0') return;
    memcpy(out->sha256, v->sha256, sizeof out->sha256);
    out->total_bytes = v->size_bytes;
    const char *state = failed ? "failed" : "downloading";
    if (versions_staged(in->versions, v)) {
        state = "staged";
        out->done_bytes = v->size_bytes;
    } else if (!in->may_download) {
        state = "failed";
        snprintf(out->cause, sizeof out->cause, "machine");
        out->reason = text_duplicate("auto_download_binary is off on this machine");
    } else if (failed) {
        snprintf(out->code, sizeof out->code, "%s", err_code_name(t->error.code));
        snprintf(out->cause, sizeof out->cause, "%s", t->cause);
        out->reason = text_duplicate(t->error.text);
    }
    if (under_way) out->done_bytes = f->status.done_bytes;
    snprintf(out->state, sizeof out->state, "%s", state);
}

/* The last line of a log, which is usually why the process ended. */
static void last_line(const char *tail, char out[100]) {
    size_t length = tail != NULL ? strlen(tail) : 0;
    while (length > 0 && tail[length - 1] == '\n') length--;
    size_t begin = length;
    while (begin > 0 && tail[begin - 1] != '\n') begin--;
    snprintf(out, 100, "%.*s", (int)(length - begin > 99 ? 99 : length - begin),
             tail != NULL ? tail + begin : "");
}

static void report_end(const struct node *n, const struct version *version, struct err *out) {
    char line[100];
    const struct wire_exit *last = &n->record.last_exit;
    last_line(last->log_tail, line);
    const struct reconcile_node *facts = n->facts;
    unsigned times = facts->tries > facts->failures ? facts->tries : facts->failures;
    err_set(out, ERR_UNAVAILABLE, "node %s ended %u times on %s, last with %s %lld%s%s", n->id,
            times, version->version, last->kind, (long long)last->value,
            line[0] != '\0' ? ": " : "", line);
}

void report_failure(const struct node *n, const struct version *version, int64_t deadline_ms,
                    struct err *out) {
    char words[160];
    report_flatten(n->health_reasons, words, sizeof words);
    if (n->facts->hung)
        err_set(out, ERR_TIMEOUT, "node %s hangs on %s: %s", n->id, version->version, n->trouble);
    else if (n->trouble_code != ERR_NONE)
        err_set(out, n->trouble_code, "node %s does not start with %s: %s", n->id, version->version,
                n->trouble);
    else if (n->facts->phase == NODE_RUNNING && !n->facts->proven)
        err_set(out, ERR_TIMEOUT, "node %s did not become healthy on %s within %g s: %s", n->id,
                version->version, (double)deadline_ms / 1000, words);
    else if (n->facts->phase == NODE_RUNNING)
        err_set(out, ERR_UNAVAILABLE, "node %s became unhealthy on %s: %s", n->id, version->version,
                words);
    else
        report_end(n, version, out);
}

/* Which number bytes have is the master's to say, and may change while a process runs them: that of
 * what is current as soon as it is proven, so another number that is desired counts after it. */
static void describe_version(const struct report_input *in, struct wire_node *node) {
    const struct version *const known[] = {&in->versions->current, &in->versions->target,
                                           &in->versions->previous};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (node->sha256[0] == '\0' || strcmp(known[i]->sha256, node->sha256) != 0) continue;
        if (known[i]->version[0] == '\0') continue;
        memcpy(node->version, known[i]->version, sizeof node->version);
        return;
    }
}

static void describe_nodes(const struct report_input *in, struct wire_heartbeat *out) {
    bool draining = wanted_draining(in->wanted);
    size_t tail_max = TAILS_MAX / in->count < TAIL_MAX ? TAILS_MAX / in->count : TAIL_MAX;
    out->nodes = memory_zeroed(in->count, sizeof *out->nodes);
    for (size_t i = 0; i < in->count; i++) {
        const struct node *n = &in->nodes[i];
        if (!n->facts->wanted && n->facts->phase == NODE_DOWN)
            continue; /* it has gone, as it should */
        struct wire_node *node = &out->nodes[out->nodes_count++];
        node_describe(n, draining, tail_max, node);
        describe_version(in, node);
    }
}

/* An agent that does what it should may have nodes that do not. */
static void describe_ailing(struct wire_heartbeat *out) {
    static const char *const ailing[] = {"unhealthy", "backoff", "stopped"};
    struct wire_update *u = &out->update;
    char words[160];
    for (size_t i = 0; i < out->nodes_count && u->reason == NULL; i++) {
        const struct wire_node *n = &out->nodes[i];
        report_flatten(n->reasons, words, sizeof words);
        for (size_t j = 0; j < sizeof ailing / sizeof ailing[0]; j++)
            if (strcmp(n->state, ailing[j]) == 0)
                update_set_reason(u, "node %s is %s%s%s", n->id, n->state,
                                  words[0] != '\0' ? ": " : "", words);
    }
}

/* A local file may not tell its version; the process does. */
static void describe_running(const struct report_input *in, struct wire_heartbeat *out) {
    const struct version *current = &in->versions->current;
    memcpy(out->sha256, current->sha256, sizeof out->sha256);
    memcpy(out->version, current->version, sizeof out->version);
    for (size_t i = 0; i < in->count && out->version[0] == '\0'; i++)
        if (strcmp(in->nodes[i].record.sha256, current->sha256) == 0)
            memcpy(out->version, in->nodes[i].record.version, sizeof out->version);
}

static char *describe_sandbox(const struct report_input *in) {
    OWN_MEMORY struct sandbox_run *runs = memory_zeroed(in->count + 1, sizeof *runs);
    size_t count = 0;
    for (const struct node *n = in->nodes; n < in->nodes + in->count; n++)
        if (n->pid != 0)
            runs[count++] = (struct sandbox_run){.node = n->id, .layers = n->record.sandbox};
    return sandbox_text(in->sandbox, runs, count);
}

void report_build(const struct report_input *in, struct wire_heartbeat *out) {
    *out = (struct wire_heartbeat){.type = "heartbeat",
                                   .generation = in->wanted->desired.generation,
                                   .labels = text_duplicate(in->labels),
                                   .free_bytes = in->free_bytes};
    snprintf(out->agent_id, sizeof out->agent_id, "%s", in->agent_id);
    snprintf(out->agent_version, sizeof out->agent_version, "%s", in->agent_version);
    snprintf(out->platform, sizeof out->platform, "%s", platform_here());
    snprintf(out->arch, sizeof out->arch, "%s", platform_arch_here());
    if (in->binary_path[0] != '\0') out->binary_path = text_duplicate(in->binary_path);
    out->sandbox = describe_sandbox(in);
    describe_running(in, out);
    describe_update(in, &out->update);
    describe_staging(in, &out->staging);
    describe_nodes(in, out);
    if (strcmp(out->update.state, "idle") == 0) describe_ailing(out);
    if (in->log == NULL) return;
    out->log = *in->log;
    out->log.words = text_duplicate(in->log->words);
}

static void drop(char **words) {
    free(*words);
    *words = NULL;
}

enum shorter { WITHOUT_DIAGNOSIS, WITHOUT_TAILS, WITHOUT_LOG, WITHOUT_REASONS, SHORTER_COUNT };

static void shorten(struct wire_heartbeat *h, enum shorter step) {
    if (step == WITHOUT_DIAGNOSIS) drop(&h->update.diagnosis);
    if (step == WITHOUT_DIAGNOSIS) drop(&h->self.update.diagnosis);
    if (step == WITHOUT_LOG) drop(&h->log.words);
    for (size_t i = 0; i < h->nodes_count; i++) {
        if (step == WITHOUT_TAILS) drop(&h->nodes[i].last_exit.log_tail);
        if (step == WITHOUT_REASONS) drop(&h->nodes[i].reasons);
    }
}

void report_encode(struct wire_heartbeat *h, size_t max_bytes, struct text *out) {
    for (int step = 0; step <= SHORTER_COUNT; step++) {
        OWN_TEXT struct text json = TEXT_EMPTY;
        json_encode(&wire_heartbeat_schema, h, &json);
        if (json.length <= max_bytes || step == SHORTER_COUNT) {
            text_add_bytes(out, json.data, json.length);
            return;
        }
        shorten(h, (enum shorter)step);
    }
}

/* Progress that is worth telling. */
static int64_t in_parts(int64_t done_bytes, int64_t total_bytes) {
    return done_bytes / (total_bytes / PROGRESS_PARTS + 1);
}

void report_stable(const struct wire_heartbeat *h, struct text *out) {
    struct wire_heartbeat copy = *h;
    OWN_MEMORY struct wire_node *nodes = memory_zeroed(h->nodes_count + 1, sizeof *nodes);
    copy.free_bytes = 0;
    copy.trust.timestamp = 0;
    copy.nodes = nodes;
    copy.update.done_bytes = in_parts(h->update.done_bytes, h->update.total_bytes);
    copy.staging.done_bytes = in_parts(h->staging.done_bytes, h->staging.total_bytes);
    copy.self.update.done_bytes = in_parts(h->self.update.done_bytes, h->self.update.total_bytes);
    copy.self.staging.done_bytes =
        in_parts(h->self.staging.done_bytes, h->self.staging.total_bytes);
    for (size_t i = 0; i < h->nodes_count; i++) {
        nodes[i] = h->nodes[i];
        nodes[i].capacity_bytes = nodes[i].capacity_bytes > 0;
        nodes[i].free_bytes = 0;
    }
    json_encode(&wire_heartbeat_schema, &copy, out);
}
