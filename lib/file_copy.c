/* The part of lib/file.h that copies and hashes. */
#include "lib/file_internal.h"

#include <errno.h>

enum { COPY_SIZE = 128 * 1024 };

bool file_copy_hashed(int source_fd, int target_fd, int64_t max_bytes, char sha256[SHA256_HEX_SIZE],
                      int64_t *size_bytes, struct err *e) {
    OWN(sha256) struct sha256 *hash = sha256_begin();
    OWN_MEMORY char *buffer = memory_resize(NULL, COPY_SIZE, 1);
    int64_t copied = 0;
    for (;;) {
        ssize_t count = file_read_some(source_fd, buffer, COPY_SIZE);
        if (count < 0) return err_errno(e, errno, "read at offset %lld", (long long)copied);
        if (count == 0) break;
        if (count > max_bytes - copied)
            return err_set(e, ERR_TOO_LARGE, "more than %lld bytes", (long long)max_bytes);
        sha256_add(hash, buffer, (size_t)count);
        if (!file_write_all(target_fd, buffer, (size_t)count))
            return err_errno(e, errno, "write at offset %lld", (long long)copied);
        copied += count;
    }
    sha256_hex(hash, sha256);
    if (size_bytes != NULL) *size_bytes = copied;
    return true;
}
