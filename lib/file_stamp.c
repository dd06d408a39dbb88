#include "lib/file_stamp.h"

#include <sys/stat.h>

struct file_stamp file_stamp(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) return (struct file_stamp){0};
    return (struct file_stamp){status.st_ino, status.st_size, status.st_mtim};
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b) {
    return a->inode == b->inode && a->size_bytes == b->size_bytes &&
           a->changed_at.tv_sec == b->changed_at.tv_sec &&
           a->changed_at.tv_nsec == b->changed_at.tv_nsec;
}
