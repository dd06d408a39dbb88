#include "master/held.h"

#include "lib/clock.h"
#include "lib/text.h"
#include "master/store.h"

#include <string.h>

/* file, sha256, size_bytes, at, principal, key_id, publisher_signature, notes, reason */
static bool take(struct db_row *row, void *argument, struct err *e) {
    struct held *h = argument;
    struct binary *b = &h->binary;
    *h = (struct held){.at_ms = db_column_int(row, 3)};
    b->size_bytes = db_column_int(row, 2);
    b->publisher_signed = db_column_text(row, 6)[0] != '\0';
    bool fits =
        text_copy(h->file, sizeof h->file, db_column_text(row, 0)) &&
        text_copy(b->sha256, sizeof b->sha256, db_column_text(row, 1)) &&
        text_copy(h->principal, sizeof h->principal, db_column_text(row, 4)) &&
        text_copy(b->key_id, sizeof b->key_id, db_column_text(row, 5)) &&
        text_copy(b->publisher_signature, sizeof b->publisher_signature, db_column_text(row, 6)) &&
        text_copy(b->notes, sizeof b->notes, db_column_text(row, 7)) &&
        text_copy(h->reason, sizeof h->reason, db_column_text(row, 8));
    if (fits && sha256_hex_valid(b->sha256) && artifact_name_parse(h->file, &b->id, e)) return true;
    return err_set(e, ERR_CORRUPT, "the row of held file %.100s makes no sense",
                   db_column_text(row, 0));
}

struct listing {
    struct held *items;
    size_t count;
};

static bool add(struct db_row *row, void *argument, struct err *e) {
    struct listing *l = argument;
    l->items = memory_resize(l->items, l->count + 1, sizeof *l->items);
    return take(row, &l->items[l->count++], e);
}

static bool read_all(struct db_connection *c, void *argument, struct err *e) {
    return db_query(c, Q_HELD_LIST, add, argument, e, "");
}

bool held_list(struct db *db, struct held **out, size_t *count, struct err *e) {
    struct listing l = {0};
    if (!db_read(db, read_all, &l, e)) {
        free(l.items);
        return false;
    }
    *out = l.items;
    *count = l.count;
    return true;
}

static bool take_count(struct db_row *row, void *argument, struct err *e) {
    (void)e;
    *(int64_t *)argument = db_column_int(row, 0);
    return true;
}

static bool read_count(struct db_connection *c, void *argument, struct err *e) {
    return db_one(c, Q_HELD_COUNT, take_count, argument, e, "");
}

bool held_count(struct db *db, int64_t *out, struct err *e) {
    return db_read(db, read_count, out, e);
}

bool held_read(struct db_connection *c, const char *file, struct held *out, struct err *e) {
    if (db_one(c, Q_HELD_FIND, take, out, e, "s", file)) return true;
    if (e->code != ERR_NOT_FOUND) return false;
    err_set(e, ERR_NOT_FOUND, "no file %.150s is held", file);
    return err_hint(e, "gridctl binary held shows those that are");
}

struct finding {
    const char *file;
    struct held *out;
};

static bool find(struct db_connection *c, void *argument, struct err *e) {
    const struct finding *f = argument;
    return held_read(c, f->file, f->out, e);
}

bool held_find(struct db *db, const char *file, struct held *out, struct err *e) {
    struct finding f = {file, out};
    return db_read(db, find, &f, e);
}

bool held_put(struct db_connection *c, const struct held *h, struct err *e) {
    const struct binary *b = &h->binary;
    return db_exec(c, Q_HELD_PUT, e, "ssiisssss", h->file, b->sha256, b->size_bytes, h->at_ms,
                   h->principal, b->key_id, b->publisher_signature, b->notes, h->reason) &&
           db_exec(c, Q_DISCARDED_DELETE, e, "s", h->file);
}

bool held_remove(struct db_connection *c, const char *file, struct err *e) {
    return db_exec(c, Q_HELD_DELETE, e, "s", file) && db_exec(c, Q_DISCARDED_DELETE, e, "s", file);
}

bool held_discard(struct db_connection *c, const struct held *h, struct err *e) {
    return held_remove(c, h->file, e) &&
           db_exec(c, Q_DISCARDED_PUT, e, "ssi", h->file, h->binary.sha256, clock_wall_ms());
}

bool held_discarded(struct db_connection *c, const char *file, const char *sha256, int64_t *at_ms,
                    struct err *e) {
    struct err why;
    *at_ms = 0;
    if (db_one(c, Q_DISCARDED_FIND, take_count, at_ms, &why, "ss", file, sha256)) return true;
    if (why.code != ERR_NOT_FOUND) *e = why;
    return why.code == ERR_NOT_FOUND;
}

struct pruning {
    held_lies_there *lies_there;
    const void *box;
    struct text gone; /* lines */
};

static bool note_gone(struct db_row *row, void *argument, struct err *e) {
    struct pruning *p = argument;
    (void)e;
    if (!p->lies_there(p->box, db_column_text(row, 0)))
        text_add_format(&p->gone, "%s\n", db_column_text(row, 0));
    return true;
}

static bool find_gone(struct db_connection *c, void *argument, struct err *e) {
    return db_query(c, Q_DISCARDED_LIST, note_gone, argument, e, "");
}

static bool forget_gone(struct db_connection *c, void *argument, struct err *e) {
    struct pruning *p = argument;
    char *position = p->gone.data;
    for (char *file; (file = strsep(&position, "\n")) != NULL;)
        if (*file != '\0' && !db_exec(c, Q_DISCARDED_DELETE, e, "s", file)) return false;
    return true;
}

bool held_prune_discarded(struct db *db, held_lies_there *lies_there, const void *box,
                          struct err *e) {
    struct pruning p = {lies_there, box, TEXT_EMPTY};
    bool done =
        db_read(db, find_gone, &p, e) && (p.gone.length == 0 || db_write(db, forget_gone, &p, e));
    text_fini(&p.gone);
    return done;
}
