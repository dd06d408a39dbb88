/* What the fuzz targets share. Properties are asserts, which stay on in every build. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a string in memory of exactly its length, so that reading past it is seen; a NUL
 * ends it early. free() it. */
__attribute__((unused)) static char *fuzz_string(const uint8_t *data, size_t size) {
    char *copy = memory_zeroed(size + 1, 1);
    memcpy(copy, data, size);
    return copy;
}

/* Takes the bytes up to separator, or all, off the input. free() it. */
__attribute__((unused)) static char *fuzz_part(const uint8_t **data, size_t *size, char separator) {
    const uint8_t *end = memchr(*data, separator, *size);
    size_t length = end != NULL ? (size_t)(end - *data) : *size;
    char *part = fuzz_string(*data, length);
    size_t taken = end != NULL ? length + 1 : length;
    *data += taken;
    *size -= taken;
    return part;
}

/* Takes one byte off the input; 0 when nothing is left. */
__attribute__((unused)) static uint8_t fuzz_byte(const uint8_t **data, size_t *size) {
    if (*size == 0) return 0;
    (*size)--;
    return *(*data)++;
}

/* A file of these bytes in memory, for what reads files. */
__attribute__((unused)) static int fuzz_file(const void *bytes, size_t length) {
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    assert(fd >= 0);
    ssize_t written = write(fd, bytes, length);
    assert(written == (ssize_t)length);
    return fd;
}
