/* Headers and names of chunk files. The first byte says whether the header's checksum is put right
 * before, as a disk never does and an enemy would. */
#include "lib/hash.h"
#include "storage-server/format.h"
#include "tests/fuzz/fuzz.h"

#define AT_HEADER_CRC 60
#define AT_ID 64

static void put_crc_right(unsigned char *header) {
    uint32_t crc = crc32c(0, header, AT_HEADER_CRC);
    chunk_put_u32(header + AT_HEADER_CRC, crc32c(crc, header + AT_ID, CHUNK_HEADER_BYTES - AT_ID));
}

static void check_layout(int64_t length) {
    int64_t file_bytes = chunk_file_bytes(length);
    assert(file_bytes >= CHUNK_HEADER_BYTES + length);
    assert(chunk_length_of_file(file_bytes) == length);
    assert(chunk_data_offset(length) + length == file_bytes);
}

static void check_header(const uint8_t *data, size_t size, bool right) {
    unsigned char bytes[CHUNK_HEADER_BYTES] = {0}, again[CHUNK_HEADER_BYTES];
    struct chunk_header header;
    struct err e;
    memcpy(bytes, data, size < sizeof bytes ? size : sizeof bytes);
    if (right) put_crc_right(bytes);
    if (!chunk_header_decode(bytes, &header, &e)) {
        assert(e.code == ERR_CORRUPT || e.code == ERR_CONFLICT);
        return;
    }
    assert(chunk_id_valid(header.id));
    assert(header.length >= 0 && header.length <= CHUNK_MAX_BYTES && header.offset >= 0);
    check_layout(header.length);
    chunk_header_encode(&header, again);
    assert(memcmp(bytes, again, sizeof bytes) == 0);
}

static void check_name(const uint8_t *data, size_t size) {
    char id[CHUNK_ID_SIZE], again[CHUNK_NAME_SIZE], directory[3];
    unsigned shard = 0;
    struct err e;
    OWN_MEMORY char *name = fuzz_string(data, size);
    bool valid = chunk_id_valid(name);
    bool checked = chunk_id_check(name, &e);
    assert(valid == checked);
    if (!chunk_file_name_parse(name, id, &shard)) return;
    assert(chunk_id_valid(id) && shard <= 255);
    chunk_file_name(id, shard, again);
    assert(strcmp(name, again) == 0);
    assert(chunk_directory(id) < CHUNK_DIRECTORIES);
    chunk_directory_name(chunk_directory(id), directory);
    assert(strlen(directory) == 2);
}

static void check_file_bytes(const uint8_t *data, size_t size) {
    int64_t bytes = 0;
    memcpy(&bytes, data, size < sizeof bytes ? size : sizeof bytes);
    int64_t length = chunk_length_of_file(bytes);
    assert(length == -1 || chunk_file_bytes(length) == bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    switch (fuzz_byte(&data, &size) % 4) {
    case 0:
        check_header(data, size, false);
        break;
    case 1:
        check_header(data, size, true);
        break;
    case 2:
        check_name(data, size);
        break;
    default:
        check_file_bytes(data, size);
    }
    return 0;
}
