/* What the parts of lib/tuf_metadata.h share: reading JSON by small tables, and maps whose keys are
 * data. Errors say where by the path of members before them. Included by lib/tuf_*.c only. */
#pragma once

#include "lib/json_slice.h"
#include "lib/tuf_metadata.h"

#define TUF_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Reads one value into *out. What it allocated so far is reachable from *out even on failure. */
typedef bool tuf_reader(struct json_slice value, void *out, struct err *e);

/* A member that an object must have, unless it is optional. */
struct tuf_member {
    const char *name;
    tuf_reader *read;
    void *out;
    bool optional;
    bool given; /* set while reading */
};
#define TUF_MUST(name_, read_, out_)                                                               \
    { .name = (name_), .read = (read_), .out = (out_) }
#define TUF_MAY(name_, read_, out_)                                                                \
    { .name = (name_), .read = (read_), .out = (out_), .optional = true }

/* Members of other names are passed over; one that is there twice is ERR_INVALID. */
MUST_CHECK bool tuf_read_members(struct json_slice object, struct tuf_member *members, size_t count,
                                 struct err *e);

/* Calls read for at most max members of an object, keys decoded, or elements of an array. */
MUST_CHECK bool tuf_read_map(struct json_slice object, size_t max,
                             bool (*read)(const char *key, struct json_slice value, void *out,
                                          struct err *e),
                             void *out, struct err *e);
MUST_CHECK bool tuf_read_list(struct json_slice array, size_t max, tuf_reader *read, void *out,
                              struct err *e);

/* Room for one more, zeroed, behind count elements of size bytes, in a list that only this grows;
 * the list may move. Returns the list. */
void *tuf_grow(void *list, size_t count, size_t size);

/* Sorts; returns an element that is equal to another one, NULL when there is none. */
MUST_CHECK const void *tuf_sort(void *list, size_t count, size_t size,
                                int (*compare)(const void *a, const void *b));

tuf_reader tuf_read_string;  /* char *, owned; frees an older one */
tuf_reader tuf_read_strings; /* struct tuf_strings */
tuf_reader tuf_read_bool;    /* bool */
tuf_reader tuf_read_length;  /* int64_t from 0 */
tuf_reader tuf_read_version; /* int64_t from 1 */
tuf_reader tuf_read_signers; /* struct tuf_signers */
tuf_reader tuf_read_keys;    /* struct tuf_keys */
tuf_reader tuf_read_hashes;  /* struct tuf_promise */

struct tuf_strings {
    char **list; /* owned */
    size_t count;
};

/* The promise of a metadata file: version, and length and hashes where they are given. */
MUST_CHECK bool tuf_read_promise(struct json_slice value, struct tuf_promise *out, struct err *e);

/* Copies decoded text that must be there and fit: names of keys and roles. */
MUST_CHECK bool tuf_copy_name(char *target, size_t size, const char *name, struct err *e);

/* The two parts of a metadata file. */
struct tuf_envelope {
    struct json_slice part; /* "signed" */
    struct json_slice signatures;
};
MUST_CHECK bool tuf_envelope_of(const char *bytes, size_t length, struct tuf_envelope *out,
                                struct err *e);

/* A whole file: "signed" must be of this role; its heading, then its own members. */
MUST_CHECK bool tuf_read_file(const char *bytes, size_t length, enum tuf_role_kind role,
                              struct tuf_heading *heading, struct tuf_member *members, size_t count,
                              struct err *e);

void tuf_keys_clear(struct tuf_keys *keys);
void tuf_signers_clear(struct tuf_signers *s);
