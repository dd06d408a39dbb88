/* Whether an audit trail is whole: its rows in a chain, what its master signed of them, and what
 * was seen of it before. Pure. */
#pragma once

#include "cli/answers.h"
#include "lib/audit_chain.h"

/* What is remembered of a trail between two checks. */
struct audit_memory {
    char master_key[SIGN_PUBLIC_TEXT_SIZE]; /* "": nothing yet */
    int64_t seq;                            /* of the newest row seen; 0: none */
    char hash[SHA256_HEX_SIZE];             /* its */
    char at[32];                            /* when it was checked */
};
extern const struct json_schema audit_memory_schema;

struct audit_trail {
    const struct audit_memory *memory;
    const struct answer_audit_point *points; /* oldest first */
    size_t point_count, point;               /* point: the next that no row has met */
    int64_t first, last;                     /* seq; 0: no row yet */
    int64_t unseen; /* rows that came after what is remembered, and are not kept any more */
    char hash[SHA256_HEX_SIZE]; /* of last */
};

/* Checks the checkpoints' signatures and order. memory and points outlive t. ERR_UNTRUSTED. */
MUST_CHECK bool audit_trail_begin(struct audit_trail *t, const struct audit_memory *memory,
                                  const struct sign_public *key,
                                  const struct answer_audit_point *points, size_t count,
                                  struct err *e);

/* The rows, oldest first, all of them. ERR_CORRUPT says what was done to which. */
MUST_CHECK bool audit_trail_row(struct audit_trail *t, const struct answer_audit_row *row,
                                struct err *e);

/* After the last one: whether rows are missing at either end. */
MUST_CHECK bool audit_trail_end(const struct audit_trail *t, struct err *e);
