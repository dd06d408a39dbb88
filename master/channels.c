#include "master/channels.h"

#include "lib/log.h"
#include "master/catalog.h"
#include "master/decided.h"
#include "master/events.h"
#include "master/floors.h"
#include "master/quarantine.h"
#include "master/store.h"

#include <stdio.h>
#include <string.h>

bool channel_name_check(const char *name, struct err *e) {
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t length = strlen(name);
    if (length < CHANNEL_NAME_SIZE && strspn(name, first) > 0 && strspn(name, rest) == length)
        return true;
    return err_set(e, ERR_INVALID,
                   "channel %.40s: a name is [a-z0-9] followed by any of [a-z0-9-], at most %d"
                   " characters",
                   name, CHANNEL_NAME_SIZE - 1);
}

struct listing {
    struct channel *channels;
    size_t count;
};

static bool read_channel(struct db_row *row, struct channel *out, struct err *e) {
    *out = (struct channel){.updated_at_ms = db_column_int(row, 3)};
    return (text_copy(out->name, sizeof out->name, db_column_text(row, 0)) &&
            text_copy(out->artifact, sizeof out->artifact, db_column_text(row, 1)) &&
            text_copy(out->version, sizeof out->version, db_column_text(row, 2))) ||
           err_set(e, ERR_CORRUPT, "a channel's row holds something too long");
}

static bool take_channel(struct db_row *row, void *argument, struct err *e) {
    struct listing *l = argument;
    l->channels = memory_resize(l->channels, l->count + 1, sizeof *l->channels);
    return read_channel(row, &l->channels[l->count++], e);
}

bool channels_read(struct db_connection *c, struct channel **out, size_t *count, struct err *e) {
    struct listing l = {0};
    if (!db_query(c, Q_CHANNEL_LIST, take_channel, &l, e, "")) {
        free(l.channels);
        return false;
    }
    *out = l.channels;
    *count = l.count;
    return true;
}

static bool read_all(struct db_connection *c, void *argument, struct err *e) {
    struct listing *l = argument;
    return channels_read(c, &l->channels, &l->count, e);
}

bool channels_list(struct db *db, struct channel **out, size_t *count, struct err *e) {
    struct listing l = {0};
    if (!db_read(db, read_all, &l, e)) return false;
    *out = l.channels;
    *count = l.count;
    return true;
}

static bool take_one(struct db_row *row, void *argument, struct err *e) {
    return read_channel(row, argument, e);
}

struct setting {
    const char *name, *artifact, *version, *principal;
    struct channel *out;
};

static bool write_channel(struct db_connection *c, const struct setting *s, struct err *e) {
    int64_t now_ms = 0;
    return decided_now(c, &now_ms, e) &&
           db_exec(c, Q_CHANNEL_SET, e, "sssi", s->name, s->artifact, s->version, now_ms) &&
           events_add_change(c, e, "channel.set", s->name, s->principal, NULL,
                             "channel %s points to %s %s", s->name, s->artifact, s->version);
}

static bool refuse_unoffered(const struct binary *builds, size_t count, const char *artifact,
                             const char *version, struct err *e) {
    bool left_out = false;
    for (size_t i = 0; i < count; i++)
        left_out = left_out || (builds[i].left_out && !builds[i].yanked);
    if (!left_out) {
        err_set(e, ERR_CONFLICT, "%s %s was yanked and is never offered again", artifact, version);
        return err_hint(e, "choose another version: gridctl binary list");
    }
    err_set(e, ERR_CONFLICT, "%s %s is left out of the signed targets: agents would refuse it",
            artifact, version);
    return err_hint(e, "choose another version: gridctl binary list; or have it signed again: "
                       "gridctl binary sign FILE, where the key is, then gridctl binary push FILE");
}

/* A version can be pointed at while at least one of its builds may still be offered. */
bool channels_check_offered(struct db_connection *c, const char *artifact, const char *version,
                            struct err *e) {
    OWN_MEMORY struct binary *builds = NULL;
    size_t count = 0;
    if (!catalog_read(c, artifact, NULL, NULL, version, &builds, &count, e)) return false;
    for (size_t i = 0; i < count; i++)
        if (binary_is_offered(&builds[i])) return true;
    if (count > 0) return refuse_unoffered(builds, count, artifact, version, e);
    err_set(e, ERR_NOT_FOUND, "%s %s is not registered", artifact, version);
    return err_hint(e, "gridctl binary list shows what is; gridctl binary push adds");
}

bool channels_check_version(struct db_connection *c, const char *artifact, const char *version,
                            struct err *e) {
    return channels_check_offered(c, artifact, version, e) &&
           quarantine_check(c, artifact, version, e) && floors_check(c, artifact, version, e);
}

/* Also when it points there already: the newest decision counts, and a rollout may be newer. */
static bool set_channel(struct db_connection *c, void *argument, struct err *e) {
    const struct setting *s = argument;
    return channels_check_version(c, s->artifact, s->version, e) && write_channel(c, s, e) &&
           db_one(c, Q_CHANNEL_FIND, take_one, s->out, e, "ss", s->name, s->artifact);
}

bool channels_set(struct db *db, const char *name, const char *artifact, const char *version,
                  const char *principal, struct channel *out, struct err *e) {
    if (!channel_name_check(name, e)) return false;
    struct setting s = {name, artifact, version, principal, out};
    return db_write(db, set_channel, &s, e);
}

/* ERR_CONFLICT: something speaks against it, and the channel waits for another release. */
static bool check_welcome(struct db_connection *c, const struct setting *s, struct err *e) {
    return quarantine_check(c, s->artifact, s->version, e) &&
           floors_check(c, s->artifact, s->version, e);
}

bool channels_adopt(struct db_connection *c, const char *name, const char *artifact,
                    const char *version, bool *adopted, struct err *e) {
    struct channel there;
    struct err why;
    *adopted = false;
    if (db_one(c, Q_CHANNEL_FIND, take_one, &there, &why, "ss", name, artifact)) return true;
    if (why.code != ERR_NOT_FOUND) {
        *e = why;
        return false;
    }
    const struct setting s = {name, artifact, version, "grid", NULL};
    if (!check_welcome(c, &s, &why)) {
        if (why.code != ERR_CONFLICT) *e = why;
        log_warn("channel.not_adopted", "channel=%s version=%s error=%s", name, version, why.text);
        return why.code == ERR_CONFLICT;
    }
    *adopted = write_channel(c, &s, e);
    return *adopted;
}
