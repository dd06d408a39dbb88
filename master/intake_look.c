#include "master/intake_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIGNATURE_SUFFIX ".minisig"

void intake_printable(const char *name, char out[256]) {
    size_t length = 0;
    for (; name[length] != '\0' && length < 255; length++)
        out[length] = name[length] >= ' ' && name[length] <= '~' ? name[length] : '?';
    out[length] = '\0';
}

static bool ends_with(const char *name, const char *suffix) {
    size_t length = strlen(name);
    size_t tail = strlen(suffix);
    return length >= tail && strcmp(name + length - tail, suffix) == 0;
}

/* What is no drop: work in progress, words for people, and signatures, which belong to their file.
 */
static bool is_ignored(const char *name) {
    static const char *const suffixes[] = {".part", ".tmp", "~", SIGNATURE_SUFFIX};
    if (name[0] == '.' || strncmp(name, "README", 6) == 0) return true;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (ends_with(name, suffixes[i])) return true;
    return false;
}

static int64_t nanoseconds(struct timespec t) {
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void intake_look_at(const struct stat *status, struct file_look *out) {
    *out = (struct file_look){.device = (int64_t)status->st_dev,
                              .inode = (int64_t)status->st_ino,
                              .mode = (int64_t)status->st_mode,
                              .links = (int64_t)status->st_nlink,
                              .size_bytes = (int64_t)status->st_size,
                              .modified_ns = nanoseconds(status->st_mtim),
                              .changed_ns = nanoseconds(status->st_ctim)};
}

/* False when there is no such file (any more). */
static bool look_by_name(int directory, const char *name, struct file_look *out) {
    struct stat status;
    *out = (struct file_look){0};
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
    intake_look_at(&status, out);
    return true;
}

static bool look_at_both(int directory, const char *name, struct look *out) {
    char signature[NAME_MAX + sizeof SIGNATURE_SUFFIX];
    *out = (struct look){0};
    if (!look_by_name(directory, name, &out->file)) return false;
    snprintf(signature, sizeof signature, "%s" SIGNATURE_SUFFIX, name);
    (void)look_by_name(directory, signature, &out->signature);
    return true;
}

static int compare_names(const void *name, const void *drop) {
    return strcmp(name, ((const struct drop *)drop)->name);
}

static int compare_drops(const void *a, const void *b) {
    return compare_names(((const struct drop *)a)->name, b);
}

struct drop *intake_find(const struct drops *drops, const char *name) {
    if (drops->count == 0) return NULL;
    return bsearch(name, drops->items, drops->count, sizeof *drops->items, compare_names);
}

static void take_hints(struct drops *drops, const char *hints) {
    OWN_MEMORY char *lines = text_duplicate(hints);
    char *position = lines;
    for (const char *name; (name = strsep(&position, "\n")) != NULL;) {
        struct drop *hinted = intake_find(drops, name);
        if (hinted != NULL) hinted->hinted = true;
    }
}

static void add_drop(int directory, const char *name, const struct drops *before, int64_t now_ms,
                     struct drops *out) {
    struct drop drop = {.since_ms = now_ms};
    if (!text_copy(drop.name, sizeof drop.name, name) || !look_at_both(directory, name, &drop.look))
        return;
    const struct drop *known = intake_find(before, name);
    if (known != NULL && memcmp(&known->look, &drop.look, sizeof drop.look) == 0) drop = *known;
    out->items = memory_resize(out->items, out->count + 1, sizeof drop);
    out->items[out->count++] = drop;
}

static void close_directory(DIR *directory) {
    closedir(directory);
}
OWN_DEFINE(directory, DIR, close_directory)

bool intake_look(int directory, const struct drops *before, const char *hints, int64_t now_ms,
                 struct drops *out, struct err *e) {
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    OWN(directory) DIR *stream = fd >= 0 ? fdopendir(fd) : NULL; /* fd is the stream's then */
    *out = (struct drops){0};
    if (stream == NULL) {
        int why = errno;
        if (fd >= 0) close(fd);
        return err_errno(e, why, "list the drop box");
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (entry == NULL && errno != 0) {
            free(out->items);
            return err_errno(e, errno, "list the drop box");
        }
        if (entry == NULL) break;
        if (!is_ignored(entry->d_name)) add_drop(directory, entry->d_name, before, now_ms, out);
    }
    if (out->count > 0) qsort(out->items, out->count, sizeof *out->items, compare_drops);
    take_hints(out, hints);
    return true;
}

void intake_read_hints(const struct intake *i, struct text *out) {
    _Alignas(struct inotify_event) char buffer[16 * 1024];
    if (i->inotify < 0) return;
    for (;;) {
        ssize_t length = read(i->inotify, buffer, sizeof buffer);
        if (length <= 0 && !(length < 0 && errno == EINTR)) return;
        for (ssize_t at = 0; at < length;) {
            const struct inotify_event *event = (const void *)(buffer + at);
            if (event->wd == i->watch && event->len > 0 &&
                (event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0)
                text_add_format(out, "%s\n", event->name);
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
}
