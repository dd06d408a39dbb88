/* The next root: who may sign what from then on, made of the current root and of changes. Pure. */
#pragma once

#include "lib/tuf_metadata.h"

enum trust_change_kind { TRUST_ADD, TRUST_REMOVE, TRUST_THRESHOLD };

struct trust_change {
    enum trust_change_kind kind;
    enum tuf_role_kind role;
    struct sign_public key;   /* TRUST_ADD */
    char id[TUF_KEY_ID_SIZE]; /* TRUST_REMOVE */
    int64_t threshold;        /* TRUST_THRESHOLD */
};

struct trust_changes {
    struct trust_change *list; /* owned */
    size_t count;
};
void trust_changes_add(struct trust_changes *c, const struct trust_change *change);
void trust_changes_clear(struct trust_changes *c);
#define OWN_CHANGES __attribute__((cleanup(trust_changes_clear)))

/* The root after current: one version higher, good until expires_ms, changed in this order. Keys
 * that no role names any more are left out. ERR_CONFLICT for a key that is there already or is not
 * there, ERR_INVALID for a role whose threshold its keys cannot reach. On failure *out owns
 * nothing. */
MUST_CHECK bool trust_root_next(const struct tuf_root *current, const struct trust_changes *changes,
                                int64_t expires_ms, struct tuf_root *out, struct err *e);

/* Appends what gives a role to these keys alone, so many of which must sign. */
void trust_root_hand_over(const struct tuf_root *current, enum tuf_role_kind role,
                          const struct sign_public *keys, size_t count, int64_t threshold,
                          struct trust_changes *out);

/* The key of a role that word names: the beginning (6 characters or more) of its key id as
 * trust_key_name writes it, or of its TUF id. ERR_NOT_FOUND lists the role's keys, ERR_INVALID for
 * a word that fits several. */
MUST_CHECK bool trust_root_find(const struct tuf_root *root, enum tuf_role_kind role,
                                const char *word, char id[TUF_KEY_ID_SIZE], struct err *e);

/* "root=anna.pub" -> TUF_ROOT, "anna.pub". ERR_USAGE; option ("--add") is for words only. */
MUST_CHECK bool trust_root_word(const char *option, const char *word, enum tuf_role_kind *role,
                                const char **value, struct err *e);

/* What people call a key: the id that its minisign files have, too, when it was made by gridctl.
 * Returns out. */
char *trust_key_name(const struct tuf_key *k, char out[SIGN_KEY_ID_HEX_SIZE]);

/* Appends the names of these keys, with a space between; "?" for an id without a key. */
void trust_key_names(const struct tuf_keys *keys, const struct tuf_signers *signers,
                     struct text *out);

/* Whether the role has other keys or another threshold. */
bool trust_signers_differ(const struct tuf_signers *a, const struct tuf_signers *b);

/* How many of these keys are among others. */
size_t trust_signers_among(const struct tuf_signers *these, const struct tuf_signers *others);
