/* The one door into the catalog. What is cheap to find out is asked first; nothing can be seen by
 * anybody before the row is committed, and a crash in between leaves an object without a row, which
 * the next start removes. */
#include "master/catalog_internal.h"

#include "lib/clock.h"
#include "lib/json.h"
#include "lib/log.h"
#include "master/channels.h"
#include "master/events.h"
#include "master/store.h"

#include <stdio.h>
#include <string.h>

static bool refuse_other_bytes(const struct binary *found, const char *file_name,
                               const char *sha256, struct err *e) {
    err_set(e, ERR_CONFLICT, "%s %s sha256 %s; these bytes have sha256 %s", file_name,
            found->deleted_at_ms == 0 ? "is published with" : "was deleted with", found->sha256,
            sha256);
    return err_hint(e, "a name keeps its bytes for ever: publish these under a new version");
}

static bool refuse_deleted(const struct binary *found, const char *file_name, struct err *e) {
    char at[CLOCK_RFC3339_SIZE];
    err_set(e, ERR_CONFLICT, "%s was deleted at %s, after it was put here", file_name,
            clock_rfc3339(found->deleted_at_ms, at));
    return err_hint(e, "remove the file, or touch it to publish it anew");
}

static bool check_discarded(struct db_connection *c, const struct admission *a,
                            const char *file_name, struct err *e) {
    char at[CLOCK_RFC3339_SIZE];
    int64_t at_ms = 0;
    if (a->offered_at_ms == 0) return true;
    if (!held_discarded(c, file_name, a->staged->sha256, &at_ms, e)) return false;
    if (a->offered_at_ms > at_ms) return true;
    err_set(e, ERR_CONFLICT, "%s was discarded at %s, after it was put here", file_name,
            clock_rfc3339(at_ms, at));
    return err_hint(e, "remove the file, or touch it to offer it anew");
}

/* What lay in the drop box before its name was left out is not offered anew by lying there, and
 * what was yanked by nothing. */
static enum standing standing_of(const struct binary *found, const struct admission *a) {
    if (found->deleted_at_ms != 0) return STANDING_DELETED;
    bool anew = found->left_out && !found->yanked && a->offered_at_ms == 0;
    return anew ? STANDING_LEFT_OUT : STANDING_SAME;
}

bool catalog_judge(struct db_connection *c, struct entry *n, struct binary *found, struct err *e) {
    const struct admission *a = n->admission;
    char file_name[ARTIFACT_FILE_SIZE];
    struct err why;
    artifact_file_name(a->id, file_name);
    n->standing = STANDING_NEW;
    if (!catalog_read_row(c, a->id, found, &why)) {
        if (why.code != ERR_NOT_FOUND) *e = why;
        return why.code == ERR_NOT_FOUND && check_discarded(c, a, file_name, e);
    }
    if (strcmp(found->sha256, a->staged->sha256) != 0)
        return refuse_other_bytes(found, file_name, a->staged->sha256, e);
    n->standing = standing_of(found, a);
    if (n->standing == STANDING_DELETED && a->offered_at_ms != 0 &&
        a->offered_at_ms <= found->deleted_at_ms)
        return refuse_deleted(found, file_name, e);
    return n->standing == STANDING_SAME || check_discarded(c, a, file_name, e);
}

static bool read_standing(struct db_connection *c, void *argument, struct err *e) {
    struct entry *n = argument;
    return catalog_judge(c, n, n->binary, e);
}

static bool check_bytes(const struct admission *a, const char *file_name, struct err *e) {
    if (a->staged->size_bytes == 0) return err_set(e, ERR_INVALID, "%s is empty", file_name);
    return artifact_check_machine(a->staged->fd, a->id->platform, a->id->arch, e) ||
           err_wrap(e, "%s", file_name);
}

int64_t catalog_trust_mark(struct catalog *c) {
    struct publisher publishers[KEYS_PUBLISHERS_MAX];
    uint32_t mark = 0;
    size_t count = keys_publishers(c->keys, publishers);
    for (size_t i = 0; i < count; i++)
        mark = crc32c(mark, publishers[i].key.key, sizeof publishers[i].key.key);
    return (int64_t)mark;
}

static bool verify_publisher(const struct publisher *publishers, size_t count,
                             const struct admission *a, const char *file_name, struct binary *b,
                             struct err *e) {
    struct sign_public keys[KEYS_PUBLISHERS_MAX];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) keys[i] = publishers[i].key;
    if (!sign_verify_file(keys, count, a->publisher_signature, a->staged->fd, file_name, &used,
                          e)) {
        if (e->code == ERR_INVALID) e->code = ERR_UNTRUSTED; /* malformed proves nothing either */
        return false;
    }
    if (!text_copy(b->publisher_signature, sizeof b->publisher_signature, a->publisher_signature))
        return err_set(e, ERR_UNTRUSTED, "%s: its signature is longer than %zu characters",
                       file_name, sizeof b->publisher_signature - 1);
    sign_key_id(&keys[used], b->key_id);
    b->publisher_signed = true;
    return true;
}

/* The publisher's approval, where one is asked for or given. Without one that is asked for the
 * binary waits for another approval. */
static bool approve(struct catalog *c, struct entry *n, const char *file_name, struct err *e) {
    struct publisher publishers[KEYS_PUBLISHERS_MAX];
    const struct admission *a = n->admission;
    size_t count = keys_publishers(c->keys, publishers);
    bool required = c->required == CATALOG_SIGNATURES_ON ||
                    (c->required == CATALOG_SIGNATURES_AUTO && count > 0);
    bool given = a->publisher_signature != NULL && *a->publisher_signature != '\0';
    if (given && count > 0) return verify_publisher(publishers, count, a, file_name, n->binary, e);
    sign_key_id(keys_release(c->keys), n->binary->key_id);
    if (required)
        snprintf(n->lacks, sizeof n->lacks, "it lacks the signature of a trusted publisher%s",
                 count == 0 ? ", and none is trusted" : "");
    return true;
}

bool catalog_sign_release(struct catalog *c, int fd, struct binary *b, struct err *e) {
    OWN_TEXT struct text signature = TEXT_EMPTY;
    char file_name[ARTIFACT_FILE_SIZE];
    artifact_file_name(&b->id, file_name);
    if (!keys_sign_release(c->keys, fd, file_name, &signature, e)) return false;
    return text_copy(b->signature, sizeof b->signature, text_value(&signature)) ||
           err_set(e, ERR_INTERNAL, "%s: the release signature is too long", file_name);
}

static bool describe(const struct admission *a, struct binary *b, struct err *e) {
    *b = (struct binary){
        .id = *a->id, .size_bytes = a->staged->size_bytes, .uploaded_at_ms = clock_wall_ms()};
    memcpy(b->sha256, a->staged->sha256, sizeof b->sha256);
    return a->notes == NULL || text_copy(b->notes, sizeof b->notes, a->notes) ||
           err_set(e, ERR_INVALID, "notes: at most %zu characters", sizeof b->notes - 1);
}

struct published {
    char sha256[SHA256_HEX_SIZE];
    int64_t size_bytes;
    char key_id[SIGN_KEY_ID_HEX_SIZE];
};
static const struct json_field published_fields[] = {
    J(JSON_STRING, struct published, sha256, 0),
    J(JSON_INT, struct published, size_bytes, 0),
    J(JSON_STRING, struct published, key_id, 0),
};
static const struct json_schema published_schema = JSON_SCHEMA(struct published, published_fields);

static bool add_event(struct db_connection *c, const struct entry *n, struct err *e) {
    const struct binary *b = n->binary;
    char file_name[ARTIFACT_FILE_SIZE];
    struct published data = {.size_bytes = b->size_bytes};
    OWN_TEXT struct text json = TEXT_EMPTY;
    memcpy(data.sha256, b->sha256, sizeof data.sha256);
    memcpy(data.key_id, b->key_id, sizeof data.key_id);
    json_encode(&published_schema, &data, &json);
    return events_add_change(
        c, e, "binary.published", artifact_file_name(&b->id, file_name), n->admission->principal,
        json.data, "%s %s for %s-%s was published, %s", b->id.name, b->id.version, b->id.platform,
        b->id.arch, b->publisher_signed ? "signed by its publisher" : "signed by this grid only");
}

static bool write_row(struct db_connection *c, const struct entry *n, struct err *e) {
    const struct binary *b = n->binary;
    const struct artifact_name *id = &b->id;
    const char *publisher = b->publisher_signed ? b->publisher_signature : NULL;
    if (n->standing != STANDING_NEW)
        return db_exec(c, Q_ARTIFACT_REVIVE, e, "ssssissss", id->name, id->version, id->platform,
                       id->arch, b->uploaded_at_ms, b->key_id, publisher, b->signature, b->notes);
    return db_exec(c, Q_ARTIFACT_INSERT, e, "sssssiissss", id->name, id->version, id->platform,
                   id->arch, b->sha256, b->size_bytes, b->uploaded_at_ms, b->key_id, publisher,
                   b->signature, b->notes);
}

bool catalog_write(struct db_connection *c, struct entry *n, struct err *e) {
    char file_name[ARTIFACT_FILE_SIZE];
    artifact_file_name(&n->binary->id, file_name);
    return write_row(c, n, e) && held_remove(c, file_name, e) && add_event(c, n, e) &&
           (semver_is_prerelease(n->binary->id.version) ||
            channels_adopt(c, CATALOG_DEFAULT_CHANNEL, n->binary->id.name, n->binary->id.version,
                           &n->adopted, e));
}

/* What was held under this name before; the same bytes for the same reason tell nothing new. */
static bool look_held(struct db_connection *c, struct entry *n, const struct held *now, bool *known,
                      struct err *e) {
    struct held before;
    struct err why;
    *known = false;
    if (!held_read(c, now->file, &before, &why)) {
        if (why.code != ERR_NOT_FOUND) *e = why;
        return why.code == ERR_NOT_FOUND;
    }
    bool same = strcmp(before.binary.sha256, now->binary.sha256) == 0;
    *known = same && strcmp(before.reason, now->reason) == 0;
    if (!same) memcpy(n->was_held, before.binary.sha256, sizeof n->was_held);
    return true;
}

static bool hold(struct db_connection *c, struct entry *n, const char *reason, struct err *e) {
    struct held h = {.at_ms = clock_wall_ms(), .binary = *n->binary};
    bool known = false;
    artifact_file_name(&n->binary->id, h.file);
    text_cut(h.reason, sizeof h.reason, reason);
    text_cut(h.principal, sizeof h.principal, n->admission->principal);
    n->held = true;
    if (!look_held(c, n, &h, &known, e)) return false;
    return held_put(c, &h, e) &&
           (known || events_add_change(c, e, "binary.held", h.file, h.principal, NULL,
                                       "%s waits for an approval: %s", h.file, h.reason));
}

/* What is neither there already nor held. */
static bool sort_out(struct db_connection *c, struct entry *n, bool signs, bool *publishable,
                     struct err *e) {
    struct binary found;
    n->held = false;
    n->was_held[0] = '\0';
    *publishable = false;
    if (!catalog_judge(c, n, &found, e)) return false;
    if (n->standing == STANDING_SAME) {
        *n->binary = found;
        return true;
    }
    if (!n->approved && n->lacks[0] != '\0') return hold(c, n, n->lacks, e);
    if (!n->approved && !signs) return hold(c, n, "targets are signed on another machine", e);
    *publishable = true;
    return true;
}

/* Names may have been published or deleted since. Bytes of these digests cannot have been, as the
 * claims on them are the caller's. */
bool catalog_commit(struct catalog *c, struct db_connection *connection,
                    struct entry *const *entries, size_t count, struct err *e) {
    OWN_MEMORY const struct binary **added = memory_zeroed(count, sizeof *added);
    OWN_MEMORY struct entry **written = memory_zeroed(count, sizeof *written);
    size_t kept = 0;
    bool signs = false;
    if (!repo_signs_targets(c->repo, connection, &signs, e)) return false;
    for (size_t i = 0; i < count; i++) {
        bool publishable = false;
        if (!sort_out(connection, entries[i], signs, &publishable, e)) return false;
        if (!publishable) continue;
        added[kept] = entries[i]->binary;
        written[kept++] = entries[i];
    }
    if (kept > 0 && !repo_add(c->repo, connection, added, kept, e)) return false;
    for (size_t i = 0; i < kept; i++)
        if (!catalog_write(connection, written[i], e)) return false;
    return true;
}

bool catalog_prepare(struct catalog *c, struct entry *n, struct err *e) {
    const struct admission *a = n->admission;
    char file_name[ARTIFACT_FILE_SIZE];
    artifact_file_name(a->id, file_name);
    if (!db_read(c->db, read_standing, n, e)) return false;
    /* Bytes that were proven before heal their object, should the disk have lost it. */
    if (n->standing == STANDING_SAME) return objects_publish(c, a->staged, e);
    return check_bytes(a, file_name, e) && describe(a, n->binary, e) &&
           approve(c, n, file_name, e) &&
           (n->lacks[0] != '\0' || catalog_sign_release(c, a->staged->fd, n->binary, e)) &&
           objects_publish(c, a->staged, e);
}

struct publication {
    struct catalog *catalog;
    struct entry *const *entries;
    size_t count;
};

static bool commit(struct db_connection *c, void *argument, struct err *e) {
    const struct publication *p = argument;
    return catalog_commit(p->catalog, c, p->entries, p->count, e);
}

bool catalog_publish(struct catalog *c, struct entry *const *entries, size_t count, struct err *e) {
    struct publication p = {c, entries, count};
    return db_write(c->db, commit, &p, e);
}

/* A commit that failed on the disk may turn out to be there after a restart: only its flush failed.
 * The bytes stay then; the next start removes what has no row. */
static bool publish(struct catalog *c, struct entry *n, struct err *e) {
    if (n->standing == STANDING_SAME || catalog_publish(c, &n, 1, e)) return true;
    if (e->code != ERR_IO) objects_drop_unused(c, n->admission->staged->sha256);
    return false;
}

enum admitted catalog_end_entry(struct catalog *c, const struct entry *n, bool admitted) {
    if (admitted && n->was_held[0] != '\0') objects_release(c, n->was_held);
    if (n->held) return ADMITTED_HELD;
    return n->standing == STANDING_SAME ? ADMITTED_SAME : ADMITTED_NEW;
}

bool catalog_admit(struct catalog *c, const struct admission *a, struct binary *out,
                   enum admitted *how, struct err *e) {
    struct entry n = {.admission = a, .binary = out};
    struct object_claim claim;
    objects_claim(c, &claim, a->staged->sha256);
    bool admitted = catalog_prepare(c, &n, e) && publish(c, &n, e);
    objects_end_claim(c, &claim);
    *how = catalog_end_entry(c, &n, admitted);
    return admitted;
}
