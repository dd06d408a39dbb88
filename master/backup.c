#include "master/backup.h"

#include "lib/db_archive.h"
#include "lib/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESERVE_BYTES (INT64_C(64) << 20)

struct backup {
    struct db_archive *archive;
    struct text manifest;
};

static atomic_bool running;

/* Adds the file under name; sha256 is what it must have, NULL when anything will do. */
static bool add_file(struct backup *b, const char *name, const char *path, const char *expected,
                     struct err *e) {
    char sha256[SHA256_HEX_SIZE];
    int64_t size_bytes = 0;
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return err_errno(e, errno, "%s", path);
    if (!sha256_file(fd, sha256, &size_bytes, e)) return err_wrap(e, "%s", path);
    if (expected != NULL && strcmp(sha256, expected) != 0) {
        err_set(e, ERR_CORRUPT, "%s is damaged: its content has sha256 %s", name, sha256);
        return err_hint(e, "push or drop the same binary again, which heals it");
    }
    text_add_format(&b->manifest, "%s  %s\n", sha256, name);
    return db_archive_add(b->archive, name, path, e);
}

/* A directory of the state that goes into the archive whole, but for what begins with '.'. */
struct part {
    const char *directory; /* its name in the archive too */
    bool named_by_digest;
    bool may_be_missing;
};
static const struct part parts[] = {
    {"keys",         false, false},
    {"trusted-keys", false, false},
    {"tls",          false, true },
    {"objects",      true,  false},
};

static bool is_wanted(const struct part *part, const char *name) {
    return name[0] != '.' && (!part->named_by_digest || sha256_hex_valid(name));
}

typedef bool entry_visitor(const struct part *part, const char *name, const char *path,
                           void *argument, struct err *e);

static bool visit_entries(const struct part *part, DIR *stream, const char *directory,
                          entry_visitor *visitor, void *argument, struct err *e) {
    char path[PATH_MAX];
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (entry == NULL) return errno == 0 || err_errno(e, errno, "list %s", directory);
        if (!is_wanted(part, entry->d_name)) continue;
        if (!file_join(path, sizeof path, directory, entry->d_name, e) ||
            !visitor(part, entry->d_name, path, argument, e))
            return false;
    }
}

static bool visit_parts(const char *state, entry_visitor *visitor, void *argument, struct err *e) {
    char directory[PATH_MAX];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!file_join(directory, sizeof directory, state, parts[i].directory, e)) return false;
        DIR *stream = opendir(directory);
        if (stream == NULL && errno == ENOENT && parts[i].may_be_missing) continue;
        if (stream == NULL) return err_errno(e, errno, "list %s", directory);
        bool visited = visit_entries(&parts[i], stream, directory, visitor, argument, e);
        closedir(stream);
        if (!visited) return false;
    }
    return true;
}

static bool add_entry(const struct part *part, const char *name, const char *path, void *argument,
                      struct err *e) {
    OWN_TEXT struct text full = TEXT_EMPTY;
    text_add_format(&full, "%s/%s", part->directory, name);
    return add_file(argument, full.data, path, part->named_by_digest ? name : NULL, e);
}

static bool add_size(const struct part *part, const char *name, const char *path, void *argument,
                     struct err *e) {
    struct stat status;
    (void)part, (void)name, (void)e;
    if (lstat(path, &status) == 0) *(int64_t *)argument += status.st_size;
    return true;
}

static bool check_space(const char *state, const char *snapshot, const char *scratch,
                        struct err *e) {
    int64_t needed = RESERVE_BYTES, unused = 0;
    if (!visit_parts(state, add_size, &needed, e) || !add_size(NULL, NULL, snapshot, &needed, e) ||
        !file_free_bytes(scratch, &unused, e))
        return false;
    if (unused >= needed) return true;
    err_set(e, ERR_NO_SPACE,
            "a backup takes %" PRId64 " bytes for a while, %" PRId64 " are free on the master",
            needed, unused);
    return err_hint(e, "make room on the file system of %s", state);
}

static bool add_manifest(struct backup *b, const char *scratch, struct err *e) {
    char path[PATH_MAX];
    return file_join(path, sizeof path, scratch, "MANIFEST", e) &&
           file_write_durable(path, b->manifest.data, b->manifest.length, 0600, e) &&
           db_archive_add(b->archive, "MANIFEST", path, e);
}

static bool fill(struct backup *b, const char *state, const char *snapshot, const char *scratch,
                 struct err *e) {
    return add_file(b, "grid.db", snapshot, NULL, e) && visit_parts(state, add_entry, b, e) &&
           add_manifest(b, scratch, e) && db_archive_finish(b->archive, e);
}

/* Objects come after the snapshot and are held back from deletion: whatever its rows name is there.
 * Those that were published meanwhile are more than it needs, which does no harm. */
static bool create(struct db *db, const char *state, const char *scratch, const char *path,
                   struct err *e) {
    char snapshot[PATH_MAX];
    struct backup b = {0};
    if (!file_join(snapshot, sizeof snapshot, scratch, "grid.db", e) ||
        !db_snapshot(db, snapshot, e))
        return false;
    bool done = check_space(state, snapshot, scratch, e) &&
                db_archive_create(&b.archive, path, e) && fill(&b, state, snapshot, scratch, e);
    if (b.archive != NULL) db_archive_close(b.archive);
    text_fini(&b.manifest);
    unlink(snapshot);
    return done;
}

bool backup_create(struct db *db, struct catalog *catalog, const char *state_directory,
                   const char *scratch_directory, const char *path, struct err *e) {
    if (atomic_exchange(&running, true)) {
        err_set(e, ERR_CONFLICT, "another backup is being made");
        return err_hint(e, "wait for it to end");
    }
    catalog_hold_objects(catalog);
    bool done = create(db, state_directory, scratch_directory, path, e);
    catalog_release_objects(catalog);
    atomic_store(&running, false);
    return done || err_wrap(e, "backup");
}
