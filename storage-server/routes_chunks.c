/* PUT, GET, HEAD and DELETE of one chunk. */
#include "storage-server/routes_chunks.h"

#include "storage-server/conditions.h"
#include "storage-server/node.h"

#include "lib/encode.h"
#include "lib/http_range.h"
#include "lib/json.h"
#include "lib/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CRC_HEADER "X-Chunk-CRC32C"
#define CRC_HEX_SIZE 9
#define ETAG_SIZE 40

static const char *const no_query[] = {NULL};

struct stored {
    char id[CHUNK_ID_SIZE];
    int64_t size_bytes;
    char crc32c[CRC_HEX_SIZE];
};
static const struct json_field stored_fields[] = {
    J(JSON_STRING, struct stored, id, 0),
    J(JSON_INT, struct stored, size_bytes, 0),
    J(JSON_STRING, struct stored, crc32c, 0),
};
static const struct json_schema stored_schema = JSON_SCHEMA(struct stored, stored_fields);

static void crc_text(uint32_t crc, char out[CRC_HEX_SIZE]) {
    (void)snprintf(out, CRC_HEX_SIZE, "%08" PRIx32, crc);
}

/* Quoted, as it stands in headers. */
static void etag_text(uint32_t crc, int64_t length, char out[ETAG_SIZE]) {
    (void)snprintf(out, ETAG_SIZE, "\"%08" PRIx32 "-%" PRId64 "\"", crc, length);
}

static void add_headers(struct http_request *r, uint32_t crc, int64_t length) {
    char hex[CRC_HEX_SIZE];
    char etag[ETAG_SIZE];
    crc_text(crc, hex);
    etag_text(crc, length, etag);
    http_reply_header(r, CRC_HEADER, hex);
    http_reply_header(r, "ETag", etag);
}

/* *given: the client told a checksum, and it is *crc. */
static bool client_crc(struct http_request *r, bool *given, uint32_t *crc, struct err *e) {
    const char *hex = http_header(r, CRC_HEADER);
    unsigned char bytes[4];
    *given = hex != NULL;
    if (hex == NULL) return true;
    if (strlen(hex) != 8 || !decode_hex(hex, bytes, sizeof bytes))
        return err_set(e, ERR_INVALID, CRC_HEADER ": %.40s is not 8 hex digits", hex);
    *crc = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return true;
}

static bool describe(struct http_request *r, struct chunk_header *header, struct err *e) {
    const char *id = http_param(r, "id");
    if (!http_query_only(r, no_query, e) || !chunk_id_check(id, e)) return false;
    *header = (struct chunk_header){.data_shards = 1, .length = http_body_length(r)};
    (void)!text_copy(header->id, sizeof header->id, id);
    if (header->length >= 0) return true;
    err_set(e, ERR_INVALID, "the length of a chunk must be known before it is sent");
    return err_hint(e, "send Content-Length instead of Transfer-Encoding: chunked");
}

static bool receive(struct http_request *r, struct chunk_writer *w, struct err *e) {
    OWN_MEMORY char *piece = memory_zeroed(1, CHUNK_BLOCK_BYTES);
    size_t length = 0;
    do {
        if (!http_body_read(r, piece, CHUNK_BLOCK_BYTES, &length, e)) return false;
        if (length > 0 && !chunk_writer_add(w, piece, length, e)) return false;
    } while (length > 0);
    return true;
}

static bool check_crc(const struct chunk_writer *w, bool given, uint32_t crc, struct err *e) {
    uint32_t received = chunk_writer_crc(w);
    if (!given || crc == received) return true;
    err_set(e, ERR_INVALID, "the body's CRC32C is %08" PRIx32 ", " CRC_HEADER " says %08" PRIx32,
            received, crc);
    return err_hint(e, "the bytes changed on their way: send them again");
}

static void reply_stored(struct http_request *r, const struct chunk_header *header, uint32_t crc,
                         bool created) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct stored stored = {.size_bytes = header->length};
    (void)!text_copy(stored.id, sizeof stored.id, header->id);
    crc_text(crc, stored.crc32c);
    add_headers(r, crc, header->length);
    json_encode(&stored_schema, &stored, &json);
    http_reply_json(r, created ? 201 : 200, json.data, json.length);
}

bool chunk_put(struct http_request *r, struct node *n, struct err *e) {
    OWN(chunk_writer) struct chunk_writer *w = NULL;
    struct chunk_header header;
    bool given = false;
    bool created = false;
    uint32_t crc = 0;
    if (!describe(r, &header, e) || !client_crc(r, &given, &crc, e) ||
        !conditions_allow_write(node_conditions(n), e) ||
        !chunk_writer_begin(&w, n->chunks, &header, e) || !receive(r, w, e) ||
        !check_crc(w, given, crc, e) || !chunk_writer_commit(w, &created, e))
        return false;
    reply_stored(r, &header, chunk_writer_crc(w), created);
    return true;
}

static bool open_asked(struct http_request *r, struct node *n, struct chunk_reader **out,
                       struct err *e) {
    const char *id = http_param(r, "id");
    return http_query_only(r, no_query, e) && chunk_id_check(id, e) &&
           chunk_reader_open(out, n->chunks, id, CHUNK_FOR_CLIENT, e);
}

/* The part that is asked for: a status of http_range_parse. */
static int asked_range(struct http_request *r, const struct chunk_header *header, int64_t *first,
                       int64_t *last) {
    const char *only_if = http_header(r, "If-Range");
    char etag[ETAG_SIZE];
    *first = 0;
    *last = header->length - 1;
    etag_text(header->data_crc, header->length, etag);
    if (only_if != NULL && strcmp(only_if, etag) != 0) return 200;
    return http_range_parse(http_header(r, "Range"), header->length, first, last);
}

static bool is_known(struct http_request *r, const struct chunk_header *header) {
    const char *known = http_header(r, "If-None-Match");
    char etag[ETAG_SIZE];
    etag_text(header->data_crc, header->length, etag);
    return known != NULL && (strstr(known, etag) != NULL || strcmp(known, "*") == 0);
}

static bool refuse_range(struct http_request *r, int64_t length, struct err *e) {
    char range[48];
    (void)snprintf(range, sizeof range, "bytes */%" PRId64, length);
    http_reply_header(r, "Content-Range", range);
    return err_set(e, ERR_RANGE, "the chunk holds %" PRId64 " bytes", length);
}

static void add_range(struct http_request *r, int64_t first, int64_t last, int64_t length) {
    char range[80];
    (void)snprintf(range, sizeof range, "bytes %" PRId64 "-%" PRId64 "/%" PRId64, first, last,
                   length);
    http_reply_header(r, "Content-Range", range);
}

/* What stops it now, after the head was sent, can only be told by ending early: the client misses
 * bytes it was promised. */
static void send_part(struct http_request *r, struct chunk_reader *reader, int64_t first,
                      int64_t last) {
    struct err e = {0};
    for (int64_t offset = first; offset <= last;) {
        const void *bytes = NULL;
        size_t length = 0;
        if (!chunk_reader_next(reader, offset, last + 1 - offset, &bytes, &length, &e)) {
            log_error("chunk.cut", "request_id=%s offset=%" PRId64 " error=%s", http_request_id(r),
                      offset, e.text);
            return;
        }
        if (!http_stream_write(r, bytes, length)) return;
        offset += (int64_t)length;
    }
}

/* All of it is proven before the head goes out, so that damage is a clean 500 and not a short
 * answer; of a large chunk again on its way, since only so much is kept. */
static bool send_proven(struct http_request *r, struct chunk_reader *reader, struct err *e) {
    const struct chunk_header *header = chunk_reader_header(reader);
    int64_t first = 0;
    int64_t last = 0;
    int status = asked_range(r, header, &first, &last);
    if (status == 416) return refuse_range(r, header->length, e);
    if (!chunk_reader_verify(reader, first, last + 1 - first, e)) return false;
    add_headers(r, header->data_crc, header->length);
    http_reply_header(r, "Accept-Ranges", "bytes");
    if (status == 206) add_range(r, first, last, header->length);
    if (http_stream_begin(r, status, "application/octet-stream", last + 1 - first))
        send_part(r, reader, first, last);
    http_stream_end(r);
    return true;
}

bool chunk_get(struct http_request *r, struct node *n, struct err *e) {
    OWN(chunk_reader) struct chunk_reader *reader = NULL;
    if (!open_asked(r, n, &reader, e)) return false;
    const struct chunk_header *header = chunk_reader_header(reader);
    if (!is_known(r, header)) return send_proven(r, reader, e);
    add_headers(r, header->data_crc, header->length);
    http_reply_empty(r, 304);
    return true;
}

bool chunk_head(struct http_request *r, struct node *n, struct err *e) {
    OWN(chunk_reader) struct chunk_reader *reader = NULL;
    if (!open_asked(r, n, &reader, e)) return false;
    const struct chunk_header *header = chunk_reader_header(reader);
    add_headers(r, header->data_crc, header->length);
    http_reply_header(r, "Accept-Ranges", "bytes");
    (void)!http_stream_begin(r, 200, "application/octet-stream", header->length);
    http_stream_end(r);
    return true;
}

bool chunk_delete(struct http_request *r, struct node *n, struct err *e) {
    if (!http_query_only(r, no_query, e) || !conditions_allow_delete(node_conditions(n), e) ||
        !chunks_remove(n->chunks, http_param(r, "id"), e))
        return false;
    http_reply_empty(r, 204);
    return true;
}
