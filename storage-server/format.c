#include "storage-server/format.h"

#include "lib/hash.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
static const char magic[8] = {'G', 'R', 'I', 'D', 'C', 'H', 'N', 'K'};

enum {
    VERSION = 1,
    AT_VERSION = 8,
    AT_SIZE = 10,
    AT_SHARD = 12,
    AT_DATA_SHARDS = 13,
    AT_PARITY_SHARDS = 14,
    AT_ID_LENGTH = 15,
    AT_LENGTH = 16,
    AT_BLOCK = 24,
    AT_SEQUENCE = 28,
    AT_OFFSET = 32,
    AT_UPLOAD = 40,
    AT_DATA_CRC = 56,
    AT_HEADER_CRC = 60,
    AT_ID = 64,
};

bool chunk_id_valid(const char *id) {
    size_t length = strlen(id);
    return length > 0 && length < CHUNK_ID_SIZE && strspn(id, alphabet) == length;
}

bool chunk_id_check(const char *id, struct err *e) {
    return chunk_id_valid(id) ||
           err_set(e, ERR_INVALID,
                   "chunk id \"%.80s\" is not 1 to 64 characters of A-Z a-z 0-9 _ -", id);
}

unsigned chunk_directory(const char *id) {
    return crc32c(0, id, strlen(id)) & 0xff;
}

void chunk_directory_name(unsigned directory, char out[3]) {
    (void)snprintf(out, 3, "%02x", directory & 0xff);
}

void chunk_file_name(const char *id, unsigned shard, char out[CHUNK_NAME_SIZE]) {
    int length = snprintf(out, CHUNK_NAME_SIZE, "%s.%u", id, shard & 0xff);
    assert(length > 0 && length < CHUNK_NAME_SIZE);
}

/* "0" to "255" without leading zeros; -1 for anything else. */
static int parse_shard(const char *digits) {
    int shard = 0;
    size_t length = strspn(digits, "0123456789");
    if (length == 0 || length > 3 || digits[length] != '\0' || (length > 1 && digits[0] == '0'))
        return -1;
    for (size_t i = 0; i < length; i++) shard = shard * 10 + (digits[i] - '0');
    return shard <= 255 ? shard : -1;
}

bool chunk_file_name_parse(const char *name, char id[CHUNK_ID_SIZE], unsigned *shard) {
    size_t length = strspn(name, alphabet);
    if (length == 0 || length >= CHUNK_ID_SIZE || name[length] != '.') return false;
    int parsed = parse_shard(name + length + 1);
    if (parsed < 0) return false;
    memcpy(id, name, length);
    id[length] = '\0';
    *shard = (unsigned)parsed;
    return true;
}

static void put(unsigned char *out, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) out[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get(const unsigned char *in, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)in[i] << (8 * i);
    return value;
}

void chunk_put_u32(unsigned char *out, uint32_t value) {
    put(out, value, 4);
}

uint32_t chunk_get_u32(const unsigned char *in) {
    return (uint32_t)get(in, 4);
}

static uint32_t header_crc(const unsigned char *bytes) {
    return crc32c(crc32c(0, bytes, AT_HEADER_CRC), bytes + AT_ID, CHUNK_HEADER_BYTES - AT_ID);
}

void chunk_header_encode(const struct chunk_header *header, unsigned char out[CHUNK_HEADER_BYTES]) {
    assert(chunk_id_valid(header->id));
    memset(out, 0, CHUNK_HEADER_BYTES);
    memcpy(out, magic, sizeof magic);
    put(out + AT_VERSION, VERSION, 2);
    put(out + AT_SIZE, CHUNK_HEADER_BYTES, 2);
    out[AT_SHARD] = header->shard;
    out[AT_DATA_SHARDS] = header->data_shards;
    out[AT_PARITY_SHARDS] = header->parity_shards;
    out[AT_ID_LENGTH] = (unsigned char)strlen(header->id);
    put(out + AT_LENGTH, (uint64_t)header->length, 8);
    put(out + AT_BLOCK, CHUNK_BLOCK_BYTES, 4);
    put(out + AT_SEQUENCE, header->sequence, 4);
    put(out + AT_OFFSET, (uint64_t)header->offset, 8);
    memcpy(out + AT_UPLOAD, header->upload, CHUNK_UPLOAD_SIZE);
    put(out + AT_DATA_CRC, header->data_crc, 4);
    memcpy(out + AT_ID, header->id, strlen(header->id));
    put(out + AT_HEADER_CRC, header_crc(out), 4);
}

static bool check_kind(const unsigned char *in, struct err *e) {
    if (memcmp(in, magic, sizeof magic) != 0) return err_set(e, ERR_CORRUPT, "no chunk header");
    if (get(in + AT_HEADER_CRC, 4) != header_crc(in))
        return err_set(e, ERR_CORRUPT, "chunk header is damaged");
    if (get(in + AT_VERSION, 2) > VERSION) {
        err_set(e, ERR_CONFLICT, "chunk format %u is newer than this program's",
                (unsigned)get(in + AT_VERSION, 2));
        return err_hint(e, "run the version of storage-server that wrote it");
    }
    return true;
}

/* What our own writer never writes is damage, even under a right checksum. */
static bool check_values(const unsigned char *in, const struct chunk_header *header,
                         struct err *e) {
    unsigned char again[CHUNK_HEADER_BYTES];
    bool ok = header->length >= 0 && header->length <= CHUNK_MAX_BYTES && header->offset >= 0 &&
              chunk_id_valid(header->id);
    if (ok) chunk_header_encode(header, again);
    return (ok && memcmp(in, again, sizeof again) == 0) ||
           err_set(e, ERR_CORRUPT, "chunk header holds impossible values");
}

bool chunk_header_decode(const unsigned char in[CHUNK_HEADER_BYTES], struct chunk_header *out,
                         struct err *e) {
    if (!check_kind(in, e)) return false;
    *out = (struct chunk_header){
        .shard = in[AT_SHARD],
        .data_shards = in[AT_DATA_SHARDS],
        .parity_shards = in[AT_PARITY_SHARDS],
        .length = (int64_t)get(in + AT_LENGTH, 8),
        .sequence = (uint32_t)get(in + AT_SEQUENCE, 4),
        .offset = (int64_t)get(in + AT_OFFSET, 8),
        .data_crc = (uint32_t)get(in + AT_DATA_CRC, 4),
    };
    memcpy(out->upload, in + AT_UPLOAD, CHUNK_UPLOAD_SIZE);
    memcpy(out->id, in + AT_ID, CHUNK_ID_SIZE - 1);
    return check_values(in, out, e);
}

int64_t chunk_block_count(int64_t length) {
    return (length + CHUNK_BLOCK_BYTES - 1) / CHUNK_BLOCK_BYTES;
}

int64_t chunk_data_offset(int64_t length) {
    return CHUNK_HEADER_BYTES + 4 * chunk_block_count(length);
}

int64_t chunk_file_bytes(int64_t length) {
    return chunk_data_offset(length) + length;
}

int64_t chunk_length_of_file(int64_t file_bytes) {
    if (file_bytes < CHUNK_HEADER_BYTES || file_bytes > chunk_file_bytes(CHUNK_MAX_BYTES))
        return -1;
    int64_t rest = file_bytes - CHUNK_HEADER_BYTES;
    int64_t blocks = (rest + CHUNK_BLOCK_BYTES + 3) / (CHUNK_BLOCK_BYTES + 4);
    int64_t length = rest - 4 * blocks;
    bool fits = length >= 0 && chunk_file_bytes(length) == file_bytes;
    return fits ? length : -1;
}
