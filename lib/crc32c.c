#include "lib/crc32c.h"

#include "lib/hash.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

static const uint32_t polynomial = 0x82F63B78; /* 0x1EDC6F41 with its bits reflected */

/* a times b modulo the polynomial; the highest bit is x^0. */
static uint32_t multiply(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (uint32_t bit = UINT32_C(1) << 31; bit != 0; bit >>= 1) {
        if ((a & bit) != 0) product ^= b;
        b = (b >> 1) ^ ((b & 1) != 0 ? polynomial : 0);
    }
    return product;
}

/* What so many zero bytes multiply a CRC by: x^(8 bytes), by repeated squaring. */
static uint32_t zeros(size_t bytes) {
    uint32_t power = UINT32_C(1) << 31;
    for (uint32_t square = UINT32_C(1) << 23; bytes > 0; bytes >>= 1) {
        if ((bytes & 1) != 0) power = multiply(power, square);
        square = multiply(square, square);
    }
    return power;
}

uint32_t crc32c_join(uint32_t first, uint32_t second, size_t length) {
    return multiply(zeros(length), first) ^ second;
}

/* Slicing-by-8: table[k][b] is the CRC of byte b followed by k zero bytes. */
static uint32_t table[8][256];

static void fill_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
        table[0][byte] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int byte = 0; byte < 256; byte++)
            table[k][byte] = (table[k - 1][byte] >> 8) ^ table[0][table[k - 1][byte] & 0xFF];
}

static bool always(void) {
    return true;
}

static uint32_t add_by_table(uint32_t state, const unsigned char *bytes, size_t length) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_table);
    for (; length >= 8; bytes += 8, length -= 8) {
        uint32_t low = state ^ ((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 |
                                (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24);
        state = table[7][low & 0xFF] ^ table[6][low >> 8 & 0xFF] ^ table[5][low >> 16 & 0xFF] ^
                table[4][low >> 24] ^ table[3][bytes[4]] ^ table[2][bytes[5]] ^ table[1][bytes[6]] ^
                table[0][bytes[7]];
    }
    for (; length > 0; bytes++, length--) state = (state >> 8) ^ table[0][(state ^ *bytes) & 0xFF];
    return state;
}

#if defined __x86_64__
#include <nmmintrin.h>

static bool have_sse42(void) {
    return __builtin_cpu_supports("sse4.2");
}

/* The instruction takes a new word every cycle, but gives its result three cycles later: three
 * lanes keep it busy. Three fill 64 KiB. */
enum { LANE_BYTES = 21840 };
static uint32_t lane_zeros;

static void measure_lane(void) {
    lane_zeros = zeros(LANE_BYTES);
}

static uint64_t word_at(const unsigned char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

__attribute__((target("sse4.2"))) static uint32_t add_lanes(uint32_t state,
                                                            const unsigned char *bytes) {
    uint64_t first = state, second = 0, third = 0;
    for (const unsigned char *end = bytes + LANE_BYTES; bytes < end; bytes += 8) {
        first = _mm_crc32_u64(first, word_at(bytes));
        second = _mm_crc32_u64(second, word_at(bytes + LANE_BYTES));
        third = _mm_crc32_u64(third, word_at(bytes + 2 * LANE_BYTES));
    }
    state = multiply(lane_zeros, (uint32_t)first) ^ (uint32_t)second;
    return multiply(lane_zeros, state) ^ (uint32_t)third;
}

__attribute__((target("sse4.2"))) static uint32_t
add_by_sse42(uint32_t state, const unsigned char *bytes, size_t length) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, measure_lane);
    for (; length >= 3 * LANE_BYTES; bytes += 3 * LANE_BYTES, length -= 3 * LANE_BYTES)
        state = add_lanes(state, bytes);
    uint64_t wide = state;
    for (; length >= 8; bytes += 8, length -= 8) wide = _mm_crc32_u64(wide, word_at(bytes));
    state = (uint32_t)wide;
    for (; length > 0; bytes++, length--) state = _mm_crc32_u8(state, *bytes);
    return state;
}
#elif defined __aarch64__ && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <asm/hwcap.h>
#include <sys/auxv.h>

static bool have_armv8_crc(void) {
    return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}

/* Assembly, since the compilers disagree on how a single function is given the intrinsics. */
static uint32_t add_by_armv8_crc(uint32_t state, const unsigned char *bytes, size_t length) {
    for (; length >= 8; bytes += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, bytes, sizeof word);
        __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(state) : "r"(word));
    }
    for (; length > 0; bytes++, length--)
        __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1"
                : "+r"(state)
                : "r"((uint32_t)*bytes));
    return state;
}
#endif

const struct crc32c_way crc32c_ways[] = {
#if defined __x86_64__
    {"sse4.2", have_sse42, add_by_sse42},
#elif defined __aarch64__ && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    {"armv8-crc", have_armv8_crc, add_by_armv8_crc},
#endif
    {"table",  always,     add_by_table},
};
const size_t crc32c_way_count = sizeof crc32c_ways / sizeof crc32c_ways[0];

static const struct crc32c_way *best;

static void choose_best(void) {
    best = crc32c_ways;
    while (!best->usable()) best++;
    assert(best < crc32c_ways + crc32c_way_count);
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t length) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, choose_best);
    return ~best->add(~crc, bytes, length);
}
