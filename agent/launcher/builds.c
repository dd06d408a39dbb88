#include "agent/launcher/builds.h"

#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

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

bool builds_go_back(const char *directory, const char *name, struct err *e) {
    char previous[PATH_MAX];
    return point(directory, "current", name, e) &&
           file_join(previous, sizeof previous, directory, "previous", e) &&
           file_remove_durable(previous, e);
}
