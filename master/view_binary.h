/* Binaries, rejected drops, channels and keys as REST shows them. Pure. */
#pragma once

#include "lib/text.h"
#include "master/catalog.h"
#include "master/channels.h"
#include "master/held.h"
#include "master/intake.h"

void view_binary(const struct binary *b, struct text *out);     /* appends a JSON object */
void view_rejected(const struct rejected *r, struct text *out); /* the same */
void view_held(const struct held *h, struct text *out);         /* the same */
void view_channel(const struct channel *c, int64_t agents, struct text *out);

/* use: "release", "publisher", "master"; trusted_at_ms 0 is left out. */
void view_key(const struct sign_public *key, const char *use, int64_t trusted_at_ms,
              struct text *out);
