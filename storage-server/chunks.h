/* Chunks of one data directory: written once, verified whenever they are read, damaged ones put
 * aside.
 *
 *   DIRECTORY/data/00..ff/ID.SHARD   what was acknowledged (format.h)
 *   DIRECTORY/tmp/                   what is being written; cleared when opened
 *   DIRECTORY/quarantine/            damaged files, kept for whoever wants to look
 *
 * Any thread; everything blocks on disk. The caller holds the directory's lock (lock.h). */
#pragma once

#include "storage-server/format.h"

#include <stdint.h>

struct chunks;

/* Makes what is missing, clears tmp/, counts the chunks. directory must exist. Of the file system's
 * space reserve_bytes are never used. */
MUST_CHECK bool chunks_open(struct chunks **out, const char *directory, int64_t reserve_bytes,
                            struct err *e);
void chunks_close(struct chunks *c); /* after every reader and writer was closed */
OWN_DEFINE(chunks, struct chunks, chunks_close)

/* Bits of conditions.h, but for draining, which the node knows. */
unsigned chunks_conditions(const struct chunks *c);
int64_t chunks_count(const struct chunks *c);

/* Size of the file system, and what of it may still be used: free space less the reserve. */
MUST_CHECK bool chunks_space(struct chunks *c, int64_t *capacity_bytes, int64_t *free_bytes,
                             struct err *e);

/* Gives the memory that readers used and none uses now back to the system: now and then. */
void chunks_trim(struct chunks *c);

/* Looks whether the directory is still there, and while the disk is full whether there is room
 * again, by writing. Cheap otherwise. */
void chunks_probe(struct chunks *c);

/* One chunk being written: begin, add until length bytes were given, commit. */
struct chunk_writer;

/* ERR_NO_SPACE before any byte is taken when the chunk does not fit. header: id, length and what
 * describes the chunk. */
MUST_CHECK bool chunk_writer_begin(struct chunk_writer **out, struct chunks *c,
                                   const struct chunk_header *header, struct err *e);
MUST_CHECK bool chunk_writer_add(struct chunk_writer *w, const void *bytes, size_t length,
                                 struct err *e);
uint32_t chunk_writer_crc(const struct chunk_writer *w); /* of all, once all was added */

/* e must not be NULL. Durable and visible when this returns true. *created is false when the very
 * same chunk was there already; other bytes under the same id are ERR_CONFLICT. After a failed
 * flush nothing is written any more (CONDITION_WRITE_ERROR). */
MUST_CHECK bool chunk_writer_commit(struct chunk_writer *w, bool *created, struct err *e);
void chunk_writer_close(struct chunk_writer *w); /* gives up what was not committed */
OWN_DEFINE(chunk_writer, struct chunk_writer, chunk_writer_close)

/* One chunk being read. */
struct chunk_reader;

/* Who reads, for the count of damaged chunks. */
enum chunk_use { CHUNK_FOR_CLIENT, CHUNK_FOR_SCRUB, CHUNK_FOR_COMPARISON };
const char *chunk_use_name(enum chunk_use use);

/* Proves the header. ERR_NOT_FOUND; ERR_CORRUPT: the file was put aside; ERR_IO: the disk did not
 * give it. */
MUST_CHECK bool chunk_reader_open(struct chunk_reader **out, struct chunks *c, const char *id,
                                  enum chunk_use use, struct err *e);
const struct chunk_header *chunk_reader_header(const struct chunk_reader *r);

/* Proves every block that holds any of length bytes from offset on, and keeps the last of them, as
 * many as a buffer holds. Errors as above. */
MUST_CHECK bool chunk_reader_verify(struct chunk_reader *r, int64_t offset, int64_t length,
                                    struct err *e);

/* Proven bytes from offset on, at least one and at most as many as wanted; they stay valid until
 * the next call. What is kept is not read again. */
MUST_CHECK bool chunk_reader_next(struct chunk_reader *r, int64_t offset, int64_t wanted,
                                  const void **bytes, size_t *length, struct err *e);

/* The kernel may forget what it cached of this file, so that a scrub reads the disk and leaves
 * others' pages alone. */
void chunk_reader_forget(struct chunk_reader *r);
void chunk_reader_close(struct chunk_reader *r);
OWN_DEFINE(chunk_reader, struct chunk_reader, chunk_reader_close)

/* Durably gone when this returns true. ERR_NOT_FOUND. */
MUST_CHECK bool chunks_remove(struct chunks *c, const char *id, struct err *e);

/* Lists go directory by directory, by id within each. */
struct chunk_entry {
    char id[CHUNK_ID_SIZE];
    int64_t size_bytes; /* as the file's size tells, unproven; -1 when no chunk has such a size */
};

/* The chunks of one directory whose id begins with prefix and comes after `after` (""  for all), in
 * order of id, at most limit. The caller frees *entries. */
MUST_CHECK bool chunks_list(struct chunks *c, unsigned directory, const char *prefix,
                            const char *after, size_t limit, struct chunk_entry **entries,
                            size_t *count, struct err *e);

/* How many of one directory begin with prefix. */
MUST_CHECK bool chunks_tally(struct chunks *c, unsigned directory, const char *prefix,
                             size_t *count, struct err *e);
