#include "lib/hash.h"

#include "lib/crc32c.h"
#include "lib/encode.h"
#include "lib/text.h"
#include "tests/unit/lib/random.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* FIPS 180-4 examples. */
static const struct {
    const char *text;
    const char *hex;
} digests[] = {
    {"",                                                         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc",                                                      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"                                                            },
};
static const char million_a[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static void sha256_agrees_with_the_standard(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
        unsigned char digest[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];
        sha256_bytes(digests[i].text, strlen(digests[i].text), digest);
        assert_string_equal(encode_hex(digest, sizeof digest, hex), digests[i].hex);
        OWN(sha256) struct sha256 *hash = sha256_begin();
        sha256_add(hash, digests[i].text, strlen(digests[i].text));
        sha256_hex(hash, hex);
        assert_string_equal(hex, digests[i].hex);
    }
}

static void sha256_of_pieces_is_that_of_the_whole(void **state) {
    (void)state;
    char bytes[1000];
    memset(bytes, 'a', sizeof bytes);
    OWN(sha256) struct sha256 *hash = sha256_begin();
    for (size_t done = 0; done < 1000000;) {
        size_t length = random_below(sizeof bytes + 1);
        if (length > 1000000 - done) length = 1000000 - done;
        sha256_add(hash, bytes, length);
        done += length;
    }
    char hex[SHA256_HEX_SIZE];
    sha256_hex(hash, hex);
    assert_string_equal(hex, million_a);
}

static void an_unfinished_hash_can_be_dropped(void **state) {
    (void)state;
    OWN(sha256) struct sha256 *hash = sha256_begin();
    sha256_add(hash, "abc", 3);
    sha256_free(NULL);
}

static int memory_file(size_t length) {
    int fd = memfd_create("hash", MFD_CLOEXEC);
    assert_true(fd >= 0);
    OWN_MEMORY char *bytes = memory_resize(NULL, length, 1);
    memset(bytes, 'a', length);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
    return fd;
}

static void sha256_file_reads_all_and_leaves_the_position(void **state) {
    (void)state;
    OWN_FD int fd = memory_file(1000000);
    assert_int_equal(lseek(fd, 77, SEEK_SET), 77);
    char hex[SHA256_HEX_SIZE];
    int64_t size = -1;
    struct err e;
    assert_true(sha256_file(fd, hex, &size, &e));
    assert_string_equal(hex, million_a);
    assert_int_equal(size, 1000000);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 77);
    assert_true(sha256_file(fd, hex, NULL, &e));
}

static void sha256_file_stops_where_a_file_has_more_than_it_may(void **state) {
    (void)state;
    struct err e;
    int64_t size = 0;
    char hex[SHA256_HEX_SIZE];
    OWN_FD int fd = memory_file(1000000);
    assert_true(sha256_file_up_to(fd, 1000000, hex, &size, &e));
    assert_string_equal(hex, million_a);
    assert_int_equal(size, 1000000);
    assert_false(sha256_file_up_to(fd, 999999, hex, &size, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
}

static void sha256_file_reports_what_cannot_be_read(void **state) {
    (void)state;
    char hex[SHA256_HEX_SIZE];
    int64_t size;
    struct err e = {0};
    assert_false(sha256_file(-1, hex, &size, &e));
    assert_int_equal(e.code, ERR_IO);
    OWN_FD int directory = open("/", O_RDONLY | O_CLOEXEC);
    assert_false(sha256_file(directory, hex, &size, &e));
    assert_int_equal(e.code, ERR_IO);
}

static void hex_valid_takes_64_lower_case_digits(void **state) {
    (void)state;
    char hex[80];
    strcpy(hex, million_a);
    assert_true(sha256_hex_valid(hex));
    hex[63] = '\0';
    assert_false(sha256_hex_valid(hex));
    strcpy(hex, million_a);
    strcat(hex, "0");
    assert_false(sha256_hex_valid(hex));
    hex[64] = 'x';
    assert_false(sha256_hex_valid(hex));
    strcpy(hex, million_a);
    hex[0] = 'C';
    assert_false(sha256_hex_valid(hex));
    hex[0] = 'g';
    assert_false(sha256_hex_valid(hex));
    assert_false(sha256_hex_valid(""));
}

static uint32_t by_way(const struct crc32c_way *way, const void *bytes, size_t length) {
    return ~way->add(UINT32_MAX, bytes, length);
}

/* RFC 3720 appendix B.4, and the check value of the CRC catalogue. */
static void every_way_of_crc32c_agrees_with_the_standard(void **state) {
    (void)state;
    unsigned char zeros[32] = {0};
    unsigned char ones[32];
    unsigned char up[32];
    unsigned char down[32];
    memset(ones, 0xFF, sizeof ones);
    for (int i = 0; i < 32; i++) up[i] = (unsigned char)i;
    for (int i = 0; i < 32; i++) down[i] = (unsigned char)(31 - i);
    static const unsigned char iscsi_read[48] = {
        0x01, 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, 0x28, [40] = 0x02};
    int usable = 0;
    for (size_t i = 0; i < crc32c_way_count; i++) {
        const struct crc32c_way *way = &crc32c_ways[i];
        if (!way->usable()) continue;
        usable++;
        assert_int_equal(by_way(way, "", 0), 0);
        assert_int_equal(by_way(way, "123456789", 9), 0xE3069283);
        assert_int_equal(by_way(way, zeros, 32), 0x8A9136AA);
        assert_int_equal(by_way(way, ones, 32), 0x62A8AB43);
        assert_int_equal(by_way(way, up, 32), 0x46DD794E);
        assert_int_equal(by_way(way, down, 32), 0x113FDB5C);
        assert_int_equal(by_way(way, iscsi_read, 48), 0xD9963A56);
    }
    assert_true(usable >= 1);
    assert_true(crc32c_ways[crc32c_way_count - 1].usable());
}

/* The definition, one bit after another. */
static uint32_t bitwise(const unsigned char *bytes, size_t length) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

static void every_way_of_crc32c_agrees_with_its_definition(void **state) {
    (void)state;
    unsigned char bytes[96];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)random_below(256);
    for (size_t begin = 0; begin < 16; begin++)
        for (size_t length = 0; begin + length <= sizeof bytes; length++) {
            uint32_t expected = bitwise(bytes + begin, length);
            for (size_t i = 0; i < crc32c_way_count; i++)
                if (crc32c_ways[i].usable() &&
                    by_way(&crc32c_ways[i], bytes + begin, length) != expected)
                    fail_msg("%s from %zu, %zu bytes", crc32c_ways[i].name, begin, length);
            assert_int_equal(crc32c(0, bytes + begin, length), expected);
        }
}

/* Long enough for whatever a way does with long ones, and odd. */
static void every_way_of_crc32c_agrees_on_long_ones(void **state) {
    (void)state;
    enum { MOST = 200003 };
    static const size_t lengths[] = {65519, 65520, 65521, 65536, 131071, 131072, MOST};
    OWN_MEMORY unsigned char *bytes = memory_zeroed(1, MOST + 1);
    for (size_t i = 0; i <= MOST; i++) bytes[i] = (unsigned char)random_below(256);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint32_t expected = bitwise(bytes + 1, lengths[i]);
        for (size_t k = 0; k < crc32c_way_count; k++)
            if (crc32c_ways[k].usable() &&
                by_way(&crc32c_ways[k], bytes + 1, lengths[i]) != expected)
                fail_msg("%s, %zu bytes", crc32c_ways[k].name, lengths[i]);
    }
}

static void crc32c_of_pieces_is_that_of_the_whole(void **state) {
    (void)state;
    unsigned char bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)random_below(256);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        size_t rest = sizeof bytes - cut;
        uint32_t joined = crc32c_join(bitwise(bytes, cut), bitwise(bytes + cut, rest), rest);
        assert_int_equal(joined, bitwise(bytes, sizeof bytes));
    }
}

static void crc32c_continues(void **state) {
    (void)state;
    for (size_t cut = 0; cut <= 9; cut++)
        assert_int_equal(crc32c(crc32c(0, "123456789", cut), &"123456789"[cut], 9 - cut),
                         0xE3069283);
    assert_int_equal(crc32c(0, "", 0), 0);
}

static void *hash_in_thread(void *unused) {
    (void)unused;
    for (int i = 0; i < 200; i++) {
        unsigned char digest[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];
        sha256_bytes("abc", 3, digest);
        if (strcmp(encode_hex(digest, sizeof digest, hex), digests[1].hex) != 0) return "sha256";
        if (crc32c(0, "123456789", 9) != 0xE3069283) return "crc32c";
    }
    return NULL;
}

static void threads_hash_at_once(void **state) {
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_in_thread, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_hash_at_once),
        cmocka_unit_test(sha256_agrees_with_the_standard),
        cmocka_unit_test(sha256_of_pieces_is_that_of_the_whole),
        cmocka_unit_test(an_unfinished_hash_can_be_dropped),
        cmocka_unit_test(sha256_file_reads_all_and_leaves_the_position),
        cmocka_unit_test(sha256_file_stops_where_a_file_has_more_than_it_may),
        cmocka_unit_test(sha256_file_reports_what_cannot_be_read),
        cmocka_unit_test(hex_valid_takes_64_lower_case_digits),
        cmocka_unit_test(every_way_of_crc32c_agrees_with_the_standard),
        cmocka_unit_test(every_way_of_crc32c_agrees_with_its_definition),
        cmocka_unit_test(every_way_of_crc32c_agrees_on_long_ones),
        cmocka_unit_test(crc32c_of_pieces_is_that_of_the_whole),
        cmocka_unit_test(crc32c_continues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
