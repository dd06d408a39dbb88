/* Signed messages of the bus as the agent makes and believes them. Pure. */
#pragma once

#include "lib/err.h"
#include "lib/json.h"
#include "lib/session.h"
#include "lib/sign.h"
#include "lib/text.h"

/* Encodes message by schema and signs it as the agent. */
void message_sign(const struct sign_secret *key, const struct json_schema *schema,
                  const void *message, struct text *frame);

struct message_expected {
    const struct sign_public *master_key;
    const char *type;  /* "hello" */
    const char *nonce; /* the answer must carry it */
    const struct json_schema
        *schema; /* of a struct that begins with type[24] and nonce[WIRE_NONCE_HEX_SIZE] */
};

/* Proves that bytes are the master's answer to the message with this nonce and decodes it; free
 * what it owns with json_clear. An error message of the master becomes *e: its code, text and hint.
 * ERR_UNTRUSTED when it is not the master's or answers something else. */
MUST_CHECK bool message_open(const struct message_expected *expected, const void *bytes,
                             size_t length, void *out, struct err *e);

/* Whether the frame is the master's signed refusal of the message with this nonce; then *e says
 * why. *hello_required is set for an unknown session. */
bool message_refused(const struct sign_public *master_key, const char *nonce, const struct frame *f,
                     bool *hello_required, struct err *e);
