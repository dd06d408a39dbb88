/* Growable text, always NUL-terminated. Allocation failure ends the process: a text is small. One
 * thread at a time. */
#pragma once

#include "lib/own.h"

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data; /* "" when empty, never NULL after the first call; owned */
    size_t length;
    size_t capacity;
    bool secret; /* leaves no copy behind: wiped where it was when it grows, and when it ends */
};
#define TEXT_EMPTY ((struct text){0})
#define TEXT_SECRET ((struct text){.secret = true})

void text_add(struct text *t, const char *words);
void text_add_bytes(struct text *t, const void *bytes, size_t length);
/* Room for length more bytes, to write them in place: whoever writes some adds them to t->length
 * and ends them with a NUL. */
char *text_room(struct text *t, size_t length);
void text_add_format(struct text *t, const char *format, ...) PRINTF_LIKE(2, 3);
void text_clear(struct text *t); /* length 0, keeps the memory */
void text_fini(struct text *t);

/* The content as a heap string of the caller's (free it); the text is empty after. */
char *text_take(struct text *t);

static inline const char *text_value(const struct text *t) {
    return t->data != NULL ? t->data : "";
}

static inline const char *text_or_empty(const char *words) {
    return words != NULL ? words : "";
}

/* OWN_TEXT struct text t = TEXT_EMPTY; */
#define OWN_TEXT __attribute__((cleanup(text_fini)))

/* Copies source into a fixed array. False when it does not fit (nothing is copied then but ""). */
MUST_CHECK bool text_copy(char *target, size_t size, const char *source);

/* The same, but of what does not fit as much as does. */
void text_cut(char *target, size_t size, const char *source);

/* strdup and calloc that end the process when memory is gone. The caller frees. */
char *text_duplicate(const char *source); /* NULL stays NULL */
void *memory_zeroed(size_t count, size_t size);
void *memory_resize(void *memory, size_t count, size_t size);
