/* Root, timestamp and snapshot, and what all roles share. */
#include "lib/encode.h"
#include "lib/tuf_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static const char *const role_names[TUF_ROLE_COUNT] = {
    [TUF_ROOT] = "root",
    [TUF_TIMESTAMP] = "timestamp",
    [TUF_SNAPSHOT] = "snapshot",
    [TUF_TARGETS] = "targets",
};

const char *tuf_role_name(enum tuf_role_kind role) {
    assert((unsigned)role < TUF_ROLE_COUNT);
    return role_names[role];
}

bool tuf_role_parse(const char *name, enum tuf_role_kind *out) {
    for (size_t i = 0; i < TUF_ROLE_COUNT; i++) {
        if (strcmp(role_names[i], name) != 0) continue;
        *out = (enum tuf_role_kind)i;
        return true;
    }
    return false;
}

void tuf_keys_clear(struct tuf_keys *keys) {
    for (size_t i = 0; i < keys->count; i++) tuf_key_clear(&keys->list[i]);
    free(keys->list);
}

void tuf_signers_clear(struct tuf_signers *s) {
    free(s->key_ids);
}

bool tuf_signers_have(const struct tuf_signers *s, const char *key_id) {
    for (size_t i = 0; i < s->key_count; i++)
        if (strcmp(s->key_ids[i], key_id) == 0) return true;
    return false;
}

void tuf_signers_add(struct tuf_signers *s, const char *key_id) {
    if (tuf_signers_have(s, key_id)) return;
    s->key_ids = memory_resize(s->key_ids, s->key_count + 1, sizeof *s->key_ids);
    bool fits = text_copy(s->key_ids[s->key_count++], sizeof *s->key_ids, key_id);
    assert(fits);
}

void tuf_keys_add(struct tuf_keys *keys, const struct tuf_key *key) {
    size_t place = 0;
    if (tuf_keys_find(keys, key->id) != NULL) return;
    while (place < keys->count && strcmp(keys->list[place].id, key->id) < 0) place++;
    keys->list = memory_resize(keys->list, keys->count + 1, sizeof *keys->list);
    struct tuf_key *added = &keys->list[place];
    memmove(added + 1, added, (keys->count++ - place) * sizeof *added);
    *added = *key;
    added->value = text_duplicate(key->value);
}

bool tuf_root_names(const struct tuf_root *r, const char *key_id) {
    for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
        if (tuf_signers_have(&r->roles[i], key_id)) return true;
    return false;
}

void tuf_root_drop_unnamed(struct tuf_root *r) {
    size_t kept = 0;
    for (size_t i = 0; i < r->keys.count; i++) {
        if (tuf_root_names(r, r->keys.list[i].id))
            r->keys.list[kept++] = r->keys.list[i];
        else
            tuf_key_clear(&r->keys.list[i]);
    }
    r->keys.count = kept;
}

void tuf_root_clear(struct tuf_root *r) {
    tuf_keys_clear(&r->keys);
    for (size_t i = 0; i < TUF_ROLE_COUNT; i++) tuf_signers_clear(&r->roles[i]);
    memset(r, 0, sizeof *r);
}

void tuf_snapshot_clear(struct tuf_snapshot *s) {
    free(s->entries);
    memset(s, 0, sizeof *s);
}

static bool read_roles(struct json_slice value, void *out, struct err *e) {
    struct tuf_member members[TUF_ROLE_COUNT];
    for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
        members[i] = (struct tuf_member){
            .name = role_names[i], .read = tuf_read_signers, .out = (struct tuf_signers *)out + i};
    return tuf_read_members(value, members, TUF_COUNT(members), e);
}

bool tuf_root_parse(const char *bytes, size_t length, struct tuf_root *out, struct err *e) {
    struct tuf_member members[] = {
        TUF_MAY("consistent_snapshot", tuf_read_bool, &out->consistent_snapshot),
        TUF_MUST("keys", tuf_read_keys, &out->keys),
        TUF_MUST("roles", read_roles, out->roles),
    };
    memset(out, 0, sizeof *out);
    if (tuf_read_file(bytes, length, TUF_ROOT, &out->heading, members, TUF_COUNT(members), e))
        return true;
    tuf_root_clear(out);
    return false;
}

static bool read_snapshot_promise(struct json_slice value, void *out, struct err *e) {
    return tuf_read_promise(value, out, e);
}

static bool read_timestamp_meta(struct json_slice value, void *out, struct err *e) {
    struct tuf_member members[] = {
        TUF_MUST("snapshot.json", read_snapshot_promise, out),
    };
    return tuf_read_members(value, members, TUF_COUNT(members), e);
}

bool tuf_timestamp_parse(const char *bytes, size_t length, struct tuf_timestamp *out,
                         struct err *e) {
    struct tuf_member members[] = {
        TUF_MUST("meta", read_timestamp_meta, &out->snapshot),
    };
    memset(out, 0, sizeof *out);
    return tuf_read_file(bytes, length, TUF_TIMESTAMP, &out->heading, members, TUF_COUNT(members),
                         e);
}

/* file is "ROLE.json". */
static bool add_entry(const char *file, struct json_slice value, void *out, struct err *e) {
    static const char suffix[] = ".json";
    struct tuf_snapshot *s = out;
    s->entries = tuf_grow(s->entries, s->count, sizeof *s->entries);
    struct tuf_snapshot_entry *added = &s->entries[s->count++];
    OWN_MEMORY char *role = text_duplicate(file);
    size_t length = strlen(role);
    if (length < strlen(suffix) || strcmp(role + length - strlen(suffix), suffix) != 0)
        return err_set(e, ERR_INVALID, "not named as a file of metadata, ROLE.json");
    role[length - strlen(suffix)] = '\0';
    return tuf_copy_name(added->role, sizeof added->role, role, e) &&
           tuf_read_promise(value, &added->promise, e);
}

static int compare_entries(const void *a, const void *b) {
    const struct tuf_snapshot_entry *first = a;
    const struct tuf_snapshot_entry *second = b;
    return strcmp(first->role, second->role);
}

static bool read_snapshot_meta(struct json_slice value, void *out, struct err *e) {
    struct tuf_snapshot *s = out;
    if (!tuf_read_map(value, TUF_SNAPSHOT_ENTRIES_MAX, add_entry, s, e)) return false;
    const struct tuf_snapshot_entry *twice =
        tuf_sort(s->entries, s->count, sizeof *s->entries, compare_entries);
    if (twice != NULL) return err_set(e, ERR_INVALID, "%s.json is there twice", twice->role);
    return tuf_snapshot_find(s, tuf_role_name(TUF_TARGETS)) != NULL ||
           err_set(e, ERR_INVALID, "targets.json is missing");
}

bool tuf_snapshot_parse(const char *bytes, size_t length, struct tuf_snapshot *out, struct err *e) {
    struct tuf_member members[] = {
        TUF_MUST("meta", read_snapshot_meta, out),
    };
    memset(out, 0, sizeof *out);
    if (tuf_read_file(bytes, length, TUF_SNAPSHOT, &out->heading, members, TUF_COUNT(members), e))
        return true;
    tuf_snapshot_clear(out);
    return false;
}

const struct tuf_key *tuf_keys_find(const struct tuf_keys *keys, const char *id) {
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->list[i].id, id) == 0) return &keys->list[i];
    return NULL;
}

const struct tuf_snapshot_entry *tuf_snapshot_find(const struct tuf_snapshot *s, const char *role) {
    struct tuf_snapshot_entry wanted = {0};
    if (s->count == 0 || !text_copy(wanted.role, sizeof wanted.role, role)) return NULL;
    return bsearch(&wanted, s->entries, s->count, sizeof *s->entries, compare_entries);
}

static bool hash_kept(const char *promised, const char *found, const char *algorithm,
                      const char *what, struct err *e) {
    return promised[0] == '\0' || strcmp(promised, found) == 0 ||
           err_set(e, ERR_UNTRUSTED, "%s: %s is %.16s..., and %.16s... was promised", what,
                   algorithm, found, promised);
}

bool tuf_promise_kept(const struct tuf_promise *p, const void *bytes, size_t length,
                      const char *what, struct err *e) {
    unsigned char digest[SHA256_SIZE];
    char sha256[SHA256_HEX_SIZE];
    char sha512[SHA512_HEX_SIZE] = "";
    if (p->length >= 0 && (uint64_t)p->length != length)
        return err_set(e, ERR_UNTRUSTED, "%s: %zu bytes, and %" PRId64 " were promised", what,
                       length, p->length);
    sha256_bytes(bytes, length, digest);
    encode_hex(digest, sizeof digest, sha256);
    if (p->sha512[0] != '\0') sha512_hex(bytes, length, sha512);
    return hash_kept(p->sha256, sha256, "SHA-256", what, e) &&
           hash_kept(p->sha512, sha512, "SHA-512", what, e);
}
