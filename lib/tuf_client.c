#include "lib/tuf_client_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static const char *const files[TUF_ROLE_COUNT] = {
    [TUF_ROOT] = "root.json",
    [TUF_TIMESTAMP] = "timestamp.json",
    [TUF_SNAPSHOT] = "snapshot.json",
    [TUF_TARGETS] = "targets.json",
};

/* Whether those whom this root names for the role have signed the document. */
static bool signed_by(const struct tuf_client *c, const struct tuf_root *root,
                      const struct tuf_document *d, struct err *e) {
    return tuf_verify(text_value(&d->bytes), d->bytes.length, tuf_role_name(d->kind), &root->keys,
                      &root->roles[d->kind], c->options.foreign, e);
}

static bool prove(struct tuf_client *c, struct tuf_document *d, struct err *e) {
    d->proven = signed_by(c, &c->trusted[TUF_ROOT]->root, d, e);
    return d->proven || tuf_client_refuse(c, TUF_UNSIGNED, e);
}

static void trust(struct tuf_client *c, struct tuf_document *d) {
    tuf_document_free(c->trusted[d->kind]);
    c->trusted[d->kind] = d;
}

/* Saves it and takes it in place of the older one. */
static bool adopt(struct tuf_client *c, struct tuf_document **d, struct err *e) {
    if (!tuf_client_save(c, files[(*d)->kind], *d, e)) return false;
    trust(c, TAKE(*d));
    return true;
}

static bool forget(struct tuf_client *c, enum tuf_role_kind kind, struct err *e) {
    tuf_document_free(c->trusted[kind]);
    c->trusted[kind] = NULL;
    return c->options.save(c->options.argument, files[kind], NULL, 0, e) ||
           err_wrap(e, "remove %s", files[kind]);
}

static bool open_root(struct tuf_client *c, struct err *e) {
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    OWN(tuf_document) struct tuf_document *root = NULL;
    if (!c->options.load(c->options.argument, files[TUF_ROOT], &bytes, e))
        return err_wrap(e, "trusted root");
    if (!tuf_document_read(TUF_ROOT, &bytes, &root, e) || !signed_by(c, &root->root, root, e)) {
        e->code = ERR_CORRUPT;
        return err_wrap(e, "trusted root");
    }
    root->proven = true;
    trust(c, TAKE(root));
    return true;
}

static bool open_other(struct tuf_client *c, enum tuf_role_kind kind, struct err *e) {
    OWN(tuf_document) struct tuf_document *d = NULL;
    if (!tuf_client_load(c, kind, files[kind], &d, e)) return e->code == ERR_NOT_FOUND;
    d->proven = signed_by(c, &c->trusted[TUF_ROOT]->root, d, NULL);
    if (d->proven) trust(c, TAKE(d));
    return true;
}

bool tuf_client_open(struct tuf_client **out, const struct tuf_client_options *options,
                     struct err *e) {
    struct err local;
    OWN(tuf_client) struct tuf_client *c = memory_zeroed(1, sizeof *c);
    if (e == NULL) e = &local;
    c->options = *options;
    if (!open_root(c, e)) return false;
    for (enum tuf_role_kind kind = TUF_TIMESTAMP; kind < TUF_ROLE_COUNT; kind++)
        if (!open_other(c, kind, e)) return false;
    *out = TAKE(c);
    return true;
}

void tuf_client_close(struct tuf_client *c) {
    if (c == NULL) return;
    for (size_t i = 0; i < TUF_ROLE_COUNT; i++) tuf_document_free(c->trusted[i]);
    tuf_document_free(c->found);
    free(c);
}

const char *tuf_attack_name(enum tuf_attack a) {
    static const char *const names[] = {
        [TUF_NO_ATTACK] = "",
        [TUF_UNSIGNED] = "unsigned",
        [TUF_ROLLBACK] = "rollback",
        [TUF_FREEZE] = "freeze",
        [TUF_MIX_AND_MATCH] = "mix-and-match",
        [TUF_ENDLESS] = "endless",
        [TUF_MALFORMED] = "malformed",
    };
    assert((size_t)a < sizeof names / sizeof names[0]);
    return names[a];
}

/* Whether somebody who spoke for the role no longer does: keys are compared, not what they are
 * called. */
static bool lost_signer(const struct tuf_root *old, const struct tuf_root *new,
                        enum tuf_role_kind kind) {
    const struct tuf_signers *before = &old->roles[kind], *now = &new->roles[kind];
    for (size_t i = 0; i < before->key_count; i++) {
        const struct tuf_key *key = tuf_keys_find(&old->keys, before->key_ids[i]);
        bool stays = key == NULL;
        for (size_t j = 0; j < now->key_count && !stays; j++) {
            const struct tuf_key *other = tuf_keys_find(&new->keys, now->key_ids[j]);
            stays = other != NULL && tuf_key_same(key, other);
        }
        if (!stays) return true;
    }
    return false;
}

/* Section 5.3.4 and 5.3.5: by the old and the new keys, and the very next version. */
static bool root_follows(struct tuf_client *c, const struct tuf_document *new, struct err *e) {
    const struct tuf_root *old = &c->trusted[TUF_ROOT]->root;
    if (!signed_by(c, old, new, e)) {
        err_wrap(e, "root %" PRId64 " by the keys of root %" PRId64, new->heading.version,
                 old->heading.version);
        return tuf_client_refuse(c, TUF_UNSIGNED, e);
    }
    if (!signed_by(c, &new->root, new, e)) {
        err_wrap(e, "root %" PRId64 " by its own keys", new->heading.version);
        return tuf_client_refuse(c, TUF_UNSIGNED, e);
    }
    if (new->heading.version == old->heading.version + 1) return true;
    err_set(e, ERR_UNTRUSTED, "root %" PRId64 " calls itself version %" PRId64,
            old->heading.version + 1, new->heading.version);
    return tuf_client_refuse(c, TUF_ROLLBACK, e);
}

/* Section 5.3.11: an attacker who held the keys may have moved versions so far ahead that nothing
 * true would ever be newer. */
static bool forget_rotated(struct tuf_client *c, const struct tuf_root *new, struct err *e) {
    const struct tuf_root *old = &c->trusted[TUF_ROOT]->root;
    if (!lost_signer(old, new, TUF_TIMESTAMP) && !lost_signer(old, new, TUF_SNAPSHOT)) return true;
    return forget(c, TUF_TIMESTAMP, e) && forget(c, TUF_SNAPSHOT, e);
}

/* Section 5.3.7 and 5.3.8. What is to be forgotten goes first: behind the new root nobody could
 * tell any more that keys were replaced, should the program end in between. */
static bool adopt_root(struct tuf_client *c, struct tuf_document **new, struct err *e) {
    (*new)->proven = true;
    if (!forget_rotated(c, &(*new)->root, e) || !adopt(c, new, e)) return false;
    for (enum tuf_role_kind kind = TUF_TIMESTAMP; kind < TUF_ROLE_COUNT; kind++)
        if (c->trusted[kind] != NULL)
            c->trusted[kind]->proven =
                signed_by(c, &c->trusted[TUF_ROOT]->root, c->trusted[kind], NULL);
    return true;
}

static bool update_root(struct tuf_client *c, int64_t now_ms, struct err *e) {
    for (size_t step = 0; step < TUF_ROOT_STEPS_MAX; step++) {
        char file[48];
        OWN(tuf_document) struct tuf_document *new = NULL;
        snprintf(file, sizeof file, "%" PRId64 ".root.json",
                 c->trusted[TUF_ROOT]->heading.version + 1);
        if (!tuf_client_fetch(c, TUF_ROOT, file, TUF_ROOT_MAX_BYTES, &new, e)) {
            if (e->code == ERR_NOT_FOUND) break;
            return false;
        }
        if (!root_follows(c, new, e) || !adopt_root(c, &new, e)) return false;
    }
    return tuf_client_unexpired(c, c->trusted[TUF_ROOT], files[TUF_ROOT], now_ms, e);
}

static bool went_back(struct tuf_client *c, const char *what, int64_t now, int64_t before,
                      struct err *e) {
    err_set(e, ERR_UNTRUSTED, "%.120s: version %" PRId64 ", trusted is %" PRId64 " already", what,
            now, before);
    return tuf_client_refuse(c, TUF_ROLLBACK, e);
}

/* Section 5.4.3. An older timestamp counts here even if a newer root would not believe it. */
static bool timestamp_advances(struct tuf_client *c, const struct tuf_timestamp *new,
                               struct err *e) {
    if (c->trusted[TUF_TIMESTAMP] == NULL) return true;
    const struct tuf_timestamp *old = &c->trusted[TUF_TIMESTAMP]->timestamp;
    if (new->heading.version < old->heading.version)
        return went_back(c, files[TUF_TIMESTAMP], new->heading.version, old->heading.version, e);
    if (new->snapshot.version < old->snapshot.version)
        return went_back(c, "timestamp.json: its snapshot", new->snapshot.version,
                         old->snapshot.version, e);
    return true;
}

static bool update_timestamp(struct tuf_client *c, int64_t now_ms, struct err *e) {
    OWN(tuf_document) struct tuf_document *new = NULL;
    const char *file = files[TUF_TIMESTAMP];
    const struct tuf_document *old = c->trusted[TUF_TIMESTAMP];
    if (!tuf_client_fetch(c, TUF_TIMESTAMP, file, TUF_TIMESTAMP_MAX_BYTES, &new, e) ||
        !prove(c, new, e))
        return false;
    if (old != NULL && old->proven && old->heading.version == new->heading.version)
        return tuf_client_unexpired(c, old, file, now_ms, e);
    return timestamp_advances(c, &new->timestamp, e) &&
           tuf_client_unexpired(c, new, file, now_ms, e) && adopt(c, &new, e);
}

/* Whether what is trusted is what the role above promises, so that nothing need be fetched. */
static bool have(const struct tuf_client *c, enum tuf_role_kind kind,
                 const struct tuf_promise *promise, int64_t now_ms) {
    const struct tuf_document *d = c->trusted[kind];
    return d != NULL && d->proven && d->heading.version == promise->version &&
           d->heading.expires_ms > now_ms &&
           tuf_promise_kept(promise, text_value(&d->bytes), d->bytes.length, files[kind], NULL);
}

/* Section 5.5.5. */
static bool snapshot_advances(struct tuf_client *c, const struct tuf_snapshot *new, struct err *e) {
    if (c->trusted[TUF_SNAPSHOT] == NULL) return true;
    const struct tuf_snapshot *old = &c->trusted[TUF_SNAPSHOT]->snapshot;
    for (size_t i = 0; i < old->count; i++) {
        const struct tuf_snapshot_entry *was = &old->entries[i];
        const struct tuf_snapshot_entry *is = tuf_snapshot_find(new, was->role);
        if (is == NULL) {
            err_set(e, ERR_UNTRUSTED, "snapshot.json: role %.120s is gone", was->role);
            return tuf_client_refuse(c, TUF_ROLLBACK, e);
        }
        if (is->promise.version < was->promise.version) {
            char what[TUF_ROLE_NAME_SIZE + 32];
            snprintf(what, sizeof what, "snapshot.json: role %s", was->role);
            return went_back(c, what, is->promise.version, was->promise.version, e);
        }
    }
    return true;
}

static bool update_snapshot(struct tuf_client *c, int64_t now_ms, struct err *e) {
    OWN(tuf_document) struct tuf_document *new = NULL;
    const struct tuf_promise *promise = &c->trusted[TUF_TIMESTAMP]->timestamp.snapshot;
    const char *file = files[TUF_SNAPSHOT];
    if (have(c, TUF_SNAPSHOT, promise, now_ms)) return true;
    return tuf_client_fetch_promised(c, TUF_SNAPSHOT, file, promise, &new, e) && prove(c, new, e) &&
           tuf_client_current(c, new, file, promise, now_ms, e) &&
           snapshot_advances(c, &new->snapshot, e) && adopt(c, &new, e);
}

static bool update_targets(struct tuf_client *c, int64_t now_ms, struct err *e) {
    OWN(tuf_document) struct tuf_document *new = NULL;
    const char *file = files[TUF_TARGETS];
    const struct tuf_snapshot_entry *entry =
        tuf_snapshot_find(&c->trusted[TUF_SNAPSHOT]->snapshot, "targets");
    assert(entry != NULL); /* or it were no snapshot */
    if (have(c, TUF_TARGETS, &entry->promise, now_ms)) return true;
    return tuf_client_fetch_promised(c, TUF_TARGETS, file, &entry->promise, &new, e) &&
           prove(c, new, e) && tuf_client_current(c, new, file, &entry->promise, now_ms, e) &&
           adopt(c, &new, e);
}

bool tuf_client_refresh(struct tuf_client *c, int64_t now_ms, struct err *e) {
    struct err local;
    if (e == NULL) e = &local;
    c->attack = TUF_NO_ATTACK;
    return update_root(c, now_ms, e) && update_timestamp(c, now_ms, e) &&
           update_snapshot(c, now_ms, e) && update_targets(c, now_ms, e);
}

enum tuf_attack tuf_client_attack(const struct tuf_client *c) {
    return c->attack;
}

const struct tuf_root *tuf_client_root(const struct tuf_client *c) {
    return &c->trusted[TUF_ROOT]->root;
}

/* What a newer root no longer believes is not trusted. */
static const struct tuf_document *believed(const struct tuf_client *c, enum tuf_role_kind kind) {
    const struct tuf_document *d = c->trusted[kind];
    return d != NULL && d->proven ? d : NULL;
}

const struct tuf_timestamp *tuf_client_timestamp(const struct tuf_client *c) {
    const struct tuf_document *d = believed(c, TUF_TIMESTAMP);
    return d != NULL ? &d->timestamp : NULL;
}

const struct tuf_targets *tuf_client_targets(const struct tuf_client *c) {
    const struct tuf_document *d = believed(c, TUF_TARGETS);
    return d != NULL ? &d->targets : NULL;
}
