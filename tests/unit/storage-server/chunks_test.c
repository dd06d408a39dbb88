#include "tests/unit/storage-server/chunks_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define THREADS 16

static void chunks_of_all_sizes_come_back(void **state) {
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 300000};
    struct fixture *f = *state;
    OWN_MEMORY char *bytes = memory_zeroed(1, 300000);
    fill(bytes, 300000, 1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "size-%zu", sizes[i]);
        must_put(f, id, bytes, sizes[i]);
        expect(f, id, bytes, sizes[i]);
    }
    assert_int_equal(chunks_count(f->chunks), 6);
    assert_int_equal(files_in(f, "tmp"), 0);
    reopen(f, 0);
    assert_int_equal(chunks_count(f->chunks), 6);
    expect(f, "size-300000", bytes, 300000);
}

static void reading_may_begin_anywhere(void **state) {
    struct fixture *f = *state;
    OWN(chunk_reader) struct chunk_reader *r = NULL;
    OWN_MEMORY char *bytes = memory_zeroed(1, 200000);
    const void *got = NULL;
    size_t length = 0;
    struct err e;
    fill(bytes, 200000, 2);
    must_put(f, "a", bytes, 200000);
    assert_true(chunk_reader_open(&r, f->chunks, "a", CHUNK_FOR_CLIENT, &e));
    assert_true(chunk_reader_next(r, 70000, 130000, &got, &length, &e));
    assert_int_equal(length, 130000);
    assert_memory_equal(got, bytes + 70000, length);
    assert_true(chunk_reader_next(r, 3, 100, &got, &length, &e));
    assert_int_equal(length, 100);
    assert_memory_equal(got, bytes + 3, length);
    assert_true(chunk_reader_next(r, 199999, 1, &got, &length, &e));
    assert_int_equal(length, 1);
    assert_memory_equal(got, bytes + 199999, 1);
}

/* What was proven before an answer's head cannot turn out damaged after it. */
static void proven_bytes_are_not_read_again(void **state) {
    struct fixture *f = *state;
    OWN(chunk_reader) struct chunk_reader *r = NULL;
    OWN_MEMORY char *bytes = memory_zeroed(1, 200000);
    const void *got = NULL;
    size_t length = 0;
    struct err e;
    fill(bytes, 200000, 4);
    must_put(f, "a", bytes, 200000);
    assert_true(chunk_reader_open(&r, f->chunks, "a", CHUNK_FOR_CLIENT, &e));
    assert_true(chunk_reader_verify(r, 10, 199990, &e));
    flip_bit(f, "a", 100000);
    assert_true(chunk_reader_next(r, 10, 199990, &got, &length, &e));
    assert_int_equal(length, 199990);
    assert_memory_equal(got, bytes + 10, length);
}

/* More than a reader keeps: whole, in part, and with damage that only the asked part speaks of. */
static void chunk_beyond_a_buffer_is_proven_in_pieces(void **state) {
    enum { SIZE = 9 * 1024 * 1024 + 5, DAMAGED = 5 * 1024 * 1024 };
    struct fixture *f = *state;
    OWN_MEMORY char *bytes = memory_zeroed(1, SIZE);
    struct err e;
    fill(bytes, SIZE, 5);
    must_put(f, "a", bytes, SIZE);
    expect(f, "a", bytes, SIZE);
    flip_bit(f, "a", DAMAGED);
    {
        OWN(chunk_reader) struct chunk_reader *r = NULL;
        const void *got = NULL;
        size_t length = 0;
        assert_true(chunk_reader_open(&r, f->chunks, "a", CHUNK_FOR_CLIENT, &e));
        assert_true(chunk_reader_next(r, 1000, DAMAGED - 200000, &got, &length, &e));
        assert_memory_equal(got, bytes + 1000, length);
        assert_true(chunk_reader_verify(r, 0, DAMAGED - 200000, &e));
        assert_true(chunk_reader_verify(r, DAMAGED + 200000, SIZE - DAMAGED - 200000, &e));
        assert_false(chunk_reader_verify(r, 0, SIZE, &e));
        assert_int_equal(e.code, ERR_CORRUPT);
    }
    expect_gone(f, "a");
}

static long resident_bytes(void) {
    struct err e;
    OWN_TEXT struct text statm = TEXT_EMPTY;
    assert_true(file_read("/proc/self/statm", 4096, &statm, &e));
    const char *resident = strchr(text_value(&statm), ' '); /* behind the total, in pages */
    assert_non_null(resident);
    return strtol(resident, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static void memory_of_readers_goes_back(void **state) {
    enum { SIZE = 4 * 1024 * 1024 };
    struct fixture *f = *state;
    struct err e;
    OWN_MEMORY char *bytes = memory_zeroed(1, SIZE);
    must_put(f, "a", bytes, SIZE);
    {
        OWN(chunk_reader) struct chunk_reader *r = NULL;
        assert_true(chunk_reader_open(&r, f->chunks, "a", CHUNK_FOR_CLIENT, &e));
        assert_true(chunk_reader_verify(r, 0, SIZE, &e));
    }
    long before = resident_bytes();
    chunks_trim(f->chunks);
    assert_true(resident_bytes() < before - SIZE / 2); /* the kernel counts in lumps */
}

static void same_bytes_again_are_no_new_chunk(void **state) {
    struct fixture *f = *state;
    bool created = true;
    struct err e;
    must_put(f, "a", "words", 5);
    assert_true(put(f, "a", "words", 5, &created, &e));
    assert_false(created);
    assert_int_equal(chunks_count(f->chunks), 1);
    assert_int_equal(files_in(f, "tmp"), 0);
}

static void other_bytes_under_an_id_are_refused(void **state) {
    struct fixture *f = *state;
    bool created = false;
    struct err e;
    must_put(f, "a", "words", 5);
    assert_false(put(f, "a", "wards", 5, &created, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_false(put(f, "a", "word", 4, &created, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    expect(f, "a", "words", 5);
    assert_int_equal(files_in(f, "tmp"), 0);
}

static void unfinished_chunk_is_never_seen(void **state) {
    struct fixture *f = *state;
    struct chunk_writer *w = NULL;
    struct chunk_header header = {.id = "a", .data_shards = 1, .length = 100};
    struct err e;
    assert_true(chunk_writer_begin(&w, f->chunks, &header, &e));
    assert_true(chunk_writer_add(w, "half", 4, &e));
    expect_gone(f, "a");
    assert_int_equal(files_in(f, "tmp"), 1);
    chunk_writer_close(w);
    expect_gone(f, "a");
    assert_int_equal(files_in(f, "tmp"), 0);
}

static void leftovers_are_cleared_at_start(void **state) {
    struct fixture *f = *state;
    static const char *const half[] = {"tmp/put-7", "scrub.json.tmp-abc123"};
    char path[96];
    struct err e;
    for (size_t i = 0; i < sizeof half / sizeof half[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", f->directory, half[i]);
        assert_true(file_write_durable(path, "half", 4, 0600, &e));
    }
    reopen(f, 0);
    assert_int_equal(files_in(f, "tmp"), 0);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void more_bytes_than_announced_are_refused(void **state) {
    struct fixture *f = *state;
    OWN(chunk_writer) struct chunk_writer *w = NULL;
    struct chunk_header header = {.id = "a", .data_shards = 1, .length = 3};
    struct err e;
    assert_true(chunk_writer_begin(&w, f->chunks, &header, &e));
    assert_false(chunk_writer_add(w, "four", 4, &e));
    assert_int_equal(e.code, ERR_INVALID);
}

static void removed_chunk_is_gone(void **state) {
    struct fixture *f = *state;
    struct err e;
    must_put(f, "a", "words", 5);
    assert_true(chunks_remove(f->chunks, "a", &e));
    expect_gone(f, "a");
    assert_int_equal(chunks_count(f->chunks), 0);
    assert_false(chunks_remove(f->chunks, "a", &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    must_put(f, "a", "other", 5);
    expect(f, "a", "other", 5);
}

/* One bit anywhere in the file: header, id, checksums, first and last byte of the data. */
static void flipped_bit_is_never_read(void **state) {
    static const off_t places[] = {0, 8, 17, 57, 61, 64, 127, 128, 135, 136, 65536, 136 + 99999};
    struct fixture *f = *state;
    OWN_MEMORY char *bytes = memory_zeroed(2, 100000);
    size_t got = 0;
    struct err e;
    fill(bytes, 100000, 3);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "bad-%zu", i);
        must_put(f, id, bytes, 100000);
        flip_bit(f, id, places[i]);
        if (get(f, id, bytes + 100000, 100000, &got, &e))
            fail_msg("bit at %lld went through", (long long)places[i]);
        assert_int_equal(e.code, ERR_CORRUPT);
        expect_gone(f, id); /* put aside: the next reader asks elsewhere at once */
        assert_int_equal(files_in(f, "quarantine"), i + 1);
    }
    assert_int_equal(chunks_count(f->chunks), 0);
    assert_int_equal(chunks_conditions(f->chunks), 0);
}

static void file_of_the_wrong_size_is_never_read(void **state) {
    struct fixture *f = *state;
    char path[160];
    char out[8];
    size_t got = 0;
    struct err e;
    static const off_t sizes[] = {0, 64, 128, 132, 136, 138}; /* 137 is right */
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        must_put(f, "a", "words", 5);
        chunk_path(f, "a", path);
        assert_int_equal(truncate(path, sizes[i]), 0);
        assert_false(get(f, "a", out, sizeof out, &got, &e));
        assert_int_equal(e.code, ERR_CORRUPT);
    }
}

static void file_of_another_chunk_is_never_read(void **state) {
    struct fixture *f = *state;
    char from[160];
    char to[160];
    char out[8];
    size_t got = 0;
    struct err e;
    must_put(f, "a", "words", 5);
    chunk_path(f, "a", from);
    chunk_path(f, "b", to);
    assert_int_equal(rename(from, to), 0);
    assert_false(get(f, "b", out, sizeof out, &got, &e));
    assert_int_equal(e.code, ERR_CORRUPT);
}

static void damaged_chunk_is_healed_by_writing_it_again(void **state) {
    struct fixture *f = *state;
    must_put(f, "a", "words", 5);
    flip_bit(f, "a", 134);
    must_put(f, "a", "words", 5); /* not a conflict, not "there already" */
    expect(f, "a", "words", 5);
    assert_int_equal(files_in(f, "quarantine"), 1);
    assert_int_equal(chunks_count(f->chunks), 1);
}

static void late_reader_does_not_put_the_healed_chunk_aside(void **state) {
    struct fixture *f = *state;
    OWN(chunk_reader) struct chunk_reader *late = NULL;
    const void *bytes = NULL;
    size_t length = 0;
    struct err e;
    must_put(f, "a", "words", 5);
    assert_true(chunk_reader_open(&late, f->chunks, "a", CHUNK_FOR_CLIENT, &e));
    flip_bit(f, "a", 134);
    must_put(f, "a", "words", 5);
    assert_false(chunk_reader_next(late, 0, 5, &bytes, &length, &e));
    assert_int_equal(e.code, ERR_CORRUPT);
    expect(f, "a", "words", 5);
    assert_int_equal(files_in(f, "quarantine"), 1);
}

/* The same checksums as in format.c, over a file that claims version 2. */
static void file_of_a_newer_format_is_left_alone(void **state) {
    struct fixture *f = *state;
    unsigned char header[CHUNK_HEADER_BYTES];
    char path[160];
    char out[8];
    size_t got = 0;
    struct err e;
    must_put(f, "a", "words", 5);
    chunk_path(f, "a", path);
    OWN_FD int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, header, sizeof header, 0), sizeof header);
    header[8] = 2;
    chunk_put_u32(header + 60, crc32c(crc32c(0, header, 60), header + 64, 64));
    assert_int_equal(pwrite(fd, header, sizeof header, 0), sizeof header);
    assert_false(get(f, "a", out, sizeof out, &got, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_int_equal(access(path, F_OK), 0);
}

static void oversize_chunk_is_refused(void **state) {
    struct fixture *f = *state;
    struct chunk_writer *w = NULL;
    struct chunk_header header = {.id = "a", .data_shards = 1, .length = CHUNK_MAX_BYTES + 1};
    struct err e;
    assert_false(chunk_writer_begin(&w, f->chunks, &header, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
}

static void lists_go_on_where_they_stopped(void **state) {
    struct fixture *f = *state;
    OWN_MEMORY struct chunk_entry *entries = NULL;
    char last[CHUNK_ID_SIZE] = "";
    char ids[512][16];
    unsigned directory = chunk_directory("x-0");
    size_t stored = 0;
    size_t count = 0;
    struct err e;
    for (int i = 0; stored < 5; i++) { /* five that share a directory */
        (void)snprintf(ids[stored], sizeof ids[0], "x-%d", i);
        if (chunk_directory(ids[stored]) != directory) continue;
        must_put(f, ids[stored++], "words", 5);
    }
    assert_true(chunks_tally(f->chunks, directory, "x-", &count, &e));
    assert_int_equal(count, 5);
    assert_true(chunks_tally(f->chunks, directory, "y", &count, &e));
    assert_int_equal(count, 0);
    for (size_t seen = 0; seen < 5; seen += count) {
        free(TAKE(entries));
        assert_true(chunks_list(f->chunks, directory, "x-", last, 2, &entries, &count, &e));
        assert_in_range(count, 1, 2);
        for (size_t i = 0; i < count; i++) {
            assert_true(strcmp(entries[i].id, last) > 0);
            assert_int_equal(entries[i].size_bytes, 5);
            assert_true(text_copy(last, sizeof last, entries[i].id));
        }
    }
}

static void foreign_files_are_not_listed(void **state) {
    struct fixture *f = *state;
    OWN_MEMORY struct chunk_entry *entries = NULL;
    size_t count = 1;
    char path[160];
    struct err e;
    chunk_path(f, "a", path);
    (void)strcpy(strrchr(path, '/'), "/notes.txt");
    assert_true(file_write_durable(path, "words", 5, 0600, &e));
    assert_true(
        chunks_list(f->chunks, chunk_directory("a"), "", "", SIZE_MAX, &entries, &count, &e));
    assert_int_equal(count, 0);
    reopen(f, 0);
    assert_int_equal(chunks_count(f->chunks), 0);
    assert_int_equal(access(path, F_OK), 0);
}

/* All write one id, half of them other bytes: one content wins, and everybody is told the truth. */
struct rival {
    struct fixture *f;
    char bytes[100000];
    bool ok;
    bool created;
    struct err e;
};

static void *run_rival(void *argument) {
    struct rival *rival = argument;
    rival->ok =
        put(rival->f, "contested", rival->bytes, sizeof rival->bytes, &rival->created, &rival->e);
    return NULL;
}

static void rivals_for_an_id_all_learn_the_truth(void **state) {
    struct fixture *f = *state;
    OWN_MEMORY struct rival *rivals = memory_zeroed(THREADS, sizeof *rivals);
    pthread_t threads[THREADS];
    const struct rival *winner = NULL;
    for (int i = 0; i < THREADS; i++) {
        rivals[i].f = f;
        fill(rivals[i].bytes, sizeof rivals[i].bytes, (unsigned)i % 2);
        pthread_create(&threads[i], NULL, run_rival, &rivals[i]);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        if (!rivals[i].ok || !rivals[i].created) continue;
        assert_null(winner);
        winner = &rivals[i];
    }
    assert_non_null(winner);
    for (int i = 0; i < THREADS; i++) {
        bool same = memcmp(rivals[i].bytes, winner->bytes, sizeof winner->bytes) == 0;
        assert_int_equal(rivals[i].ok, same);
        if (!same) assert_int_equal(rivals[i].e.code, ERR_CONFLICT);
    }
    expect(f, "contested", winner->bytes, sizeof winner->bytes);
    assert_int_equal(chunks_count(f->chunks), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(chunks_of_all_sizes_come_back),
        TEST(reading_may_begin_anywhere),
        TEST(proven_bytes_are_not_read_again),
        TEST(chunk_beyond_a_buffer_is_proven_in_pieces),
        TEST(memory_of_readers_goes_back),
        TEST(same_bytes_again_are_no_new_chunk),
        TEST(other_bytes_under_an_id_are_refused),
        TEST(unfinished_chunk_is_never_seen),
        TEST(leftovers_are_cleared_at_start),
        TEST(more_bytes_than_announced_are_refused),
        TEST(removed_chunk_is_gone),
        TEST(flipped_bit_is_never_read),
        TEST(file_of_the_wrong_size_is_never_read),
        TEST(file_of_another_chunk_is_never_read),
        TEST(damaged_chunk_is_healed_by_writing_it_again),
        TEST(late_reader_does_not_put_the_healed_chunk_aside),
        TEST(file_of_a_newer_format_is_left_alone),
        TEST(oversize_chunk_is_refused),
        TEST(lists_go_on_where_they_stopped),
        TEST(foreign_files_are_not_listed),
        TEST(rivals_for_an_id_all_learn_the_truth),
    };
    return cmocka_run_group_tests_name("chunks", tests, NULL, end);
}
