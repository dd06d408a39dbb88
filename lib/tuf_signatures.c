/* Counting signatures, and adding one. */
#include "lib/encode.h"
#include "lib/json.h"
#include "lib/json_canonical.h"
#include "lib/tuf_internal.h"

#include <inttypes.h>
#include <string.h>

struct signature {
    char key_id[TUF_KEY_ID_SIZE];
    char *hex; /* owned; "" where somebody is still to sign */
    struct json_slice whole;
};

struct signatures {
    struct signature *list; /* owned; sorted by key id */
    size_t count;
};

static void signatures_clear(struct signatures *s) {
    for (size_t i = 0; i < s->count; i++) free(s->list[i].hex);
    free(s->list);
}

static bool read_key_id(struct json_slice value, void *out, struct err *e) {
    OWN_TEXT struct text id = TEXT_EMPTY;
    if (!json_slice_text(value, &id)) return err_set(e, ERR_INVALID, "not a string");
    return tuf_copy_name(out, TUF_KEY_ID_SIZE, id.data, e);
}

static bool add_signature(struct json_slice value, void *out, struct err *e) {
    struct signatures *s = out;
    s->list = tuf_grow(s->list, s->count, sizeof *s->list);
    struct signature *added = &s->list[s->count++];
    added->whole = value;
    struct tuf_member members[] = {
        TUF_MUST("keyid", read_key_id, added->key_id),
        TUF_MUST("sig", tuf_read_string, &added->hex),
    };
    return tuf_read_members(value, members, TUF_COUNT(members), e);
}

static int compare_signatures(const void *a, const void *b) {
    const struct signature *first = a;
    const struct signature *second = b;
    return strcmp(first->key_id, second->key_id);
}

static bool read_signatures(struct json_slice array, struct signatures *out, struct err *e) {
    if (!tuf_read_list(array, TUF_KEYS_MAX, add_signature, out, e))
        return err_wrap(e, "signatures");
    const struct signature *twice =
        tuf_sort(out->list, out->count, sizeof *out->list, compare_signatures);
    return twice == NULL ||
           err_set(e, ERR_INVALID, "signatures: key %s signs twice", twice->key_id);
}

static const char *signature_by(const struct signatures *s, const char *key_id) {
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->list[i].key_id, key_id) == 0) return s->list[i].hex;
    return "";
}

struct counting {
    const struct tuf_key *counted[TUF_KEYS_MAX];
    size_t count;
};

static bool counted_already(const struct counting *c, const struct tuf_key *key) {
    for (size_t i = 0; i < c->count; i++)
        if (tuf_key_same(c->counted[i], key)) return true;
    return false;
}

static size_t count_valid(const struct text *canonical, const struct signatures *signatures,
                          const struct tuf_keys *keys, const struct tuf_signers *signers,
                          const struct tuf_verifiers *foreign) {
    struct counting c = {.count = 0};
    for (size_t i = 0; i < signers->key_count && c.count < TUF_KEYS_MAX; i++) {
        const struct tuf_key *key = tuf_keys_find(keys, signers->key_ids[i]);
        if (key == NULL || counted_already(&c, key)) continue;
        if (tuf_key_verify(key, foreign, canonical->data, canonical->length,
                           signature_by(signatures, signers->key_ids[i])))
            c.counted[c.count++] = key;
    }
    return c.count;
}

static bool count_signers(const char *bytes, size_t length, const struct tuf_keys *keys,
                          const struct tuf_signers *signers, const struct tuf_verifiers *foreign,
                          size_t *count, struct err *e) {
    struct tuf_envelope file;
    struct signatures signatures = {0};
    OWN_TEXT struct text canonical = TEXT_EMPTY;
    *count = 0;
    bool readable = tuf_envelope_of(bytes, length, &file, e) &&
                    read_signatures(file.signatures, &signatures, e) &&
                    json_canonical(file.part.at, file.part.length, &canonical, e);
    if (readable) *count = count_valid(&canonical, &signatures, keys, signers, foreign);
    signatures_clear(&signatures);
    return readable;
}

size_t tuf_count_signers(const char *bytes, size_t length, const struct tuf_keys *keys,
                         const struct tuf_signers *signers, const struct tuf_verifiers *foreign) {
    size_t count = 0;
    return count_signers(bytes, length, keys, signers, foreign, &count, NULL) ? count : 0;
}

bool tuf_verify(const char *bytes, size_t length, const char *role, const struct tuf_keys *keys,
                const struct tuf_signers *signers, const struct tuf_verifiers *foreign,
                struct err *e) {
    size_t count = 0;
    if (!count_signers(bytes, length, keys, signers, foreign, &count, e))
        return err_wrap(e, "%s", role);
    return (signers->threshold > 0 && count >= (size_t)signers->threshold) ||
           err_set(e, ERR_UNTRUSTED, "%s: %zu of %" PRId64 " signatures", role, count,
                   signers->threshold);
}

static void write_signature(const char *key_id, const unsigned char bytes[SIGN_SIGNATURE_SIZE],
                            struct text *out) {
    char hex[2 * SIGN_SIGNATURE_SIZE + 1];
    text_add_format(out, "{\"keyid\":\"%s\",\"sig\":\"%s\"}", key_id,
                    encode_hex(bytes, SIGN_SIGNATURE_SIZE, hex));
}

/* The same file with one signature in place of that key's older one, the rest byte for byte. */
static void write_file(const struct tuf_envelope *file, const struct signatures *signatures,
                       const char *key_id, const unsigned char bytes[SIGN_SIGNATURE_SIZE],
                       struct text *out) {
    text_add(out, "{\"signatures\":[");
    for (size_t i = 0; i < signatures->count; i++) {
        const struct signature *s = &signatures->list[i];
        if (strcmp(s->key_id, key_id) == 0) continue;
        text_add_bytes(out, s->whole.at, s->whole.length);
        text_add(out, ",");
    }
    write_signature(key_id, bytes, out);
    text_add(out, "],\"signed\":");
    text_add_bytes(out, file->part.at, file->part.length);
    text_add(out, "}");
}

static void sign_parts(const struct tuf_envelope *file, const struct signatures *signatures,
                       const struct text *canonical, const struct sign_secret *secret,
                       struct text *out) {
    struct tuf_key key;
    unsigned char signature[SIGN_SIGNATURE_SIZE];
    tuf_key_of(sign_secret_public(secret), &key);
    sign_bytes(secret, canonical->data, canonical->length, signature);
    write_file(file, signatures, key.id, signature, out);
    tuf_key_clear(&key);
}

bool tuf_sign(struct text *file, const struct sign_secret *secret, struct err *e) {
    struct tuf_envelope parts;
    struct signatures signatures = {0};
    OWN_TEXT struct text canonical = TEXT_EMPTY;
    OWN_TEXT struct text signed_file = TEXT_EMPTY;
    const char *bytes = text_value(file);
    bool readable = tuf_envelope_of(bytes, file->length, &parts, e) &&
                    read_signatures(parts.signatures, &signatures, e) &&
                    json_canonical(parts.part.at, parts.part.length, &canonical, e);
    if (readable) sign_parts(&parts, &signatures, &canonical, secret, &signed_file);
    signatures_clear(&signatures);
    if (!readable) return err_wrap(e, "no metadata that can be signed");
    text_clear(file);
    text_add_bytes(file, text_value(&signed_file), signed_file.length);
    return true;
}
