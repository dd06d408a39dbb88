/* The registry: one array of agents sorted by id. */
#include "master/agents_internal.h"

#include "lib/clock.h"
#include "lib/condition.h"
#include "lib/labels.h"
#include "master/repo.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PENDING_EVENTS_MAX 50000

const char *agent_status_name(enum agent_status status) {
    static const char *const names[AGENT_STATUS_COUNT] = {"pending", "up", "suspect", "lost",
                                                          "revoked"};
    assert((unsigned)status < AGENT_STATUS_COUNT);
    return names[status];
}

bool agents_unknown(struct err *e, const char *id) {
    err_set(e, ERR_NOT_FOUND, "no agent %s", id);
    return err_hint(e, "gridctl agent list shows the agents");
}

void agent_view_clear(struct agent_view *view) {
    free(view->reported_labels);
    free(view->assigned_labels);
    free(view->labels);
    free(view->desired_reason);
    free(view->conflict);
    json_clear(&wire_heartbeat_schema, &view->report);
    *view = (struct agent_view){0};
}

void agent_row_clear(struct agent_row *row) {
    agent_view_clear(&row->view);
    free(row->orders);
    *row = (struct agent_row){0};
}

static void agent_free(struct agent *agent) {
    agent_view_clear(&agent->view);
    free(agent->orders);
    if (agent->log != NULL) free(agent->log->words);
    free(agent->log);
    instances_forget(&agent->instances);
    free(agent);
}

void agent_update_labels(struct agent_view *view) {
    OWN_TEXT struct text all = TEXT_EMPTY;
    text_add(&all, view->reported_labels != NULL ? view->reported_labels : "");
    char key[LABEL_PART_SIZE], value[LABEL_PART_SIZE];
    for (const char *cursor = view->assigned_labels;
         cursor != NULL && labels_next(&cursor, key, value);) {
        OWN_TEXT struct text next = TEXT_EMPTY;
        if (!labels_with(text_value(&all), key, value, &next, NULL))
            continue; /* more than LABELS_MAX together: the reported ones stay */
        text_clear(&all);
        text_add(&all, text_value(&next));
    }
    free(view->labels);
    view->labels = text_take(&all);
}

static int64_t random_edition(void) {
    uint32_t high, low;
    random_bytes(&high, sizeof high);
    random_bytes(&low, sizeof low);
    return ((int64_t)(high & 0xFFFF) << 32 | low) + 1;
}

static void stamp(struct wire_grant *grant, int64_t edition) {
    grant->edition = grant->rollout[0] != '\0' ? edition : 0;
}

void agent_stamp_leave(struct agent *agent) {
    stamp(&agent->view.grant, agent->leave_edition);
    stamp(&agent->view.self.grant, agent->leave_edition);
}

void agent_count_leave(struct agent *agent) {
    agent->leave_edition++;
    agent_stamp_leave(agent);
}

/* Where id is, or where it would be inserted. */
static size_t position(const struct agents *a, const char *id, bool *found) {
    size_t low = 0, high = a->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(a->sorted[middle]->view.id, id);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = false;
    return low;
}

struct agent *agents_get(struct agents *a, const char *id) {
    bool found = false;
    size_t at = position(a, id, &found);
    return found ? a->sorted[at] : NULL;
}

static struct agent *insert(struct agents *a, const char *id) {
    bool found = false;
    size_t at = position(a, id, &found);
    assert(!found);
    a->sorted = memory_resize(a->sorted, a->count + 1, sizeof *a->sorted);
    memmove(&a->sorted[at + 1], &a->sorted[at], (a->count - at) * sizeof *a->sorted);
    a->count++;
    struct agent *agent = memory_zeroed(1, sizeof *agent);
    agent->leave_edition = agent->leave_told = random_edition();
    return a->sorted[at] = agent;
}

static void take_out(struct agents *a, const char *id) {
    bool found = false;
    size_t at = position(a, id, &found);
    if (!found) return;
    agent_free(a->sorted[at]);
    a->count--;
    memmove(&a->sorted[at], &a->sorted[at + 1], (a->count - at) * sizeof *a->sorted);
}

/* Only the half that operations change; what heartbeats brought stays. */
static void take_desired_half(struct agent_view *v, struct agent_view *from) {
    v->public_key = from->public_key;
    v->admission = from->admission;
    if (from->admission == ADMISSION_PENDING)
        v->status = AGENT_PENDING;
    else if (from->admission == ADMISSION_REVOKED)
        v->status = AGENT_REVOKED;
    else if (v->status == AGENT_PENDING || v->status == AGENT_REVOKED)
        v->status = AGENT_LOST;
    memcpy(v->mode, from->mode, sizeof v->mode);
    memcpy(v->channel, from->channel, sizeof v->channel);
    v->generation = from->generation;
    memcpy(v->desired_version, from->desired_version, sizeof v->desired_version);
    memcpy(v->desired_sha256, from->desired_sha256, sizeof v->desired_sha256);
    memcpy(v->pin, from->pin, sizeof v->pin);
    free(v->conflict);
    v->conflict = TAKE(from->conflict);
    memcpy(v->self.version, from->self.version, sizeof v->self.version);
    memcpy(v->self.sha256, from->self.sha256, sizeof v->self.sha256);
    free(v->assigned_labels);
    v->assigned_labels = TAKE(from->assigned_labels);
}

bool agents_take_row(struct agents *a, struct agent_row *row) {
    pthread_mutex_lock(&a->lock);
    struct agent *agent = agents_get(a, row->view.id);
    bool is_new = agent == NULL, taken = is_new || agent->view.generation < row->view.generation;
    if (is_new) {
        agent = insert(a, row->view.id);
        agent->seen_ms = clock_monotonic_ms();
        agent->view = row->view;
        row->view = (struct agent_view){0};
    } else if (taken) {
        take_desired_half(&agent->view, &row->view);
    }
    if (taken) {
        free(agent->orders);
        agent->orders = TAKE(row->orders);
        agent->order_count = row->order_count;
        agent_update_labels(&agent->view);
        a->mark++;
    }
    pthread_mutex_unlock(&a->lock);
    agent_row_clear(row);
    return taken;
}

bool agents_open(struct agents **out, const struct agents_options *options, struct err *e) {
    OWN(agents) struct agents *a = memory_zeroed(1, sizeof *a);
    a->options = *options;
    a->events_end = &a->events;
    a->next_log_request = clock_wall_ms(); /* higher than what an earlier run gave out */
    pthread_mutex_init(&a->lock, NULL);
    condition_init(&a->log_arrived);
    if (!db_read(options->db, agents_load, a, e) || !agents_refresh(a, e))
        return err_wrap(e, "load agents");
    *out = TAKE(a);
    return true;
}

void agents_stop(struct agents *a) {
    pthread_mutex_lock(&a->lock);
    a->stopping = true;
    pthread_cond_broadcast(&a->log_arrived);
    pthread_mutex_unlock(&a->lock);
}

static void free_pending(struct pending_event *event) {
    while (event != NULL) {
        struct pending_event *next = event->next;
        free(event);
        event = next;
    }
}

void agents_close(struct agents *a) {
    for (size_t i = 0; i < a->count; i++) agent_free(a->sorted[i]);
    free(a->sorted);
    free_pending(a->events);
    offers_free(a->offers);
    pthread_cond_destroy(&a->log_arrived);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void agents_add_event(struct agents *a, const char *kind, const char *subject, const char *format,
                      ...) {
    if (a->event_count == PENDING_EVENTS_MAX)
        return; /* the database has been away for long; states are written all the same once it is
                   back */
    struct pending_event *event = memory_zeroed(1, sizeof *event);
    snprintf(event->kind, sizeof event->kind, "%s", kind);
    snprintf(event->subject, sizeof event->subject, "%s", subject);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(event->text, sizeof event->text, format, arguments);
    va_end(arguments);
    *a->events_end = event;
    a->events_end = &event->next;
    a->event_count++;
}

void agents_visit(struct agents *a, agent_visitor *visitor, void *argument) {
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->count; i++)
        if (!visitor(&a->sorted[i]->view, argument)) break;
    pthread_mutex_unlock(&a->lock);
}

#define CACHE_LINE 64

static void fetch_bytes(const void *from, size_t length) {
    for (size_t at = 0; at < length; at += CACHE_LINE) __builtin_prefetch((const char *)from + at);
}

/* Agents and their parts lie far apart in memory: half of a list's time went to waiting for one
 * after the other. So the second next is on its way while this one is told of, and the parts of the
 * next one. */
static void fetch_ahead(const struct agents *a, size_t next) {
    if (next + 1 < a->count) fetch_bytes(&a->sorted[next + 1]->view, sizeof a->sorted[0]->view);
    if (next >= a->count) return;
    const struct agent_view *v = &a->sorted[next]->view;
    if (v->report.nodes_count > 0) fetch_bytes(v->report.nodes, sizeof *v->report.nodes);
    __builtin_prefetch(v->labels);
    __builtin_prefetch(v->desired_reason);
}

/* The agent at *next, where it is when ids come in their order, or where it is found; *next goes
 * behind it. NULL when unknown. */
static const struct agent *take_next(const struct agents *a, const char *id, size_t *next) {
    bool found = *next < a->count && strcmp(a->sorted[*next]->view.id, id) == 0;
    size_t at = found ? *next : position(a, id, &found);
    *next = at + found;
    fetch_ahead(a, *next);
    return found ? a->sorted[at] : NULL;
}

void agents_visit_these(struct agents *a, const char *const *ids, size_t count,
                        agent_visitor *visitor, void *argument) {
    size_t next = 0;
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < count; i++) {
        const struct agent *agent = take_next(a, ids[i], &next);
        if (agent != NULL && !visitor(&agent->view, argument)) break;
    }
    pthread_mutex_unlock(&a->lock);
}

bool agents_visit_one(struct agents *a, const char *id, agent_visitor *visitor, void *argument,
                      struct err *e) {
    pthread_mutex_lock(&a->lock);
    const struct agent *agent = agents_get(a, id);
    if (agent != NULL) visitor(&agent->view, argument);
    pthread_mutex_unlock(&a->lock);
    return agent != NULL || agents_unknown(e, id);
}

const char *const agents_node_states[AGENTS_NODE_STATES] = {"starting", "healthy", "unhealthy",
                                                            "backoff",  "stopped", "draining"};

static void count_version(struct agents_summary *s, const char *version) {
    size_t i = 0;
    while (i < s->version_count && strcmp(s->versions[i].version, version) != 0) i++;
    if (*version == '\0' || i == AGENTS_VERSIONS_MAX) return;
    if (i == s->version_count) {
        snprintf(s->versions[i].version, sizeof s->versions[i].version, "%s", version);
        s->version_count++;
    }
    s->versions[i].agents++;
}

/* Nodes of machines that are gone are not counted: nobody knows their state. */
static void count_nodes(struct agents_summary *s, const struct wire_heartbeat *report) {
    for (size_t i = 0; i < report->nodes_count; i++) {
        for (size_t state = 0; state < AGENTS_NODE_STATES; state++)
            if (strcmp(report->nodes[i].state, agents_node_states[state]) == 0)
                s->node_state[state]++;
        s->capacity_bytes += report->nodes[i].capacity_bytes;
        s->free_bytes += report->nodes[i].free_bytes;
    }
}

struct summarizing {
    const char *selector;
    struct agents_summary *out;
};

static bool summarize_agent(const struct agent_view *v, void *argument) {
    const struct summarizing *of = argument;
    struct agents_summary *s = of->out;
    if (!labels_match(v->labels, of->selector)) return true;
    s->status[v->status]++;
    if (v->status == AGENT_UP || v->status == AGENT_SUSPECT) {
        count_nodes(s, &v->report);
        count_version(s, v->report.version);
        s->failed_updates += strcmp(v->report.update.state, "failed") == 0;
        s->distrusting += v->report.trust.attack != NULL && v->report.trust.attack[0] != '\0';
    }
    return true;
}

void agents_summarize(struct agents *a, const char *selector, struct agents_summary *out) {
    struct summarizing of = {selector, out};
    *out = (struct agents_summary){0};
    agents_visit(a, summarize_agent, &of);
}

struct trusted {
    const struct repo_seen *most;
    struct repo_seen *out;
};

static void raise(int64_t *highest, int64_t claimed, int64_t most) {
    if (claimed > *highest && claimed <= most) *highest = claimed;
}

static bool take_trusted(const struct agent_view *v, void *argument) {
    const struct trusted *t = argument;
    const struct wire_trust *trust = &v->report.trust;
    if (v->admission != ADMISSION_ADMITTED) return true;
    raise(&t->out->root, trust->root, t->most->root);
    raise(&t->out->targets, trust->targets, t->most->targets);
    raise(&t->out->timestamp, trust->timestamp, t->most->timestamp);
    return true;
}

void agents_trusted(struct agents *a, const struct repo_seen *most, struct repo_seen *out) {
    struct trusted t = {most, out};
    *out = (struct repo_seen){0};
    agents_visit(a, take_trusted, &t);
}

struct holders {
    const char *sha256;
    char *out;
    size_t size;
    int count;
};

static bool uses(const struct agent_view *v, const char *sha256) {
    const char *const used[] = {v->desired_sha256, v->report.sha256,      v->staged_sha256,
                                v->self.sha256,    v->self.staged_sha256, v->report.self.sha256};
    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++)
        if (strcmp(used[i], sha256) == 0) return true;
    return false;
}

static bool find_holder(const struct agent_view *v, void *argument) {
    struct holders *h = argument;
    if (!uses(v, h->sha256)) return true;
    size_t used = strlen(h->out);
    snprintf(h->out + used, h->size - used, "%s%s", used > 0 ? ", " : "", v->id);
    return ++h->count < 5;
}

void agents_holding(struct agents *a, const char *sha256, char *out, size_t size) {
    struct holders h = {sha256, out, size, 0};
    out[0] = '\0';
    agents_visit(a, find_holder, &h);
}

bool agents_may_fetch(struct agents *a, const char *id, const char *sha256) {
    pthread_mutex_lock(&a->lock);
    const struct agent *agent = agents_get(a, id);
    bool may =
        agent != NULL && agent->view.admission == ADMISSION_ADMITTED && uses(&agent->view, sha256);
    pthread_mutex_unlock(&a->lock);
    return may;
}

int64_t agents_mark(struct agents *a) {
    pthread_mutex_lock(&a->lock);
    int64_t mark = a->mark;
    pthread_mutex_unlock(&a->lock);
    return mark;
}

struct channel_count {
    const char *channel, *selector;
    int64_t agents;
};

static bool count_follower(const struct agent_view *v, void *argument) {
    struct channel_count *c = argument;
    c->agents += strcmp(v->channel, c->channel) == 0 && labels_match(v->labels, c->selector);
    return true;
}

int64_t agents_on_channel(struct agents *a, const char *channel, const char *selector) {
    struct channel_count c = {channel, selector, 0};
    agents_visit(a, count_follower, &c);
    return c.agents;
}

bool agents_identity(struct agents *a, const char *id, struct sign_public *key,
                     enum agent_admission *admission, struct err *e) {
    pthread_mutex_lock(&a->lock);
    const struct agent *agent = agents_get(a, id);
    if (agent != NULL) {
        *key = agent->view.public_key;
        *admission = agent->view.admission;
    }
    pthread_mutex_unlock(&a->lock);
    return agent != NULL || agents_unknown(e, id);
}

bool agents_remove(struct agents *a, const char *id, bool force, const char *principal,
                   struct err *e) {
    pthread_mutex_lock(&a->lock);
    const struct agent *agent = agents_get(a, id);
    bool up =
        agent != NULL && (agent->view.status == AGENT_UP || agent->view.status == AGENT_SUSPECT);
    pthread_mutex_unlock(&a->lock);
    if (up && !force) {
        err_set(e, ERR_CONFLICT,
                "agent %s is up: its nodes would run on without anybody looking after them", id);
        return err_hint(
            e, "stop it and wait until it is lost, or remove it now with --force (?force=true)");
    }
    if (!agent_row_delete(a, id, principal, e)) return false;
    pthread_mutex_lock(&a->lock);
    take_out(a, id);
    pthread_mutex_unlock(&a->lock);
    a->options.dismissed(a->options.context, id);
    events_announce(a->options.events);
    return true;
}
