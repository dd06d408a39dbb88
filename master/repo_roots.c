/* Roots: who may sign what. Whatever makes a new one in force goes through repo_install_root. */
#include "lib/clock.h"
#include "master/audit.h"
#include "master/events.h"
#include "master/repo_internal.h"
#include "master/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool repo_first_root(struct repo *r, struct db_connection *c, struct err *e) {
    struct tuf_root root = {
        .heading = {.version = 1, .expires_ms = repo_expiry(r, TUF_ROOT)},
        .consistent_snapshot = true
    };
    OWN_TEXT struct text file = TEXT_EMPTY;
    for (int i = 0; i < TUF_ROLE_COUNT; i++) {
        char name[REPO_KEY_FILE_SIZE];
        struct tuf_key key;
        repo_key_file((enum tuf_role_kind)i, false, name);
        bool made = repo_key_public(r, name, &key);
        assert(made); /* repo_open makes them first */
        root.roles[i].threshold = 1;
        tuf_signers_add(&root.roles[i], key.id);
        tuf_keys_add(&root.keys, &key);
        tuf_key_clear(&key);
    }
    tuf_root_write(&root, &file);
    bool done = repo_keys_sign(r, &root.roles[TUF_ROOT], &file, e) &&
                repo_install_root(r, c, &root, file.data, file.length, NULL, e);
    tuf_root_clear(&root);
    return done;
}

/* The ids of the keys that are here: one that is missing later was lost. */
static bool record_keys(struct repo *r, struct db_connection *c, const struct tuf_root *root,
                        struct err *e) {
    OWN_TEXT struct text named = TEXT_EMPTY;
    OWN_TEXT struct text unnamed = TEXT_EMPTY;
    repo_keys_list(r, root, &named, &unnamed);
    return db_exec(c, Q_META_SET, e, "ss", "tuf_keys", text_value(&named));
}

static bool check_online(struct repo *r, const struct tuf_root *root, struct err *e) {
    static const enum tuf_role_kind online[] = {TUF_SNAPSHOT, TUF_TIMESTAMP};
    for (size_t i = 0; i < sizeof online / sizeof online[0]; i++) {
        const struct tuf_signers *signers = &root->roles[online[i]];
        if (repo_can_sign(r, signers)) continue;
        err_set(e, ERR_CONFLICT,
                "%s would need %" PRId64 " signatures, and %zu of its keys are here",
                tuf_role_name(online[i]), signers->threshold, repo_keys_count(r, signers));
        return err_hint(e, "the master signs %s all the time: leave it its key",
                        tuf_role_name(online[i]));
    }
    return root->consistent_snapshot ||
           err_set(e, ERR_INVALID, "root.consistent_snapshot: only true is served here");
}

/* Whether the targets in force are signed by those whom this root names. */
static bool take_signed(struct db_row *row, void *argument, struct err *e) {
    const struct tuf_root *root = argument;
    const char *bytes = db_column_text(row, 0);
    return tuf_verify(bytes, strlen(bytes), tuf_role_name(TUF_TARGETS), &root->keys,
                      &root->roles[TUF_TARGETS], NULL, e);
}

static bool check_targets(const struct repo *r, const struct tuf_root *root,
                          const struct repo_input *in, struct tuf_targets *out, struct err *e) {
    if (!tuf_targets_parse(in->bytes, in->length, out, e)) return false;
    int64_t due = r->view.targets.heading.version + 1;
    if (out->heading.version < due)
        err_set(e, ERR_CONFLICT,
                "targets: version %" PRId64 " comes too late, %" PRId64 " or a higher one is due",
                out->heading.version, due);
    else if (out->heading.expires_ms <= clock_wall_ms())
        err_set(e, ERR_INVALID, "targets: they have expired");
    else if (out->delegation_count > 0)
        err_set(e, ERR_INVALID, "targets: delegations are not served here");
    else if (tuf_verify(in->bytes, in->length, tuf_role_name(TUF_TARGETS), &root->keys,
                        &root->roles[TUF_TARGETS], NULL, e))
        return true;
    tuf_targets_clear(out);
    return false;
}

/* Targets that this root's keys have signed: those that came with it, the ones in force, or those
 * that are signed here. */
static bool publish_under(struct repo *r, struct db_connection *c, struct tuf_targets *given,
                          const struct repo_input *in, struct err *e) {
    struct err why = {0};
    if (given != NULL) {
        repo_view_take_targets(&r->view, given);
        return repo_publish_taken(r, c, in->bytes, in->length, e);
    }
    if (r->view.targets.heading.version == 0) /* a first start: there are none yet */
        return repo_targets_of_catalog(r, c, e) && repo_publish(r, c, TUF_TARGETS, e);
    if (db_one(c, Q_REPO_NEWEST, take_signed, &r->view.root, &why, "s", tuf_role_name(TUF_TARGETS)))
        return repo_publish(r, c, TUF_SNAPSHOT, e);
    if (repo_can_sign(r, &r->view.root.roles[TUF_TARGETS])) {
        repo_view_forget(r, TUF_TARGETS);
        return repo_publish(r, c, TUF_TARGETS, e);
    }
    err_set(e, ERR_CONFLICT,
            "root %" PRId64 " gives targets to other keys, which have not signed "
            "those in force",
            r->view.root.heading.version);
    return err_hint(e,
                    "send both together, the targets signed by the new keys: gridctl key publish "
                    "ROOT TARGETS, or {\"root\":...,\"targets\":...}");
}

bool repo_install_root(struct repo *r, struct db_connection *c, struct tuf_root *root,
                       const char *bytes, size_t length, const struct repo_input *targets,
                       struct err *e) {
    struct tuf_targets given = {0};
    int64_t version = root->heading.version;
    if (!check_online(r, root, e) || !record_keys(r, c, root, e) ||
        (targets != NULL && !check_targets(r, root, targets, &given, e)))
        return false;
    repo_view_forget(r, TUF_ROOT);
    bool done = repo_row_put_role(c, TUF_ROOT, version, bytes, e);
    if (done) repo_view_take_root(&r->view, root, bytes, length);
    done = done && publish_under(r, c, targets != NULL ? &given : NULL, targets, e);
    if (!done) repo_view_forget(r, TUF_ROOT);
    tuf_targets_clear(&given);
    return done;
}

/* Which keys go. */
static bool tell_root(struct repo *r, struct db_connection *c, const struct tuf_root *root,
                      const char *action, const char *principal, struct err *e) {
    OWN_TEXT struct text named = TEXT_EMPTY;
    OWN_TEXT struct text gone = TEXT_EMPTY;
    OWN_TEXT struct text data = TEXT_EMPTY;
    char subject[32];
    repo_keys_list(r, root, &named, &gone);
    if (keys_release_here(r->keys) && !repo_can_sign(r, &root->roles[TUF_ROOT]))
        text_add_format(&gone, "%srelease.key", gone.length > 0 ? " " : "");
    snprintf(subject, sizeof subject, "root %" PRId64, root->heading.version);
    text_add_format(&data, "{\"version\":%" PRId64 ",\"wiped\":", root->heading.version);
    json_quote(text_value(&gone), &data);
    text_add(&data, "}");
    return events_add_change(
        c, e, action, subject, principal, data.data,
        "root %" PRId64 " says who may sign from now on%s%s", root->heading.version,
        gone.length > 0 ? "; keys wiped on this machine: " : "", text_value(&gone));
}

static bool verify_both(const struct tuf_root *before, const struct tuf_root *root,
                        const struct text *file, struct err *e) {
    const struct tuf_root *const judges[] = {before, root};
    for (size_t i = 0; i < 2; i++) {
        if (tuf_verify(file->data, file->length, tuf_role_name(TUF_ROOT), &judges[i]->keys,
                       &judges[i]->roles[TUF_ROOT], NULL, e))
            continue;
        err_wrap(e, "by the keys of version %" PRId64, judges[i]->heading.version);
        return err_hint(e, "gridctl key sign FILE --key KEY adds a signature");
    }
    return true;
}

static bool install_signed(struct repo *r, struct db_connection *c, struct tuf_root *root,
                           struct text *file, const struct repo_input *targets, const char *action,
                           const char *principal, struct err *e) {
    const struct tuf_signers *before = &r->view.root.roles[TUF_ROOT];
    return repo_keys_sign(r, before, file, e) &&
           repo_keys_sign(r, &root->roles[TUF_ROOT], file, e) &&
           verify_both(&r->view.root, root, file, e) &&
           tell_root(r, c, root, action, principal, e) &&
           repo_install_root(r, c, root, file->data, file->length, targets, e);
}

static bool check_version(const struct repo *r, const struct tuf_root *root, struct err *e) {
    int64_t due = r->view.root.heading.version + 1;
    if (root->heading.version != due)
        return err_set(e, ERR_CONFLICT, "root: version %" PRId64 " is due, this is %" PRId64, due,
                       root->heading.version);
    return root->heading.expires_ms > clock_wall_ms() ||
           err_set(e, ERR_INVALID, "root: it has expired");
}

bool repo_take_root(struct repo *r, struct db_connection *c, const struct repo_input *in,
                    const struct repo_input *targets, const char *principal, struct err *e) {
    OWN_TEXT struct text file = TEXT_EMPTY;
    struct tuf_root root;
    if (!repo_view_load(r, c, e) || !tuf_root_parse(in->bytes, in->length, &root, e)) return false;
    text_add_bytes(&file, in->bytes, in->length);
    bool done = check_version(r, &root, e) &&
                install_signed(r, c, &root, &file, targets, "trust.root", principal, e);
    tuf_root_clear(&root);
    return done;
}

bool repo_take_targets(struct repo *r, struct db_connection *c, const struct repo_input *in,
                       const char *principal, struct err *e) {
    struct tuf_targets targets;
    char subject[32], data[64];
    if (!repo_view_load(r, c, e) || !check_targets(r, &r->view.root, in, &targets, e)) return false;
    snprintf(subject, sizeof subject, "targets %" PRId64, targets.heading.version);
    snprintf(data, sizeof data, "{\"version\":%" PRId64 ",\"count\":%zu}", targets.heading.version,
             targets.count);
    repo_view_forget(r, TUF_TARGETS);
    repo_view_take_targets(&r->view, &targets);
    return repo_publish_taken(r, c, in->bytes, in->length, e) &&
           events_add_change(c, e, "trust.targets", subject, principal, data,
                             "%s, signed elsewhere, name what agents may run", subject);
}

bool repo_root_leaves(struct repo *r, const struct repo_input *in, bool *leaves, struct err *e) {
    struct tuf_root root;
    if (!tuf_root_parse(in->bytes, in->length, &root, e)) return false;
    *leaves = !repo_can_sign(r, &root.roles[TUF_ROOT]);
    tuf_root_clear(&root);
    return true;
}

/* A copy of the root in force by way of its words: what nobody here knows is left out. */
static bool copy_root(const struct repo *r, struct tuf_root *out, struct err *e) {
    OWN_TEXT struct text words = TEXT_EMPTY;
    tuf_root_write(&r->view.root, &words);
    if (!tuf_root_parse(words.data, words.length, out, e)) return false;
    out->heading.version++;
    out->heading.expires_ms = repo_expiry(r, TUF_ROOT);
    return true;
}

bool repo_renew_root(struct repo *r, struct db_connection *c, struct err *e) {
    OWN_TEXT struct text file = TEXT_EMPTY;
    struct tuf_root root;
    if (!copy_root(r, &root, e)) return false;
    tuf_root_write(&root, &file);
    bool done = install_signed(r, c, &root, &file, NULL, "trust.root", "master", e);
    tuf_root_clear(&root);
    return done;
}

/* The role's key that is here gives way to its successor; one that lies elsewhere stays. */
static bool replace_key(struct repo *r, struct tuf_root *root, enum tuf_role_kind role,
                        struct err *e) {
    struct tuf_signers *signers = &root->roles[role];
    char file[REPO_KEY_FILE_SIZE];
    struct tuf_key key;
    repo_key_file(role, true, file);
    if (!repo_key_public(r, file, &key)) return err_set(e, ERR_INTERNAL, "no %s", file);
    for (size_t i = 0; i < signers->key_count; i++) {
        if (!repo_has_key(r, signers->key_ids[i])) continue;
        memcpy(signers->key_ids[i], key.id, sizeof key.id);
        tuf_keys_add(&root->keys, &key);
        tuf_key_clear(&key);
        return true;
    }
    tuf_key_clear(&key);
    err_set(e, ERR_CONFLICT, "no key of %s is on this machine", tuf_role_name(role));
    return err_hint(e, "rotate it where it is: gridctl key rotate");
}

struct rotation {
    struct repo *repo;
    unsigned roles;
    const char *principal;
};

/* Keys that are made here always, while their root is signed elsewhere. */
static bool keep_successors(struct repo *r, struct db_connection *c, const struct rotation *n,
                            struct err *e) {
    const struct tuf_signers *root = &r->view.root.roles[TUF_ROOT];
    unsigned online = 1U << TUF_SNAPSHOT | 1U << TUF_TIMESTAMP;
    if ((n->roles & ~online) == 0)
        return audit_add(c, n->principal, "trust.stage_keys", "next root", NULL, e);
    err_set(e, ERR_CONFLICT, "root needs %" PRId64 " signatures, and %zu of its keys are here",
            root->threshold, repo_keys_count(r, root));
    return err_hint(e, "where the root keys are: gridctl key root --add ... --remove ...");
}

static bool rotate(struct db_connection *c, void *argument, struct err *e) {
    const struct rotation *n = argument;
    struct repo *r = n->repo;
    OWN_TEXT struct text file = TEXT_EMPTY;
    struct tuf_root root;
    if (!repo_view_load(r, c, e)) return false;
    if (!repo_can_sign(r, &r->view.root.roles[TUF_ROOT])) return keep_successors(r, c, n, e);
    if (!copy_root(r, &root, e)) return false;
    bool done = true;
    for (int i = 0; i < TUF_ROLE_COUNT && done; i++)
        if ((n->roles & 1U << i) != 0) done = replace_key(r, &root, (enum tuf_role_kind)i, e);
    tuf_root_drop_unnamed(&root);
    tuf_root_write(&root, &file);
    done = done && install_signed(r, c, &root, &file, NULL, "trust.rotated", n->principal, e);
    tuf_root_clear(&root);
    return done;
}

bool repo_rotate(struct repo *r, unsigned roles, const char *principal, struct err *e) {
    struct rotation n = {r, roles, principal};
    bool done = true;
    repo_begin_change(r);
    for (int i = 0; i < TUF_ROLE_COUNT && done; i++)
        if ((roles & 1U << i) != 0) done = repo_keys_make(r, (enum tuf_role_kind)i, true, e);
    done = done && db_write(r->db, rotate, &n, e);
    repo_end_change(r);
    return done;
}
