/* Keys of the grid in the state directory. Three uses that never mix: the master's message key
 * signs bus messages; the release key signs every accepted artifact and is the only one that agents
 * believe; publisher keys in trusted-keys/ govern intake only. Any thread; publishers are guarded
 * by an inner lock. */
#pragma once

#include "lib/err.h"
#include "lib/sign.h"

struct keys;

/* Reads STATE/keys/{master,release}.key and STATE/trusted-keys/\*.pub; makes missing grid keys only
 * when the state directory is new (fresh), otherwise ERR_CORRUPT tells to restore a backup. A
 * release or master key found among the publishers is refused. */
MUST_CHECK bool keys_open(struct keys **out, const char *state_directory, bool fresh,
                          struct err *e);
void keys_close(struct keys *k);
OWN_DEFINE(keys, struct keys, keys_close)

const struct sign_secret *keys_master(const struct keys *k);
const struct sign_secret *keys_release(const struct keys *k);

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
