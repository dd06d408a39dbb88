#include "master/audit_points.h"

#include "lib/clock.h"
#include "lib/encode.h"
#include "master/store.h"

#include <stdio.h>
#include <string.h>

static const struct json_field fields[] = {
    J(JSON_INT, struct audit_point_view, seq, 0),
    J(JSON_STRING, struct audit_point_view, at, 0),
    J(JSON_STRING, struct audit_point_view, hash, 0),
    J(JSON_STRING, struct audit_point_view, signature, 0),
};
const struct json_schema audit_point_schema = JSON_SCHEMA(struct audit_point_view, fields);

bool audit_point_due(int64_t newest_seq, const struct audit_point *last, int64_t now_wall_ms) {
    int64_t rows = newest_seq - last->seq;
    /* A clock that was set back must not put it off. */
    bool old = now_wall_ms - last->at_ms >= AUDIT_POINT_MS || now_wall_ms < last->at_ms;
    return rows >= AUDIT_POINT_ROWS || (rows > 0 && old);
}

struct writing {
    const struct sign_secret *key;
    int64_t now_ms;
    bool now, due;
    struct audit_point newest, last;
};

static bool take_point(struct db_row *row, void *argument, struct err *e) {
    struct audit_point *point = argument;
    (void)e;
    point->seq = db_column_int(row, 0);
    point->at_ms = db_column_int(row, 1);
    text_cut(point->hash, sizeof point->hash, db_column_text(row, 2));
    return true;
}

static bool read_newest(struct db_connection *c, void *argument, struct err *e) {
    struct writing *w = argument;
    if (!db_query(c, Q_AUDIT_NEWEST, take_point, &w->newest, e, "") ||
        !db_query(c, Q_AUDIT_POINT_NEWEST, take_point, &w->last, e, ""))
        return false;
    w->due = (w->now && w->newest.seq > w->last.seq) ||
             audit_point_due(w->newest.seq, &w->last, w->now_ms);
    return true;
}

static bool write_point(struct db_connection *c, void *argument, struct err *e) {
    struct writing *w = argument;
    unsigned char signature[SIGN_SIGNATURE_SIZE];
    char words[ENCODE_BASE64_SIZE(SIGN_SIGNATURE_SIZE)];
    if (!read_newest(c, w, e)) return false;
    if (!w->due) return true; /* somebody else was quicker */
    w->newest.at_ms = w->now_ms;
    audit_point_sign(&w->newest, w->key, signature);
    return db_exec(c, Q_AUDIT_POINT_INSERT, e, "iiss", w->newest.seq, w->now_ms, w->newest.hash,
                   encode_base64(signature, sizeof signature, words));
}

bool audit_points_write(struct db *db, const struct sign_secret *key, int64_t now_wall_ms, bool now,
                        struct err *e) {
    struct writing w = {.key = key, .now_ms = now_wall_ms, .now = now};
    if (!db_read(db, read_newest, &w, e)) return false;
    return !w.due || db_write(db, write_point, &w, e);
}

struct points {
    struct audit_point_view *list;
    size_t count;
};

static bool take_view(struct db_row *row, void *argument, struct err *e) {
    struct points *p = argument;
    (void)e;
    p->list = memory_resize(p->list, p->count + 1, sizeof *p->list);
    struct audit_point_view *view = &p->list[p->count++];
    *view = (struct audit_point_view){.seq = db_column_int(row, 0)};
    clock_rfc3339(db_column_int(row, 1), view->at);
    text_cut(view->hash, sizeof view->hash, db_column_text(row, 2));
    text_cut(view->signature, sizeof view->signature, db_column_text(row, 3));
    return true;
}

static bool read_points(struct db_connection *c, void *argument, struct err *e) {
    return db_query(c, Q_AUDIT_POINT_LIST, take_view, argument, e, "");
}

bool audit_points_list(struct db *db, struct audit_point_view **out, size_t *count, struct err *e) {
    struct points p = {0};
    if (!db_read(db, read_points, &p, e)) {
        free(p.list);
        return false;
    }
    *out = p.list;
    *count = p.count;
    return true;
}

static bool delete_rows(struct db_connection *c, void *argument, struct err *e) {
    struct audit_point anchor = {0};
    return db_query(c, Q_AUDIT_POINT_BEFORE, take_point, &anchor, e, "i", *(int64_t *)argument) &&
           (anchor.seq == 0 || (db_exec(c, Q_AUDIT_PRUNE, e, "i", anchor.seq) &&
                                db_exec(c, Q_AUDIT_POINT_PRUNE, e, "i", anchor.seq)));
}

bool audit_points_prune(struct db *db, int64_t kept, struct err *e) {
    return db_write(db, delete_rows, &kept, e);
}
