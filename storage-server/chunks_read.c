/* Reading: nothing leaves here that its checksum does not prove. */
#include "storage-server/chunks_internal.h"

#include "lib/hash.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct chunk_reader {
    struct chunks *chunks;
    struct chunk_header header;
    char id[CHUNK_ID_SIZE];
    enum chunk_use use;
    int fd;
    unsigned char *checksums;
    unsigned char *block; /* the last one read, proven */
    int64_t loaded;       /* its number; -1: none */
};

static bool corrupt(struct chunk_reader *r, const char *why, struct err *e) {
    chunks_quarantine(r->chunks, r->id, r->fd, r->use, why);
    err_set(e, ERR_CORRUPT, "chunk %s is damaged on this node: %s", r->id, why);
    return err_hint(e, "read another copy, or write the chunk again");
}

/* Reads exactly length bytes; a file that ends before is damaged. */
static bool read_at(struct chunk_reader *r, void *out, size_t length, int64_t at, struct err *e) {
    for (size_t done = 0; done < length;) {
        ssize_t got = pread(r->fd, (char *)out + done, length - done, at + (int64_t)done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return chunks_read_failed(r->chunks, errno, r->id, e);
        if (got == 0) return corrupt(r, "its file ends too early", e);
        done += (size_t)got;
    }
    return true;
}

static bool read_header(struct chunk_reader *r, struct err *e) {
    unsigned char bytes[CHUNK_HEADER_BYTES];
    struct err why;
    if (!read_at(r, bytes, sizeof bytes, 0, e)) return false;
    if (chunk_header_decode(bytes, &r->header, &why)) return true;
    if (why.code == ERR_CORRUPT) return corrupt(r, why.text, e);
    if (e != NULL) *e = why;
    return err_wrap(e, "chunk %s", r->id);
}

static bool read_front(struct chunk_reader *r, struct err *e) {
    struct stat file;
    if (!read_header(r, e)) return false;
    if (strcmp(r->header.id, r->id) != 0) return corrupt(r, "its header names another chunk", e);
    if (fstat(r->fd, &file) != 0) return chunks_read_failed(r->chunks, errno, r->id, e);
    if (file.st_size != chunk_file_bytes(r->header.length))
        return corrupt(r, "its file has the wrong size", e);
    size_t length = 4 * (size_t)chunk_block_count(r->header.length);
    r->checksums = memory_zeroed(1, length + 1);
    return read_at(r, r->checksums, length, CHUNK_HEADER_BYTES, e);
}

bool chunk_reader_open(struct chunk_reader **out, struct chunks *c, const char *id,
                       enum chunk_use use, struct err *e) {
    char name[CHUNK_NAME_SIZE];
    if (!chunk_id_check(id, e)) return false;
    OWN(chunk_reader) struct chunk_reader *r = memory_zeroed(1, sizeof *r);
    r->chunks = c;
    r->use = use;
    r->loaded = -1;
    (void)!text_copy(r->id, sizeof r->id, id);
    chunks_name(id, name);
    r->fd =
        openat(chunks_directory_fd(c, id), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (r->fd < 0) return chunks_open_failed(c, errno, id, e);
    if (!read_front(r, e)) return false;
    *out = TAKE(r);
    return true;
}

const struct chunk_header *chunk_reader_header(const struct chunk_reader *r) {
    return &r->header;
}

static size_t block_length(const struct chunk_reader *r, int64_t block) {
    int64_t left = r->header.length - block * CHUNK_BLOCK_BYTES;
    return left < CHUNK_BLOCK_BYTES ? (size_t)left : CHUNK_BLOCK_BYTES;
}

static bool load_block(struct chunk_reader *r, int64_t block, struct err *e) {
    size_t length = block_length(r, block);
    if (r->block == NULL) r->block = memory_zeroed(1, CHUNK_BLOCK_BYTES);
    r->loaded = -1;
    if (!read_at(r, r->block, length,
                 chunk_data_offset(r->header.length) + block * CHUNK_BLOCK_BYTES, e))
        return false;
    if (crc32c(0, r->block, length) != chunk_get_u32(r->checksums + 4 * block))
        return corrupt(r, "a block does not match its checksum", e);
    r->loaded = block;
    return true;
}

bool chunk_reader_verify(struct chunk_reader *r, int64_t offset, int64_t length, struct err *e) {
    assert(offset >= 0 && length >= 0 && offset + length <= r->header.length);
    for (int64_t block = offset / CHUNK_BLOCK_BYTES; block * CHUNK_BLOCK_BYTES < offset + length;
         block++)
        if (!load_block(r, block, e)) return false;
    return true;
}

bool chunk_reader_next(struct chunk_reader *r, int64_t offset, const void **bytes, size_t *length,
                       struct err *e) {
    int64_t block = offset / CHUNK_BLOCK_BYTES;
    assert(offset >= 0 && offset < r->header.length);
    if (r->loaded != block && !load_block(r, block, e)) return false;
    size_t within = (size_t)(offset % CHUNK_BLOCK_BYTES);
    *bytes = r->block + within;
    *length = block_length(r, block) - within;
    return true;
}

void chunk_reader_forget(struct chunk_reader *r) {
    posix_fadvise(r->fd, 0, 0, POSIX_FADV_DONTNEED);
}

void chunk_reader_close(struct chunk_reader *r) {
    if (r == NULL) return;
    if (r->fd >= 0) close(r->fd);
    free(r->checksums);
    free(r->block);
    free(r);
}
