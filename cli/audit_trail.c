#include "cli/audit_trail.h"

#include "lib/clock.h"
#include "lib/encode.h"

#include <inttypes.h>
#include <string.h>

static const struct json_field memory_fields[] = {
    J(JSON_STRING, struct audit_memory, master_key, JSON_REQUIRED),
    J(JSON_INT, struct audit_memory, seq, JSON_REQUIRED),
    J(JSON_STRING, struct audit_memory, hash, JSON_REQUIRED),
    J(JSON_STRING, struct audit_memory, at, JSON_REQUIRED),
};
const struct json_schema audit_memory_schema = JSON_SCHEMA(struct audit_memory, memory_fields);

static bool hint(struct err *e) {
    return err_hint(e, "compare with a backup of before: gridctl backup restore FILE --state DIR");
}

static bool check_signature(const struct answer_audit_point *view, const struct sign_public *key,
                            struct err *e) {
    struct audit_point point = {.seq = view->seq, .at_ms = clock_parse_rfc3339(view->at)};
    unsigned char signature[SIGN_SIGNATURE_SIZE];
    size_t length = 0;
    if (text_copy(point.hash, sizeof point.hash, view->hash) &&
        decode_base64(view->signature, signature, sizeof signature, &length) &&
        length == sizeof signature && audit_point_valid(&point, key, signature))
        return true;
    err_set(e, ERR_UNTRUSTED, "the checkpoint at row %" PRId64 " is not signed by this master",
            view->seq);
    return hint(e);
}

bool audit_trail_begin(struct audit_trail *t, const struct audit_memory *memory,
                       const struct sign_public *key, const struct answer_audit_point *points,
                       size_t count, struct err *e) {
    *t = (struct audit_trail){.memory = memory, .points = points, .point_count = count};
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && points[i].seq <= points[i - 1].seq)
            return err_set(e, ERR_UNTRUSTED, "the checkpoints are not in order");
        if (!check_signature(&points[i], key, e)) return false;
    }
    return true;
}

static bool check_memory(const struct audit_trail *t, int64_t seq, struct err *e) {
    if (t->memory->seq != seq || strcmp(t->memory->hash, t->hash) == 0) return true;
    err_set(e, ERR_CORRUPT, "the rows up to %" PRId64 " are not those that were checked here at %s",
            seq, t->memory->at);
    return hint(e);
}

/* Rows before the first one that is kept were forgotten up to a checkpoint. */
static bool begin_chain(struct audit_trail *t, int64_t seq, struct err *e) {
    t->first = seq;
    if (seq == 1) return true;
    if (t->point_count > 0 && t->points[0].seq == seq - 1) {
        t->point = 1;
        if (t->memory->seq > 0 && seq - 1 > t->memory->seq) t->unseen = seq - 1 - t->memory->seq;
        return text_copy(t->hash, sizeof t->hash, t->points[0].hash) && check_memory(t, seq - 1, e);
    }
    err_set(e, ERR_CORRUPT, "the trail begins with row %" PRId64 ": those before were cut off",
            seq);
    return hint(e);
}

static bool check_point(struct audit_trail *t, int64_t seq, struct err *e) {
    if (t->point == t->point_count || t->points[t->point].seq > seq) return true;
    const struct answer_audit_point *point = &t->points[t->point++];
    if (point->seq == seq && strcmp(point->hash, t->hash) == 0) return true;
    err_set(e, ERR_CORRUPT, "the rows up to %" PRId64 " are not those that the master signed at %s",
            point->seq, point->at);
    return hint(e);
}

/* Numbers are given once and without gaps. */
static bool refuse_gap(const struct audit_trail *t, int64_t seq, struct err *e) {
    err_set(e, ERR_CORRUPT, "after row %" PRId64 " comes row %" PRId64 ": rows were taken out",
            t->last, seq);
    return hint(e);
}

bool audit_trail_row(struct audit_trail *t, const struct answer_audit_row *row, struct err *e) {
    char hash[SHA256_HEX_SIZE];
    const struct audit_row of = {clock_parse_rfc3339(row->at), row->principal, row->action,
                                 row->subject, row->data};
    if (t->first == 0 && !begin_chain(t, row->seq, e)) return false;
    if (t->last > 0 && row->seq != t->last + 1) return refuse_gap(t, row->seq, e);
    audit_chain_hash(t->hash, &of, hash);
    if (strcmp(hash, row->hash) != 0) {
        err_set(e, ERR_CORRUPT,
                "row %" PRId64 " was altered, or one before it altered or taken out", row->seq);
        return hint(e);
    }
    t->last = row->seq;
    memcpy(t->hash, hash, sizeof t->hash);
    return check_point(t, row->seq, e) && check_memory(t, row->seq, e);
}

static bool refuse_end(const struct audit_trail *t, int64_t seen, const char *by, const char *at,
                       struct err *e) {
    err_set(e, ERR_CORRUPT,
            "the trail ends with row %" PRId64 ", and row %" PRId64
            " was %s at %s: the rows between were cut off",
            t->last, seen, by, at);
    return hint(e);
}

bool audit_trail_end(const struct audit_trail *t, struct err *e) {
    if (t->point < t->point_count) {
        const struct answer_audit_point *newest = &t->points[t->point_count - 1];
        return refuse_end(t, newest->seq, "signed", newest->at, e);
    }
    if (t->memory->seq > t->last)
        return refuse_end(t, t->memory->seq, "seen here", t->memory->at, e);
    if (t->first <= 1 || t->last - t->first + 1 >= AUDIT_ROWS_KEPT) return true;
    err_set(e, ERR_CORRUPT,
            "the trail begins with row %" PRId64 ", and a master keeps the newest %d: those "
            "before were cut off",
            t->first, AUDIT_ROWS_KEPT);
    return hint(e);
}
