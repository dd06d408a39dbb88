/* Buffers of readers. They are mapped, not allocated: what is given back leaves the process at
 * once.
 */
#include "storage-server/chunks_internal.h"

#include <sys/mman.h>

/* What a buffer holds while nobody uses it. */
struct chunks_buffer {
    struct chunks_buffer *next;
};

static struct chunks_buffer *take_spare(struct chunks *c) {
    pthread_mutex_lock(&c->buffers);
    struct chunks_buffer *first = c->spare;
    if (first != NULL) c->spare = first->next;
    pthread_mutex_unlock(&c->buffers);
    return first;
}

void *chunks_buffer_take(struct chunks *c) {
    void *buffer = take_spare(c);
    if (buffer != NULL) return buffer;
    buffer =
        mmap(NULL, CHUNK_BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return buffer != MAP_FAILED ? buffer : NULL;
}

void chunks_buffer_give(struct chunks *c, void *buffer) {
    struct chunks_buffer *given = buffer;
    pthread_mutex_lock(&c->buffers);
    given->next = c->spare;
    c->spare = given;
    pthread_mutex_unlock(&c->buffers);
}

void chunks_trim(struct chunks *c) {
    for (void *spare = take_spare(c); spare != NULL; spare = take_spare(c))
        munmap(spare, CHUNK_BUFFER_BYTES);
}
