/* Inside chunks*: the open data directory and what its failures mean. */
#pragma once

#include "storage-server/chunks.h"

#include "lib/text.h"

#include <pthread.h>
#include <stdatomic.h>

struct chunks {
    char *directory;
    int root_fd; /* of directory */
    int temporary_fd;
    int quarantine_fd;
    int data_fds[CHUNK_DIRECTORIES]; /* kept open: a chunk that was renamed must not fail to be
                                        flushed for want of one */
    int64_t reserve_bytes;
    atomic_uint conditions;
    atomic_llong needed_bytes; /* while the disk is full: room for this many ends it */
    atomic_llong count;
    atomic_ullong temporaries; /* names of files in tmp/ */
    /* Taken to look at a file in data/ and then move or remove it: between the two nobody else may
     * have put a good chunk in the place of a damaged one. Guards no field; held over those two
     * calls only. */
    pthread_mutex_t removal;
    pthread_mutex_t buffers; /* guards spare */
    struct chunks_buffer *spare;
};

/* The open directory of this id, and the name of its whole copy in there. */
int chunks_directory_fd(const struct chunks *c, const char *id);
void chunks_name(const char *id, char out[CHUNK_NAME_SIZE]);

/* Flushes the directory of this id's chunk. */
MUST_CHECK bool chunks_sync_directory(struct chunks *c, const char *id, struct err *e);

/* Moves the file of a damaged chunk out of the way, if fd is still what its path names, and counts
 * it. */
void chunks_quarantine(struct chunks *c, const char *id, int fd, enum chunk_use use,
                       const char *why);

/* Memory for a reader, its contents left over from another; NULL when there is none. New memory
 * costs the kernel more than filling it with a chunk does, so it goes from reader to reader, until
 * chunks_trim. */
#define CHUNK_BUFFER_BYTES (4 * 1024 * 1024)
void *chunks_buffer_take(struct chunks *c);
void chunks_buffer_give(struct chunks *c, void *buffer);

/* ERR_NO_SPACE when total_bytes more would not leave the reserve. */
MUST_CHECK bool chunks_admit(struct chunks *c, int64_t total_bytes, struct err *e);

/* Sets or ends CONDITION_DATA_MISSING. */
void chunks_look_for_data(struct chunks *c);

/* Sort out errno: sets conditions, counts, logs, sets *e. False always. */
bool chunks_open_failed(struct chunks *c, int errno_value, const char *id, struct err *e);
bool chunks_read_failed(struct chunks *c, int errno_value, const char *id, struct err *e);
bool chunks_write_failed(struct chunks *c, int errno_value, int64_t total_bytes, const char *id,
                         struct err *e);
bool chunks_flush_failed(struct chunks *c, int errno_value, const char *id, struct err *e);
