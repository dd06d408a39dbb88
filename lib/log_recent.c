#include "lib/log_recent.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static atomic_bool keeping;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards everything below */
static char *ring;
static size_t ring_size;
static size_t written; /* ever; the ring holds the last ring_size of them */

void log_recent_keep(size_t max_bytes) {
    pthread_mutex_lock(&lock);
    free(ring);
    ring = max_bytes > 0 ? memory_zeroed(max_bytes, 1) : NULL;
    ring_size = max_bytes;
    written = 0;
    atomic_store(&keeping, ring_size > 0);
    pthread_mutex_unlock(&lock);
}

void log_recent_add(const char *line, size_t length) {
    if (!atomic_load(&keeping)) return;
    pthread_mutex_lock(&lock);
    for (size_t left = ring_size > 0 ? length : 0; left > 0;) {
        size_t at = written % ring_size;
        size_t part = left < ring_size - at ? left : ring_size - at;
        memcpy(ring + at, line + length - left, part);
        written += part;
        left -= part;
    }
    pthread_mutex_unlock(&lock);
}

void log_recent(size_t max_bytes, struct text *out) {
    OWN_TEXT struct text kept = TEXT_EMPTY;
    pthread_mutex_lock(&lock);
    size_t length = written < ring_size ? written : ring_size;
    if (length > max_bytes) length = max_bytes;
    bool cut = length < written;
    for (size_t left = length; left > 0;) {
        size_t at = (written - left) % ring_size;
        size_t part = left < ring_size - at ? left : ring_size - at;
        text_add_bytes(&kept, ring + at, part);
        left -= part;
    }
    pthread_mutex_unlock(&lock);
    const char *begin = text_value(&kept);
    const char *line_end = cut ? strchr(begin, '\n') : NULL;
    text_add(out, line_end != NULL ? line_end + 1 : begin);
}
