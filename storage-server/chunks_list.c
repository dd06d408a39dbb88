/* Listing: the chunks of one directory, by their file names. */
#include "storage-server/chunks_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct found {
    struct chunk_entry *entries;
    size_t count;
    size_t capacity;
};

static void found_add(struct found *found, const char *id) {
    if (found->count == found->capacity) {
        found->capacity = found->capacity == 0 ? 64 : 2 * found->capacity;
        found->entries = memory_resize(found->entries, found->capacity, sizeof *found->entries);
    }
    (void)!text_copy(found->entries[found->count++].id, CHUNK_ID_SIZE, id);
}

static bool is_wanted(const char *name, unsigned directory, const char *prefix, const char *after,
                      char id[CHUNK_ID_SIZE]) {
    unsigned shard = 0;
    return chunk_file_name_parse(name, id, &shard) && shard == 0 &&
           chunk_directory(id) == directory && strncmp(id, prefix, strlen(prefix)) == 0 &&
           strcmp(id, after) > 0;
}

static void close_names(DIR *names) {
    closedir(names);
}
OWN_DEFINE(names, DIR, close_names)

/* A stream over the directory, from its start; NULL with errno set. */
static DIR *open_names(const struct chunks *c, unsigned directory) {
    int fd = openat(c->data_fds[directory], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = fd >= 0 ? fdopendir(fd) : NULL;
    int errno_value = errno;
    if (names == NULL && fd >= 0) close(fd);
    errno = errno_value;
    return names;
}

static bool read_names(struct chunks *c, unsigned directory, const char *prefix, const char *after,
                       struct found *found, struct err *e) {
    char where[3];
    char id[CHUNK_ID_SIZE];
    OWN(names) DIR *names = open_names(c, directory);
    chunk_directory_name(directory, where);
    if (names == NULL) return chunks_open_failed(c, errno, where, e);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(names);
        if (entry == NULL) break;
        if (is_wanted(entry->d_name, directory, prefix, after, id)) found_add(found, id);
    }
    return errno == 0 || chunks_read_failed(c, errno, where, e);
}

bool chunks_tally(struct chunks *c, unsigned directory, const char *prefix, size_t *count,
                  struct err *e) {
    struct found found = {0};
    bool ok = read_names(c, directory, prefix, "", &found, e);
    *count = found.count;
    free(found.entries);
    return ok;
}

static int by_id(const void *a, const void *b) {
    return strcmp(((const struct chunk_entry *)a)->id, ((const struct chunk_entry *)b)->id);
}

/* Sizes of the entries; those that vanished meanwhile are left out. */
static void add_sizes(struct chunks *c, struct found *found) {
    size_t kept = 0;
    for (size_t i = 0; i < found->count; i++) {
        const char *id = found->entries[i].id;
        char name[CHUNK_NAME_SIZE];
        struct stat file;
        chunks_name(id, name);
        if (fstatat(chunks_directory_fd(c, id), name, &file, AT_SYMLINK_NOFOLLOW) != 0) continue;
        found->entries[kept] = found->entries[i];
        found->entries[kept++].size_bytes = chunk_length_of_file(file.st_size);
    }
    found->count = kept;
}

bool chunks_list(struct chunks *c, unsigned directory, const char *prefix, const char *after,
                 size_t limit, struct chunk_entry **entries, size_t *count, struct err *e) {
    struct found found = {0};
    if (!read_names(c, directory, prefix, after, &found, e)) {
        free(found.entries);
        return false;
    }
    if (found.count > 0) qsort(found.entries, found.count, sizeof *found.entries, by_id);
    if (found.count > limit) found.count = limit;
    add_sizes(c, &found);
    *entries = found.entries;
    *count = found.count;
    return true;
}
