/* How held files become binaries: somebody approves them, or targets that were signed elsewhere
 * name them. */
#include "master/catalog_internal.h"

#include "lib/clock.h"
#include "lib/tuf_custom.h"
#include "master/audit.h"
#include "master/events.h"
#include "master/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

static int open_object(const struct catalog *c, const char *sha256, struct err *e) {
    char path[PATH_MAX];
    catalog_object_path(c, sha256, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) err_errno(e, errno, "%s", path);
    return fd;
}

/* The admission that a held file stands for. */
static void take_up(const struct held *h, const struct staged *staged, struct admission *a,
                    struct entry *n) {
    *a = (struct admission){
        .id = &h->binary.id, .staged = staged, .notes = h->binary.notes, .principal = h->principal};
    *n = (struct entry){.admission = a, .approved = true};
}

struct approval {
    struct catalog *catalog;
    const char *principal;
    struct held held;
    struct entry entry;
};

static bool approve(struct db_connection *c, void *argument, struct err *e) {
    struct approval *p = argument;
    struct held now;
    if (!held_read(c, p->held.file, &now, e)) return false;
    if (strcmp(now.binary.sha256, p->held.binary.sha256) != 0)
        return err_set(e, ERR_CONFLICT, "%s has other bytes now", p->held.file);
    struct entry *const entries[] = {&p->entry};
    return catalog_commit(p->catalog, c, entries, 1, e) &&
           audit_add_version(c, p->principal, "binary.approve", p->held.file,
                             p->held.binary.id.version, e);
}

bool catalog_approve(struct catalog *c, const char *file, const char *principal, struct binary *out,
                     struct err *e) {
    OWN_MEMORY struct approval *p = memory_zeroed(1, sizeof *p);
    struct object_claim claim;
    struct staged staged = {0};
    struct admission a;
    p->catalog = c;
    p->principal = principal;
    if (!held_find(c->db, file, &p->held, e)) return false;
    take_up(&p->held, &staged, &a, &p->entry);
    a.principal = principal;
    memcpy(staged.sha256, p->held.binary.sha256, sizeof staged.sha256);
    p->entry.binary = out;
    *out = p->held.binary;
    out->uploaded_at_ms = clock_wall_ms();
    objects_claim(c, &claim, staged.sha256);
    OWN_FD int fd = open_object(c, staged.sha256, e);
    bool done = fd >= 0 && catalog_sign_release(c, fd, out, e) && db_write(c->db, approve, p, e);
    objects_end_claim(c, &claim);
    return done;
}

struct discarding {
    const char *file, *principal;
    struct held held;
};

static bool discard(struct db_connection *c, void *argument, struct err *e) {
    struct discarding *d = argument;
    return held_read(c, d->file, &d->held, e) && held_discard(c, &d->held, e) &&
           events_add_change(c, e, "binary.discarded", d->file, d->principal, NULL,
                             "%s, which was held, was given up", d->file);
}

bool catalog_discard(struct catalog *c, const char *file, const char *principal, struct err *e) {
    OWN_MEMORY struct discarding *d = memory_zeroed(1, sizeof *d);
    d->file = file;
    d->principal = principal;
    if (!db_write(c->db, discard, d, e)) return false;
    objects_release(c, d->held.binary.sha256);
    return true;
}

bool catalog_prune_discarded(struct catalog *c, held_lies_there *lies_there, const void *box,
                             struct err *e) {
    return held_prune_discarded(c->db, lies_there, box, e);
}

/* Metadata on their way in. What takes long is done before the operation. */
struct acceptance {
    struct catalog *catalog;
    const struct repo_input *root, *targets;
    const char *principal;
    struct held *held; /* as of before, with the release key's signatures; by file */
    size_t held_count;
};

static int compare_files(const void *a, const void *b) {
    return strcmp(((const struct held *)a)->file, ((const struct held *)b)->file);
}

static bool is_promised(const struct binary *b, const struct tuf_promise *p) {
    return b->size_bytes == p->length && strcmp(b->sha256, p->sha256) == 0;
}

static bool refuse_unknown(const struct tuf_target *t, struct err *e) {
    err_set(e, ERR_CONFLICT, "targets name %.100s with sha256 %.16s..., which is not here", t->path,
            t->promise.sha256);
    return err_hint(e, "gridctl binary push FILE brings the bytes first");
}

static bool publish_held(const struct acceptance *a, struct db_connection *c,
                         const struct tuf_target *t, const struct artifact_name *id,
                         struct err *e) {
    struct held key = {.binary = {.id = *id}}, now;
    struct staged staged = {0};
    struct admission admission;
    struct entry n;
    struct binary found;
    artifact_file_name(id, key.file);
    struct held *h =
        a->held_count > 0 ? bsearch(&key, a->held, a->held_count, sizeof *h, compare_files) : NULL;
    if (h == NULL || !is_promised(&h->binary, &t->promise)) return refuse_unknown(t, e);
    if (!held_read(c, key.file, &now, e)) return false;
    if (!is_promised(&now.binary, &t->promise)) return refuse_unknown(t, e);
    take_up(h, &staged, &admission, &n);
    memcpy(staged.sha256, h->binary.sha256, sizeof staged.sha256);
    n.binary = &h->binary;
    h->binary.uploaded_at_ms = clock_wall_ms();
    return catalog_judge(c, &n, &found, e) && catalog_write(c, &n, e);
}

static bool mark(const struct acceptance *a, struct db_connection *c, const struct binary *b,
                 bool left_out, const char *kind, const char *words, struct err *e) {
    const struct artifact_name *id = &b->id;
    char file[ARTIFACT_FILE_SIZE];
    artifact_file_name(id, file);
    return db_exec(c, Q_ARTIFACT_LEAVE_OUT, e, "ssssi", id->name, id->version, id->platform,
                   id->arch, (int64_t)left_out) &&
           events_add_change(c, e, kind, file, a->principal, NULL, "%s %s", file, words);
}

/* It may have been offered anew meanwhile, and held. */
static bool take_back(const struct acceptance *a, struct db_connection *c, const struct binary *b,
                      struct err *e) {
    char file[ARTIFACT_FILE_SIZE];
    return mark(a, c, b, false, "binary.published", "was published again: targets name it", e) &&
           held_remove(c, artifact_file_name(&b->id, file), e);
}

static bool leave_out(const struct acceptance *a, struct db_connection *c,
                      const struct tuf_targets *targets, struct err *e) {
    OWN_MEMORY struct binary *list = NULL;
    size_t count = 0;
    if (!catalog_read(c, NULL, NULL, NULL, NULL, &list, &count, e)) return false;
    for (size_t i = 0; i < count; i++) {
        char file[ARTIFACT_FILE_SIZE];
        if (list[i].left_out ||
            tuf_targets_find(targets, artifact_file_name(&list[i].id, file)) != NULL)
            continue;
        if (!mark(a, c, &list[i], true, "binary.left_out",
                  "is not named by the targets any more: agents would refuse it, so it is not "
                  "offered",
                  e))
            return false;
    }
    return true;
}

static bool follow_target(const struct acceptance *a, struct db_connection *c,
                          const struct tuf_target *t, struct err *e) {
    struct tuf_custom custom;
    struct binary found;
    struct err why;
    if (!tuf_custom_of(t, &custom, e)) return false;
    bool there = catalog_read_row(c, &custom.id, &found, &why) && found.deleted_at_ms == 0 &&
                 is_promised(&found, &t->promise);
    if (!there && !publish_held(a, c, t, &custom.id, e)) return false;
    if (there && found.left_out && !take_back(a, c, &found, e)) return false;
    return !custom.yanked || catalog_yank_row(c, &custom.id, a->principal, e);
}

static bool accept(struct db_connection *c, void *argument, struct err *e) {
    const struct acceptance *a = argument;
    struct repo *r = a->catalog->repo;
    const struct tuf_targets *targets;
    if (a->root != NULL ? !repo_take_root(r, c, a->root, a->targets, a->principal, e)
                        : !repo_take_targets(r, c, a->targets, a->principal, e))
        return false;
    if (a->targets == NULL) return true;
    if (!repo_targets(r, c, &targets, e)) return false;
    for (size_t i = 0; i < targets->count; i++)
        if (!follow_target(a, c, &targets->list[i], e)) return false;
    return leave_out(a, c, targets, e);
}

/* Only what will be published: the targets are not believed yet, but who gets them in gets these
 * signatures anyway. */
static bool sign_named(struct acceptance *a, const struct tuf_targets *named, struct err *e) {
    for (size_t i = 0; i < a->held_count; i++) {
        struct binary *b = &a->held[i].binary;
        const struct tuf_target *t = tuf_targets_find(named, a->held[i].file);
        if (t == NULL || !is_promised(b, &t->promise)) continue;
        OWN_FD int fd = open_object(a->catalog, b->sha256, e);
        if (fd < 0 || !catalog_sign_release(a->catalog, fd, b, e)) return false;
    }
    return true;
}

static bool prepare(struct acceptance *a, struct err *e) {
    struct tuf_targets named;
    if (a->targets == NULL) return true;
    if (!tuf_targets_parse(a->targets->bytes, a->targets->length, &named, e)) return false;
    bool done = held_list(a->catalog->db, &a->held, &a->held_count, e) && sign_named(a, &named, e);
    tuf_targets_clear(&named);
    return done;
}

bool catalog_accept(struct catalog *c, const struct repo_input *root,
                    const struct repo_input *targets, const char *principal, struct err *e) {
    struct acceptance a = {.catalog = c, .root = root, .targets = targets, .principal = principal};
    repo_begin_change(c->repo);
    bool done = prepare(&a, e) && db_write(c->db, accept, &a, e);
    repo_end_change(c->repo);
    free(a.held);
    return done;
}
