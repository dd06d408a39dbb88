/* A published build, as everybody in the master passes it around. */
#pragma once

#include "lib/artifact.h"
#include "lib/hash.h"
#include "lib/sign.h"

#include <stdint.h>

#define CATALOG_SIGNATURE_SIZE 1024
#define CATALOG_NOTES_SIZE 1024

struct binary {
    struct artifact_name id;
    char sha256[SHA256_HEX_SIZE];
    char key_id[SIGN_KEY_ID_HEX_SIZE];
    bool publisher_signed;
    bool yanked;
    bool left_out; /* signed targets do not name it: agents would refuse it */
    int64_t size_bytes;
    int64_t uploaded_at_ms;
    int64_t deleted_at_ms; /* 0: it is not */
    /* By the release key, binding the file name; "" when that key was wiped. */
    char signature[CATALOG_SIGNATURE_SIZE];
    char publisher_signature[CATALOG_SIGNATURE_SIZE];
    char notes[CATALOG_NOTES_SIZE];
};

/* Whether channels and rollouts may choose it. */
static inline bool binary_is_offered(const struct binary *b) {
    return !b->yanked && !b->left_out;
}
