/* What tells one content of a file from the next without reading it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct file_stamp {
    ino_t inode;
    int64_t size_bytes;
    struct timespec changed_at;
};

/* All 0 where there is no such file. Take it before the file is read: a change meanwhile is seen
 * the next time. */
struct file_stamp file_stamp(const char *path);
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);
