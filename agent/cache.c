#include "agent/cache.h"

#include "lib/file.h"
#include "lib/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { NOTE_MAX = 16 * 1024 };

bool cache_describe(const struct state *s, const struct version *v, struct err *e) {
    char path[STATE_PATH_SIZE];
    OWN_TEXT struct text json = TEXT_EMPTY;
    json_encode(&version_schema, v, &json);
    return file_write_durable(state_path(s, path, "store/%s.json", v->sha256), json.data,
                              json.length, 0600, e);
}

bool cache_add(const struct state *s, const struct version *v, int fd, const char *temporary_path,
               struct err *e) {
    char path[STATE_PATH_SIZE];
    if (!sha256_hex_valid(v->sha256)) return err_set(e, ERR_INVALID, "%s: no SHA-256", v->file);
    if (fchmod(fd, 0500) != 0) return err_errno(e, errno, "set the mode of %s", temporary_path);
    return cache_describe(s, v, e) &&
           file_publish(fd, temporary_path, state_path(s, path, "store/%s", v->sha256), e);
}

bool cache_find(const struct state *s, const char *sha256, struct version *out, struct err *e) {
    char path[STATE_PATH_SIZE];
    OWN_TEXT struct text json = TEXT_EMPTY;
    *out = (struct version){0};
    if (!sha256_hex_valid(sha256)) return err_set(e, ERR_NOT_FOUND, "no version");
    if (!file_read(state_path(s, path, "store/%s.json", sha256), NOTE_MAX, &json, e)) return false;
    if (!json_decode(&version_schema, text_value(&json), json.length, JSON_IGNORE_UNKNOWN, out, e))
        return err_wrap(e, "%s", path);
    if (strcmp(out->sha256, sha256) == 0) return true;
    version_clear(out);
    return err_set(e, ERR_CORRUPT, "%s describes another file", path);
}

bool cache_holds(const struct state *s, const struct version *v) {
    char path[STATE_PATH_SIZE];
    struct stat status;
    return sha256_hex_valid(v->sha256) &&
           lstat(state_path(s, path, "store/%s", v->sha256), &status) == 0 &&
           S_ISREG(status.st_mode) && status.st_size == v->size_bytes;
}

int cache_open(const struct state *s, const char *sha256, struct err *e) {
    char path[STATE_PATH_SIZE];
    int fd = open(state_path(s, path, "store/%s", sha256), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) (void)err_errno(e, errno, "open %s", path);
    return fd;
}

bool cache_discard(const struct state *s, const char *sha256, struct err *e) {
    char path[STATE_PATH_SIZE];
    return file_remove_durable(state_path(s, path, "store/%s", sha256), e);
}

static void read_link(const struct state *s, const char *name, char out[SHA256_HEX_SIZE]) {
    char path[STATE_PATH_SIZE];
    char target[STATE_PATH_SIZE] = "";
    static const char prefix[] = "store/";
    out[0] = '\0';
    ssize_t length = readlink(state_path(s, path, "%s", name), target, sizeof target - 1);
    if (length < 0 || strncmp(target, prefix, sizeof prefix - 1) != 0) return;
    const char *digest = target + sizeof prefix - 1;
    if (sha256_hex_valid(digest)) memcpy(out, digest, SHA256_HEX_SIZE);
}

void cache_links(const struct state *s, char current[SHA256_HEX_SIZE],
                 char previous[SHA256_HEX_SIZE]) {
    read_link(s, "current", current);
    read_link(s, "previous", previous);
}

static bool point(const struct state *s, const char *name, const char *sha256, struct err *e) {
    char path[STATE_PATH_SIZE];
    char beside[STATE_PATH_SIZE];
    char target[SHA256_HEX_SIZE + 8];
    snprintf(target, sizeof target, "store/%s", sha256);
    state_path(s, path, "%s", name);
    state_path(s, beside, "tmp/%s.link", name);
    if (unlink(beside) != 0 && errno != ENOENT) return err_errno(e, errno, "remove %s", beside);
    if (symlink(target, beside) != 0) return err_errno(e, errno, "make link %s", beside);
    if (rename(beside, path) != 0) return err_errno(e, errno, "rename %s to %s", beside, path);
    return file_sync_directory(s->root, e);
}

bool cache_switch(const struct state *s, const char *sha256, struct err *e) {
    char current[SHA256_HEX_SIZE];
    char previous[SHA256_HEX_SIZE];
    cache_links(s, current, previous);
    if (strcmp(current, sha256) == 0) return true;
    if (current[0] != '\0' && !point(s, "previous", current, e)) return false;
    return point(s, "current", sha256, e);
}

static bool is_kept(const char *name, const char *const *keep, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (keep[i][0] != '\0' && strncmp(name, keep[i], strlen(keep[i])) == 0) return true;
    return false;
}

static size_t collect_in(const struct state *s, const char *part, const char *const *keep,
                         size_t count) {
    char path[STATE_PATH_SIZE];
    size_t removed = 0;
    DIR *directory = opendir(state_path(s, path, "%s", part));
    if (directory == NULL) return 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.' || is_kept(entry->d_name, keep, count)) continue;
        if (unlinkat(dirfd(directory), entry->d_name, 0) != 0) continue;
        removed += sha256_hex_valid(entry->d_name);
    }
    closedir(directory);
    return removed;
}

size_t cache_collect(const struct state *s, const char *const *keep, size_t count) {
    (void)collect_in(s, "tmp", keep, count);
    size_t removed = collect_in(s, "store", keep, count);
    if (removed > 0) log_info("cache.collected", "versions=%zu", removed);
    return removed;
}
