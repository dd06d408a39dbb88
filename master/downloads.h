/* Download credentials: how an agent shows who it is where downloads are closed to strangers; what
 * it may have is decided when it asks (agents_may_fetch). Nothing is stored: a credential carries
 * whose it is and until when, under a key that only this grid's master has, before and after a
 * restart. Pure. */
#pragma once

#include "lib/secret.h"
#include "lib/sign.h"
#include "lib/wire.h"

#include <stdint.h>

#define DOWNLOADS_LIFE_S 600 /* every answer to a heartbeat brings a new one */

struct downloads_key {
    unsigned char bytes[SECRET_MAC_KEY_SIZE];
};

void downloads_key_make(const struct sign_secret *master, struct downloads_key *out);

/* "gd_<until, Unix seconds>.<mac>.<agent id>". */
void downloads_grant(const struct downloads_key *key, const char *agent_id, int64_t now_wall_ms,
                     char out[WIRE_DOWNLOAD_TOKEN_SIZE]);

enum download_proof { DOWNLOAD_FORGED, DOWNLOAD_EXPIRED, DOWNLOAD_PROVEN };

/* agent_id is filled unless it is forged. */
enum download_proof downloads_prove(const struct downloads_key *key, const char *text,
                                    int64_t now_wall_ms, char agent_id[WIRE_AGENT_ID_SIZE]);
bool downloads_is_grant(const char *text);
