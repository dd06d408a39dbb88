#include "lib/clock.h"
#include "lib/encode.h"
#include "master/repo_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int64_t repo_next_version(int64_t last) {
    int64_t now_s = clock_wall_ms() / 1000;
    return now_s > last ? now_s : last + 1;
}

void repo_promise(struct tuf_promise *out, int64_t version, const char *bytes, size_t length) {
    unsigned char digest[SHA256_SIZE];
    *out = (struct tuf_promise){.version = version, .length = (int64_t)length};
    sha256_bytes(bytes, length, digest);
    encode_hex(digest, sizeof digest, out->sha256);
}

int64_t repo_expiry(const struct repo *r, enum tuf_role_kind role) {
    return (clock_wall_ms() + r->life_ms[role]) / 1000 * 1000;
}

static bool refuse_away(struct repo *r, enum tuf_role_kind role, const struct tuf_signers *signers,
                        struct err *e) {
    err_set(e, ERR_CONFLICT, "%s need %" PRId64 " signatures, and %zu of their keys are here",
            tuf_role_name(role), signers->threshold, repo_keys_count(r, signers));
    return err_hint(e, role == TUF_TARGETS
                           ? "where the key is: gridctl binary sign FILE, then gridctl binary push"
                           : "where the key is: gridctl key sign, then gridctl key publish");
}

/* The role's signatures and its row. */
static bool finish(struct repo *r, struct db_connection *c, enum tuf_role_kind role,
                   struct text *file, struct err *e) {
    const struct tuf_signers *signers = &r->view.root.roles[role];
    if (!repo_can_sign(r, signers)) return refuse_away(r, role, signers, e);
    return repo_keys_sign(r, signers, file, e) &&
           repo_row_put_role(c, role, repo_view_version(&r->view, role), file->data, e);
}

static struct tuf_heading next_heading(const struct repo *r, int64_t last,
                                       enum tuf_role_kind role) {
    if (last < r->outrun[role]) last = r->outrun[role];
    return (struct tuf_heading){.version = repo_next_version(last),
                                .expires_ms = repo_expiry(r, role)};
}

static void promise_targets(struct repo_view *v, const char *bytes, size_t length) {
    struct tuf_snapshot_entry *entry = memory_zeroed(1, sizeof *entry);
    snprintf(entry->role, sizeof entry->role, "%s", tuf_role_name(TUF_TARGETS));
    repo_promise(&entry->promise, v->targets.heading.version, bytes, length);
    int64_t version = v->snapshot.heading.version;
    tuf_snapshot_clear(&v->snapshot);
    v->snapshot =
        (struct tuf_snapshot){.heading = {.version = version}, .entries = entry, .count = 1};
}

/* Rows tell the last version: the view's own may be forgotten. */
static bool sign_targets(struct repo *r, struct db_connection *c, struct err *e) {
    struct repo_view *v = &r->view;
    OWN_TEXT struct text file = TEXT_EMPTY;
    int64_t last = 0;
    if (!repo_row_version(c, TUF_TARGETS, &last, e)) return false;
    v->targets.heading = next_heading(r, last, TUF_TARGETS);
    tuf_targets_write(&v->targets, &file);
    if (!finish(r, c, TUF_TARGETS, &file, e)) return false;
    promise_targets(v, file.data, file.length);
    return true;
}

static bool sign_snapshot(struct repo *r, struct db_connection *c, struct err *e) {
    struct repo_view *v = &r->view;
    OWN_TEXT struct text file = TEXT_EMPTY;
    int64_t last = 0;
    if (!repo_row_version(c, TUF_SNAPSHOT, &last, e)) return false;
    v->snapshot.heading = next_heading(r, last, TUF_SNAPSHOT);
    tuf_snapshot_write(&v->snapshot, &file);
    if (!finish(r, c, TUF_SNAPSHOT, &file, e)) return false;
    repo_promise(&v->timestamp.snapshot, v->snapshot.heading.version, file.data, file.length);
    return true;
}

static bool sign_timestamp(struct repo *r, struct db_connection *c, struct err *e) {
    struct repo_view *v = &r->view;
    OWN_TEXT struct text file = TEXT_EMPTY;
    int64_t last = 0;
    if (!repo_row_version(c, TUF_TIMESTAMP, &last, e)) return false;
    v->timestamp.heading = next_heading(r, last, TUF_TIMESTAMP);
    tuf_timestamp_write(&v->timestamp, &file);
    return finish(r, c, TUF_TIMESTAMP, &file, e);
}

/* What was half done counts for nothing: the view is taken from the rows again. */
static bool forget_all(struct repo *r) {
    for (int role = 0; role < TUF_ROLE_COUNT; role++) repo_view_forget(r, (enum tuf_role_kind)role);
    return false;
}

bool repo_publish(struct repo *r, struct db_connection *c, enum tuf_role_kind first,
                  struct err *e) {
    bool done = (first != TUF_TARGETS || sign_targets(r, c, e)) &&
                (first == TUF_TIMESTAMP || sign_snapshot(r, c, e)) && sign_timestamp(r, c, e);
    if (!done) return forget_all(r);
    repo_note_status(r, c);
    return true;
}

bool repo_publish_taken(struct repo *r, struct db_connection *c, const char *bytes, size_t length,
                        struct err *e) {
    OWN_TEXT struct text file = TEXT_EMPTY;
    text_add_bytes(&file, bytes, length); /* they may be a part of something longer */
    if (!repo_row_put_role(c, TUF_TARGETS, r->view.targets.heading.version, text_value(&file), e))
        return forget_all(r);
    promise_targets(&r->view, bytes, length);
    return repo_publish(r, c, TUF_SNAPSHOT, e);
}

struct note {
    struct repo *repo;
    struct repo_status status;
};

static void take_status(const void *argument) {
    const struct note *n = argument;
    pthread_mutex_lock(&n->repo->lock);
    n->repo->status = n->status;
    pthread_mutex_unlock(&n->repo->lock);
}

void repo_note_status(struct repo *r, struct db_connection *c) {
    struct note *n = memory_zeroed(1, sizeof *n);
    n->repo = r;
    for (int i = 0; i < TUF_ROLE_COUNT; i++) {
        n->status.headings[i] = *repo_view_heading(&r->view, (enum tuf_role_kind)i);
        n->status.signs[i] = repo_can_sign(r, &r->view.root.roles[i]);
    }
    memcpy(n->status.root_sha256, r->view.root_sha256, sizeof n->status.root_sha256);
    db_after_commit(c, take_status, n);
}
