#include "agent/builds.h"

#include "lib/file.h"
#include "lib/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Where the digest begins; NULL when the name has no room for one. */
static const char *digest_of(const char *name) {
    size_t length = strlen(name);
    return length > SHA256_HEX_SIZE ? name + length - (SHA256_HEX_SIZE - 1) : NULL;
}

bool builds_name_valid(const char *name) {
    char version[SEMVER_SIZE] = "";
    const char *digest = digest_of(name);
    if (digest == NULL || digest[-1] != '-' || !sha256_hex_valid(digest)) return false;
    size_t length = (size_t)(digest - 1 - name);
    if (length >= sizeof version) return false;
    memcpy(version, name, length);
    return semver_valid(version);
}

bool builds_name(const char *version, const char *sha256, char out[BUILDS_NAME_SIZE]) {
    int length = snprintf(out, BUILDS_NAME_SIZE, "%s-%s", version, sha256);
    return length < BUILDS_NAME_SIZE && builds_name_valid(out);
}

void builds_split(const char *name, char version[SEMVER_SIZE], char sha256[SHA256_HEX_SIZE]) {
    const char *digest = digest_of(name);
    snprintf(version, SEMVER_SIZE, "%.*s", (int)(digest - 1 - name), name);
    snprintf(sha256, SHA256_HEX_SIZE, "%s", digest);
}

bool builds_linked(const char *directory, const char *link, char out[BUILDS_NAME_SIZE],
                   struct err *e) {
    char path[PATH_MAX];
    char target[BUILDS_NAME_SIZE + 1] = "";
    if (!file_join(path, sizeof path, directory, link, e)) return false;
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0) return err_errno(e, errno, "read the link %s", path);
    if (length < BUILDS_NAME_SIZE && builds_name_valid(target))
        return text_copy(out, BUILDS_NAME_SIZE, target);
    return err_set(e, ERR_CORRUPT, "%s does not name a build (VERSION-SHA256)", path);
}

bool builds_prove(const char *directory, const char *name, char program[PATH_MAX], struct err *e) {
    char found[SHA256_HEX_SIZE];
    if (snprintf(program, PATH_MAX, "%s/%s/grid-agent", directory, name) >= PATH_MAX)
        return err_set(e, ERR_INVALID, "%s: the path is too long", directory);
    OWN_FD int fd = open(program, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return err_errno(e, errno, "open %s", program);
    if (!sha256_file(fd, found, NULL, e)) return err_wrap(e, "%s", program);
    if (strcmp(found, digest_of(name)) == 0) return true;
    return err_set(e, ERR_CORRUPT,
                   "%s is damaged: its SHA-256 is %.12s..., not the %.12s... of its name", program,
                   found, digest_of(name));
}

/* The bytes in a directory of their own that takes its name when all of it is on the disk. */
static bool add_fresh(const char *directory, const char *place, int fd, const char *temporary_path,
                      struct err *e) {
    char beside[PATH_MAX], program[PATH_MAX];
    if (!file_join(beside, sizeof beside, directory, "build.new", e) ||
        !file_join(program, sizeof program, beside, "grid-agent", e) ||
        !file_make_directory(beside, 0700, e) || !file_clear_directory(beside, e) ||
        !file_publish(fd, temporary_path, program, e))
        return false;
    if (rename(beside, place) != 0) return err_errno(e, errno, "rename %s to %s", beside, place);
    return file_sync_directory(directory, e);
}

bool builds_add(const char *directory, const char *name, int fd, const char *temporary_path,
                struct err *e) {
    char place[PATH_MAX], program[PATH_MAX];
    if (!file_join(place, sizeof place, directory, name, e) ||
        !file_join(program, sizeof program, place, "grid-agent", e))
        return false;
    if (fchmod(fd, 0500) != 0) return err_errno(e, errno, "set the mode of %s", temporary_path);
    if (access(place, F_OK) != 0) return add_fresh(directory, place, fd, temporary_path, e);
    return file_publish(fd, temporary_path, program, e);
}

/* A link beside, renamed over the old one: never a moment without. */
static bool point(const char *directory, const char *link, const char *name, struct err *e) {
    char path[PATH_MAX], fresh[PATH_MAX];
    if (!file_join(path, sizeof path, directory, link, e) ||
        !file_join(fresh, sizeof fresh, directory, "link.new", e))
        return false;
    if ((unlink(fresh) != 0 && errno != ENOENT) || symlink(name, fresh) != 0)
        return err_errno(e, errno, "make the link %s", fresh);
    if (rename(fresh, path) != 0) return err_errno(e, errno, "rename %s to %s", fresh, path);
    return file_sync_directory(directory, e);
}

/* What a copying program leaves in memory only. */
static bool flush(const char *directory, const char *program, struct err *e) {
    OWN_FD int fd = open(program, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) return err_errno(e, errno, "flush %s", program);
    return file_sync_parent(program, e) && file_sync_directory(directory, e);
}

bool builds_use(const char *directory, const char *name, struct err *e) {
    char program[PATH_MAX], current[BUILDS_NAME_SIZE];
    struct err none;
    if (!builds_name_valid(name))
        return err_set(e, ERR_INVALID, "\"%.80s\" does not name a build (VERSION-SHA256)", name);
    if (!builds_prove(directory, name, program, e) || !flush(directory, program, e)) return false;
    bool replaces = builds_linked(directory, "current", current, &none);
    if (replaces && strcmp(current, name) == 0) return true;
    if (replaces && !point(directory, "previous", current, e)) return false;
    return point(directory, "current", name, e);
}

static bool is_kept(const char *name, const char *const *keep, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, keep[i]) == 0) return true;
    return false;
}

/* "SHA256.part" for a build that is kept. */
static bool is_part_of(const char *name, const char *const *keep, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *digest = keep[i][0] != '\0' ? digest_of(keep[i]) : NULL;
        if (digest != NULL && strncmp(name, digest, SHA256_HEX_SIZE - 1) == 0 &&
            strcmp(name + SHA256_HEX_SIZE - 1, ".part") == 0)
            return true;
    }
    return false;
}

static bool is_part(const char *name) {
    size_t length = strlen(name);
    return length > 5 && strcmp(name + length - 5, ".part") == 0;
}

static void remove_build(const char *directory, const char *name) {
    char path[PATH_MAX];
    struct err e;
    if (!file_join(path, sizeof path, directory, name, &e)) return;
    if (file_clear_directory(path, &e) && rmdir(path) == 0)
        log_info("build.removed", "build=%s", name);
    else
        log_warn("build.not_removed", "build=%s error=%s", name, e.text);
}

void builds_collect(const char *directory, const char *const *keep, size_t count) {
    DIR *entries = opendir(directory);
    if (entries == NULL) return;
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        const char *name = entry->d_name;
        if (builds_name_valid(name) && !is_kept(name, keep, count)) remove_build(directory, name);
        if (is_part(name) && !is_part_of(name, keep, count))
            (void)unlinkat(dirfd(entries), name, 0);
    }
    closedir(entries);
}

bool builds_go_back(const char *directory, const char *name, struct err *e) {
    char previous[PATH_MAX];
    return point(directory, "current", name, e) &&
           file_join(previous, sizeof previous, directory, "previous", e) &&
           file_remove_durable(previous, e);
}
