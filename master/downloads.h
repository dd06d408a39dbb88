/* Download credentials: what an agent shows for the one file that it should run, where downloads
 * are closed to strangers. Nothing is stored: a credential carries whom and what it is for and
 * until when, under a key that only this grid's master has, before and after a restart. Pure. */
#pragma once

#include "lib/hash.h"
#include "lib/secret.h"
#include "lib/sign.h"
#include "lib/wire.h"

#include <stdint.h>

#define DOWNLOADS_LIFE_S 600 /* every answer to a heartbeat brings a new one */

struct downloads_key {
    unsigned char bytes[SECRET_MAC_KEY_SIZE];
};

void downloads_key_make(const struct sign_secret *master, struct downloads_key *out);

/* "gd_<until, Unix seconds>.<sha256>.<mac>.<agent id>". */
void downloads_grant(const struct downloads_key *key, const char *agent_id, const char *sha256,
                     int64_t now_wall_ms, char out[WIRE_DOWNLOAD_TOKEN_SIZE]);

struct download_right {
    char agent_id[WIRE_AGENT_ID_SIZE];
    char sha256[SHA256_HEX_SIZE];
};

enum download_proof { DOWNLOAD_FORGED, DOWNLOAD_EXPIRED, DOWNLOAD_PROVEN };

/* *out is filled unless it is forged. */
enum download_proof downloads_prove(const struct downloads_key *key, const char *text,
                                    int64_t now_wall_ms, struct download_right *out);
bool downloads_is_grant(const char *text);
