/* How fast lib/hash is: hashes blocks of the given size for the given time, prints bytes per
 * second. */
#include "lib/hash.h"
#include "lib/clock.h"
#include "lib/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: hash BLOCK_BYTES MILLISECONDS\n");
        return 2;
    }
    size_t block_bytes = strtoul(argv[1], NULL, 10);
    int64_t duration_ms = strtoll(argv[2], NULL, 10), done_bytes = 0, spent_ms;
    unsigned char digest[SHA256_SIZE];
    unsigned char *block = memory_zeroed(block_bytes, 1);
    int64_t begun_ms = clock_monotonic_ms();
    do {
        for (int i = 0; i < 256; i++) sha256_bytes(block, block_bytes, digest);
        done_bytes += 256 * (int64_t)block_bytes;
        spent_ms = clock_monotonic_ms() - begun_ms;
    } while (spent_ms < duration_ms || spent_ms == 0);
    printf("%" PRId64 "\n", done_bytes * 1000 / spent_ms);
    free(block);
    return 0;
}
