/* What an agent is told: its desired state as a message, and live requests for logs that ride on
 * it. */
#include "master/agents_internal.h"

#include "lib/artifact.h"
#include "lib/clock.h"
#include "lib/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void copy_orders(const struct agent *agent, struct wire_desired *out) {
    out->nodes = memory_zeroed(agent->order_count + 1, sizeof *out->nodes);
    out->nodes_count = agent->order_count;
    for (size_t i = 0; i < agent->order_count; i++) out->nodes[i] = agent->orders[i];
}

static void describe_binary(const struct binary *b, struct wire_artifact *out) {
    artifact_file_name(&b->id, out->file);
    out->size_bytes = b->size_bytes;
    out->signature = text_duplicate(b->signature);
}

/* One that is named by version and digest in out, completed later with what the catalog knows. */
struct wanted {
    const char *artifact;
    struct wire_artifact *out;
    bool ahead; /* only to be fetched: nothing to run yet */
};
#define WANTED_COUNT 4

static bool complete(const struct wanted *w) {
    return w->out->version[0] == '\0' || w->out->signature != NULL;
}

/* Under the lock: the details from what refreshes chose. */
static void describe_offer(const struct agents *a, const struct wanted *w) {
    const struct offer *o = offers_find(a->offers, w->artifact, w->out->version, w->out->sha256);
    if (!complete(w) && o != NULL) describe_binary(&o->binary, w->out);
}

/* The row is chosen by digest, since the machine may be served by an "any" build. */
static bool find_artifact(struct agents *a, const char *platform, const char *arch,
                          const struct wanted *w, struct err *e) {
    struct binary *list = NULL;
    size_t count = 0;
    if (!catalog_list(a->options.catalog, w->artifact, NULL, NULL, w->out->version, &list, &count,
                      e))
        return false;
    for (size_t i = 0; i < count && !complete(w); i++)
        if (strcmp(list[i].sha256, w->out->sha256) == 0 &&
            platform_fits(list[i].id.platform, list[i].id.arch, platform, arch))
            describe_binary(&list[i], w->out);
    free(list);
    return complete(w) ||
           err_set(e, ERR_NOT_FOUND, "%s is not in the catalog any more", w->out->version);
}

static void name_artifact(struct wire_artifact *out, const char *version, const char *sha256) {
    memcpy(out->version, version, sizeof out->version);
    memcpy(out->sha256, sha256, sizeof out->sha256);
}

static void describe_self(const struct agent_self_view *v, struct wire_desired_self *out) {
    name_artifact(&out->target, v->version, v->sha256);
    name_artifact(&out->prefetch, v->staged_version, v->staged_sha256);
    out->grant = v->grant;
}

static void describe_log(struct log_fetch *log, struct wire_log_request *out) {
    out->request_id = log->wanted;
    out->max_bytes = log->max_bytes;
    memcpy(out->node_id, log->node_id, sizeof out->node_id);
    log->told = log->wanted;
}

/* Everything that memory knows; the artifact's details come from the catalog afterwards. */
static void describe(struct agent *agent, struct wire_desired *out) {
    const struct agent_view *v = &agent->view;
    snprintf(out->type, sizeof out->type, "desired");
    out->generation = v->generation;
    memcpy(out->mode, v->mode, sizeof out->mode);
    memcpy(out->version, v->desired_version, sizeof out->version);
    memcpy(out->sha256, v->desired_sha256, sizeof out->sha256);
    text_cut(out->reason, sizeof out->reason, text_or_empty(v->desired_reason));
    if (v->conflict != NULL)
        snprintf(out->hold, sizeof out->hold,
                 "%.120s: gridctl agent approve %s once one of them is gone", v->conflict, v->id);
    out->grant = v->grant;
    name_artifact(&out->prefetch, v->staged_version, v->staged_sha256);
    describe_self(&v->self, &out->self);
    copy_orders(agent, out);
    if (agent->log != NULL) describe_log(agent->log, &out->log);
    agent->leave_told = agent->leave_edition;
}

/* What nodes run has its details in the message itself. */
static void take_target(struct wire_artifact *target, struct wire_desired *out) {
    if (target->version[0] != '\0') snprintf(out->name, sizeof out->name, ARTIFACT_DEFAULT_NAME);
    memcpy(out->file, target->file, sizeof out->file);
    out->size_bytes = target->size_bytes;
    out->signature = TAKE(target->signature);
}

/* Without its details it cannot be fetched: the rollout waits, the rest of the message does not. */
static void leave_out(const char *id, const struct wanted *w, const struct err *e) {
    log_warn("agents.no_prefetch", "agent=%s name=%s version=%s error=%s", id, w->artifact,
             w->out->version, e->text);
    *w->out = (struct wire_artifact){.signature = NULL};
}

/* What the agent ran before it joined may be in no catalog: its own store has it. */
static bool find_details(struct agents *a, const struct agent_view *where,
                         const struct wanted wanted[], struct err *e) {
    for (int i = 0; i < WANTED_COUNT; i++) {
        const struct wanted *w = &wanted[i];
        bool own = strcmp(w->artifact, ARTIFACT_AGENT_NAME) == 0;
        if (complete(w) || find_artifact(a, where->platform, where->arch, w, e)) continue;
        if (e->code != ERR_NOT_FOUND || !(own || w->ahead)) return false;
        if (w->ahead) leave_out(where->id, w, e);
    }
    return true;
}

bool agents_desired(struct agents *a, const char *id, struct wire_desired *out, int64_t *edition,
                    struct err *e) {
    struct agent_view where;
    struct wire_artifact target = {.signature = NULL};
    const struct wanted wanted[WANTED_COUNT] = {
        {ARTIFACT_DEFAULT_NAME, &target,             false},
        {ARTIFACT_DEFAULT_NAME, &out->prefetch,      true },
        {ARTIFACT_AGENT_NAME,   &out->self.target,   false},
        {ARTIFACT_AGENT_NAME,   &out->self.prefetch, true }
    };
    *out = (struct wire_desired){0};
    pthread_mutex_lock(&a->lock);
    struct agent *agent = agents_get(a, id);
    if (agent != NULL) {
        describe(agent, out);
        *edition = agent->leave_edition;
        name_artifact(&target, out->version, out->sha256);
        for (int i = 0; i < WANTED_COUNT; i++) describe_offer(a, &wanted[i]);
        memcpy(where.platform, agent->view.platform, sizeof where.platform);
        memcpy(where.id, agent->view.id, sizeof where.id);
        memcpy(where.arch, agent->view.arch, sizeof where.arch);
    }
    pthread_mutex_unlock(&a->lock);
    if (agent == NULL) return agents_unknown(e, id);
    bool found = find_details(a, &where, wanted, e);
    take_target(&target, out);
    if (found) return true;
    json_clear(&wire_desired_schema, out);
    return false;
}

void agents_tell(struct agents *a, const char *id) {
    a->options.desired_changed(a->options.context, &id, 1);
}

bool agents_news(struct agents *a, const char *id, int64_t generation) {
    pthread_mutex_lock(&a->lock);
    const struct agent *agent = agents_get(a, id);
    bool news = agent == NULL || agent->view.generation != generation ||
                (agent->log != NULL && agent->log->wanted > agent->log->told) ||
                agent->leave_edition > agent->leave_told;
    pthread_mutex_unlock(&a->lock);
    return news;
}

static struct timespec deadline_after(int64_t timeout_ms) {
    int64_t at = clock_monotonic_ms() + timeout_ms;
    return (struct timespec){.tv_sec = at / 1000, .tv_nsec = (at % 1000) * 1000000};
}

/* Under the lock. A later request for the same agent replaces this one: its answer serves both only
 * when it is for the same node. */
static int64_t ask(struct agents *a, struct agent *agent, const char *node_id, int64_t max_bytes) {
    if (agent->log == NULL) agent->log = memory_zeroed(1, sizeof *agent->log);
    agent->log->wanted = ++a->next_log_request;
    agent->log->max_bytes = max_bytes;
    snprintf(agent->log->node_id, sizeof agent->log->node_id, "%s", node_id);
    return agent->log->wanted;
}

static bool wait_for_log(struct agents *a, const char *id, const char *node_id, int64_t request,
                         int64_t timeout_ms, struct text *out, struct err *e) {
    const struct timespec until = deadline_after(timeout_ms);
    for (;;) {
        const struct agent *agent = agents_get(a, id);
        if (agent == NULL) return agents_unknown(e, id);
        const struct log_fetch *log = agent->log; /* NULL: removed, and enrolled anew */
        if (log != NULL && log->answered >= request && strcmp(log->node_id, node_id) == 0) {
            text_add(out, text_or_empty(log->words));
            return true;
        }
        if (a->stopping) return err_set(e, ERR_UNAVAILABLE, "the master is stopping");
        if (pthread_cond_timedwait(&a->log_arrived, &a->lock, &until) == ETIMEDOUT)
            return err_set(e, ERR_TIMEOUT, "agent %s did not send its log within %" PRId64 " s", id,
                           timeout_ms / 1000);
    }
}

static bool check_reachable(const struct agent *agent, const char *id, struct err *e) {
    if (agent == NULL) return agents_unknown(e, id);
    if (agent->view.status == AGENT_UP) return true;
    err_set(e, ERR_CONFLICT, "agent %s is %s: its log cannot be fetched", id,
            agent_status_name(agent->view.status));
    return err_hint(e, "look on the machine itself, below the agent's state directory");
}

bool agents_fetch_log(struct agents *a, const char *agent_id, const char *node_id,
                      int64_t max_bytes, int64_t timeout_ms, struct text *out, struct err *e) {
    pthread_mutex_lock(&a->lock);
    struct agent *agent = agents_get(a, agent_id);
    bool asked = check_reachable(agent, agent_id, e);
    int64_t request = asked ? ask(a, agent, node_id, max_bytes) : 0;
    pthread_mutex_unlock(&a->lock);
    if (!asked) return false;
    agents_tell(a, agent_id);
    pthread_mutex_lock(&a->lock);
    bool arrived = wait_for_log(a, agent_id, node_id, request, timeout_ms, out, e);
    pthread_mutex_unlock(&a->lock);
    return arrived;
}
