/* Desired artifacts: the pure choice of desired.h for every agent, made durable. */
#include "master/agents_internal.h"

#include "master/channels.h"

#include <stdio.h>
#include <string.h>

struct refresh {
    const char *id; /* NULL: all agents */
    struct channel *channels;
    size_t channel_count;
    struct binary *binaries;
    size_t binary_count;
    struct agent_row *rows; /* as read */
    size_t count;
    bool *changed;
};

static void keep_row(struct agent_row *row, void *argument) {
    struct refresh *r = argument;
    r->rows = memory_resize(r->rows, r->count + 1, sizeof *r->rows);
    r->rows[r->count++] = *row;
    *row = (struct agent_row){0};
}

static void choose(const struct refresh *r, const struct agent_view *v,
                   struct desired_choice *out) {
    const struct desired_inputs in = {.artifact = CATALOG_DEFAULT_NAME,
                                      .channel = v->channel,
                                      .platform = v->platform,
                                      .arch = v->arch,
                                      .channels = r->channels,
                                      .channel_count = r->channel_count,
                                      .binaries = r->binaries,
                                      .binary_count = r->binary_count};
    desired_choose(&in, out);
}

/* Persists a choice that differs; the row then says what was committed. */
static bool refresh_row(struct db_connection *c, struct refresh *r, size_t index, struct err *e) {
    struct agent_view *v = &r->rows[index].view;
    struct desired_choice choice;
    choose(r, v, &choice);
    const char *version = choice.binary != NULL ? choice.binary->id.version : "";
    const char *sha256 = choice.binary != NULL ? choice.binary->sha256 : "";
    v->desired_rule = choice.rule;
    memcpy(v->desired_reason, choice.reason, sizeof v->desired_reason);
    if (strcmp(v->desired_sha256, sha256) == 0 && strcmp(v->desired_version, version) == 0)
        return true;
    if (!db_exec(c, Q_AGENT_SET_DESIRED, e, "sss", v->id, version, sha256)) return false;
    snprintf(v->desired_version, sizeof v->desired_version, "%s", version);
    snprintf(v->desired_sha256, sizeof v->desired_sha256, "%s", sha256);
    v->generation++;
    r->changed[index] = true;
    return true;
}

static bool refresh_rows(struct db_connection *c, void *argument, struct err *e) {
    struct refresh *r = argument;
    if (!channels_read(c, &r->channels, &r->channel_count, e) ||
        !catalog_read(c, NULL, NULL, NULL, NULL, &r->binaries, &r->binary_count, e) ||
        !agent_rows_read(c, r->id, keep_row, r, e))
        return false;
    r->changed = memory_zeroed(r->count + 1, sizeof *r->changed);
    for (size_t i = 0; i < r->count; i++)
        if (!refresh_row(c, r, i, e)) return false;
    return true;
}

/* The reason may change where the artifact did not ("points to no version" after another name was
 * published). */
static void take_reason(struct agents *a, const struct agent_view *v) {
    pthread_mutex_lock(&a->lock);
    struct agent *agent = agents_get(a, v->id);
    if (agent != NULL && agent->view.generation <= v->generation) {
        agent->view.desired_rule = v->desired_rule;
        memcpy(agent->view.desired_reason, v->desired_reason, sizeof agent->view.desired_reason);
    }
    pthread_mutex_unlock(&a->lock);
}

static void take_rows(struct agents *a, struct refresh *r) {
    for (size_t i = 0; i < r->count; i++) {
        char id[WIRE_AGENT_ID_SIZE];
        memcpy(id, r->rows[i].view.id, sizeof id);
        take_reason(a, &r->rows[i].view);
        if (r->changed[i] && agents_take_row(a, &r->rows[i]))
            a->options.desired_changed(a->options.context, id);
    }
}

static bool refresh(struct agents *a, const char *id, struct err *e) {
    struct refresh r = {.id = id};
    bool done = db_write(a->options.db, refresh_rows, &r, e);
    if (done) take_rows(a, &r);
    for (size_t i = 0; i < r.count; i++) agent_row_clear(&r.rows[i]);
    free(r.rows);
    free(r.changed);
    free(r.channels);
    free(r.binaries);
    return done || err_wrap(e, "refresh desired versions");
}

bool agents_refresh(struct agents *a, struct err *e) {
    return refresh(a, NULL, e);
}

bool agents_refresh_one(struct agents *a, const char *id, struct err *e) {
    return refresh(a, id, e);
}
