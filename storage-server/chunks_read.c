/* Reading: nothing leaves here that its checksum does not prove. What was proven is kept for
 * sending: the disk is not asked twice, and cannot answer otherwise the second time. */
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
    unsigned char *kept;      /* one of chunks_buffer_take; NULL until the first is needed */
    int64_t kept_at, kept_to; /* which of the data it holds, proven */
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

/* Whether what is kept agrees with the checksums of its blocks. */
static bool prove_kept(struct chunk_reader *r, int64_t length, struct err *e) {
    const unsigned char *checksum = r->checksums + 4 * (r->kept_at / CHUNK_BLOCK_BYTES);
    for (int64_t at = 0; at < length; at += CHUNK_BLOCK_BYTES, checksum += 4) {
        int64_t left = length - at;
        size_t block = left < CHUNK_BLOCK_BYTES ? (size_t)left : CHUNK_BLOCK_BYTES;
        if (crc32c(0, r->kept + at, block) != chunk_get_u32(checksum))
            return corrupt(r, "a block does not match its checksum", e);
    }
    r->kept_to = r->kept_at + length;
    return true;
}

/* Keeps the blocks that hold length bytes from offset on, or as many as there is room for. */
static bool load(struct chunk_reader *r, int64_t offset, int64_t length, struct err *e) {
    int64_t begin = offset - offset % CHUNK_BLOCK_BYTES;
    int64_t end = chunk_block_count(offset + length) * CHUNK_BLOCK_BYTES;
    if (end > r->header.length) end = r->header.length;
    if (end > begin + CHUNK_BUFFER_BYTES) end = begin + CHUNK_BUFFER_BYTES;
    if (r->kept == NULL) r->kept = chunks_buffer_take(r->chunks);
    if (r->kept == NULL) return chunks_open_failed(r->chunks, ENOMEM, r->id, e);
    r->kept_at = r->kept_to = begin;
    return read_at(r, r->kept, (size_t)(end - begin), chunk_data_offset(r->header.length) + begin,
                   e) &&
           prove_kept(r, end - begin, e);
}

static bool check_range(const struct chunk_reader *r, int64_t offset, int64_t length) {
    return offset >= 0 && length >= 0 && offset <= r->header.length - length;
}

bool chunk_reader_verify(struct chunk_reader *r, int64_t offset, int64_t length, struct err *e) {
    assert(check_range(r, offset, length));
    for (int64_t at = offset; at < offset + length; at = r->kept_to)
        if (!load(r, at, offset + length - at, e)) return false;
    return true;
}

bool chunk_reader_next(struct chunk_reader *r, int64_t offset, int64_t wanted, const void **bytes,
                       size_t *length, struct err *e) {
    assert(wanted > 0 && check_range(r, offset, wanted));
    bool is_kept = r->kept_at <= offset && offset < r->kept_to;
    if (!is_kept && !load(r, offset, wanted, e)) return false;
    int64_t left = r->kept_to - offset;
    *bytes = r->kept + (offset - r->kept_at);
    *length = (size_t)(wanted < left ? wanted : left);
    return true;
}

void chunk_reader_forget(struct chunk_reader *r) {
    posix_fadvise(r->fd, 0, 0, POSIX_FADV_DONTNEED);
}

void chunk_reader_close(struct chunk_reader *r) {
    if (r == NULL) return;
    if (r->fd >= 0) close(r->fd);
    free(r->checksums);
    if (r->kept != NULL) chunks_buffer_give(r->chunks, r->kept);
    free(r);
}
