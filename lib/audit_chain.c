#include "lib/audit_chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PURPOSE "grid audit checkpoint"

/* Each part with its length before it, so that no two rows read the same. */
static void add_part(struct sha256 *h, const char *part) {
    char length[24];
    int digits = snprintf(length, sizeof length, "%zu:", strlen(part));
    sha256_add(h, length, (size_t)digits);
    sha256_add(h, part, strlen(part));
}

void audit_chain_hash(const char *before, const struct audit_row *row, char out[SHA256_HEX_SIZE]) {
    OWN(sha256) struct sha256 *h = sha256_begin();
    char at[24];
    snprintf(at, sizeof at, "%" PRId64, row->at_ms);
    add_part(h, before);
    add_part(h, at);
    add_part(h, row->principal);
    add_part(h, row->action);
    add_part(h, row->subject);
    add_part(h, row->data);
    sha256_hex(h, out);
}

static void message_of(const struct audit_point *point, char out[128]) {
    snprintf(out, 128, "%" PRId64 " %" PRId64 " %s", point->seq, point->at_ms, point->hash);
}

void audit_point_sign(const struct audit_point *point, const struct sign_secret *key,
                      unsigned char out[SIGN_SIGNATURE_SIZE]) {
    char message[128];
    message_of(point, message);
    sign_message(key, PURPOSE, message, strlen(message), out);
}

bool audit_point_valid(const struct audit_point *point, const struct sign_public *key,
                       const unsigned char signature[SIGN_SIGNATURE_SIZE]) {
    char message[128];
    message_of(point, message);
    return sign_message_valid(key, PURPOSE, message, strlen(message), signature);
}
