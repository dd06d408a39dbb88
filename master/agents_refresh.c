/* Desired artifacts: the pure choice of desired.h, made durable, for every agent or for those that
 * a transaction names. Agents that share what the choice depends on share the choice, so that a
 * change for ten thousand is one pass. */
#include "master/agents_internal.h"

#include "lib/artifact.h"
#include "lib/log.h"
#include "master/desired_world.h"

#include <stdio.h>
#include <string.h>

/* All that the choice depends on but for the world. */
struct choice_key {
    char artifact[ARTIFACT_NAME_SIZE];
    char channel[CHANNEL_NAME_SIZE];
    char platform[PLATFORM_SIZE], arch[PLATFORM_SIZE];
    char pin[SEMVER_SIZE];
    struct desired_rollout rollout;
};

struct choice_group {
    struct choice_key key;
    enum desired_rule rule;
    char version[SEMVER_SIZE];
    char sha256[SHA256_HEX_SIZE];
    char reason[256];
    struct choice_group *next;
};

/* What one agent is to do about one artifact. */
struct assignment {
    const struct choice_group *group;
    struct wire_grant grant;
    bool prefetch;
};

/* An agent as the transaction read it. */
struct candidate {
    char id[WIRE_AGENT_ID_SIZE];
    int64_t generation; /* before the change */
    struct assignment storage, self;
    bool changed;
};

/* A grant that was given before, and from now on gives leave or does not. */
struct leave_change {
    char id[WIRE_AGENT_ID_SIZE];
    struct wire_grant grant;
};

struct agents_refresh {
    struct agents *agents;
    bool all;
    bool news; /* the row that is being read is to be told in any case */
    bool world_read;
    struct desired_world world;
    struct db_connection *connection;
    int64_t number;
    struct choice_group *groups;
    struct offer *offers;
    struct candidate *candidates;
    size_t count, capacity;
    struct leave_change *leaves;
    size_t leave_count, leave_capacity;
};

void offers_free(struct offer *offers) {
    for (struct offer *o = offers, *next; o != NULL; o = next) {
        next = o->next;
        free(o);
    }
}

const struct offer *offers_find(const struct offer *offers, const char *artifact,
                                const char *version, const char *sha256) {
    const struct offer *o = offers;
    while (o != NULL &&
           (strcmp(o->binary.sha256, sha256) != 0 || strcmp(o->binary.id.version, version) != 0 ||
            strcmp(o->binary.id.name, artifact) != 0))
        o = o->next;
    return o;
}

static void add_offer(struct offer **offers, const struct binary *b) {
    if (offers_find(*offers, b->id.name, b->id.version, b->sha256) != NULL) return;
    struct offer *o = memory_zeroed(1, sizeof *o);
    o->binary = *b;
    o->next = *offers;
    *offers = o;
}

static void offer_build(struct agents_refresh *r, const struct choice_key *key, const char *version,
                        const char *sha256) {
    for (size_t i = 0; i < r->world.binary_count; i++) {
        const struct binary *b = &r->world.binaries[i];
        if (strcmp(b->sha256, sha256) == 0 && strcmp(b->id.version, version) == 0 &&
            strcmp(b->id.name, key->artifact) == 0 &&
            platform_fits(b->id.platform, b->id.arch, key->platform, key->arch))
            add_offer(&r->offers, b);
    }
}

static void choose(const struct desired_world *w, const struct choice_key *key,
                   struct desired_choice *out) {
    const struct desired_inputs in = {.artifact = key->artifact,
                                      .pin = key->pin,
                                      .channel = key->channel,
                                      .platform = key->platform,
                                      .arch = key->arch,
                                      .rollout = &key->rollout,
                                      .channels = w->channels,
                                      .channel_count = w->channel_count,
                                      .binaries = w->binaries,
                                      .binary_count = w->binary_count,
                                      .quarantined = w->quarantined,
                                      .quarantined_count = w->quarantined_count};
    desired_choose(&in, out);
}

static void fill_group(struct agents_refresh *r, struct choice_group *g) {
    struct desired_choice choice;
    choose(&r->world, &g->key, &choice);
    g->rule = choice.rule;
    memcpy(g->reason, choice.reason, sizeof g->reason);
    if (choice.sha256[0] != '\0') {
        memcpy(g->version, choice.version, sizeof g->version);
        memcpy(g->sha256, choice.sha256, sizeof g->sha256);
    }
    if (choice.binary != NULL) add_offer(&r->offers, choice.binary);
    if (g->key.rollout.number > 0)
        offer_build(r, &g->key, g->key.rollout.version, g->key.rollout.to_sha256);
}

static bool same_rollout(const struct desired_rollout *a, const struct desired_rollout *b) {
    return a->number == b->number && a->told == b->told && a->late == b->late &&
           a->finished_at_ms == b->finished_at_ms && strcmp(a->version, b->version) == 0 &&
           strcmp(a->to_sha256, b->to_sha256) == 0 &&
           strcmp(a->from_version, b->from_version) == 0 &&
           strcmp(a->from_sha256, b->from_sha256) == 0;
}

static bool same_key(const struct choice_key *a, const struct choice_key *b) {
    return same_rollout(&a->rollout, &b->rollout) && strcmp(a->channel, b->channel) == 0 &&
           strcmp(a->pin, b->pin) == 0 && strcmp(a->artifact, b->artifact) == 0 &&
           strcmp(a->platform, b->platform) == 0 && strcmp(a->arch, b->arch) == 0;
}

static const struct choice_group *group_of(struct agents_refresh *r, const struct choice_key *key) {
    for (const struct choice_group *g = r->groups; g != NULL; g = g->next)
        if (same_key(&g->key, key)) return g;
    struct choice_group *g = memory_zeroed(1, sizeof *g);
    g->key = *key;
    fill_group(r, g);
    g->next = r->groups;
    return r->groups = g;
}

/* The columns of AGENT_CHOICE: id, channel, platform, arch, generation, desired version and digest,
 * pin, the same two of the agent itself, labels. */
static bool make_key(struct db_connection *c, const struct desired_world *w, struct db_row *row,
                     const char *artifact, struct choice_key *key, struct desired_place *place,
                     struct err *e) {
    struct agent_view labels = {.reported_labels = (char *)db_column_text(row, 10),
                                .assigned_labels = (char *)db_column_text(row, 11)};
    bool self = strcmp(artifact, ARTIFACT_AGENT_NAME) == 0;
    agent_update_labels(&labels);
    bool placed =
        desired_world_place(c, w, artifact, db_column_text(row, 0), labels.labels, place, e);
    free(labels.labels);
    *key = (struct choice_key){.rollout = place->rollout};
    text_cut(key->artifact, sizeof key->artifact, artifact);
    text_cut(key->platform, sizeof key->platform, db_column_text(row, 2));
    text_cut(key->arch, sizeof key->arch, db_column_text(row, 3));
    text_cut(key->channel, sizeof key->channel, self ? "" : db_column_text(row, 1));
    text_cut(key->pin, sizeof key->pin, self ? "" : db_column_text(row, 7));
    return placed;
}

/* A pin, or a newer channel, leaves nothing of what the rollout wanted. */
static bool assign(struct agents_refresh *r, struct db_row *row, const char *artifact,
                   struct assignment *out, struct err *e) {
    struct choice_key key;
    struct desired_place place;
    if (!make_key(r->connection, &r->world, row, artifact, &key, &place, e)) return false;
    out->group = group_of(r, &key);
    if (out->group->rule != DESIRED_ROLLOUT) return true;
    out->grant = place.grant;
    out->prefetch = place.prefetch;
    return true;
}

static bool differs(struct db_row *row, int column, const struct assignment *a) {
    return strcmp(db_column_text(row, column), a->group->version) != 0 ||
           strcmp(db_column_text(row, column + 1), a->group->sha256) != 0;
}

/* The list with room for one more. */
static void *with_room(void *list, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity) return list;
    *capacity = *capacity == 0 ? 8 : 2 * *capacity;
    return memory_resize(list, *capacity, size);
}

static struct candidate *add_candidate(struct agents_refresh *r) {
    r->candidates = with_room(r->candidates, r->count, &r->capacity, sizeof *r->candidates);
    struct candidate *c = &r->candidates[r->count++];
    *c = (struct candidate){.changed = r->news};
    return c;
}

static bool take_candidate(struct db_row *row, void *argument, struct err *e) {
    struct agents_refresh *r = argument;
    struct candidate *c = add_candidate(r);
    text_cut(c->id, sizeof c->id, db_column_text(row, 0));
    c->generation = db_column_int(row, 4);
    if (!assign(r, row, ARTIFACT_DEFAULT_NAME, &c->storage, e) ||
        !assign(r, row, ARTIFACT_AGENT_NAME, &c->self, e))
        return false;
    c->changed |= differs(row, 5, &c->storage) || differs(row, 8, &c->self);
    return true;
}

/* Refreshes are numbered in the order in which they read and write. */
static void number(struct agents_refresh *r) {
    if (r->number == 0) r->number = ++r->agents->refreshes;
}

static bool begin_world(struct db_connection *c, struct agents_refresh *r, struct err *e) {
    r->connection = c;
    if (r->world_read) return true;
    number(r);
    return r->world_read = desired_world_read(c, &r->world, e);
}

static bool write_candidate(struct db_connection *c, const struct candidate *a, struct err *e) {
    const struct choice_group *storage = a->storage.group, *self = a->self.group;
    return !a->changed || db_exec(c, Q_AGENT_SET_DESIRED, e, "sssss", a->id, storage->version,
                                  storage->sha256, self->version, self->sha256);
}

bool agents_refresh_row(struct db_connection *c, struct agents_refresh *r, const char *id,
                        bool news, struct err *e) {
    size_t before = r->count;
    r->news = news;
    if (!begin_world(c, r, e) || !db_query(c, Q_AGENT_CHOICE_FIND, take_candidate, r, e, "s", id))
        return false;
    return r->count == before || write_candidate(c, &r->candidates[before], e);
}

void agents_refresh_leave(struct agents_refresh *r, const char *id,
                          const struct wire_grant *grant) {
    number(r);
    r->leaves = with_room(r->leaves, r->leave_count, &r->leave_capacity, sizeof *r->leaves);
    struct leave_change *change = &r->leaves[r->leave_count++];
    *change = (struct leave_change){.grant = *grant};
    text_cut(change->id, sizeof change->id, id);
}

static bool refresh_all(struct db_connection *c, void *argument, struct err *e) {
    struct agents_refresh *r = argument;
    r->all = true;
    if (!begin_world(c, r, e) || !db_query(c, Q_AGENT_CHOICE_LIST, take_candidate, r, e, ""))
        return false;
    for (size_t i = 0; i < r->count; i++)
        if (!write_candidate(c, &r->candidates[i], e)) return false;
    return true;
}

enum taken { TAKEN_NOTHING, TAKEN_NEWS, TAKEN_BEHIND };

static void take_staged(const struct assignment *a, char version[SEMVER_SIZE],
                        char sha256[SHA256_HEX_SIZE]) {
    const struct desired_rollout *r = &a->group->key.rollout;
    version[0] = sha256[0] = '\0';
    if (!a->prefetch) return;
    memcpy(version, r->version, SEMVER_SIZE);
    memcpy(sha256, r->to_sha256, SHA256_HEX_SIZE);
}

static bool is_same_grant(const struct wire_grant *a, const struct wire_grant *b) {
    return a->attempt == b->attempt && strcmp(a->rollout, b->rollout) == 0;
}

/* What was read before the leave changed must not bring the old one back. True when the leave is
 * another now. */
static bool take_grant(struct wire_grant *held, const struct wire_grant *read, bool outdated) {
    struct wire_grant now = *read;
    if (outdated && is_same_grant(held, read)) now.lease_ms = held->lease_ms;
    bool differs = held->lease_ms != now.lease_ms;
    *held = now;
    return differs;
}

/* What a refresh derives without the row telling it. True when the agent has to hear of it although
 * its row did not change. */
static bool take_derived(struct agent *agent, const struct candidate *c, int64_t number) {
    struct agent_view *v = &agent->view;
    if (number < agent->choice_refresh) return false;
    agent->choice_refresh = number;
    bool outdated = number < agent->leave_refresh;
    bool leaves_differ = take_grant(&v->grant, &c->storage.grant, outdated);
    leaves_differ |= take_grant(&v->self.grant, &c->self.grant, outdated);
    if (!outdated) agent->leave_refresh = number;
    if (leaves_differ) agent->leave_edition++;
    agent_stamp_leave(agent);
    v->desired_rule = c->storage.group->rule;
    if (strcmp(text_or_empty(v->desired_reason), c->storage.group->reason) != 0) {
        free(v->desired_reason);
        v->desired_reason = text_duplicate(c->storage.group->reason);
    }
    take_staged(&c->storage, v->staged_version, v->staged_sha256);
    take_staged(&c->self, v->self.staged_version, v->self.staged_sha256);
    return leaves_differ;
}

/* Under the lock. Memory that is behind what the transaction read lacks more than the choice, and
 * memory that is ahead has the choice already. The reason may change where the artifact did not
 * ("points to no version" after another name was published). */
static enum taken take_choice(struct agents *a, const struct candidate *c, int64_t number) {
    struct agent *agent = agents_get(a, c->id);
    if (agent == NULL) return TAKEN_NOTHING; /* being removed, or taken whole once it has joined */
    struct agent_view *v = &agent->view;
    if (v->generation < c->generation) return TAKEN_BEHIND;
    if (v->generation > c->generation + c->changed) return TAKEN_NOTHING;
    bool news = take_derived(agent, c, number);
    if (v->generation > c->generation || !c->changed) return news ? TAKEN_NEWS : TAKEN_NOTHING;
    memcpy(v->desired_version, c->storage.group->version, sizeof v->desired_version);
    memcpy(v->desired_sha256, c->storage.group->sha256, sizeof v->desired_sha256);
    memcpy(v->self.version, c->self.group->version, sizeof v->self.version);
    memcpy(v->self.sha256, c->self.group->sha256, sizeof v->self.sha256);
    v->generation++;
    return TAKEN_NEWS;
}

/* Under the lock. A refresh of all tells what is not needed any more. */
static void take_offers(struct agents *a, struct agents_refresh *r) {
    if (r->all && r->number > a->offers_refresh) {
        a->offers_refresh = r->number;
        offers_free(a->offers);
        a->offers = TAKE(r->offers);
        a->mark++;
        return;
    }
    for (const struct offer *o = r->offers; o != NULL; o = o->next)
        add_offer(&a->offers, &o->binary);
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
static enum taken catch_up(struct agents *a, const struct candidate *c, int64_t number) {
    pthread_mutex_unlock(&a->lock);
    bool taken = take_whole(a, c);
    pthread_mutex_lock(&a->lock);
    (void)take_choice(a, c, number); /* the reason */
    return taken ? TAKEN_NEWS : TAKEN_NOTHING;
}

/* Under the lock. True when the agent holds this grant and its leave is another now. */
static bool take_leave(struct agents *a, const struct leave_change *c, int64_t number) {
    struct agent *agent = agents_get(a, c->id);
    if (agent == NULL) return false;
    struct wire_grant *held = &agent->view.grant;
    if (!is_same_grant(held, &c->grant)) held = &agent->view.self.grant;
    if (!is_same_grant(held, &c->grant)) return false;
    if (number > agent->leave_refresh) agent->leave_refresh = number;
    if (held->lease_ms == c->grant.lease_ms) return false;
    held->lease_ms = c->grant.lease_ms;
    agent_count_leave(agent);
    return true;
}

static size_t take_leaves(struct agents *a, const struct agents_refresh *r, const char **news) {
    size_t count = 0;
    for (size_t i = 0; i < r->leave_count; i++)
        if (take_leave(a, &r->leaves[i], r->number)) news[count++] = r->leaves[i].id;
    return count;
}

/* Under the lock, which catching up releases. */
static size_t take_candidates(struct agents *a, struct agents_refresh *r, const char **news) {
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++) {
        enum taken taken = take_choice(a, &r->candidates[i], r->number);
        if (taken == TAKEN_BEHIND) taken = catch_up(a, &r->candidates[i], r->number);
        if (taken == TAKEN_NEWS) news[count++] = r->candidates[i].id;
    }
    return count;
}

void agents_refresh_done(struct agents_refresh *r) {
    struct agents *a = r->agents;
    OWN_MEMORY const char **news = memory_zeroed(r->count + r->leave_count + 1, sizeof *news);
    pthread_mutex_lock(&a->lock);
    size_t count = take_candidates(a, r, news);
    count += take_leaves(a, r, news + count);
    take_offers(a, r);
    pthread_mutex_unlock(&a->lock);
    if (count > 0) a->options.desired_changed(a->options.context, news, count);
}

struct agents_refresh *agents_refresh_begin(struct agents *a) {
    struct agents_refresh *r = memory_zeroed(1, sizeof *r);
    r->agents = a;
    return r;
}

void agents_refresh_free(struct agents_refresh *r) {
    if (r == NULL) return;
    for (struct choice_group *g = r->groups, *next; g != NULL; g = next) {
        next = g->next;
        free(g);
    }
    offers_free(r->offers);
    free(r->candidates);
    free(r->leaves);
    desired_world_clear(&r->world);
    free(r);
}

bool agents_refresh(struct agents *a, struct err *e) {
    struct agents_refresh *r = agents_refresh_begin(a);
    bool done = db_write(a->options.db, refresh_all, r, e);
    if (done) agents_refresh_done(r);
    agents_refresh_free(r);
    return done || err_wrap(e, "refresh desired versions");
}

struct one {
    struct agents_refresh *refresh;
    const char *id;
};

static bool refresh_one(struct db_connection *c, void *argument, struct err *e) {
    const struct one *o = argument;
    return agents_refresh_row(c, o->refresh, o->id, false, e);
}

bool agents_refresh_one(struct agents *a, const char *id, struct err *e) {
    struct one o = {agents_refresh_begin(a), id};
    bool done = db_write(a->options.db, refresh_one, &o, e);
    if (done) agents_refresh_done(o.refresh);
    agents_refresh_free(o.refresh);
    return done || err_wrap(e, "refresh desired versions");
}

struct asking {
    const char *id, *artifact;
    struct db_connection *connection;
    struct desired_world world;
    struct desired_choice *out;
    bool found;
};

static bool answer(struct db_row *row, void *argument, struct err *e) {
    struct asking *q = argument;
    struct choice_key key;
    struct desired_place place;
    if (!make_key(q->connection, &q->world, row, q->artifact, &key, &place, e)) return false;
    choose(&q->world, &key, q->out);
    q->out->binary = NULL; /* goes with the world */
    return q->found = true;
}

static bool ask(struct db_connection *c, void *argument, struct err *e) {
    struct asking *q = argument;
    q->connection = c;
    return desired_world_read(c, &q->world, e) &&
           db_query(c, Q_AGENT_CHOICE_FIND, answer, q, e, "s", q->id);
}

bool agents_why(struct agents *a, const char *id, const char *artifact,
                struct desired_choice *choice, struct err *e) {
    struct asking q = {.id = id, .artifact = artifact, .out = choice};
    bool asked = db_read(a->options.db, ask, &q, e);
    desired_world_clear(&q.world);
    return asked && (q.found || agents_unknown(e, id));
}
