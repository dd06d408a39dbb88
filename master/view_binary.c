#include "master/view_binary.h"

#include "lib/clock.h"
#include "lib/json.h"

#include <stdio.h>
#include <string.h>

struct binary_json {
    char version[SEMVER_SIZE], platform[PLATFORM_SIZE], arch[PLATFORM_SIZE];
    char checksum[SHA256_HEX_SIZE];
    int64_t size_bytes;
    char path[ARTIFACT_FILE_SIZE];
    int64_t uploaded_at; /* Unix seconds */
    char name[ARTIFACT_NAME_SIZE];
    bool is_signed;
    bool publisher_signed;
    char key_id[SIGN_KEY_ID_HEX_SIZE];
    bool yanked;
    bool published;
    char notes[CATALOG_NOTES_SIZE];
};
static const struct json_field binary_fields[] = {
    J(JSON_STRING, struct binary_json, version, 0),
    J(JSON_STRING, struct binary_json, platform, 0),
    J(JSON_STRING, struct binary_json, arch, 0),
    J(JSON_STRING, struct binary_json, checksum, 0),
    J(JSON_INT, struct binary_json, size_bytes, 0),
    J(JSON_STRING, struct binary_json, path, 0),
    J(JSON_INT, struct binary_json, uploaded_at, 0),
    J(JSON_STRING, struct binary_json, name, 0),
    J_NAMED(JSON_BOOL, struct binary_json, is_signed, "signed", 0),
    J(JSON_STRING, struct binary_json, key_id, 0),
    J(JSON_BOOL, struct binary_json, publisher_signed, 0),
    J(JSON_BOOL, struct binary_json, yanked, 0),
    J(JSON_BOOL, struct binary_json, published, 0),
    J(JSON_STRING, struct binary_json, notes, 0),
};
static const struct json_schema binary_schema = JSON_SCHEMA(struct binary_json, binary_fields);

void view_binary(const struct binary *b, struct text *out) {
    struct binary_json j = {.size_bytes = b->size_bytes,
                            .uploaded_at = b->uploaded_at_ms / 1000,
                            .is_signed = b->signature[0] != '\0',
                            .publisher_signed = b->publisher_signed,
                            .yanked = b->yanked,
                            .published = !b->left_out};
    memcpy(j.version, b->id.version, sizeof j.version);
    memcpy(j.platform, b->id.platform, sizeof j.platform);
    memcpy(j.arch, b->id.arch, sizeof j.arch);
    memcpy(j.checksum, b->sha256, sizeof j.checksum);
    memcpy(j.name, b->id.name, sizeof j.name);
    memcpy(j.key_id, b->key_id, sizeof j.key_id);
    memcpy(j.notes, b->notes, sizeof j.notes);
    artifact_file_name(&b->id, j.path);
    json_encode(&binary_schema, &j, out);
}

struct rejected_json {
    char file[256];
    char reason[464];
    char code[32];
    char seen_at[CLOCK_RFC3339_SIZE];
};
static const struct json_field rejected_fields[] = {
    J(JSON_STRING, struct rejected_json, file, 0),
    J(JSON_STRING, struct rejected_json, reason, 0),
    J(JSON_STRING, struct rejected_json, code, 0),
    J(JSON_STRING, struct rejected_json, seen_at, 0),
};
static const struct json_schema rejected_schema =
    JSON_SCHEMA(struct rejected_json, rejected_fields);

void view_rejected(const struct rejected *r, struct text *out) {
    struct rejected_json j;
    memcpy(j.file, r->file, sizeof j.file);
    memcpy(j.reason, r->reason, sizeof j.reason);
    memcpy(j.code, r->code, sizeof j.code);
    clock_rfc3339(r->seen_at_ms, j.seen_at);
    json_encode(&rejected_schema, &j, out);
}

struct held_json {
    char file[ARTIFACT_FILE_SIZE];
    char sha256[SHA256_HEX_SIZE];
    int64_t size_bytes;
    char held_at[CLOCK_RFC3339_SIZE];
    char reason[HELD_REASON_SIZE];
    char principal[64];
    bool is_signed;
    char notes[CATALOG_NOTES_SIZE];
};
static const struct json_field held_fields[] = {
    J(JSON_STRING, struct held_json, file, 0),
    J(JSON_STRING, struct held_json, sha256, 0),
    J(JSON_INT, struct held_json, size_bytes, 0),
    J(JSON_STRING, struct held_json, held_at, 0),
    J(JSON_STRING, struct held_json, reason, 0),
    J(JSON_STRING, struct held_json, principal, 0),
    J_NAMED(JSON_BOOL, struct held_json, is_signed, "signed", 0),
    J(JSON_STRING, struct held_json, notes, 0),
};
static const struct json_schema held_schema = JSON_SCHEMA(struct held_json, held_fields);

void view_held(const struct held *h, struct text *out) {
    struct held_json j = {.size_bytes = h->binary.size_bytes,
                          .is_signed = h->binary.publisher_signed};
    memcpy(j.file, h->file, sizeof j.file);
    memcpy(j.sha256, h->binary.sha256, sizeof j.sha256);
    memcpy(j.reason, h->reason, sizeof j.reason);
    memcpy(j.principal, h->principal, sizeof j.principal);
    memcpy(j.notes, h->binary.notes, sizeof j.notes);
    clock_rfc3339(h->at_ms, j.held_at);
    json_encode(&held_schema, &j, out);
}

struct channel_json {
    char name[CHANNEL_NAME_SIZE];
    char artifact[ARTIFACT_NAME_SIZE];
    char version[SEMVER_SIZE];
    char updated_at[CLOCK_RFC3339_SIZE];
    int64_t agents;
};
static const struct json_field channel_fields[] = {
    J(JSON_STRING, struct channel_json, name, 0),
    J(JSON_STRING, struct channel_json, artifact, 0),
    J(JSON_STRING, struct channel_json, version, 0),
    J(JSON_STRING, struct channel_json, updated_at, 0),
    J(JSON_INT, struct channel_json, agents, 0),
};
static const struct json_schema channel_schema = JSON_SCHEMA(struct channel_json, channel_fields);

void view_channel(const struct channel *c, int64_t agents, struct text *out) {
    struct channel_json j = {.agents = agents};
    memcpy(j.name, c->name, sizeof j.name);
    memcpy(j.artifact, c->artifact, sizeof j.artifact);
    memcpy(j.version, c->version, sizeof j.version);
    clock_rfc3339(c->updated_at_ms, j.updated_at);
    json_encode(&channel_schema, &j, out);
}

struct key_json {
    char key_id[SIGN_KEY_ID_HEX_SIZE];
    char public_key[SIGN_PUBLIC_TEXT_SIZE];
    char use[16];
    char trusted_at[CLOCK_RFC3339_SIZE];
};
static const struct json_field key_fields[] = {
    J(JSON_STRING, struct key_json, key_id, 0),
    J(JSON_STRING, struct key_json, public_key, 0),
    J(JSON_STRING, struct key_json, use, 0),
    J(JSON_STRING, struct key_json, trusted_at, JSON_OMIT_EMPTY),
};
static const struct json_schema key_schema = JSON_SCHEMA(struct key_json, key_fields);

void view_key(const struct sign_public *key, const char *use, int64_t trusted_at_ms,
              struct text *out) {
    struct key_json j = {0};
    sign_key_id(key, j.key_id);
    sign_public_text(key, j.public_key);
    snprintf(j.use, sizeof j.use, "%s", use);
    if (trusted_at_ms > 0) clock_rfc3339(trusted_at_ms, j.trusted_at);
    json_encode(&key_schema, &j, out);
}
