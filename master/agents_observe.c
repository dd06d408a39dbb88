/* What agents are: heartbeats and silence, in memory first, written behind in groups. */
#include "master/agents_internal.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "master/observe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool check_admitted(const struct agent *agent, const char *id, struct err *e) {
    if (agent == NULL) return agents_unknown(e, id);
    if (agent->view.admission == ADMISSION_REVOKED)
        return err_set(e, ERR_DENIED, "agent %s was revoked", id);
    if (agent->view.admission == ADMISSION_PENDING) {
        err_set(e, ERR_DENIED, "agent %s waits for approval", id);
        return err_hint(e, "an operator runs: gridctl agent approve %s", id);
    }
    return true;
}

static void take_log(struct agents *a, struct agent *agent, struct wire_heartbeat *report) {
    if (agent->log != NULL && report->log.request_id > agent->log->answered) {
        agent->log->answered = report->log.request_id;
        free(agent->log->words);
        agent->log->words = TAKE(report->log.words);
        pthread_cond_broadcast(&a->log_arrived);
    }
    free(report->log.words);
    report->log = (struct wire_log){0};
}

static void take_facts(struct agents *a, struct agent *agent, const struct wire_heartbeat *report,
                       const char *address) {
    struct agent_view *v = &agent->view;
    if (strcmp(v->reported_labels, report->labels != NULL ? report->labels : "") != 0) {
        free(v->reported_labels);
        v->reported_labels = text_duplicate(report->labels != NULL ? report->labels : "");
        agent_update_labels(v);
        a->mark++;
        agent->relabelled = agent->dirty = true;
    }
    snprintf(v->platform, sizeof v->platform, "%s", report->platform);
    snprintf(v->arch, sizeof v->arch, "%s", report->arch);
    snprintf(v->address, sizeof v->address, "%s", address);
}

static void take_report(struct agents *a, struct agent *agent, struct wire_heartbeat *report,
                        const char *address) {
    struct agent_view *v = &agent->view;
    struct observed_changes changes;
    observe_changes(&v->report, report, &changes);
    if (v->status != AGENT_UP) {
        v->status = AGENT_UP;
        v->stopped = false;
        changes.worth_writing = true;
        agents_add_event(a, "agent.up", v->id, "agent %s is up at %s", v->id, address);
    }
    for (size_t i = 0; i < changes.count; i++)
        agents_add_event(a, changes.events[i].kind, changes.events[i].subject, "%s",
                         changes.events[i].text);
    take_facts(a, agent, report, address);
    json_clear(&wire_heartbeat_schema, &v->report);
    v->report = *report;
    *report = (struct wire_heartbeat){0};
    agent->dirty |= changes.worth_writing;
}

bool agents_observe(struct agents *a, struct wire_heartbeat *report, const char *address,
                    int64_t now_ms, int64_t now_wall_ms, struct err *e) {
    pthread_mutex_lock(&a->lock);
    struct agent *agent = agents_get(a, report->agent_id);
    bool admitted = check_admitted(agent, report->agent_id, e);
    if (admitted) {
        agent->seen_ms = now_ms;
        agent->view.last_seen_at_ms = now_wall_ms;
        agent->view.clock_offset_ms = report->clock_ms > 0 ? report->clock_ms - now_wall_ms : 0;
        report->clock_ms = 0; /* nothing to keep */
        take_log(a, agent, report);
        take_report(a, agent, report, address);
    }
    pthread_mutex_unlock(&a->lock);
    return admitted;
}

void agents_stopped(struct agents *a, const char *id) {
    pthread_mutex_lock(&a->lock);
    struct agent *agent = agents_get(a, id);
    if (agent != NULL && (agent->view.status == AGENT_UP || agent->view.status == AGENT_SUSPECT)) {
        agent->view.status = AGENT_LOST;
        agent->view.stopped = true;
        agent->dirty = true;
        agents_add_event(a, "agent.stopped", id, "agent %s was stopped", id);
    }
    pthread_mutex_unlock(&a->lock);
}

static void judge_silence(struct agents *a, struct agent *agent, int64_t now_ms) {
    struct agent_view *v = &agent->view;
    int64_t silent_ms = now_ms - agent->seen_ms;
    enum agent_status next = v->status;
    if ((v->status == AGENT_UP || v->status == AGENT_SUSPECT) && silent_ms >= a->options.lost_ms)
        next = AGENT_LOST;
    else if (v->status == AGENT_UP && silent_ms >= a->options.suspect_ms)
        next = AGENT_SUSPECT;
    if (next == v->status) return;
    v->status = next;
    agent->dirty = true;
    agents_add_event(a, next == AGENT_LOST ? "agent.lost" : "agent.suspect", v->id,
                     "agent %s was last heard of %" PRId64 " s ago", v->id, silent_ms / 1000);
}

void agents_tick(struct agents *a, int64_t now_ms) {
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->count; i++) judge_silence(a, a->sorted[i], now_ms);
    pthread_mutex_unlock(&a->lock);
}

struct observed_row {
    char id[WIRE_AGENT_ID_SIZE];
    char *labels;
    char platform[PLATFORM_SIZE], arch[PLATFORM_SIZE], address[BUS_ADDRESS_SIZE];
    int64_t last_seen_at_ms;
    const char *status;
    char *report;
    bool relabelled;
};

struct flush {
    struct observed_row *rows;
    size_t count;
    struct pending_event *events, **events_end;
    size_t event_count;
};

static void copy_row(struct flush *f, const struct agent_view *v) {
    f->rows = memory_resize(f->rows, f->count + 1, sizeof *f->rows);
    struct observed_row *row = &f->rows[f->count++];
    OWN_TEXT struct text report = TEXT_EMPTY;
    if (v->report.agent_id[0] != '\0') json_encode(&wire_heartbeat_schema, &v->report, &report);
    *row = (struct observed_row){.labels = text_duplicate(v->reported_labels),
                                 .last_seen_at_ms = v->last_seen_at_ms,
                                 .status = agent_status_name(v->status),
                                 .report = text_take(&report)};
    memcpy(row->id, v->id, sizeof row->id);
    memcpy(row->platform, v->platform, sizeof row->platform);
    memcpy(row->arch, v->arch, sizeof row->arch);
    memcpy(row->address, v->address, sizeof row->address);
}

static void collect(struct agents *a, struct flush *f) {
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->count; i++) {
        struct agent *agent = a->sorted[i];
        if (!agent->dirty) continue;
        copy_row(f, &agent->view);
        f->rows[f->count - 1].relabelled = agent->relabelled;
        agent->dirty = agent->relabelled = false;
    }
    f->events = TAKE(a->events);
    f->events_end = f->events != NULL ? a->events_end : &f->events;
    f->event_count = a->event_count;
    a->events_end = &a->events;
    a->event_count = 0;
    pthread_mutex_unlock(&a->lock);
}

static bool write_flush(struct db_connection *c, void *argument, struct err *e) {
    const struct flush *f = argument;
    for (size_t i = 0; i < f->count; i++) {
        const struct observed_row *r = &f->rows[i];
        if (!db_exec(c, Q_AGENT_SET_MACHINE, e, "sssss", r->id, r->labels, r->platform, r->arch,
                     r->address) ||
            !db_exec(c, Q_AGENT_SET_SEEN, e, "siss", r->id, r->last_seen_at_ms, r->status,
                     r->report))
            return false;
    }
    for (const struct pending_event *event = f->events; event != NULL; event = event->next)
        if (!events_add(c, e, event->kind, event->subject, "", NULL, "%s", event->text))
            return false;
    return true;
}

/* What could not be written goes back to the front and is tried with the next flush. */
static void put_back(struct agents *a, struct flush *f) {
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < f->count; i++) {
        struct agent *agent = agents_get(a, f->rows[i].id);
        if (agent == NULL) continue;
        agent->dirty = true;
        agent->relabelled |= f->rows[i].relabelled;
    }
    if (f->events != NULL) {
        *f->events_end = a->events;
        if (a->events == NULL) a->events_end = f->events_end;
        a->events = TAKE(f->events);
        a->event_count += f->event_count;
    }
    pthread_mutex_unlock(&a->lock);
}

static void flush_clear(struct flush *f) {
    for (size_t i = 0; i < f->count; i++) {
        free(f->rows[i].labels);
        free(f->rows[i].report);
    }
    free(f->rows);
    for (struct pending_event *event = f->events; event != NULL;) {
        struct pending_event *next = event->next;
        free(event);
        event = next;
    }
}

static bool refresh_relabelled(struct agents *a, const struct flush *f, struct err *e) {
    for (size_t i = 0; i < f->count; i++)
        if (f->rows[i].relabelled && !agents_refresh_one(a, f->rows[i].id, e)) return false;
    return true;
}

bool agents_flush(struct agents *a, struct err *e) {
    struct flush f = {0};
    collect(a, &f);
    bool anything = f.count > 0 || f.events != NULL;
    bool written = !anything || db_write(a->options.db, write_flush, &f, e);
    if (!written)
        put_back(a, &f);
    else if (anything)
        events_announce(a->options.events);
    written = written && refresh_relabelled(a, &f, e);
    flush_clear(&f);
    return written;
}
