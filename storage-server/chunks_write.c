/* Writing a chunk: temporary file, blocks, checksums, header, flush, rename, flush of the
 * directory. */
#include "storage-server/chunks_internal.h"
#include "storage-server/conditions.h"
#include "storage-server/measures.h"

#include "lib/hash.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Somebody may remove, put aside or add the same chunk between two of our looks, but not for ever.
 */
#define PUBLISH_ATTEMPTS 8

struct chunk_writer {
    struct chunks *chunks;
    struct chunk_header header;
    int fd;
    char name[32]; /* in tmp/; "" when nothing is left to remove */
    int64_t added;
    uint32_t block_crc;   /* of the last block; header.data_crc takes it in when it is complete */
    unsigned char *front; /* header and checksums: what stands before the data */
};

static int64_t total_bytes(const struct chunk_writer *w) {
    return chunk_file_bytes(w->header.length);
}

static bool write_at(struct chunk_writer *w, const void *bytes, size_t length, int64_t at,
                     struct err *e) {
    for (size_t done = 0; done < length;) {
        ssize_t put = pwrite(w->fd, (const char *)bytes + done, length - done, at + (int64_t)done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return chunks_write_failed(w->chunks, errno, total_bytes(w), w->header.id, e);
        done += (size_t)put;
    }
    return true;
}

/* Claims the space at once, so that a chunk that does not fit is refused before it is sent. */
static bool claim_space(struct chunk_writer *w, struct err *e) {
    int result = 0;
    do result = fallocate(w->fd, 0, 0, total_bytes(w));
    while (result != 0 && errno == EINTR);
    return result == 0 || errno == EOPNOTSUPP || errno == ENOSYS ||
           chunks_write_failed(w->chunks, errno, total_bytes(w), w->header.id, e);
}

static bool create_temporary(struct chunk_writer *w, struct err *e) {
    (void)snprintf(w->name, sizeof w->name, "put-%llu",
                   (unsigned long long)atomic_fetch_add(&w->chunks->temporaries, 1));
    w->fd = openat(w->chunks->temporary_fd, w->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (w->fd >= 0) return true;
    w->name[0] = '\0';
    return chunks_write_failed(w->chunks, errno, total_bytes(w), w->header.id, e);
}

bool chunk_writer_begin(struct chunk_writer **out, struct chunks *c,
                        const struct chunk_header *header, struct err *e) {
    if (!chunk_id_check(header->id, e)) return false;
    if (header->length < 0 || header->length > CHUNK_MAX_BYTES)
        return err_set(e, ERR_TOO_LARGE, "a chunk holds at most %d bytes", CHUNK_MAX_BYTES);
    OWN(chunk_writer) struct chunk_writer *w = memory_zeroed(1, sizeof *w);
    w->chunks = c;
    w->header = *header;
    w->header.data_crc = 0;
    w->fd = -1;
    w->front = memory_zeroed(1, (size_t)chunk_data_offset(header->length));
    chunks_look_for_data(c);
    if (!conditions_allow_write(atomic_load(&c->conditions), e) ||
        !chunks_admit(c, total_bytes(w), e) || !create_temporary(w, e) || !claim_space(w, e))
        return false;
    *out = TAKE(w);
    return true;
}

/* Takes at most the rest of the current block. The checksum of all follows from those of the
 * blocks.
 */
static size_t checksum_some(struct chunk_writer *w, const unsigned char *bytes, size_t length) {
    size_t room = CHUNK_BLOCK_BYTES - (size_t)(w->added % CHUNK_BLOCK_BYTES);
    size_t taken = length < room ? length : room;
    int64_t block = w->added / CHUNK_BLOCK_BYTES;
    w->block_crc = crc32c(w->added % CHUNK_BLOCK_BYTES == 0 ? 0 : w->block_crc, bytes, taken);
    w->added += (int64_t)taken;
    if (taken == room || w->added == w->header.length)
        w->header.data_crc = crc32c_join(w->header.data_crc, w->block_crc,
                                         (size_t)((w->added - 1) % CHUNK_BLOCK_BYTES + 1));
    chunk_put_u32(w->front + CHUNK_HEADER_BYTES + 4 * block, w->block_crc);
    return taken;
}

bool chunk_writer_add(struct chunk_writer *w, const void *bytes, size_t length, struct err *e) {
    if ((int64_t)length > w->header.length - w->added)
        return err_set(e, ERR_INVALID, "chunk %s: more bytes than the %lld announced", w->header.id,
                       (long long)w->header.length);
    if (!write_at(w, bytes, length, chunk_data_offset(w->header.length) + w->added, e))
        return false;
    for (size_t done = 0; done < length;)
        done += checksum_some(w, (const unsigned char *)bytes + done, length - done);
    return true;
}

uint32_t chunk_writer_crc(const struct chunk_writer *w) {
    return w->header.data_crc;
}

/* Whether the bytes in the temporary file are those of the existing chunk. */
static bool compare(struct chunk_writer *w, struct chunk_reader *existing, bool *same,
                    struct err *e) {
    OWN_MEMORY char *mine = memory_zeroed(1, CHUNK_BLOCK_BYTES);
    int64_t from = chunk_data_offset(w->header.length);
    *same = chunk_reader_header(existing)->length == w->header.length;
    for (int64_t offset = 0; *same && offset < w->header.length;) {
        const void *theirs = NULL;
        size_t length = 0;
        int64_t left = w->header.length - offset;
        if (!chunk_reader_next(existing, offset,
                               left < CHUNK_BLOCK_BYTES ? left : CHUNK_BLOCK_BYTES, &theirs,
                               &length, e))
            return false;
        ssize_t got = pread(w->fd, mine, length, from + offset);
        if (got != (ssize_t)length)
            return chunks_read_failed(w->chunks, got < 0 ? errno : EIO, w->header.id, e);
        *same = memcmp(mine, theirs, length) == 0;
        offset += (int64_t)length;
    }
    return true;
}

enum meeting { MEETING_SAME, MEETING_GONE, MEETING_FAILED };

/* A chunk of this id is there already. One that is damaged or removed meanwhile is gone: ours may
 * take its place. */
static enum meeting meet_existing(struct chunk_writer *w, struct err *e) {
    OWN(chunk_reader) struct chunk_reader *existing = NULL;
    bool same = false;
    if (!chunk_reader_open(&existing, w->chunks, w->header.id, CHUNK_FOR_COMPARISON, e) ||
        !compare(w, existing, &same, e))
        return e->code == ERR_NOT_FOUND || e->code == ERR_CORRUPT ? MEETING_GONE : MEETING_FAILED;
    if (same) return MEETING_SAME;
    err_set(e, ERR_CONFLICT, "chunk %s exists with other bytes, and chunks never change",
            w->header.id);
    err_hint(e, "use a new id");
    return MEETING_FAILED;
}

static bool finish_file(struct chunk_writer *w, struct err *e) {
    chunk_header_encode(&w->header, w->front);
    if (!write_at(w, w->front, (size_t)chunk_data_offset(w->header.length), 0, e)) return false;
    return fdatasync(w->fd) == 0 || chunks_flush_failed(w->chunks, errno, w->header.id, e);
}

/* Gives the file its name. *created false: the same chunk was there. */
static bool publish(struct chunk_writer *w, bool *created, struct err *e) {
    char name[CHUNK_NAME_SIZE];
    int directory = chunks_directory_fd(w->chunks, w->header.id);
    chunks_name(w->header.id, name);
    for (int attempt = 0; attempt < PUBLISH_ATTEMPTS; attempt++) {
        *created =
            renameat2(w->chunks->temporary_fd, w->name, directory, name, RENAME_NOREPLACE) == 0;
        if (*created) return true;
        if (errno != EEXIST)
            return chunks_write_failed(w->chunks, errno, total_bytes(w), w->header.id, e);
        enum meeting meeting = meet_existing(w, e);
        if (meeting != MEETING_GONE) return meeting == MEETING_SAME;
    }
    return err_set(e, ERR_UNAVAILABLE, "chunk %s changes too often", w->header.id);
}

bool chunk_writer_commit(struct chunk_writer *w, bool *created, struct err *e) {
    assert(w->added == w->header.length);
    if (!finish_file(w, e) || !publish(w, created, e)) return false;
    if (*created) {
        w->name[0] = '\0';
        atomic_fetch_add(&w->chunks->count, 1);
    }
    /* Also for a chunk that was there: its writer may not have come to this yet. */
    if (!chunks_sync_directory(w->chunks, w->header.id, e)) return false;
    metric_add(&measure_received_bytes, (double)w->header.length, NULL, NULL);
    return true;
}

void chunk_writer_close(struct chunk_writer *w) {
    if (w == NULL) return;
    if (w->fd >= 0) close(w->fd);
    if (w->name[0] != '\0') unlinkat(w->chunks->temporary_fd, w->name, 0);
    free(w->front);
    free(w);
}
