#include "cli/restore.h"

#include "lib/db_archive.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MANIFEST "MANIFEST"
#define DATABASE "grid.db"
#define DATABASE_LOG "grid.db-wal" /* of another database, it would damage the restored one */
#define LOCK "lock"
#define WORK "restore.tmp"
#define MANIFEST_MAX_BYTES (64 * 1024 * 1024)

/* Directories of the state, in the order they are put in place; the database, without which nothing
 * starts, comes last. */
static const char *const directories[] = {"keys", "trusted-keys", "tls", "objects"};
#define DIRECTORY_COUNT (sizeof directories / sizeof directories[0])

struct work {
    struct db_archive *archive;
    const char *state;
    char directory[PATH_MAX]; /* STATE/restore.tmp */
    struct restore_result result;
};

static bool plain_name(const char *name) {
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL && strlen(name) < 256;
}

bool restore_name_allowed(const char *name) {
    if (strcmp(name, DATABASE) == 0 || strcmp(name, MANIFEST) == 0) return true;
    for (size_t i = 0; i < DIRECTORY_COUNT; i++) {
        size_t length = strlen(directories[i]);
        if (strncmp(name, directories[i], length) == 0 && name[length] == '/')
            return plain_name(name + length + 1);
    }
    return false;
}

bool restore_manifest_line(const char *line, char sha256[65], const char **name) {
    if (strlen(line) < 67 || line[64] != ' ' || (line[65] != ' ' && line[65] != '*')) return false;
    memcpy(sha256, line, 64);
    sha256[64] = '\0';
    *name = line + 66;
    return sha256_hex_valid(sha256);
}

static bool exists(const char *directory, const char *name) {
    char path[PATH_MAX];
    struct err ignored;
    struct stat status;
    return file_join(path, sizeof path, directory, name, &ignored) && lstat(path, &status) == 0;
}

static bool check_empty(const char *state, struct err *e) {
    const char *held = exists(state, DATABASE) ? DATABASE : NULL;
    if (held == NULL && exists(state, DATABASE_LOG)) held = DATABASE_LOG;
    for (size_t i = 0; i < DIRECTORY_COUNT && held == NULL; i++)
        if (exists(state, directories[i])) held = directories[i];
    if (held == NULL) return true;
    err_set(e, ERR_CONFLICT, "%s already holds the state of a master (%s)", state, held);
    return err_hint(e, "name a new or empty directory with --state");
}

static bool extract(const char *name, mode_t mode, int64_t size_bytes, void *argument,
                    struct err *e) {
    struct work *w = argument;
    char path[PATH_MAX];
    if (!restore_name_allowed(name) || (mode & 07000) != 0) {
        err_set(e, ERR_INVALID, "the archive holds \"%s\", which is no part of a backup", name);
        return err_hint(e, "a file made by gridctl backup create");
    }
    w->result.files++;
    w->result.bytes += size_bytes;
    return file_join(path, sizeof path, w->directory, name, e) &&
           db_archive_extract(w->archive, name, path, e);
}

static bool make_work(struct work *w, struct err *e) {
    if (!file_join(w->directory, sizeof w->directory, w->state, WORK, e) ||
        !file_make_directory(w->directory, 0700, e) || !file_clear_directory(w->directory, e))
        return false;
    for (size_t i = 0; i < DIRECTORY_COUNT; i++) {
        char path[PATH_MAX];
        if (!file_join(path, sizeof path, w->directory, directories[i], e) ||
            !file_make_directory(path, 0700, e))
            return false;
    }
    return true;
}

static bool verify_file(const struct work *w, const char *name, const char *sha256, struct err *e) {
    char path[PATH_MAX], actual[SHA256_HEX_SIZE];
    int64_t size;
    if (!restore_name_allowed(name))
        return err_set(e, ERR_INVALID, "MANIFEST names \"%s\", which is no part of a backup", name);
    if (!file_join(path, sizeof path, w->directory, name, e)) return false;
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return err_set(e, ERR_CORRUPT, "the backup lacks %s", name);
    if (!sha256_file(fd, actual, &size, e)) return false;
    return strcmp(actual, sha256) == 0 ||
           err_set(e, ERR_CORRUPT, "%s in the backup is damaged: its SHA-256 is wrong", name);
}

/* Every file is as MANIFEST says, and there is none that it does not know. */
static bool verify(struct work *w, struct err *e) {
    OWN_TEXT struct text manifest = TEXT_EMPTY;
    char path[PATH_MAX], sha256[65];
    const char *name;
    int64_t known = 0;
    bool database = false;
    if (!file_join(path, sizeof path, w->directory, MANIFEST, e)) return false;
    if (!file_read(path, MANIFEST_MAX_BYTES, &manifest, e))
        return err_set(e, ERR_CORRUPT, "the backup has no MANIFEST");
    char *position = manifest.data;
    for (char *line; (line = strsep(&position, "\n")) != NULL;) {
        if (*line == '\0') continue;
        if (!restore_manifest_line(line, sha256, &name))
            return err_set(e, ERR_CORRUPT, "MANIFEST of the backup is damaged");
        if (!verify_file(w, name, sha256, e)) return false;
        database = database || strcmp(name, DATABASE) == 0;
        known++;
    }
    if (!database) return err_set(e, ERR_CORRUPT, "the backup has no database");
    return known == w->result.files - 1 ||
           err_set(e, ERR_CORRUPT, "the backup holds %lld files that MANIFEST does not name",
                   (long long)(w->result.files - 1 - known));
}

static bool move(const struct work *w, const char *name, struct err *e) {
    char from[PATH_MAX], to[PATH_MAX];
    if (!file_join(from, sizeof from, w->directory, name, e) ||
        !file_join(to, sizeof to, w->state, name, e))
        return false;
    return rename(from, to) == 0 || err_errno(e, errno, "cannot make %s", to);
}

static bool put_in_place(const struct work *w, struct err *e) {
    for (size_t i = 0; i < DIRECTORY_COUNT; i++) {
        char path[PATH_MAX];
        if (!file_join(path, sizeof path, w->directory, directories[i], e) ||
            !file_sync_directory(path, e) || !move(w, directories[i], e))
            return false;
    }
    return file_sync_directory(w->state, e) && move(w, DATABASE, e) &&
           file_sync_directory(w->state, e);
}

static void remove_work(const struct work *w) {
    struct err ignored;
    if (w->directory[0] != '\0' && file_clear_directory(w->directory, &ignored))
        rmdir(w->directory);
}

static bool restore_into(struct work *w, const char *path, bool check_only, struct err *e) {
    OWN(db_archive) struct db_archive *archive = NULL;
    if (!db_archive_open(&archive, path, e)) return false;
    w->archive = archive;
    if (!make_work(w, e) || !db_archive_list(archive, extract, w, e)) return false;
    return verify(w, e) && (check_only || put_in_place(w, e));
}

bool restore(const char *path, const char *state, bool check_only, struct restore_result *out,
             struct err *e) {
    struct work w = {.state = state};
    char lock_path[PATH_MAX];
    OWN_FD int lock = -1;
    if (!file_make_directory(state, 0700, e) ||
        !file_join(lock_path, sizeof lock_path, state, LOCK, e))
        return false;
    if (!file_lock(lock_path, "gridctl backup restore", &lock, e)) {
        err_wrap(e, "%s is in use", state);
        return err_hint(e, "stop the master that uses it, or name another directory with --state");
    }
    bool done = check_empty(state, e) && restore_into(&w, path, check_only, e);
    remove_work(&w);
    *out = w.result;
    return done;
}
