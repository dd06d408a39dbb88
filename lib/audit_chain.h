/* The audit trail's arithmetic, the same for the master, which writes it, and for who checks it:
 * the hash of each row covers the row and the hash before it, and checkpoints sign hashes. Pure. */
#pragma once

#include "lib/hash.h"
#include "lib/sign.h"

#include <stdint.h>

struct audit_row {
    int64_t at_ms;
    const char *principal, *action, *subject, *data;
};

/* A master forgets rows only when it has more than so many newer ones. */
#define AUDIT_ROWS_KEPT 1000000

/* before is the hash of the row before it, "" for the first one. */
void audit_chain_hash(const char *before, const struct audit_row *row, char out[SHA256_HEX_SIZE]);

/* A checkpoint says: at this time the row `seq` was the newest one, and this its hash. */
struct audit_point {
    int64_t seq, at_ms;
    char hash[SHA256_HEX_SIZE];
};
void audit_point_sign(const struct audit_point *point, const struct sign_secret *key,
                      unsigned char out[SIGN_SIGNATURE_SIZE]);
bool audit_point_valid(const struct audit_point *point, const struct sign_public *key,
                       const unsigned char signature[SIGN_SIGNATURE_SIZE]);
