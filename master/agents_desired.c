/* What an agent is told: its desired state as a message, and live requests for logs that ride on
 * it. */
#include "master/agents_internal.h"

#include "lib/artifact.h"
#include "lib/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void copy_orders(const struct agent *agent, struct wire_desired *out) {
    out->nodes = memory_zeroed(agent->order_count + 1, sizeof *out->nodes);
    out->nodes_count = agent->order_count;
    for (size_t i = 0; i < agent->order_count; i++) out->nodes[i] = agent->orders[i];
}

/* Everything that memory knows; the artifact's details come from the catalog afterwards. */
static void describe(struct agent *agent, struct wire_desired *out) {
    const struct agent_view *v = &agent->view;
    snprintf(out->type, sizeof out->type, "desired");
    out->generation = v->generation;
    memcpy(out->mode, v->mode, sizeof out->mode);
    memcpy(out->version, v->desired_version, sizeof out->version);
    memcpy(out->sha256, v->desired_sha256, sizeof out->sha256);
    memcpy(out->reason, v->desired_reason, sizeof out->reason);
    copy_orders(agent, out);
    out->log.request_id = agent->log.wanted;
    out->log.max_bytes = agent->log.max_bytes;
    memcpy(out->log.node_id, agent->log.node_id, sizeof out->log.node_id);
    agent->log.told = agent->log.wanted;
}

static void describe_artifact(const struct binary *b, struct wire_desired *out) {
    snprintf(out->name, sizeof out->name, "%s", b->id.name);
    artifact_file_name(&b->id, out->file);
    out->size_bytes = b->size_bytes;
    out->signature = text_duplicate(b->signature);
}

/* Under the lock: the details from what the last refresh chose. False when the agent's row says
 * something else, as it may for a moment. */
static bool describe_choice(const struct agents *a, const struct agent_view *v,
                            struct wire_desired *out) {
    const struct desired_group *g = desired_group_find(a->groups, v->channel, v->platform, v->arch);
    if (g == NULL || g->binary == NULL || strcmp(g->binary->sha256, out->sha256) != 0 ||
        strcmp(g->binary->id.version, out->version) != 0)
        return false;
    describe_artifact(g->binary, out);
    return true;
}

/* The row is chosen by digest, since the machine may be served by an "any" build. */
static bool find_artifact(struct agents *a, const char *platform, const char *arch,
                          struct wire_desired *out, struct err *e) {
    struct binary *list = NULL;
    size_t count = 0;
    if (!catalog_list(a->options.catalog, ARTIFACT_DEFAULT_NAME, NULL, NULL, out->version, &list,
                      &count, e))
        return false;
    const struct binary *b =
        catalog_choose(list, count, ARTIFACT_DEFAULT_NAME, out->version, platform, arch);
    bool found = b != NULL && strcmp(b->sha256, out->sha256) == 0;
    if (found) describe_artifact(b, out);
    free(list);
    return found || err_set(e, ERR_NOT_FOUND, "%s is not in the catalog any more", out->version);
}

bool agents_desired(struct agents *a, const char *id, struct wire_desired *out, struct err *e) {
    char platform[PLATFORM_SIZE], arch[PLATFORM_SIZE];
    bool complete = false;
    *out = (struct wire_desired){0};
    pthread_mutex_lock(&a->lock);
    struct agent *agent = agents_get(a, id);
    if (agent != NULL) {
        describe(agent, out);
        complete = out->version[0] == '\0' || describe_choice(a, &agent->view, out);
        memcpy(platform, agent->view.platform, sizeof platform);
        memcpy(arch, agent->view.arch, sizeof arch);
    }
    pthread_mutex_unlock(&a->lock);
    if (agent == NULL) return agents_unknown(e, id);
    if (complete || find_artifact(a, platform, arch, out, e)) return true;
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
                agent->log.wanted > agent->log.told;
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
    agent->log.wanted = ++a->next_log_request;
    agent->log.max_bytes = max_bytes;
    snprintf(agent->log.node_id, sizeof agent->log.node_id, "%s", node_id);
    return agent->log.wanted;
}

static bool wait_for_log(struct agents *a, const char *id, const char *node_id, int64_t request,
                         int64_t timeout_ms, struct text *out, struct err *e) {
    const struct timespec until = deadline_after(timeout_ms);
    for (;;) {
        struct agent *agent = agents_get(a, id);
        if (agent == NULL) return agents_unknown(e, id);
        if (agent->log.answered >= request && strcmp(agent->log.node_id, node_id) == 0) {
            text_add(out, agent->log.words != NULL ? agent->log.words : "");
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
