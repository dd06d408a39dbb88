#include "master/catalog_internal.h"

#include "lib/clock.h"
#include "lib/file.h"
#include "master/channels.h"
#include "master/events.h"
#include "master/store.h"

#include <assert.h>
#include <string.h>

void catalog_close(struct catalog *c) {
    if (c == NULL) return;
    assert(c->claims == NULL && c->holds == 0);
    free(c->kept);
    pthread_cond_destroy(&c->claim_ended);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static bool make_directories(struct catalog *c, const char *state, struct err *e) {
    char longest[PATH_MAX], zeros[SHA256_HEX_SIZE];
    memset(zeros, '0', sizeof zeros - 1);
    zeros[sizeof zeros - 1] = '\0';
    return file_join(c->objects, sizeof c->objects, state, "objects", e) &&
           file_join(longest, sizeof longest, c->objects, zeros, e) &&
           file_join(c->staging, sizeof c->staging, state, "staging", e) &&
           file_make_directory(c->objects, 0700, e) && file_make_directory(c->staging, 0700, e) &&
           file_clear_directory(c->staging, e);
}

bool catalog_open(struct catalog **out, struct db *db, struct keys *keys, struct repo *repo,
                  const char *state_directory, enum catalog_signatures required, struct err *e) {
    OWN(catalog) struct catalog *c = memory_zeroed(1, sizeof *c);
    c->db = db;
    c->keys = keys;
    c->repo = repo;
    c->required = required;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->claim_ended, NULL);
    if (!make_directories(c, state_directory, e) || !objects_check(c, e))
        return err_wrap(e, "catalog");
    *out = TAKE(c);
    return true;
}

static bool copy_texts(struct db_row *row, struct binary *out) {
    return text_copy(out->id.name, sizeof out->id.name, db_column_text(row, 0)) &&
           text_copy(out->id.version, sizeof out->id.version, db_column_text(row, 1)) &&
           text_copy(out->id.platform, sizeof out->id.platform, db_column_text(row, 2)) &&
           text_copy(out->id.arch, sizeof out->id.arch, db_column_text(row, 3)) &&
           text_copy(out->sha256, sizeof out->sha256, db_column_text(row, 4)) &&
           text_copy(out->key_id, sizeof out->key_id, db_column_text(row, 7)) &&
           text_copy(out->publisher_signature, sizeof out->publisher_signature,
                     db_column_text(row, 8)) &&
           text_copy(out->signature, sizeof out->signature, db_column_text(row, 9)) &&
           text_copy(out->notes, sizeof out->notes, db_column_text(row, 10));
}

/* A row that does not fit was not written by us: its digest becomes a path, so nothing is cut. */
static bool read_binary(struct db_row *row, struct binary *out, struct err *e) {
    *out = (struct binary){.size_bytes = db_column_int(row, 5),
                           .uploaded_at_ms = db_column_int(row, 6),
                           .publisher_signed = !db_column_is_null(row, 8),
                           .yanked = db_column_int(row, 11) != 0,
                           .deleted_at_ms = db_column_int(row, 12),
                           .left_out = db_column_int(row, 13) != 0};
    if (copy_texts(row, out) && sha256_hex_valid(out->sha256) && semver_valid(out->id.version))
        return true;
    return err_set(e, ERR_CORRUPT, "the row of binary %.64s %.64s makes no sense",
                   db_column_text(row, 0), db_column_text(row, 1));
}

static bool take_binary(struct db_row *row, void *argument, struct err *e) {
    return read_binary(row, argument, e);
}

bool catalog_read_row(struct db_connection *c, const struct artifact_name *id, struct binary *out,
                      struct err *e) {
    return db_one(c, Q_ARTIFACT_FIND, take_binary, out, e, "ssss", id->name, id->version,
                  id->platform, id->arch);
}

struct finding {
    const struct artifact_name *id;
    struct binary *out;
};

/* The row as others may see it: no tombstone. */
static bool read_living(struct db_connection *c, const struct artifact_name *id, struct binary *out,
                        struct err *e) {
    char file_name[ARTIFACT_FILE_SIZE];
    bool found = catalog_read_row(c, id, out, e);
    if (found && out->deleted_at_ms == 0) return true;
    if (!found && e->code != ERR_NOT_FOUND) return false;
    err_set(e, ERR_NOT_FOUND, "no binary %s is registered", artifact_file_name(id, file_name));
    return err_hint(e, "gridctl binary list shows what is registered");
}

static bool find_binary(struct db_connection *c, void *argument, struct err *e) {
    const struct finding *f = argument;
    return read_living(c, f->id, f->out, e);
}

bool catalog_find(struct catalog *c, const struct artifact_name *id, struct binary *out,
                  struct err *e) {
    struct finding f = {id, out};
    return db_read(c->db, find_binary, &f, e);
}

struct listing {
    const char *name, *platform, *arch, *version;
    struct binary *binaries;
    size_t count;
};

static int order(const void *first, const void *second) {
    const struct artifact_name *a = &((const struct binary *)first)->id;
    const struct artifact_name *b = &((const struct binary *)second)->id;
    int sign = strcmp(a->name, b->name);
    if (sign == 0) sign = semver_order(a->version, b->version);
    if (sign == 0) sign = strcmp(a->platform, b->platform);
    return sign != 0 ? sign : strcmp(a->arch, b->arch);
}

static bool add_binary(struct db_row *row, void *argument, struct err *e) {
    struct listing *l = argument;
    l->binaries = memory_resize(l->binaries, l->count + 1, sizeof *l->binaries);
    return read_binary(row, &l->binaries[l->count++], e);
}

bool catalog_read(struct db_connection *c, const char *name, const char *platform, const char *arch,
                  const char *version, struct binary **out, size_t *count, struct err *e) {
    struct listing l = {0};
    if (!db_query(c, Q_ARTIFACT_LIST, add_binary, &l, e, "ssss", name, platform, arch, version)) {
        free(l.binaries);
        return false;
    }
    if (l.count > 0) qsort(l.binaries, l.count, sizeof *l.binaries, order);
    *out = l.binaries;
    *count = l.count;
    return true;
}

static bool list_binaries(struct db_connection *c, void *argument, struct err *e) {
    struct listing *l = argument;
    return catalog_read(c, l->name, l->platform, l->arch, l->version, &l->binaries, &l->count, e);
}

bool catalog_list(struct catalog *c, const char *name, const char *platform, const char *arch,
                  const char *version, struct binary **out, size_t *count, struct err *e) {
    struct listing l = {.name = name, .platform = platform, .arch = arch, .version = version};
    if (!db_read(c->db, list_binaries, &l, e)) return false;
    *out = l.binaries;
    *count = l.count;
    return true;
}

/* How closely a build is made for a machine; 0: not at all, it does not run there. */
static int closeness(const struct artifact_name *id, const char *platform, const char *arch) {
    if (!platform_fits(id->platform, id->arch, platform, arch)) return 0;
    return 1 + 2 * (strcmp(id->platform, "any") != 0) + (strcmp(id->arch, "any") != 0);
}

const struct binary *catalog_choose(const struct binary *list, size_t count, const char *name,
                                    const char *version, const char *platform, const char *arch) {
    const struct binary *best = NULL;
    int best_closeness = 0;
    for (size_t i = 0; i < count; i++) {
        const struct binary *b = &list[i];
        if (!binary_is_offered(b) || b->deleted_at_ms != 0 || strcmp(b->id.name, name) != 0 ||
            strcmp(b->id.version, version) != 0)
            continue;
        int close = closeness(&b->id, platform, arch);
        if (close > best_closeness) best = b;
        if (close > best_closeness) best_closeness = close;
    }
    return best;
}

/* The newest version that may be offered to the machine, NULL when there is none. */
static const char *newest(const struct binary *list, size_t count, const char *platform,
                          const char *arch, bool prereleases) {
    const char *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct binary *b = &list[i];
        if (!binary_is_offered(b) || (!prereleases && semver_is_prerelease(b->id.version)) ||
            closeness(&b->id, platform, arch) == 0)
            continue;
        if (best == NULL || semver_order(b->id.version, best) > 0) best = b->id.version;
    }
    return best;
}

bool catalog_latest(struct catalog *c, const char *name, const char *platform, const char *arch,
                    bool prereleases, struct binary *out, struct err *e) {
    OWN_MEMORY struct binary *list = NULL;
    size_t count = 0;
    if (!catalog_list(c, name, NULL, NULL, NULL, &list, &count, e)) return false;
    const char *version = newest(list, count, platform, arch, prereleases);
    if (version == NULL) {
        err_set(e, ERR_NOT_FOUND, "no version of %s is there for %s-%s", name, platform, arch);
        return err_hint(e, "%s",
                        prereleases ? "gridctl binary list shows what is registered"
                                    : "?pre=1 takes pre-releases too");
    }
    *out = *catalog_choose(list, count, name, version, platform, arch);
    return true;
}

struct withdrawal {
    struct repo *repo;
    const struct artifact_name *id;
    const char *principal;
    struct binary found;
};

static bool add_event(struct db_connection *c, const struct withdrawal *w, const char *kind,
                      const char *done, struct err *e) {
    char file_name[ARTIFACT_FILE_SIZE];
    artifact_file_name(w->id, file_name);
    return events_add_change(c, e, kind, file_name, w->principal, NULL, "%s was %s", file_name,
                             done);
}

bool catalog_yank_row(struct db_connection *c, const struct artifact_name *id,
                      const char *principal, struct err *e) {
    struct withdrawal w = {.id = id, .principal = principal};
    if (!read_living(c, id, &w.found, e)) return false;
    if (w.found.yanked) return true;
    return db_exec(c, Q_ARTIFACT_YANK, e, "ssss", id->name, id->version, id->platform, id->arch) &&
           add_event(c, &w, "binary.yanked", "yanked: it is not offered any more", e);
}

static bool yank_binary(struct db_connection *c, void *argument, struct err *e) {
    const struct withdrawal *w = argument;
    return catalog_yank_row(c, w->id, w->principal, e) && repo_yank(w->repo, c, w->id, e);
}

bool catalog_yank(struct catalog *c, const struct artifact_name *id, const char *principal,
                  struct err *e) {
    struct withdrawal w = {.repo = c->repo, .id = id, .principal = principal};
    return db_write(c->db, yank_binary, &w, e);
}

static bool check_unpointed(struct db_connection *c, const struct artifact_name *id,
                            struct err *e) {
    OWN_MEMORY struct channel *channels = NULL;
    OWN_TEXT struct text names = TEXT_EMPTY;
    size_t count = 0;
    if (!channels_read(c, &channels, &count, e)) return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(channels[i].artifact, id->name) != 0 ||
            strcmp(channels[i].version, id->version) != 0)
            continue;
        text_add_format(&names, "%s%s", names.length > 0 ? ", " : "", channels[i].name);
    }
    if (names.length == 0) return true;
    err_set(e, ERR_CONFLICT, "%s %s is what a channel points to: %s", id->name, id->version,
            names.data);
    return err_hint(e, "point it to another version first: gridctl channel set NAME VERSION");
}

static bool delete_binary(struct db_connection *c, void *argument, struct err *e) {
    struct withdrawal *w = argument;
    return read_living(c, w->id, &w->found, e) && check_unpointed(c, w->id, e) &&
           db_exec(c, Q_ARTIFACT_DELETE, e, "ssssi", w->id->name, w->id->version, w->id->platform,
                   w->id->arch, clock_wall_ms()) &&
           repo_remove(w->repo, c, w->id, e) && add_event(c, w, "binary.deleted", "deleted", e);
}

bool catalog_delete(struct catalog *c, const struct artifact_name *id, const char *principal,
                    struct err *e) {
    struct withdrawal w = {.repo = c->repo, .id = id, .principal = principal};
    if (!db_write(c->db, delete_binary, &w, e)) return false;
    objects_release(c, w.found.sha256);
    return true;
}
