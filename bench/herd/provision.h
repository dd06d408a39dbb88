/* Agents that a master knows without having joined: keys and rows, made in one go. */
#pragma once

#include "lib/err.h"
#include "lib/sign.h"

#include <stddef.h>

/* Adds count agents to the database of a stopped master and writes their keys to keys_path, which
 * must not be there yet. */
MUST_CHECK bool provision(const char *state, size_t count, const char *keys_path, struct err *e);

/* The first count keys; free() them. */
MUST_CHECK bool provision_read_keys(const char *keys_path, size_t count, struct sign_secret **out,
                                    struct err *e);

/* The key that the master of this state directory signs with. */
MUST_CHECK bool provision_master_key(const char *state, struct sign_public *out, struct err *e);
