/* The part of lib/file.h that makes and clears directories. */
#include "lib/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 64 }; /* each level holds a descriptor and some stack */

static bool is_directory(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Makes path, whose parent exists, unless it is a directory already. */
static bool make_one(const char *path, const char *parent, mode_t mode, struct err *e) {
    if (mkdir(path, mode) == 0) {
        if (chmod(path, mode) != 0) return err_errno(e, errno, "set the mode of %s", path);
        return file_sync_directory(path, e) && file_sync_directory(parent, e);
    }
    if (errno != EEXIST && errno != EISDIR && errno != EROFS && errno != EACCES)
        return err_errno(e, errno, "make directory %s", path);
    int why = errno;
    if (is_directory(path)) return true;
    if (why == EEXIST) return err_set(e, ERR_CONFLICT, "%s exists and is not a directory", path);
    return err_errno(e, why, "make directory %s", path);
}

bool file_make_directory(const char *directory, mode_t mode, struct err *e) {
    if (*directory == '\0') return err_set(e, ERR_INVALID, "the directory's name is empty");
    OWN_TEXT struct text path = TEXT_EMPTY;
    OWN_TEXT struct text parent = TEXT_EMPTY;
    text_add(&parent, *directory == '/' ? "/" : ".");
    for (const char *part = directory; *part != '\0';) {
        size_t slashes = strspn(part, "/");
        size_t length = slashes + strcspn(part + slashes, "/");
        text_add_bytes(&path, part, length);
        part += length;
        if (length == slashes) continue;
        if (!make_one(path.data, parent.data, mode, e)) return false;
        text_clear(&parent);
        text_add(&parent, path.data);
    }
    return true;
}

static bool is_self_or_parent(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void close_directory(DIR *directory) {
    closedir(directory);
}
OWN_DEFINE(directory, DIR, close_directory)

static bool clear_beneath(int fd, const char *path, int depth, struct err *e);

/* Removes one entry; never follows a link. */
static bool remove_entry(int parent_fd, const char *path, const char *name, int depth,
                         struct err *e) {
    if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT) return true;
    if (errno != EISDIR) return err_errno(e, errno, "remove %s/%s", path, name);
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return err_errno(e, errno, "open directory %s/%s", path, name);
    if (!clear_beneath(fd, name, depth + 1, e)) return err_wrap(e, "in %s", path);
    if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
    return err_errno(e, errno, "remove directory %s/%s", path, name);
}

/* Takes fd over. */
static bool clear_beneath(int fd, const char *path, int depth, struct err *e) {
    OWN(directory) DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        int why = errno;
        close(fd);
        return err_errno(e, why, "list %s", path);
    }
    if (depth > DEPTH_MAX)
        return err_set(e, ERR_INVALID, "%s is deeper than %d directories", path, DEPTH_MAX);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL && errno != 0) return err_errno(e, errno, "list %s", path);
        if (entry == NULL) return true;
        if (!is_self_or_parent(entry->d_name) &&
            !remove_entry(dirfd(directory), path, entry->d_name, depth, e))
            return false;
    }
}

bool file_clear_directory(const char *directory, struct err *e) {
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_errno(e, errno, "open directory %s", directory);
    return clear_beneath(fd, directory, 0, e);
}

static bool is_unfinished(const char *name) {
    enum { RANDOM = 6 };
    static const char mark[] = ".tmp-";
    const char *at = strstr(name, mark);
    return at != NULL && strlen(at) == sizeof mark - 1 + RANDOM;
}

void file_drop_unfinished(const char *directory) {
    OWN(directory) DIR *open_directory = opendir(directory);
    if (open_directory == NULL) return;
    for (const struct dirent *entry; (entry = readdir(open_directory)) != NULL;)
        if (is_unfinished(entry->d_name)) (void)unlinkat(dirfd(open_directory), entry->d_name, 0);
}
