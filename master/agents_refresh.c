/* Desired artifacts: the pure choice of desired.h for every agent, made durable. Agents that share
 * channel, platform and arch share the choice, so that a change for ten thousand is one pass. */
#include "master/agents_internal.h"

#include "lib/artifact.h"
#include "lib/log.h"
#include "master/channels.h"

#include <stdio.h>
#include <string.h>

/* An agent as the transaction read it. */
struct candidate {
    char id[WIRE_AGENT_ID_SIZE];
    int64_t generation; /* before the change */
    const struct desired_group *group;
    bool changed;
};

struct refresh {
    struct agents *agents;
    const char *id; /* NULL: all agents */
    struct channel *channels;
    size_t channel_count;
    struct binary *binaries;
    size_t binary_count;
    int64_t number;
    struct desired_group *groups;
    struct candidate *candidates;
    size_t count;
};

void desired_groups_free(struct desired_group *groups) {
    for (struct desired_group *g = groups, *next; g != NULL; g = next) {
        next = g->next;
        free(g->binary);
        free(g);
    }
}

const struct desired_group *desired_group_find(const struct desired_group *groups,
                                               const char *channel, const char *platform,
                                               const char *arch) {
    const struct desired_group *g = groups;
    while (g != NULL && (strcmp(g->channel, channel) != 0 || strcmp(g->platform, platform) != 0 ||
                         strcmp(g->arch, arch) != 0))
        g = g->next;
    return g;
}

static void choose(const struct refresh *r, struct desired_group *g) {
    const struct desired_inputs in = {.artifact = ARTIFACT_DEFAULT_NAME,
                                      .channel = g->channel,
                                      .platform = g->platform,
                                      .arch = g->arch,
                                      .channels = r->channels,
                                      .channel_count = r->channel_count,
                                      .binaries = r->binaries,
                                      .binary_count = r->binary_count};
    struct desired_choice choice;
    desired_choose(&in, &choice);
    g->rule = choice.rule;
    memcpy(g->reason, choice.reason, sizeof g->reason);
    if (choice.binary == NULL) return;
    g->binary = memory_zeroed(1, sizeof *g->binary);
    *g->binary = *choice.binary;
}

static const struct desired_group *group_of(struct refresh *r, const char *channel,
                                            const char *platform, const char *arch) {
    const struct desired_group *known = desired_group_find(r->groups, channel, platform, arch);
    if (known != NULL) return known;
    struct desired_group *g = memory_zeroed(1, sizeof *g);
    snprintf(g->channel, sizeof g->channel, "%s", channel);
    snprintf(g->platform, sizeof g->platform, "%s", platform);
    snprintf(g->arch, sizeof g->arch, "%s", arch);
    g->refresh = r->number;
    choose(r, g);
    g->next = r->groups;
    r->groups = g;
    return g;
}

static const char *version_of(const struct desired_group *g) {
    return g->binary != NULL ? g->binary->id.version : "";
}

static const char *sha256_of(const struct desired_group *g) {
    return g->binary != NULL ? g->binary->sha256 : "";
}

static bool take_candidate(struct db_row *row, void *argument, struct err *e) {
    struct refresh *r = argument;
    (void)e;
    r->candidates = memory_resize(r->candidates, r->count + 1, sizeof *r->candidates);
    struct candidate *c = &r->candidates[r->count++];
    snprintf(c->id, sizeof c->id, "%s", db_column_text(row, 0));
    c->group = group_of(r, db_column_text(row, 1), db_column_text(row, 2), db_column_text(row, 3));
    c->generation = db_column_int(row, 4);
    c->changed = strcmp(db_column_text(row, 5), version_of(c->group)) != 0 ||
                 strcmp(db_column_text(row, 6), sha256_of(c->group)) != 0;
    return true;
}

static bool read_candidates(struct db_connection *c, struct refresh *r, struct err *e) {
    if (r->id == NULL) return db_query(c, Q_AGENT_CHOICE_LIST, take_candidate, r, e, "");
    return db_query(c, Q_AGENT_CHOICE_FIND, take_candidate, r, e, "s", r->id);
}

static bool refresh_rows(struct db_connection *c, void *argument, struct err *e) {
    struct refresh *r = argument;
    r->number = ++r->agents->refreshes;
    if (!channels_read(c, &r->channels, &r->channel_count, e) ||
        !catalog_read(c, NULL, NULL, NULL, NULL, &r->binaries, &r->binary_count, e) ||
        !read_candidates(c, r, e))
        return false;
    for (size_t i = 0; i < r->count; i++) {
        const struct candidate *agent = &r->candidates[i];
        if (agent->changed && !db_exec(c, Q_AGENT_SET_DESIRED, e, "sss", agent->id,
                                       version_of(agent->group), sha256_of(agent->group)))
            return false;
    }
    return true;
}

enum taken { TAKEN_NOTHING, TAKEN_NEWS, TAKEN_BEHIND };

/* Under the lock. Memory that is behind what the transaction read lacks more than the choice, and
 * memory that is ahead has the choice already. The reason may change where the artifact did not
 * ("points to no version" after another name was published). */
static enum taken take_choice(struct agents *a, const struct candidate *c) {
    struct agent *agent = agents_get(a, c->id);
    if (agent == NULL) return TAKEN_NOTHING; /* being removed, or taken whole once it has joined */
    struct agent_view *v = &agent->view;
    if (v->generation < c->generation) return TAKEN_BEHIND;
    if (v->generation > c->generation + c->changed) return TAKEN_NOTHING;
    v->desired_rule = c->group->rule;
    memcpy(v->desired_reason, c->group->reason, sizeof v->desired_reason);
    if (v->generation > c->generation || !c->changed) return TAKEN_NOTHING;
    snprintf(v->desired_version, sizeof v->desired_version, "%s", version_of(c->group));
    snprintf(v->desired_sha256, sizeof v->desired_sha256, "%s", sha256_of(c->group));
    v->generation++;
    return TAKEN_NEWS;
}

/* Under the lock: the groups of r take the place of older ones. */
static void take_groups(struct agents *a, struct refresh *r) {
    struct desired_group **at = &a->groups;
    while (*at != NULL) {
        struct desired_group *old = *at;
        const struct desired_group *now =
            desired_group_find(r->groups, old->channel, old->platform, old->arch);
        if (old->refresh < r->number && (now != NULL || r->id == NULL)) {
            *at = old->next;
            old->next = NULL;
            desired_groups_free(old);
        } else {
            at = &old->next;
        }
    }
    *at = TAKE(r->groups); /* behind newer ones of the same name, which are found first */
}

static bool read_whole(struct db_connection *c, void *argument, struct err *e) {
    struct agent_row *row = argument;
    char id[WIRE_AGENT_ID_SIZE];
    memcpy(id, row->view.id, sizeof id);
    return agent_row_read(c, id, row, e);
}

/* Another operation changed the row before, and has not brought it into memory yet. */
static bool take_whole(struct agents *a, const struct candidate *c) {
    struct agent_row row = {.orders = NULL};
    struct err e;
    memcpy(row.view.id, c->id, sizeof row.view.id);
    if (db_read(a->options.db, read_whole, &row, &e)) return agents_take_row(a, &row);
    if (e.code != ERR_NOT_FOUND) log_error("agents.reload", "id=%s error=%s", c->id, e.text);
    return false;
}

/* Under the lock, released meanwhile. */
static enum taken catch_up(struct agents *a, const struct candidate *c) {
    pthread_mutex_unlock(&a->lock);
    bool taken = take_whole(a, c);
    pthread_mutex_lock(&a->lock);
    (void)take_choice(a, c); /* the reason */
    return taken ? TAKEN_NEWS : TAKEN_NOTHING;
}

static void take_candidates(struct agents *a, struct refresh *r) {
    OWN_MEMORY const char **news = memory_zeroed(r->count + 1, sizeof *news);
    size_t count = 0;
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < r->count; i++) {
        enum taken taken = take_choice(a, &r->candidates[i]);
        if (taken == TAKEN_BEHIND) taken = catch_up(a, &r->candidates[i]);
        if (taken == TAKEN_NEWS) news[count++] = r->candidates[i].id;
    }
    take_groups(a, r);
    pthread_mutex_unlock(&a->lock);
    if (count > 0) a->options.desired_changed(a->options.context, news, count);
}

static bool refresh(struct agents *a, const char *id, struct err *e) {
    struct refresh r = {.agents = a, .id = id};
    bool done = db_write(a->options.db, refresh_rows, &r, e);
    if (done) take_candidates(a, &r);
    desired_groups_free(r.groups);
    free(r.candidates);
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
