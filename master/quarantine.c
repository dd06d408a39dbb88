#include "master/quarantine.h"

#include "lib/clock.h"
#include "master/audit.h"
#include "master/events.h"
#include "master/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool take(struct db_row *row, void *argument, struct err *e) {
    struct quarantined *q = argument;
    *q = (struct quarantined){.rollout = db_column_int(row, 3), .at_ms = db_column_int(row, 5)};
    text_cut(q->reason, sizeof q->reason, db_column_text(row, 4));
    return (text_copy(q->sha256, sizeof q->sha256, db_column_text(row, 0)) &&
            text_copy(q->artifact, sizeof q->artifact, db_column_text(row, 1)) &&
            text_copy(q->version, sizeof q->version, db_column_text(row, 2))) ||
           err_set(e, ERR_CORRUPT, "a row of the quarantine holds something too long");
}

bool quarantine_add(struct db_connection *c, const struct quarantined *q, struct err *e) {
    if (!db_exec(c, Q_QUARANTINE_INSERT, e, "sssisi", q->sha256, q->artifact, q->version,
                 q->rollout, q->reason, q->at_ms))
        return false;
    return db_changed_rows(c) == 0 ||
           events_add(c, e, "quarantine.added", q->sha256, "", NULL,
                      "%s %s is quarantined: it failed in rollout r-%" PRId64, q->artifact,
                      q->version, q->rollout);
}

struct listing {
    struct quarantined *entries;
    size_t count;
};

static bool add(struct db_row *row, void *argument, struct err *e) {
    struct listing *l = argument;
    l->entries = memory_resize(l->entries, l->count + 1, sizeof *l->entries);
    return take(row, &l->entries[l->count++], e);
}

static bool read_all(struct db_connection *c, void *argument, struct err *e) {
    return db_query(c, Q_QUARANTINE_LIST, add, argument, e, "");
}

bool quarantine_read(struct db_connection *c, struct quarantined **out, size_t *count,
                     struct err *e) {
    struct listing l = {0};
    if (!read_all(c, &l, e)) {
        free(l.entries);
        return false;
    }
    *out = l.entries;
    *count = l.count;
    return true;
}

bool quarantine_list(struct db *db, struct quarantined **out, size_t *count, struct err *e) {
    struct listing l = {0};
    if (!db_read(db, read_all, &l, e)) {
        free(l.entries);
        return false;
    }
    *out = l.entries;
    *count = l.count;
    return true;
}

struct finding {
    const char *sha256, *principal;
    struct quarantined *out;
};

static bool find(struct db_connection *c, void *argument, struct err *e) {
    const struct finding *f = argument;
    if (db_one(c, Q_QUARANTINE_FIND, take, f->out, e, "s", f->sha256)) return true;
    if (e->code != ERR_NOT_FOUND) return false;
    err_set(e, ERR_NOT_FOUND, "digest %.64s is not quarantined", f->sha256);
    return err_hint(e, "gridctl quarantine list shows what is");
}

bool quarantine_find(struct db *db, const char *sha256, struct quarantined *out, struct err *e) {
    struct finding f = {.sha256 = sha256, .out = out};
    return db_read(db, find, &f, e);
}

static bool lift(struct db_connection *c, void *argument, struct err *e) {
    const struct finding *f = argument;
    return find(c, argument, e) && db_exec(c, Q_QUARANTINE_DELETE, e, "s", f->sha256) &&
           events_add(c, e, "quarantine.lifted", f->sha256, f->principal, NULL,
                      "%s %s is not quarantined any more", f->out->artifact, f->out->version) &&
           audit_add_version(c, f->principal, "quarantine.lift", f->sha256, f->out->version, e);
}

bool quarantine_lift(struct db *db, const char *sha256, const char *principal, struct err *e) {
    struct quarantined lifted;
    struct finding f = {.sha256 = sha256, .principal = principal, .out = &lifted};
    return db_write(db, lift, &f, e);
}

bool quarantine_check(struct db_connection *c, const char *artifact, const char *version,
                      struct err *e) {
    struct quarantined q;
    struct err why;
    if (!db_one(c, Q_QUARANTINE_OF_VERSION, take, &q, &why, "ss", artifact, version)) {
        if (why.code == ERR_NOT_FOUND) return true;
        *e = why;
        return false;
    }
    err_set(e, ERR_CONFLICT, "%s %s is quarantined: it failed in rollout r-%" PRId64, artifact,
            version, q.rollout);
    return err_hint(e, "choose another version, or lift it: gridctl quarantine lift %s", q.sha256);
}

const struct quarantined *quarantine_find_in(const struct quarantined *list, size_t count,
                                             const char *sha256) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].sha256, sha256) == 0) return &list[i];
    return NULL;
}
