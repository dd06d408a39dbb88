/* What tests of chunks* share: a data directory of their own, chunks put into it and read back. */
#pragma once

#include "storage-server/chunks.h"
#include "storage-server/measures.h"

#include "lib/file.h"
#include "lib/hash.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    char directory[64];
    struct chunks *chunks;
};

static inline int setup(void **state) {
    struct fixture *f = memory_zeroed(1, sizeof *f);
    struct err e;
    (void)snprintf(f->directory, sizeof f->directory, "/tmp/grid-chunks-test.XXXXXX");
    if (mkdtemp(f->directory) == NULL || !chunks_open(&f->chunks, f->directory, 0, &e)) return -1;
    *state = f;
    return 0;
}

static inline int teardown(void **state) {
    struct fixture *f = *state;
    struct err e;
    chunks_close(f->chunks);
    bool cleared = file_clear_directory(f->directory, &e) && rmdir(f->directory) == 0;
    free(f);
    return cleared ? 0 : -1;
}

static inline void reopen(struct fixture *f, int64_t reserve_bytes) {
    struct err e;
    chunks_close(TAKE(f->chunks));
    assert_true(chunks_open(&f->chunks, f->directory, reserve_bytes, &e));
}

static inline void fill(char *bytes, size_t length, unsigned seed) {
    for (size_t i = 0; i < length; i++) bytes[i] = (char)(i * 7 + i / 253 + seed);
}

static inline bool put(struct fixture *f, const char *id, const char *bytes, size_t length,
                       bool *created, struct err *e) {
    OWN(chunk_writer) struct chunk_writer *w = NULL;
    struct chunk_header header = {.data_shards = 1, .length = (int64_t)length};
    assert_true(text_copy(header.id, sizeof header.id, id));
    if (!chunk_writer_begin(&w, f->chunks, &header, e)) return false;
    for (size_t done = 0; done < length;) { /* odd pieces, as a network gives them */
        size_t piece = length - done < 10007 ? length - done : 10007;
        if (!chunk_writer_add(w, bytes + done, piece, e)) return false;
        done += piece;
    }
    assert_true(chunk_writer_crc(w) == crc32c(0, bytes, length));
    return chunk_writer_commit(w, created, e);
}

static inline void must_put(struct fixture *f, const char *id, const char *bytes, size_t length) {
    bool created = false;
    struct err e;
    if (!put(f, id, bytes, length, &created, &e)) fail_msg("%s", e.text);
    assert_true(created);
}

static inline bool get(struct fixture *f, const char *id, char *out, size_t size, size_t *length,
                       struct err *e) {
    OWN(chunk_reader) struct chunk_reader *r = NULL;
    if (!chunk_reader_open(&r, f->chunks, id, CHUNK_FOR_CLIENT, e)) return false;
    *length = (size_t)chunk_reader_header(r)->length;
    assert_true(*length <= size);
    for (size_t done = 0; done < *length;) {
        const void *bytes = NULL;
        size_t got = 0;
        if (!chunk_reader_next(r, (int64_t)done, (int64_t)(*length - done), &bytes, &got, e))
            return false;
        memcpy(out + done, bytes, got);
        done += got;
    }
    return true;
}

static inline void expect(struct fixture *f, const char *id, const char *bytes, size_t length) {
    OWN_MEMORY char *out = memory_zeroed(1, length + 1);
    size_t got = 0;
    struct err e;
    if (!get(f, id, out, length, &got, &e)) fail_msg("%s", e.text);
    assert_int_equal(got, length);
    assert_memory_equal(out, bytes, length);
}

static inline void expect_gone(struct fixture *f, const char *id) {
    struct chunk_reader *r = NULL;
    struct err e;
    assert_false(chunk_reader_open(&r, f->chunks, id, CHUNK_FOR_CLIENT, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static inline int files_in(const struct fixture *f, const char *part) {
    char path[96];
    int count = 0;
    (void)snprintf(path, sizeof path, "%s/%s", f->directory, part);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static inline void chunk_path(const struct fixture *f, const char *id, char out[160]) {
    (void)snprintf(out, 160, "%s/data/%02x/%s.0", f->directory, chunk_directory(id), id);
}

static inline void flip_bit(const struct fixture *f, const char *id, off_t at) {
    char path[160];
    unsigned char byte = 0;
    chunk_path(f, id, path);
    OWN_FD int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static inline int end(void **state) {
    (void)state;
    measures_fini();
    return 0;
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
