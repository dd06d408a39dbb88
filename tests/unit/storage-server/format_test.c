#include "storage-server/format.h"

#include "lib/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char longest[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";

static struct chunk_header example(void) {
    struct chunk_header header = {
        .shard = 12,
        .data_shards = 10,
        .parity_shards = 3,
        .length = 4194304,
        .sequence = 4000000000U,
        .offset = INT64_C(1) << 45,
        .data_crc = 0xdeadbeef,
    };
    memcpy(header.id, longest, sizeof longest);
    memcpy(header.upload, "0123456789abcdef", 16);
    return header;
}

static void header_comes_back_whole(void **state) {
    struct chunk_header header = example();
    struct chunk_header back;
    unsigned char bytes[CHUNK_HEADER_BYTES];
    struct err e;
    (void)state;
    chunk_header_encode(&header, bytes);
    assert_true(chunk_header_decode(bytes, &back, &e));
    assert_string_equal(back.id, header.id);
    assert_int_equal(back.shard, 12);
    assert_int_equal(back.data_shards, 10);
    assert_int_equal(back.parity_shards, 3);
    assert_int_equal(back.length, 4194304);
    assert_true(back.sequence == 4000000000U);
    assert_true(back.offset == INT64_C(1) << 45);
    assert_true(back.data_crc == 0xdeadbeef);
    assert_memory_equal(back.upload, "0123456789abcdef", 16);
}

/* Files outlive programs: these bytes are a promise. */
static void header_stays_the_same_for_ever(void **state) {
    static const unsigned char begin[] = {'G', 'R', 'I', 'D', 'C', 'H', 'N', 'K',
                                          1,   0,   128, 0,   0,   1,   0,   2};
    static const unsigned char middle[] = {5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 7, 0, 0, 0};
    struct chunk_header header = {.id = "ab", .data_shards = 1, .length = 5, .sequence = 7};
    unsigned char bytes[CHUNK_HEADER_BYTES];
    (void)state;
    chunk_header_encode(&header, bytes);
    assert_memory_equal(bytes, begin, sizeof begin);
    assert_memory_equal(bytes + 16, middle, sizeof middle);
    assert_memory_equal(bytes + 64, "ab\0", 3);
    assert_true(chunk_get_u32(bytes + 60) == crc32c(crc32c(0, bytes, 60), bytes + 64, 64));
}

static void any_flipped_bit_is_damage(void **state) {
    struct chunk_header header = example();
    struct chunk_header back;
    unsigned char bytes[CHUNK_HEADER_BYTES];
    struct err e;
    (void)state;
    chunk_header_encode(&header, bytes);
    for (int bit = 0; bit < CHUNK_HEADER_BYTES * 8; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_false(chunk_header_decode(bytes, &back, &e));
        assert_int_equal(e.code, ERR_CORRUPT);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

static void set_byte(unsigned char *bytes, size_t at, unsigned char value) {
    bytes[at] = value;
    chunk_put_u32(bytes + 60, crc32c(crc32c(0, bytes, 60), bytes + 64, 64));
}

static void newer_format_is_not_taken_for_damage(void **state) {
    struct chunk_header header = example();
    struct chunk_header back;
    unsigned char bytes[CHUNK_HEADER_BYTES];
    struct err e;
    (void)state;
    chunk_header_encode(&header, bytes);
    set_byte(bytes, 8, 2);
    assert_false(chunk_header_decode(bytes, &back, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_non_null(strstr(e.text, "format 2"));
}

static void impossible_values_are_damage(void **state) {
    static const struct {
        size_t at;
        unsigned char value;
    } changes[] = {
        {8,   0   }, /* version 0 */
        {10,  64  }, /* size of the header */
        {15,  3   }, /* length of the id */
        {22,  1   }, /* length of the data */
        {23,  0x80}, /* a negative one */
        {26,  2   }, /* size of a block */
        {39,  0x80}, /* a negative offset */
        {64,  '/' }, /* id */
        {127, 1   }, /* what follows the id */
    };
    struct chunk_header header = example();
    struct chunk_header back;
    unsigned char bytes[CHUNK_HEADER_BYTES];
    struct err e;
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        chunk_header_encode(&header, bytes);
        set_byte(bytes, changes[i].at, changes[i].value);
        if (chunk_header_decode(bytes, &back, &e)) fail_msg("byte %zu was believed", changes[i].at);
        assert_int_equal(e.code, ERR_CORRUPT);
    }
}

static void ids_keep_to_their_alphabet(void **state) {
    static const char *const good[] = {"a", "-", "_", "0", "A-b_9", longest};
    static const char *const bad[] = {"", ".", "..", "a.b", "a/b", "a b", "ä", "a\n", "a%41"};
    struct err e;
    char too_long[CHUNK_ID_SIZE + 1];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(chunk_id_check(good[i], &e));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(chunk_id_check(bad[i], &e));
        assert_int_equal(e.code, ERR_INVALID);
    }
    memset(too_long, 'a', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    assert_false(chunk_id_valid(too_long));
}

static void file_names_are_read_as_they_are_written(void **state) {
    static const char *const bad[] = {"a",  "a.",    "a.x",  "a.00",   "a.256", "a.1 ",
                                      ".1", "a.1.1", "a.-1", "a.1000", "a b.0"};
    char name[CHUNK_NAME_SIZE];
    char id[CHUNK_ID_SIZE];
    unsigned shard = 0;
    (void)state;
    chunk_file_name(longest, 255, name);
    assert_true(chunk_file_name_parse(name, id, &shard));
    assert_string_equal(id, longest);
    assert_int_equal(shard, 255);
    assert_true(chunk_file_name_parse("a.0", id, &shard));
    assert_int_equal(shard, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (chunk_file_name_parse(bad[i], id, &shard)) fail_msg("%s was taken for a chunk", bad[i]);
}

static void directory_is_the_end_of_the_checksum(void **state) {
    char name[3];
    (void)state;
    /* CRC32C of "123456789" is e3069283 (RFC 3720). */
    assert_int_equal(chunk_directory("123456789"), 0x83);
    chunk_directory_name(0x0a, name);
    assert_string_equal(name, "0a");
}

static void layout_counts_a_checksum_for_each_block(void **state) {
    (void)state;
    assert_int_equal(chunk_block_count(0), 0);
    assert_int_equal(chunk_block_count(1), 1);
    assert_int_equal(chunk_block_count(65536), 1);
    assert_int_equal(chunk_block_count(65537), 2);
    assert_int_equal(chunk_data_offset(4194304), 128 + 64 * 4);
    assert_int_equal(chunk_file_bytes(0), 128);
    assert_int_equal(chunk_file_bytes(65537), 128 + 8 + 65537);
}

static void length_follows_from_the_size_of_a_file(void **state) {
    (void)state;
    for (int64_t length = 0; length <= CHUNK_MAX_BYTES; length += length < 200000 ? 1 : 65535)
        if (chunk_length_of_file(chunk_file_bytes(length)) != length)
            fail_msg("length %lld", (long long)length);
    assert_int_equal(chunk_length_of_file(0), -1);
    assert_int_equal(chunk_length_of_file(127), -1);
    for (int64_t size = 129; size <= 132; size++) assert_int_equal(chunk_length_of_file(size), -1);
    assert_int_equal(chunk_length_of_file(chunk_file_bytes(65536) + 1), -1);
    assert_int_equal(chunk_length_of_file(chunk_file_bytes(CHUNK_MAX_BYTES) + 1), -1);
    assert_int_equal(chunk_length_of_file(INT64_MAX), -1); /* a sparse file may be that long */
    assert_int_equal(chunk_length_of_file(INT64_MIN), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_comes_back_whole),
        cmocka_unit_test(header_stays_the_same_for_ever),
        cmocka_unit_test(any_flipped_bit_is_damage),
        cmocka_unit_test(newer_format_is_not_taken_for_damage),
        cmocka_unit_test(impossible_values_are_damage),
        cmocka_unit_test(ids_keep_to_their_alphabet),
        cmocka_unit_test(file_names_are_read_as_they_are_written),
        cmocka_unit_test(directory_is_the_end_of_the_checksum),
        cmocka_unit_test(layout_counts_a_checksum_for_each_block),
        cmocka_unit_test(length_follows_from_the_size_of_a_file),
    };
    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
