/* Keys of the grid in the state directory, but for those of TUF metadata (master/repo.h). Three
 * uses that never mix: the master's message key signs bus messages; the release key signs every
 * accepted artifact and the first root, for agents that know no root yet; publisher keys in
 * trusted-keys/ govern intake only. Any thread; an inner lock guards publishers and the release
 * key, which may be wiped. */
#pragma once

#include "lib/err.h"
#include "lib/sign.h"

struct keys;

/* Reads STATE/keys/{master,release}.key and STATE/trusted-keys/\*.pub; makes missing grid keys only
 * when the state directory is new (fresh), otherwise ERR_CORRUPT tells to restore a backup: but for
 * a release key that left its public half release.pub behind when it was wiped. A release or master
 * key found among the publishers is refused. */
MUST_CHECK bool keys_open(struct keys **out, const char *state_directory, bool fresh,
                          struct err *e);
void keys_close(struct keys *k);
OWN_DEFINE(keys, struct keys, keys_close)

const struct sign_secret *keys_master(const struct keys *k);

const struct sign_public *keys_release(const struct keys *k); /* also once the secret is wiped */
bool keys_release_here(struct keys *k);

/* Appends the release key's signature of the file (sign_file), nothing once that key is wiped. */
MUST_CHECK bool keys_sign_release(struct keys *k, int fd, const char *file_name, struct text *out,
                                  struct err *e);

/* Wipes the release key, on disk and in memory; its public half stays. */
MUST_CHECK bool keys_wipe_release(struct keys *k, struct err *e);

/* Publishers, at most KEYS_PUBLISHERS_MAX: copies into out, returns how many. */
#define KEYS_PUBLISHERS_MAX 64
struct publisher {
    struct sign_public key;
    int64_t trusted_at_ms;
};
size_t keys_publishers(struct keys *k, struct publisher out[KEYS_PUBLISHERS_MAX]);

/* Trusts a publisher: written to trusted-keys/<id>.pub durably, then in force. Already there: true.
 * ERR_CONFLICT for one of the grid's own keys. */
MUST_CHECK bool keys_trust(struct keys *k, const struct sign_public *publisher, struct err *e);
MUST_CHECK bool keys_distrust(struct keys *k, const char *key_id_hex,
                              struct err *e); /* ERR_NOT_FOUND */
