#include "lib/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static _Noreturn void out_of_memory(void) {
    static const char words[] = "out of memory\n";
    ssize_t written = write(STDERR_FILENO, words, sizeof words - 1);
    (void)written; /* nothing else could be done */
    abort();
}

static void wipe(struct text *t) {
    if (t->data != NULL) explicit_bzero(t->data, t->capacity);
    free(t->data);
}

/* realloc would leave what it moves from as it is. */
static char *move_secret(struct text *t, size_t capacity) {
    char *data = memory_resize(NULL, capacity, 1);
    if (t->length > 0) memcpy(data, t->data, t->length);
    wipe(t);
    return data;
}

static void grow(struct text *t, size_t length) {
    if (length > SIZE_MAX / 4 - t->length) out_of_memory();
    size_t needed = t->length + length + 1;
    size_t capacity = t->capacity < 32 ? 64 : t->capacity * 2;
    if (capacity < needed) capacity = needed;
    t->data = t->secret ? move_secret(t, capacity) : memory_resize(t->data, capacity, 1);
    t->capacity = capacity;
}

/* Room for length more bytes and the NUL. */
static inline void reserve(struct text *t, size_t length) {
    if (length >= t->capacity - t->length) grow(t, length);
}

void text_add(struct text *t, const char *words) {
    text_add_bytes(t, words, strlen(words));
}

void text_add_bytes(struct text *t, const void *bytes, size_t length) {
    reserve(t, length);
    if (length > 0) memcpy(t->data + t->length, bytes, length);
    t->length += length;
    t->data[t->length] = '\0';
}

char *text_room(struct text *t, size_t length) {
    reserve(t, length);
    return t->data + t->length;
}

void text_add_format(struct text *t, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    reserve(t, 64); /* most words fit at once */
    size_t room = t->capacity - t->length;
    int length = vsnprintf(t->data + t->length, room, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    reserve(t, (size_t)length);
    if ((size_t)length >= room) vsnprintf(t->data + t->length, (size_t)length + 1, format, again);
    va_end(again);
    t->length += (size_t)length;
}

void text_clear(struct text *t) {
    reserve(t, 0);
    t->length = 0;
    t->data[0] = '\0';
}

void text_fini(struct text *t) {
    if (t->secret)
        wipe(t);
    else
        free(t->data);
    *t = (struct text){.secret = t->secret};
}

char *text_take(struct text *t) {
    reserve(t, 0);
    t->data[t->length] = '\0';
    char *data = t->data;
    *t = (struct text){.secret = t->secret};
    return data;
}

bool text_copy(char *target, size_t size, const char *source) {
    assert(size > 0);
    size_t length = strlen(source);
    bool fits = length < size;
    if (fits)
        memcpy(target, source, length + 1);
    else
        target[0] = '\0';
    return fits;
}

void text_cut(char *target, size_t size, const char *source) {
    assert(size > 0);
    size_t length = strlen(source);
    if (length >= size) length = size - 1;
    memcpy(target, source, length);
    target[length] = '\0';
}

char *text_duplicate(const char *source) {
    if (source == NULL) return NULL;
    char *copy = strdup(source);
    if (copy == NULL) out_of_memory();
    return copy;
}

void *memory_zeroed(size_t count, size_t size) {
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    if (memory == NULL) out_of_memory();
    return memory;
}

void *memory_resize(void *memory, size_t count, size_t size) {
    void *resized = reallocarray(memory, count > 0 ? count : 1, size > 0 ? size : 1);
    if (resized == NULL) out_of_memory();
    return resized;
}
