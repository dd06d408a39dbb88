/* Format of a chunk file: everything a reader needs to prove the bytes, and a master to rebuild its
 * tables. Little-endian. Pure.
 *
 *   data/ab/ID.SHARD   ab: last byte of CRC32C(ID) in hex, for 256 directories of like size
 *
 *    0  "GRIDCHNK"           16  data length, 8       32  offset in the file it is part of, 8
 *    8  version, 2           24  block size, 4        40  upload id, 16 (zero: none)
 *   10  size of all this, 2  28  sequence, 4          56  CRC32C of all data, 4
 *   12  shard, 1                                      60  CRC32C of bytes 0..59 and 64..127, 4
 *   13  data shards, 1 (1: a whole copy)              64  id, 64, padded with zeros
 *   14  parity shards, 1                             128  CRC32C of each block, 4 each
 *   15  length of id, 1                                   data
 *
 * Magic, version and header CRC keep their places, and the CRC its range, in every version: an
 * older program knows a newer file for what it is. */
#pragma once

#include "lib/err.h"

#include <stdint.h>

#define CHUNK_ID_SIZE 65 /* [A-Za-z0-9_-], 1 to 64 characters, and NUL */
#define CHUNK_NAME_SIZE (CHUNK_ID_SIZE + 4)
#define CHUNK_UPLOAD_SIZE 16
#define CHUNK_HEADER_BYTES 128
#define CHUNK_BLOCK_BYTES (64 * 1024)
#define CHUNK_MAX_BYTES (64 * 1024 * 1024)
#define CHUNK_DIRECTORIES 256

struct chunk_header {
    char id[CHUNK_ID_SIZE];
    uint8_t shard;
    uint8_t data_shards;
    uint8_t parity_shards;
    int64_t length; /* of the data, 0 to CHUNK_MAX_BYTES */
    uint32_t sequence;
    int64_t offset;
    unsigned char upload[CHUNK_UPLOAD_SIZE];
    uint32_t data_crc;
};

/* ERR_INVALID names the rule. */
MUST_CHECK bool chunk_id_check(const char *id, struct err *e);
bool chunk_id_valid(const char *id);

/* 0..255: the directory of this id. */
unsigned chunk_directory(const char *id);
void chunk_directory_name(unsigned directory, char out[3]);

/* "ID.SHARD" and back; false when name is no chunk's. */
void chunk_file_name(const char *id, unsigned shard, char out[CHUNK_NAME_SIZE]);
MUST_CHECK bool chunk_file_name_parse(const char *name, char id[CHUNK_ID_SIZE], unsigned *shard);

void chunk_header_encode(const struct chunk_header *header, unsigned char out[CHUNK_HEADER_BYTES]);

/* ERR_CORRUPT, or ERR_CONFLICT for an intact header of a newer version. */
MUST_CHECK bool chunk_header_decode(const unsigned char in[CHUNK_HEADER_BYTES],
                                    struct chunk_header *out, struct err *e);

/* Layout of a file that holds length bytes of data. */
int64_t chunk_block_count(int64_t length);
int64_t chunk_data_offset(int64_t length);
int64_t chunk_file_bytes(int64_t length);

/* The data length of a file of this size; -1 when no chunk file is that long. */
int64_t chunk_length_of_file(int64_t file_bytes);

void chunk_put_u32(unsigned char *out, uint32_t value);
uint32_t chunk_get_u32(const unsigned char *in);
