/* The durable half of an agent: operations on its row. Each changes the row, raises its generation,
 * reads it back in the same transaction, and memory takes it after the commit. */
#include "master/agents_internal.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "master/audit.h"
#include "master/channels.h"
#include "master/tokens.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static enum agent_admission admission_parse(const char *name) {
    if (strcmp(name, "pending") == 0) return ADMISSION_PENDING;
    return strcmp(name, "revoked") == 0 ? ADMISSION_REVOKED : ADMISSION_ADMITTED;
}

static enum agent_status status_parse(const char *name) {
    if (strcmp(name, "up") == 0) return AGENT_UP;
    return strcmp(name, "suspect") == 0 ? AGENT_SUSPECT : AGENT_LOST;
}

static enum agent_status row_status(enum agent_admission admission, const char *stored) {
    if (admission == ADMISSION_PENDING) return AGENT_PENDING;
    return admission == ADMISSION_REVOKED ? AGENT_REVOKED : status_parse(stored);
}

/* The last report is a convenience: one that cannot be read any more counts as none. */
static void decode_report(const char *json, struct wire_heartbeat *out) {
    struct err e;
    if (*json != '\0' &&
        !json_decode(&wire_heartbeat_schema, json, strlen(json), JSON_IGNORE_UNKNOWN, out, &e))
        log_warn("agent.report_unreadable", "error=%s", e.text);
}

static bool take_agent(struct db_row *row, struct agent_row *out, struct err *e) {
    *out = (struct agent_row){0};
    struct agent_view *v = &out->view;
    snprintf(v->id, sizeof v->id, "%s", db_column_text(row, 0));
    v->admission = admission_parse(db_column_text(row, 2));
    v->reported_labels = text_duplicate(db_column_text(row, 3));
    v->assigned_labels = text_duplicate(db_column_text(row, 4));
    snprintf(v->channel, sizeof v->channel, "%s", db_column_text(row, 5));
    snprintf(v->mode, sizeof v->mode, "%s", db_column_text(row, 6));
    v->generation = db_column_int(row, 7);
    snprintf(v->desired_version, sizeof v->desired_version, "%s", db_column_text(row, 8));
    snprintf(v->desired_sha256, sizeof v->desired_sha256, "%s", db_column_text(row, 9));
    snprintf(v->platform, sizeof v->platform, "%s", db_column_text(row, 10));
    snprintf(v->arch, sizeof v->arch, "%s", db_column_text(row, 11));
    snprintf(v->address, sizeof v->address, "%s", db_column_text(row, 12));
    v->enrolled_at_ms = db_column_int(row, 13);
    v->last_seen_at_ms = db_column_int(row, 14);
    v->status = row_status(v->admission, db_column_text(row, 15));
    decode_report(db_column_text(row, 16), &v->report);
    snprintf(v->pin, sizeof v->pin, "%s", db_column_text(row, 17));
    snprintf(v->self.version, sizeof v->self.version, "%s", db_column_text(row, 18));
    snprintf(v->self.sha256, sizeof v->self.sha256, "%s", db_column_text(row, 19));
    const char *conflict = db_column_text(row, 20);
    if (conflict[0] != '\0') v->conflict = text_duplicate(conflict);
    return sign_public_parse(db_column_text(row, 1), &v->public_key, e) ||
           err_wrap(e, "agent %s", v->id);
}

static void add_order(struct db_row *row, struct wire_node_order **orders, size_t *count) {
    *orders = memory_resize(*orders, *count + 1, sizeof **orders);
    struct wire_node_order *order = &(*orders)[(*count)++];
    snprintf(order->id, sizeof order->id, "%s", db_column_text(row, 0));
    order->restart_generation = db_column_int(row, 1);
}

static bool load_agent(struct db_row *row, void *argument, struct err *e) {
    struct agent_row loaded;
    bool read = take_agent(row, &loaded, e);
    if (read) agents_take_row(argument, &loaded);
    agent_row_clear(&loaded);
    return read;
}

static bool load_order(struct db_row *row, void *argument, struct err *e) {
    struct agents *a = argument;
    (void)e;
    pthread_mutex_lock(&a->lock);
    struct agent *agent = agents_get(a, db_column_text(row, 2));
    if (agent != NULL) add_order(row, &agent->orders, &agent->order_count);
    pthread_mutex_unlock(&a->lock);
    return true;
}

bool agents_load(struct db_connection *c, void *agents, struct err *e) {
    return db_query(c, Q_AGENT_LIST, load_agent, agents, e, "") &&
           db_query(c, Q_NODE_LIST, load_order, agents, e, "");
}

static bool read_agent(struct db_row *row, void *argument, struct err *e) {
    return take_agent(row, argument, e);
}

static bool read_order(struct db_row *row, void *argument, struct err *e) {
    struct agent_row *r = argument;
    (void)e;
    add_order(row, &r->orders, &r->order_count);
    return true;
}

bool agent_row_read(struct db_connection *c, const char *id, struct agent_row *out, struct err *e) {
    *out = (struct agent_row){0};
    if (db_query(c, Q_AGENT_FIND, read_agent, out, e, "s", id) &&
        (out->view.id[0] != '\0' || agents_unknown(e, id)) &&
        db_query(c, Q_NODE_OF_AGENT, read_order, out, e, "s", id))
        return true;
    agent_row_clear(out);
    return false;
}

struct row_change {
    const char *id;
    const char *principal;
    bool (*change)(struct db_connection *c, struct row_change *r,
                   struct err *e);  /* sees the row as it was */
    const char *value;              /* what change needs */
    const struct agent_change *all; /* the same for change_all */
    struct agent_row row;           /* before, then after */
};

static bool run_change(struct db_connection *c, void *argument, struct err *e) {
    struct row_change *r = argument;
    if (!agent_row_read(c, r->id, &r->row, e) || !r->change(c, r, e)) return false;
    agent_row_clear(&r->row);
    return agent_row_read(c, r->id, &r->row, e);
}

/* Runs the change, takes the new row into memory and tells the agent. */
static bool change_row(struct agents *a, struct row_change *r, struct err *e) {
    bool changed = db_write(a->options.db, run_change, r, e);
    if (changed) {
        agents_take_row(a, &r->row);
        agents_tell(a, r->id);
        events_announce(a->options.events);
    }
    agent_row_clear(&r->row);
    return changed;
}

/* Sets (value) or removes (NULL) one assigned label of labels in place. */
static bool apply_label(const struct row_change *r, struct text *labels, const char *key,
                        const char *value, struct err *e) {
    char present[LABEL_PART_SIZE];
    OWN_TEXT struct text next = TEXT_EMPTY;
    if (value == NULL && !labels_get(text_value(labels), key, present)) {
        if (!labels_get(r->row.view.reported_labels, key, present)) return true;
        err_set(e, ERR_CONFLICT, "label %s of agent %s comes from the agent's own configuration",
                key, r->id);
        return err_hint(e, "remove it there, or assign another value to override it");
    }
    if (!labels_with(text_value(labels), key, value, &next, e)) return false;
    text_clear(labels);
    text_add(labels, text_value(&next));
    return true;
}

static bool change_labels(struct db_connection *c, struct row_change *r, struct err *e) {
    OWN_TEXT struct text labels = TEXT_EMPTY;
    OWN_MEMORY char *lines = text_duplicate(r->value);
    char *position = lines;
    text_add(&labels, r->row.view.assigned_labels);
    for (char *key; (key = strsep(&position, "\n")) != NULL;) {
        char *value = strchr(key, '=');
        if (value != NULL) *value++ = '\0';
        if (*key != '\0' && !apply_label(r, &labels, key, value, e)) return false;
    }
    if (strcmp(text_value(&labels), r->row.view.assigned_labels) == 0) return true;
    return db_exec(c, Q_AGENT_SET_LABELS, e, "ss", r->id, text_value(&labels)) &&
           events_add_change(c, e, "agent.labelled", r->id, r->principal, NULL,
                             "agent %s has assigned labels \"%s\"", r->id, text_value(&labels));
}

static bool change_channel(struct db_connection *c, struct row_change *r, struct err *e) {
    if (strcmp(r->row.view.channel, r->value) == 0) return true;
    return db_exec(c, Q_AGENT_SET_CHANNEL, e, "ss", r->id, r->value) &&
           events_add_change(c, e, "agent.channel", r->id, r->principal, NULL,
                             "agent %s follows channel %s", r->id, r->value);
}

static bool set_pin(struct db_connection *c, struct row_change *r, const char *kind,
                    struct err *e) {
    bool pinned = r->value[0] != '\0';
    return db_exec(c, Q_AGENT_SET_PIN, e, "ss", r->id, r->value) &&
           events_add(c, e, kind, r->id, r->principal, NULL, "agent %s is %s%s", r->id,
                      pinned ? "pinned to " : "not pinned any more", r->value) &&
           audit_add_version(c, r->principal, audit_action_of(kind), r->id,
                             pinned ? r->value : r->row.view.pin, e);
}

static bool change_pin(struct db_connection *c, struct row_change *r, struct err *e) {
    if (strcmp(r->row.view.pin, r->value) == 0) return true;
    if (r->value[0] == '\0') return set_pin(c, r, "agent.unpinned", e);
    return channels_check_version(c, ARTIFACT_DEFAULT_NAME, r->value, e) &&
           set_pin(c, r, "agent.pinned", e);
}

static bool change_mode(struct db_connection *c, struct row_change *r, struct err *e) {
    if (strcmp(r->row.view.mode, r->value) == 0) return true;
    return db_exec(c, Q_AGENT_SET_MODE, e, "ss", r->id, r->value) &&
           events_add_change(c, e, "agent.mode", r->id, r->principal, NULL, "agent %s is %s", r->id,
                             r->value);
}

char *agent_tag(const struct agent_view *view, char out[AGENT_TAG_SIZE]) {
    snprintf(out, AGENT_TAG_SIZE, "%" PRId64 "-%" PRIx64, view->generation,
             (uint64_t)view->enrolled_at_ms);
    return out;
}

static bool check_tag(const struct row_change *r, struct err *e) {
    char now[AGENT_TAG_SIZE];
    if (r->all->tag == NULL || strcmp(r->all->tag, agent_tag(&r->row.view, now)) == 0) return true;
    err_set(e, ERR_PRECONDITION, "agent %s was changed since it was read", r->id);
    return err_hint(e, "read it again: its ETag is \"%s\" now", now);
}

static bool change_all(struct db_connection *c, struct row_change *r, struct err *e) {
    if (!check_tag(r, e)) return false;
    r->value = r->all->labels;
    if (r->value != NULL && !change_labels(c, r, e)) return false;
    r->value = r->all->channel;
    if (r->value != NULL && !change_channel(c, r, e)) return false;
    r->value = r->all->pin;
    if (r->value != NULL && !change_pin(c, r, e)) return false;
    r->value = r->all->mode;
    return r->value == NULL || change_mode(c, r, e);
}

static bool check_mode(const char *mode, struct err *e) {
    return mode == NULL || strcmp(mode, "active") == 0 || strcmp(mode, "draining") == 0 ||
           err_set(e, ERR_INVALID, "mode %s: active or draining", mode);
}

bool agents_change(struct agents *a, const char *id, const struct agent_change *change,
                   const char *principal, struct err *e) {
    struct row_change r = {.id = id, .principal = principal, .change = change_all, .all = change};
    if (change->channel != NULL && !channel_name_check(change->channel, e)) return false;
    if (!check_mode(change->mode, e)) return false;
    /* Labels choose as well: a rollout that is over may select the machine now. */
    return change_row(a, &r, e) && agents_refresh_one(a, id, e);
}

bool agents_set_labels(struct agents *a, const char *id, const char *changes, const char *principal,
                       struct err *e) {
    return agents_change(a, id, &(struct agent_change){.labels = changes}, principal, e);
}

bool agents_set_channel(struct agents *a, const char *id, const char *channel,
                        const char *principal, struct err *e) {
    return agents_change(a, id, &(struct agent_change){.channel = channel}, principal, e);
}

bool agents_set_mode(struct agents *a, const char *id, const char *mode, const char *principal,
                     struct err *e) {
    return agents_change(a, id, &(struct agent_change){.mode = mode}, principal, e);
}

static bool change_admission(struct db_connection *c, struct row_change *r, struct err *e) {
    const char *verb = strcmp(r->value, "revoked") == 0 ? "revoked" : "approved";
    char kind[32];
    if (r->row.view.admission == admission_parse(r->value)) return true;
    snprintf(kind, sizeof kind, "agent.%s", verb);
    return db_exec(c, Q_AGENT_SET_ADMISSION, e, "ss", r->id, r->value) &&
           events_add_change(c, e, kind, r->id, r->principal, NULL, "agent %s was %s", r->id, verb);
}

static bool change_conflict(struct db_connection *c, struct row_change *r, struct err *e) {
    bool over = r->value[0] == '\0';
    if (over == (r->row.view.conflict == NULL)) return true;
    const char *kind = over ? "agent.conflict_ended" : "agent.conflict";
    return db_exec(c, Q_AGENT_SET_CONFLICT, e, "ss", r->id, r->value) &&
           events_add(c, e, kind, r->id, r->principal, NULL,
                      over ? "agent %s speaks for one machine again%s" : "agent %s: %s", r->id,
                      r->value);
}

static bool change_approved(struct db_connection *c, struct row_change *r, struct err *e) {
    r->value = "admitted";
    if (!change_admission(c, r, e)) return false;
    r->value = "";
    return change_conflict(c, r, e);
}

/* Whoever speaks from now on is new: those that spoke before are no evidence any more. */
static void forget_instances(struct agents *a, const char *id) {
    pthread_mutex_lock(&a->lock);
    struct agent *agent = agents_get(a, id);
    if (agent != NULL) instances_forget(&agent->instances);
    pthread_mutex_unlock(&a->lock);
}

bool agents_approve(struct agents *a, const char *id, const char *principal, struct err *e) {
    struct row_change r = {.id = id, .principal = principal, .change = change_approved};
    if (!change_row(a, &r, e)) return false;
    forget_instances(a, id);
    return agents_refresh_one(a, id, e);
}

/* Under the lock. */
static void describe_conflict(const struct agent_view *v, const char *address, char *out,
                              size_t size) {
    bool apart = v->address[0] != '\0' && strcmp(v->address, address) != 0;
    snprintf(out, size, "two machines speak in its name, %s %s%s%s", apart ? "from" : "both from",
             apart ? v->address : address, apart ? " and " : "", apart ? address : "");
}

void agents_met(struct agents *a, const char *id, const char *instance, int64_t greeting,
                const char *address) {
    char words[192] = "";
    struct err e = {0};
    pthread_mutex_lock(&a->lock);
    struct agent *agent = agents_get(a, id);
    if (agent != NULL &&
        !instances_greet(&agent->instances, instance, greeting, clock_monotonic_ms()) &&
        agent->view.conflict == NULL)
        describe_conflict(&agent->view, address, words, sizeof words);
    pthread_mutex_unlock(&a->lock);
    if (words[0] == '\0') return;
    log_warn("agent.conflict", "id=%s words=%s", id, words);
    struct row_change r = {.id = id, .principal = "", .change = change_conflict, .value = words};
    if (!change_row(a, &r, &e)) log_error("agent.conflict_unwritten", "id=%s error=%s", id, e.text);
}

bool agents_revoke(struct agents *a, const char *id, const char *principal, struct err *e) {
    struct row_change r = {
        .id = id, .principal = principal, .change = change_admission, .value = "revoked"};
    if (!change_row(a, &r, e)) return false;
    a->options.dismissed(a->options.context, id);
    return true;
}

static int64_t reported_restarts(const struct wire_heartbeat *report, const char *node_id) {
    for (size_t i = 0; i < report->nodes_count; i++)
        if (strcmp(report->nodes[i].id, node_id) == 0) return report->nodes[i].restart_generation;
    return -1;
}

/* An order must exceed what the node carried out already, even when a restored database remembers
 * less. */
static bool change_restart(struct db_connection *c, struct row_change *r, struct err *e) {
    int64_t done = reported_restarts(&r->row.view.report, r->value);
    if (done < 0) {
        err_set(e, ERR_NOT_FOUND, "agent %s has no node %s", r->id, r->value);
        return err_hint(e, "gridctl node list shows the nodes");
    }
    return db_exec(c, Q_NODE_RESTART, e, "ssi", r->value, r->id, done + 1) &&
           db_exec(c, Q_AGENT_RAISE_GENERATION, e, "si", r->id, (int64_t)0) &&
           events_add_change(c, e, "node.restart_requested", r->value, r->principal, NULL,
                             "node %s is to restart", r->value);
}

bool agents_restart_node(struct agents *a, const char *node_id, const char *principal,
                         struct err *e) {
    char agent_id[WIRE_AGENT_ID_SIZE];
    size_t length = strcspn(node_id, "/");
    if (node_id[length] != '/' || length >= sizeof agent_id) {
        err_set(e, ERR_NOT_FOUND, "no node %s", node_id);
        return err_hint(e, "a node's id is AGENT/NUMBER; gridctl node list shows them");
    }
    snprintf(agent_id, sizeof agent_id, "%.*s", (int)length, node_id);
    struct row_change r = {
        .id = agent_id, .principal = principal, .change = change_restart, .value = node_id};
    return change_row(a, &r, e);
}

static bool change_generation(struct db_connection *c, struct row_change *r, struct err *e) {
    return db_exec(c, Q_AGENT_RAISE_GENERATION, e, "si", r->id, strtoll(r->value, NULL, 10));
}

static void tell_behind(struct agents *a, const char *id, int64_t ours, int64_t seen) {
    char words[320];
    pthread_mutex_lock(&a->lock);
    bool told = a->behind_told;
    a->behind_told = true;
    pthread_mutex_unlock(&a->lock);
    if (told) return;
    snprintf(words, sizeof words,
             "agents know a newer state than the database (%s generation %" PRId64
             ", here it is %" PRId64 "): was it restored from a backup?",
             id, seen, ours);
    events_record(a->options.events, "master.behind", "master", "", words);
}

/* Whoever has seen this generation may have seen it with another leave. */
static void forget_told(struct agent *agent) {
    if (agent->log != NULL) agent->log->told = 0;
    if (agent->view.grant.attempt > 0 || agent->view.self.grant.attempt > 0)
        agent_count_leave(agent);
}

bool agents_greet(struct agents *a, const char *id, int64_t seen_generation, struct err *e) {
    int64_t generation = 0;
    pthread_mutex_lock(&a->lock);
    struct agent *agent = agents_get(a, id);
    if (agent != NULL) generation = agent->view.generation;
    if (agent != NULL) forget_told(agent);
    pthread_mutex_unlock(&a->lock);
    if (agent == NULL) return agents_unknown(e, id);
    if (generation >= seen_generation) return true;
    char seen[24];
    snprintf(seen, sizeof seen, "%" PRId64, seen_generation);
    log_warn("agent.generation_raised", "id=%s seen=%s", id, seen);
    struct row_change r = {.id = id, .principal = "", .change = change_generation, .value = seen};
    if (!change_row(a, &r, e)) return false;
    tell_behind(a, id, generation, seen_generation);
    return true;
}

struct enrolling {
    const struct agent_enrollment *in;
    enum agent_admission admission;
    struct agent_row row;
};

static bool check_known_agent(const struct agent_view *known, const struct agent_enrollment *in,
                              struct err *e) {
    if (!sign_public_equal(&known->public_key, in->public_key)) {
        err_set(e, ERR_CONFLICT, "agent id %s is taken by another machine", in->id);
        return err_hint(
            e, "start the agent with another --id, or remove the old one: gridctl agent rm %s",
            in->id);
    }
    if (known->admission == ADMISSION_REVOKED)
        return err_set(e, ERR_DENIED, "agent %s was revoked", in->id);
    return true;
}

static bool write_enrollment(struct db_connection *c, struct enrolling *n, bool known,
                             struct err *e) {
    const struct agent_enrollment *in = n->in;
    char key[SIGN_PUBLIC_TEXT_SIZE], principal[64];
    OWN_MEMORY char *assigned = NULL;
    /* Who proves the known key may be asking again because the first answer was lost: the token is
     * used up then, and nothing is to be written. */
    if (!tokens_consume(c, in->token, clock_wall_ms(), &assigned, principal, e))
        return known && e->code == ERR_UNAUTHENTICATED;
    if (known)
        return db_exec(c, Q_AGENT_REENROLL, e, "ssssss", in->id, in->labels, assigned, in->platform,
                       in->arch, in->address);
    const char *admission = in->approve ? "pending" : "admitted";
    return db_exec(c, Q_AGENT_INSERT, e, "ssssssssi", in->id, sign_public_text(in->public_key, key),
                   admission, in->labels, assigned, in->platform, in->arch, in->address,
                   clock_wall_ms()) &&
           events_add_change(c, e, "agent.enrolled", in->id, principal, NULL,
                             "agent %s joined from %s (%s-%s)%s", in->id, in->address, in->platform,
                             in->arch, in->approve ? " and waits for approval" : "");
}

static bool enroll(struct db_connection *c, void *argument, struct err *e) {
    struct enrolling *n = argument;
    struct err why;
    bool known = agent_row_read(c, n->in->id, &n->row, &why);
    if (!known && why.code != ERR_NOT_FOUND) return *e = why, false;
    if (known && !check_known_agent(&n->row.view, n->in, e)) return false;
    agent_row_clear(&n->row);
    if (!write_enrollment(c, n, known, e) || !agent_row_read(c, n->in->id, &n->row, e))
        return false;
    n->admission = n->row.view.admission;
    return true;
}

bool agents_enroll(struct agents *a, const struct agent_enrollment *enrollment,
                   enum agent_admission *admission, struct err *e) {
    struct enrolling n = {.in = enrollment};
    bool enrolled = db_write(a->options.db, enroll, &n, e);
    if (enrolled) {
        agents_take_row(a, &n.row);
        *admission = n.admission;
        events_announce(a->options.events);
    }
    agent_row_clear(&n.row);
    return enrolled && agents_refresh_one(a, enrollment->id, e);
}

struct removal {
    const char *id, *principal;
};

static bool delete_agent(struct db_connection *c, void *argument, struct err *e) {
    const struct removal *r = argument;
    if (!db_exec(c, Q_AGENT_DELETE, e, "s", r->id)) return false;
    if (db_changed_rows(c) == 0) return agents_unknown(e, r->id);
    return events_add_change(c, e, "agent.removed", r->id, r->principal, NULL,
                             "agent %s was removed", r->id);
}

bool agent_row_delete(struct agents *a, const char *id, const char *principal, struct err *e) {
    struct removal r = {id, principal};
    return db_write(a->options.db, delete_agent, &r, e);
}
