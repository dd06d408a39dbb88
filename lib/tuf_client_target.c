#include "lib/tuf_client_internal.h"

#include "lib/encode.h"
#include "lib/tuf_path.h"

#include <stdio.h>
#include <string.h>

/* Bytes of delegated roles that one look-up reads: what is on the way down is in memory at once. */
#define WALK_BYTES_MAX ((size_t)4 * TUF_TARGETS_MAX_BYTES)

/* A search through delegations, in pre-order (section 5.6.7). */
struct walk {
    const char *path;
    char path_sha256[SHA256_HEX_SIZE];
    int64_t now_ms;
    size_t bytes;
    char visited[TUF_DELEGATIONS_MAX][TUF_ROLE_NAME_SIZE];
    size_t visited_count;
    bool ended; /* by a terminating delegation */
};

static bool delegates(const struct tuf_delegation *d, const struct walk *w) {
    if (d->bits > 0) return true; /* one of its roles */
    for (size_t i = 0; i < d->path_count; i++)
        if (tuf_path_matches(d->paths[i], w->path)) return true;
    for (size_t i = 0; i < d->hash_prefix_count; i++)
        if (strncmp(w->path_sha256, d->hash_prefixes[i], strlen(d->hash_prefixes[i])) == 0)
            return true;
    return false;
}

/* The role meant: of a succinct delegation the one that the path belongs to. Shares what *d owns.
 */
static struct tuf_delegation role_of(const struct tuf_delegation *d, const struct walk *w) {
    struct tuf_delegation role = *d;
    if (d->bits == 0) return role;
    size_t length = strlen(role.role);
    char first[TUF_BITS_MAX / 4 + 1];
    text_cut(first, sizeof first, w->path_sha256);
    unsigned long number = strtoul(first, NULL, 16) >> (TUF_BITS_MAX - d->bits);
    snprintf(role.role + length, sizeof role.role - length, "-%0*lx", (d->bits + 3) / 4, number);
    return role;
}

/* False when it was there before, or when that would be one too many. */
static bool enter(struct walk *w, const char *role) {
    for (size_t i = 0; i < w->visited_count; i++)
        if (strcmp(w->visited[i], role) == 0) return false;
    if (w->visited_count == TUF_DELEGATIONS_MAX) return false;
    snprintf(w->visited[w->visited_count++], TUF_ROLE_NAME_SIZE, "%s", role);
    return true;
}

/* What one role says of another: who signs it, and what the snapshot promises of it. */
struct delegated {
    const struct tuf_keys *keys;
    const struct tuf_delegation *delegation;
    const struct tuf_promise *promise;
    char file[3 * TUF_ROLE_NAME_SIZE + 8];
};

static bool describe(struct tuf_client *c, const struct tuf_targets *by,
                     const struct tuf_delegation *d, struct delegated *out, struct err *e) {
    OWN_TEXT struct text name = TEXT_EMPTY;
    const struct tuf_document *snapshot = c->trusted[TUF_SNAPSHOT];
    const struct tuf_snapshot_entry *entry = NULL;
    if (snapshot != NULL && snapshot->proven)
        entry = tuf_snapshot_find(&snapshot->snapshot, d->role);
    if (entry == NULL) {
        err_set(e, ERR_UNTRUSTED, "role %.120s is delegated to, but not in the snapshot", d->role);
        tuf_client_refuse(c, TUF_MIX_AND_MATCH, e);
        return false;
    }
    encode_url(&name, d->role);
    *out = (struct delegated){
        .keys = &by->delegation_keys, .delegation = d, .promise = &entry->promise};
    snprintf(out->file, sizeof out->file, "%s.json", text_value(&name));
    return true;
}

static bool prove(struct tuf_client *c, const struct delegated *d, struct tuf_document *document,
                  struct err *e) {
    document->proven =
        tuf_verify(text_value(&document->bytes), document->bytes.length, d->delegation->role,
                   d->keys, &d->delegation->signers, c->options.foreign, e);
    return document->proven || tuf_client_refuse(c, TUF_UNSIGNED, e);
}

static bool load(struct tuf_client *c, const struct delegated *d, int64_t now_ms,
                 struct tuf_document **out) {
    struct err ignored;
    OWN(tuf_document) struct tuf_document *document = NULL;
    bool good = tuf_client_load(c, TUF_TARGETS, d->file, &document, &ignored) &&
                tuf_promise_kept(d->promise, text_value(&document->bytes), document->bytes.length,
                                 d->file, NULL) &&
                prove(c, d, document, &ignored) &&
                tuf_client_current(c, document, d->file, d->promise, now_ms, &ignored);
    c->attack = TUF_NO_ATTACK;
    if (good) *out = TAKE(document);
    return good;
}

static bool fetch(struct tuf_client *c, const struct delegated *d, int64_t now_ms,
                  struct tuf_document **out, struct err *e) {
    OWN(tuf_document) struct tuf_document *document = NULL;
    if (!tuf_client_fetch_promised(c, TUF_TARGETS, d->file, d->promise, &document, e) ||
        !prove(c, d, document, e) ||
        !tuf_client_current(c, document, d->file, d->promise, now_ms, e) ||
        !tuf_client_save(c, d->file, document, e))
        return false;
    *out = TAKE(document);
    return true;
}

static bool visit(struct tuf_client *c, struct walk *w, const struct tuf_targets *t,
                  const struct tuf_target **out, struct err *e);

/* Keeps the delegated role that has the target. */
static bool follow(struct tuf_client *c, struct walk *w, const struct tuf_targets *by,
                   const struct tuf_delegation *delegation, const struct tuf_target **out,
                   struct err *e) {
    struct delegated d;
    OWN(tuf_document) struct tuf_document *document = NULL;
    if (!enter(w, delegation->role)) return true;
    if (!describe(c, by, delegation, &d, e)) return false;
    if (!load(c, &d, w->now_ms, &document) && !fetch(c, &d, w->now_ms, &document, e)) return false;
    w->bytes += document->bytes.length;
    if (w->bytes > WALK_BYTES_MAX) {
        err_set(e, ERR_TOO_LARGE, "%s: delegated roles of more than %zu bytes", w->path,
                WALK_BYTES_MAX);
        return tuf_client_refuse(c, TUF_ENDLESS, e);
    }
    if (!visit(c, w, &document->targets, out, e)) return false;
    if (*out != NULL && c->found == NULL) c->found = TAKE(document);
    return true;
}

/* Looks into one role, then where it points, in its order. */
static bool visit(struct tuf_client *c, struct walk *w, const struct tuf_targets *t,
                  const struct tuf_target **out, struct err *e) {
    *out = tuf_targets_find(t, w->path);
    for (size_t i = 0; i < t->delegation_count && *out == NULL && !w->ended; i++) {
        const struct tuf_delegation *d = &t->delegations[i];
        if (!delegates(d, w)) continue;
        const struct tuf_delegation role = role_of(d, w);
        if (!follow(c, w, t, &role, out, e)) return false;
        if (d->terminating) w->ended = true;
    }
    return true;
}

bool tuf_client_target(struct tuf_client *c, const char *path, int64_t now_ms,
                       const struct tuf_target **out, struct err *e) {
    struct err local;
    unsigned char digest[SHA256_SIZE];
    struct walk w = {.path = path, .now_ms = now_ms};
    const struct tuf_document *targets = c->trusted[TUF_TARGETS];
    if (e == NULL) e = &local;
    c->attack = TUF_NO_ATTACK;
    tuf_document_free(c->found);
    c->found = NULL;
    *out = NULL;
    if (tuf_client_targets(c) == NULL) {
        err_set(e, ERR_NOT_FOUND, "no targets are trusted yet");
        return err_hint(e, "refresh the metadata first");
    }
    if (!tuf_client_unexpired(c, targets, "targets.json", now_ms, e)) return false;
    sha256_bytes(path, strlen(path), digest);
    encode_hex(digest, sizeof digest, w.path_sha256);
    if (!visit(c, &w, &targets->targets, out, e)) return false;
    return *out != NULL ||
           err_set(e, ERR_NOT_FOUND, "the trusted targets do not name %.160s", path);
}

void tuf_client_target_file(const struct tuf_client *c, const struct tuf_target *t,
                            struct text *out) {
    const char *slash = strrchr(t->path, '/');
    const char *name = slash != NULL ? slash + 1 : t->path;
    text_add_bytes(out, t->path, (size_t)(name - t->path));
    if (tuf_client_root(c)->consistent_snapshot)
        text_add_format(out, "%s.",
                        t->promise.sha256[0] != '\0' ? t->promise.sha256 : t->promise.sha512);
    text_add(out, name);
}
