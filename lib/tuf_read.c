/* Reading what several roles have in common. */
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/tuf_internal.h"

#include <inttypes.h>
#include <string.h>

#define SHOWN_CHARACTERS 64

static int shown(struct json_slice key) {
    return key.length < SHOWN_CHARACTERS ? (int)key.length : SHOWN_CHARACTERS;
}

static struct tuf_member *find_member(struct tuf_member *members, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(members[i].name, name) == 0) return &members[i];
    return NULL;
}

bool tuf_read_members(struct json_slice object, struct tuf_member *members, size_t count,
                      struct err *e) {
    OWN_TEXT struct text name = TEXT_EMPTY;
    struct json_slice key;
    struct json_slice value;
    if (!json_slice_is_object(object)) return err_set(e, ERR_INVALID, "not an object");
    for (struct json_walk w = json_walk_into(object); json_walk_member(&w, &key, &value);) {
        text_clear(&name);
        struct tuf_member *m =
            json_slice_text(key, &name) ? find_member(members, count, name.data) : NULL;
        if (m == NULL) continue;
        if (m->given) return err_set(e, ERR_INVALID, "%s is there twice", m->name);
        m->given = true;
        if (!m->read(value, m->out, e)) return err_wrap(e, "%s", m->name);
    }
    for (size_t i = 0; i < count; i++)
        if (!members[i].given && !members[i].optional)
            return err_set(e, ERR_INVALID, "%s is missing", members[i].name);
    return true;
}

bool tuf_read_map(struct json_slice object, size_t max,
                  bool (*read)(const char *key, struct json_slice value, void *out, struct err *e),
                  void *out, struct err *e) {
    OWN_TEXT struct text name = TEXT_EMPTY;
    struct json_slice key;
    struct json_slice value;
    size_t count = 0;
    if (!json_slice_is_object(object)) return err_set(e, ERR_INVALID, "not an object");
    for (struct json_walk w = json_walk_into(object); json_walk_member(&w, &key, &value);) {
        if (count++ == max) return err_set(e, ERR_INVALID, "more than %zu members", max);
        text_clear(&name);
        if (!json_slice_text(key, &name) || !read(name.data, value, out, e))
            return err_wrap(e, "%.*s", shown(key), key.at);
    }
    return true;
}

bool tuf_read_list(struct json_slice array, size_t max, tuf_reader *read, void *out,
                   struct err *e) {
    struct json_slice value;
    size_t count = 0;
    if (!json_slice_is_array(array)) return err_set(e, ERR_INVALID, "not an array");
    for (struct json_walk w = json_walk_into(array); json_walk_element(&w, &value); count++) {
        if (count == max) return err_set(e, ERR_INVALID, "more than %zu elements", max);
        if (!read(value, out, e)) return err_wrap(e, "[%zu]", count);
    }
    return true;
}

void *tuf_grow(void *list, size_t count, size_t size) {
    if ((count & (count - 1)) == 0) list = memory_resize(list, count == 0 ? 1 : 2 * count, size);
    memset((char *)list + count * size, 0, size);
    return list;
}

const void *tuf_sort(void *list, size_t count, size_t size,
                     int (*compare)(const void *a, const void *b)) {
    if (count == 0) return NULL;
    qsort(list, count, size, compare);
    for (const char *element = list; --count > 0; element += size)
        if (compare(element, element + size) == 0) return element;
    return NULL;
}

bool tuf_read_string(struct json_slice value, void *out, struct err *e) {
    char **string = out;
    OWN_TEXT struct text words = TEXT_EMPTY;
    if (!json_slice_text(value, &words)) return err_set(e, ERR_INVALID, "not a string");
    free(*string);
    *string = text_take(&words);
    return true;
}

static bool add_string(struct json_slice value, void *out, struct err *e) {
    struct tuf_strings *strings = out;
    strings->list = tuf_grow(strings->list, strings->count, sizeof *strings->list);
    return tuf_read_string(value, &strings->list[strings->count++], e);
}

bool tuf_read_strings(struct json_slice value, void *out, struct err *e) {
    return tuf_read_list(value, TUF_PATHS_MAX, add_string, out, e);
}

bool tuf_read_bool(struct json_slice value, void *out, struct err *e) {
    return json_slice_bool(value, out) || err_set(e, ERR_INVALID, "neither true nor false");
}

static bool read_int_from(int64_t least, struct json_slice value, int64_t *out, struct err *e) {
    if (json_slice_int(value, out) && *out >= least) return true;
    return err_set(e, ERR_INVALID, "not a whole number from %" PRId64 " to %" PRId64, least,
                   JSON_INT_MAX);
}

bool tuf_read_length(struct json_slice value, void *out, struct err *e) {
    return read_int_from(0, value, out, e);
}

bool tuf_read_version(struct json_slice value, void *out, struct err *e) {
    return read_int_from(1, value, out, e);
}

/* "2030-01-31T12:00:00Z" and nothing else that RFC 3339 allows. */
static bool read_expires(struct json_slice value, void *out, struct err *e) {
    int64_t *expires_ms = out;
    OWN_TEXT struct text when = TEXT_EMPTY;
    *expires_ms = -1;
    if (json_slice_text(value, &when) && when.length == strlen("2030-01-31T12:00:00Z") &&
        when.data[10] == 'T' && when.data[19] == 'Z')
        *expires_ms = clock_parse_rfc3339(when.data);
    return *expires_ms >= 0 || err_set(e, ERR_INVALID, "not a time in UTC as 2030-01-31T12:00:00Z");
}

static bool read_type(struct json_slice value, void *out, struct err *e) {
    const char *const *role = out;
    OWN_TEXT struct text type = TEXT_EMPTY;
    if (json_slice_text(value, &type) && strcmp(type.data, *role) == 0) return true;
    return err_set(e, ERR_INVALID, "not \"%s\"", *role);
}

static const char *skip_number(const char *at) {
    size_t digits = strspn(at, "0123456789");
    return digits > 0 ? at + digits : "?";
}

/* Two numbers or three, the first of which is 1. */
static bool read_spec_version(struct json_slice value, void *out, struct err *e) {
    (void)out;
    OWN_TEXT struct text version = TEXT_EMPTY;
    if (json_slice_text(value, &version) && strncmp(version.data, "1.", 2) == 0) {
        const char *rest = skip_number(version.data + 2);
        if (*rest == '.') rest = skip_number(rest + 1);
        if (*rest == '\0') return true;
    }
    return err_set(e, ERR_INVALID, "not a version 1.x of the specification");
}

bool tuf_copy_name(char *target, size_t size, const char *name, struct err *e) {
    if (*name == '\0') return err_set(e, ERR_INVALID, "an empty name");
    return text_copy(target, size, name) ||
           err_set(e, ERR_INVALID, "a name of more than %zu bytes", size - 1);
}

static bool add_key_id(struct json_slice value, void *out, struct err *e) {
    struct tuf_signers *s = out;
    OWN_TEXT struct text id = TEXT_EMPTY;
    if (!json_slice_text(value, &id)) return err_set(e, ERR_INVALID, "not a string");
    s->key_ids = tuf_grow(s->key_ids, s->key_count, sizeof *s->key_ids);
    if (!tuf_copy_name(s->key_ids[s->key_count], TUF_KEY_ID_SIZE, id.data, e)) return false;
    for (size_t i = 0; i < s->key_count; i++)
        if (strcmp(s->key_ids[i], s->key_ids[s->key_count]) == 0)
            return err_set(e, ERR_INVALID, "a key id that is there twice");
    s->key_count++;
    return true;
}

static bool read_key_ids(struct json_slice value, void *out, struct err *e) {
    return tuf_read_list(value, TUF_KEYS_MAX, add_key_id, out, e);
}

/* More keys than a role may have cannot sign; whether as many as are asked for are there at all
 * shows when signatures are counted. */
static bool read_threshold(struct json_slice value, void *out, struct err *e) {
    int64_t *threshold = out;
    if (json_slice_int(value, threshold) && *threshold >= 1 && *threshold <= TUF_KEYS_MAX)
        return true;
    return err_set(e, ERR_INVALID, "not a whole number from 1 to %d", TUF_KEYS_MAX);
}

bool tuf_read_signers(struct json_slice value, void *out, struct err *e) {
    struct tuf_signers *s = out;
    struct tuf_member members[] = {
        TUF_MUST("keyids", read_key_ids, s),
        TUF_MUST("threshold", read_threshold, &s->threshold),
    };
    return tuf_read_members(value, members, TUF_COUNT(members), e);
}

static bool read_keyval(struct json_slice value, void *out, struct err *e) {
    struct tuf_member members[] = {
        TUF_MAY("public", tuf_read_string, out),
    };
    return tuf_read_members(value, members, TUF_COUNT(members), e);
}

/* A key of a kind that nobody here knows may look as it likes: it counts for nothing. */
static bool read_key(struct json_slice value, struct tuf_key *out, struct err *e) {
    OWN_MEMORY char *keytype = NULL;
    OWN_MEMORY char *scheme = NULL;
    struct tuf_member members[] = {
        TUF_MUST("keytype", tuf_read_string, &keytype),
        TUF_MUST("scheme", tuf_read_string, &scheme),
        TUF_MUST("keyval", read_keyval, &out->value),
    };
    if (!tuf_read_members(value, members, TUF_COUNT(members), e)) return false;
    if (out->value == NULL) out->value = text_duplicate("");
    text_cut(out->keytype, sizeof out->keytype, keytype);
    text_cut(out->scheme, sizeof out->scheme, scheme);
    return true;
}

static bool add_key(const char *id, struct json_slice value, void *out, struct err *e) {
    struct tuf_keys *keys = out;
    keys->list = tuf_grow(keys->list, keys->count, sizeof *keys->list);
    struct tuf_key *added = &keys->list[keys->count++];
    return tuf_copy_name(added->id, sizeof added->id, id, e) && read_key(value, added, e);
}

static int compare_keys(const void *a, const void *b) {
    const struct tuf_key *first = a;
    const struct tuf_key *second = b;
    return strcmp(first->id, second->id);
}

bool tuf_read_keys(struct json_slice value, void *out, struct err *e) {
    struct tuf_keys *keys = out;
    if (!tuf_read_map(value, TUF_KEYS_MAX, add_key, keys, e)) return false;
    const struct tuf_key *twice =
        tuf_sort(keys->list, keys->count, sizeof *keys->list, compare_keys);
    return twice == NULL || err_set(e, ERR_INVALID, "key id %s is there twice", twice->id);
}

static bool read_sha256(struct json_slice value, void *out, struct err *e) {
    OWN_TEXT struct text hex = TEXT_EMPTY;
    if (json_slice_text(value, &hex) && sha256_hex_valid(hex.data))
        return text_copy(out, SHA256_HEX_SIZE, hex.data);
    return err_set(e, ERR_INVALID, "not 64 lower-case hex digits");
}

static bool read_sha512(struct json_slice value, void *out, struct err *e) {
    OWN_TEXT struct text hex = TEXT_EMPTY;
    if (json_slice_text(value, &hex) && hex.length == SHA512_HEX_SIZE - 1 &&
        strspn(hex.data, "0123456789abcdef") == hex.length)
        return text_copy(out, SHA512_HEX_SIZE, hex.data);
    return err_set(e, ERR_INVALID, "not 128 lower-case hex digits");
}

bool tuf_read_hashes(struct json_slice value, void *out, struct err *e) {
    struct tuf_promise *p = out;
    struct tuf_member members[] = {
        TUF_MAY("sha256", read_sha256, p->sha256),
        TUF_MAY("sha512", read_sha512, p->sha512),
    };
    if (!tuf_read_members(value, members, TUF_COUNT(members), e)) return false;
    return p->sha256[0] != '\0' || p->sha512[0] != '\0' ||
           err_set(e, ERR_INVALID, "neither sha256 nor sha512 among them");
}

bool tuf_read_promise(struct json_slice value, struct tuf_promise *out, struct err *e) {
    *out = (struct tuf_promise){.length = -1};
    struct tuf_member members[] = {
        TUF_MUST("version", tuf_read_version, &out->version),
        TUF_MAY("length", tuf_read_length, &out->length),
        TUF_MAY("hashes", tuf_read_hashes, out),
    };
    return tuf_read_members(value, members, TUF_COUNT(members), e);
}

static bool keep_object(struct json_slice value, void *out, struct err *e) {
    *(struct json_slice *)out = value;
    return json_slice_is_object(value) || err_set(e, ERR_INVALID, "not an object");
}

static bool keep_array(struct json_slice value, void *out, struct err *e) {
    *(struct json_slice *)out = value;
    return json_slice_is_array(value) || err_set(e, ERR_INVALID, "not an array");
}

bool tuf_envelope_of(const char *bytes, size_t length, struct tuf_envelope *out, struct err *e) {
    struct json_slice file;
    struct tuf_member members[] = {
        TUF_MUST("signed", keep_object, &out->part),
        TUF_MUST("signatures", keep_array, &out->signatures),
    };
    memset(out, 0, sizeof *out);
    return json_slice_of(bytes, length, &file, e) &&
           tuf_read_members(file, members, TUF_COUNT(members), e);
}

static bool read_signed(struct json_slice part, enum tuf_role_kind role,
                        struct tuf_heading *heading, struct tuf_member *members, size_t count,
                        struct err *e) {
    const char *name = tuf_role_name(role);
    struct tuf_member headings[] = {
        TUF_MUST("_type", read_type, &name),
        TUF_MUST("spec_version", read_spec_version, NULL),
        TUF_MUST("version", tuf_read_version, &heading->version),
        TUF_MUST("expires", read_expires, &heading->expires_ms),
    };
    return tuf_read_members(part, headings, TUF_COUNT(headings), e) &&
           tuf_read_members(part, members, count, e);
}

bool tuf_read_file(const char *bytes, size_t length, enum tuf_role_kind role,
                   struct tuf_heading *heading, struct tuf_member *members, size_t count,
                   struct err *e) {
    struct tuf_envelope file;
    if (tuf_envelope_of(bytes, length, &file, e) &&
        read_signed(file.part, role, heading, members, count, e))
        return true;
    return err_wrap(e, "%s metadata", tuf_role_name(role));
}
