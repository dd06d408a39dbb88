#include "cli/trust_file.h"

#include "lib/file.h"
#include "lib/json.h"
#include "lib/tuf_client.h"
#include "lib/tuf_custom.h"

#include <stdio.h>
#include <string.h>

/* Of any metadata file: what it is. */
struct envelope {
    struct {
        char _type[32];
    } inside;
};
static const struct json_field inside_fields[] = {
    {.name = "_type",
     .type = JSON_STRING,
     .flags = JSON_REQUIRED,
     .size = sizeof((struct envelope *)0)->inside._type,
     .present_offset = SIZE_MAX},
};
static const struct json_schema inside_schema = {
    .name = "signed", .size = sizeof(struct envelope), .fields = inside_fields, .field_count = 1};
static const struct json_field envelope_fields[] = {
    {.name = "signed",
     .type = JSON_OBJECT,
     .flags = JSON_REQUIRED,
     .offset = offsetof(struct envelope, inside),
     .present_offset = SIZE_MAX,
     .sub = &inside_schema},
};
static const struct json_schema envelope_schema = {.name = "metadata",
                                                   .size = sizeof(struct envelope),
                                                   .fields = envelope_fields,
                                                   .field_count = 1};

void trust_file_fini(struct trust_file *f) {
    text_fini(&f->bytes);
    tuf_root_clear(&f->root);
    tuf_targets_clear(&f->targets);
    *f = (struct trust_file){0};
}

/* What a person can be shown, and agents believe: builds of this grid, each under its own name. */
static bool check_targets(const struct tuf_targets *t, struct err *e) {
    struct tuf_custom custom;
    if (t->delegation_count > 0)
        return err_set(e, ERR_INVALID, "targets: they delegate to other keys, which no grid does");
    for (size_t i = 0; i < t->count; i++)
        if (!tuf_custom_of(&t->list[i], &custom, e)) return false;
    return true;
}

static bool parse_role(struct trust_file *f, struct err *e) {
    const char *bytes = text_value(&f->bytes);
    struct envelope envelope;
    if (!json_decode(&envelope_schema, bytes, f->bytes.length, JSON_IGNORE_UNKNOWN, &envelope, e))
        return false;
    if (tuf_role_parse(envelope.inside._type, &f->role) && f->role == TUF_ROOT)
        return tuf_root_parse(bytes, f->bytes.length, &f->root, e);
    if (tuf_role_parse(envelope.inside._type, &f->role) && f->role == TUF_TARGETS)
        return tuf_targets_parse(bytes, f->bytes.length, &f->targets, e) &&
               check_targets(&f->targets, e);
    return err_set(e, ERR_INVALID, "it is metadata of %s, not of root or targets",
                   envelope.inside._type);
}

bool trust_file_parse(struct text *bytes, struct trust_file *out, struct err *e) {
    *out = (struct trust_file){.bytes = *bytes};
    *bytes = TEXT_EMPTY;
    if (parse_role(out, e)) return true;
    trust_file_fini(out);
    return false;
}

bool trust_file_read(const char *path, struct trust_file *out, struct err *e) {
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    *out = (struct trust_file){0};
    if (!file_read(path, TUF_TARGETS_MAX_BYTES, &bytes, e)) return err_wrap(e, "metadata");
    return trust_file_parse(&bytes, out, e) || err_wrap(e, "%s", path);
}

bool trust_file_copy(const struct trust_file *from, struct trust_file *out, struct err *e) {
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    text_add_bytes(&bytes, text_value(&from->bytes), from->bytes.length);
    return trust_file_parse(&bytes, out, e);
}

bool trust_file_of_root(const struct tuf_root *root, struct trust_file *out, struct err *e) {
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    tuf_root_write(root, &bytes);
    return trust_file_parse(&bytes, out, e);
}

bool trust_file_of_targets(const struct tuf_targets *targets, struct trust_file *out,
                           struct err *e) {
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    tuf_targets_write(targets, &bytes);
    return trust_file_parse(&bytes, out, e);
}

const struct tuf_heading *trust_file_heading(const struct trust_file *f) {
    return f->role == TUF_ROOT ? &f->root.heading : &f->targets.heading;
}

char *trust_file_name(const struct trust_file *f, char out[TRUST_FILE_NAME_SIZE]) {
    snprintf(out, TRUST_FILE_NAME_SIZE, "%lld.%s.json", (long long)trust_file_heading(f)->version,
             tuf_role_name(f->role));
    return out;
}

/* Whether a file is there that says something else. */
static bool is_taken(const struct trust_file *f, const char *path) {
    OWN_TEXT struct text there = TEXT_EMPTY;
    struct err why = {0};
    if (!file_read(path, TUF_TARGETS_MAX_BYTES, &there, &why)) return why.code != ERR_NOT_FOUND;
    return there.length != f->bytes.length ||
           memcmp(text_value(&there), text_value(&f->bytes), there.length) != 0;
}

bool trust_file_write(const struct trust_file *f, const char *path, bool replace, struct err *e) {
    if (!replace && is_taken(f, path)) {
        err_set(e, ERR_CONFLICT, "%s exists already", path);
        return err_hint(e, "sign and publish that one, or move it away: gridctl key show %.100s",
                        path);
    }
    return file_write_durable(path, text_value(&f->bytes), f->bytes.length, 0644, e) ||
           err_wrap(e, "write %s", path);
}

bool trust_file_sign(struct trust_file *f, const struct sign_secret *key, struct err *e) {
    return tuf_sign(&f->bytes, key, e);
}

bool trust_signer_is(const struct tuf_signers *signers, const struct sign_public *key) {
    struct tuf_key wanted;
    bool found = false;
    tuf_key_of(key, &wanted);
    for (size_t i = 0; i < signers->key_count && !found; i++)
        found = strcmp(signers->key_ids[i], wanted.id) == 0;
    tuf_key_clear(&wanted);
    return found;
}

bool trust_file_signed_by(const struct trust_file *f, const struct tuf_keys *keys,
                          const char *key_id) {
    return trust_bytes_signed_by(&f->bytes, keys, key_id);
}

bool trust_bytes_signed_by(const struct text *metadata, const struct tuf_keys *keys,
                           const char *key_id) {
    char id[1][TUF_KEY_ID_SIZE];
    struct tuf_signers alone = {.key_ids = id, .key_count = 1, .threshold = 1};
    if (!text_copy(id[0], sizeof id[0], key_id)) return false;
    return tuf_count_signers(text_value(metadata), metadata->length, keys, &alone, NULL) == 1;
}
