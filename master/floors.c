#include "master/floors.h"

#include "lib/clock.h"
#include "master/audit.h"
#include "master/channels.h"
#include "master/events.h"
#include "master/repo.h"
#include "master/store.h"

#include <stdio.h>
#include <string.h>

static bool take(struct db_row *row, void *argument, struct err *e) {
    struct floor *f = argument;
    *f = (struct floor){.at_ms = db_column_int(row, 2)};
    return (text_copy(f->artifact, sizeof f->artifact, db_column_text(row, 0)) &&
            text_copy(f->version, sizeof f->version, db_column_text(row, 1))) ||
           err_set(e, ERR_CORRUPT, "a floor's row holds something too long");
}

struct listing {
    struct floor *floors;
    size_t count;
};

static bool add(struct db_row *row, void *argument, struct err *e) {
    struct listing *l = argument;
    l->floors = memory_resize(l->floors, l->count + 1, sizeof *l->floors);
    return take(row, &l->floors[l->count++], e);
}

static bool read_all(struct db_connection *c, void *argument, struct err *e) {
    return db_query(c, Q_FLOOR_LIST, add, argument, e, "");
}

bool floors_list(struct db *db, struct floor **out, size_t *count, struct err *e) {
    struct listing l = {0};
    if (!db_read(db, read_all, &l, e)) {
        free(l.floors);
        return false;
    }
    *out = l.floors;
    *count = l.count;
    return true;
}

struct change {
    struct repo *repo;
    const char *artifact, *version, *principal;
    struct floor *out;
};

static bool is_below(const char *version, const char *floor) {
    return semver_valid(version) && semver_compare(version, floor) < 0;
}

static bool check_channels(struct db_connection *c, const struct change *f, struct err *e) {
    OWN_MEMORY struct channel *channels = NULL;
    size_t count = 0;
    if (!channels_read(c, &channels, &count, e)) return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(channels[i].artifact, f->artifact) != 0 ||
            !is_below(channels[i].version, f->version))
            continue;
        err_set(e, ERR_CONFLICT, "channel %s points to %s %s, which is below %s", channels[i].name,
                f->artifact, channels[i].version, f->version);
        return err_hint(e, "point it higher first: gridctl channel set %s VERSION",
                        channels[i].name);
    }
    return true;
}

/* agent id, version, how it has to do with it */
static bool check_holder(struct db_row *row, void *argument, struct err *e) {
    const struct change *f = argument;
    if (!is_below(db_column_text(row, 1), f->version)) return true;
    err_set(e, ERR_CONFLICT, "agent %s %s %s %s, which is below %s", db_column_text(row, 0),
            db_column_text(row, 2), f->artifact, db_column_text(row, 1), f->version);
    return err_hint(e, "move it higher first, or wait until its rollout is over");
}

static bool set_floor(struct db_connection *c, void *argument, struct err *e) {
    struct change *f = argument;
    return check_channels(c, f, e) &&
           db_query(c, Q_FLOOR_HOLDERS, check_holder, f, e, "s", f->artifact) &&
           db_exec(c, Q_FLOOR_SET, e, "ssi", f->artifact, f->version, clock_wall_ms()) &&
           repo_follow_floor(f->repo, c, f->artifact, e) &&
           events_add(c, e, "floor.set", f->artifact, f->principal, NULL,
                      "nothing below %s %s is chosen any more", f->artifact, f->version) &&
           audit_add_version(c, f->principal, "floor.set", f->artifact, f->version, e) &&
           db_one(c, Q_FLOOR_FIND, take, f->out, e, "s", f->artifact);
}

bool floors_set(struct db *db, struct repo *repo, const char *artifact, const char *version,
                const char *principal, struct floor *out, struct err *e) {
    struct change f = {repo, artifact, version, principal, out};
    struct artifact_name ignored;
    if (!semver_valid(version))
        return err_set(e, ERR_INVALID, "floor %.64s: no version as in 1.2.0", version);
    if (!artifact_name_make(artifact, version, "any", "any", &ignored, e)) return false;
    return db_write(db, set_floor, &f, e);
}

static bool remove_floor(struct db_connection *c, void *argument, struct err *e) {
    const struct change *f = argument;
    struct floor was;
    if (!db_one(c, Q_FLOOR_FIND, take, &was, e, "s", f->artifact)) {
        if (e->code != ERR_NOT_FOUND) return false;
        return err_set(e, ERR_NOT_FOUND, "%s has no floor", f->artifact);
    }
    return db_exec(c, Q_FLOOR_DELETE, e, "s", f->artifact) &&
           repo_follow_floor(f->repo, c, f->artifact, e) &&
           events_add(c, e, "floor.removed", f->artifact, f->principal, NULL,
                      "%s has no floor any more", f->artifact) &&
           audit_add_version(c, f->principal, "floor.remove", f->artifact, was.version, e);
}

bool floors_remove(struct db *db, struct repo *repo, const char *artifact, const char *principal,
                   struct err *e) {
    struct change f = {.repo = repo, .artifact = artifact, .principal = principal};
    return db_write(db, remove_floor, &f, e);
}

bool floors_of(struct db_connection *c, const char *artifact, char version[SEMVER_SIZE],
               struct err *e) {
    struct floor floor = {.version = ""};
    struct err why = {0};
    if (!db_one(c, Q_FLOOR_FIND, take, &floor, &why, "s", artifact) && why.code != ERR_NOT_FOUND) {
        *e = why;
        return false;
    }
    memcpy(version, floor.version, sizeof floor.version);
    return true;
}

bool floors_check(struct db_connection *c, const char *artifact, const char *version,
                  struct err *e) {
    char floor[SEMVER_SIZE];
    if (!floors_of(c, artifact, floor, e)) return false;
    if (floor[0] == '\0' || !is_below(version, floor)) return true;
    err_set(e, ERR_CONFLICT,
            "%s %s is below the floor %s: it would not understand what lies on the"
            " disks",
            artifact, version, floor);
    return err_hint(e, "choose %s or a later one", floor);
}
