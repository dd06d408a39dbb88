/* One version of an artifact as the agent keeps it: what the bytes are and by whose word. Pure. */
#pragma once

#include "lib/artifact.h"
#include "lib/hash.h"
#include "lib/json.h"

struct version {
    char sha256[SHA256_HEX_SIZE]; /* "" : none */
    int64_t size_bytes;
    char file[ARTIFACT_FILE_SIZE]; /* the name that the signature binds; for local files whatever
                                      they are called */
    char version[SEMVER_SIZE];     /* "" when a local file's name does not tell */
    char *signature; /* minisign text by the release key; NULL or "": local and unsigned */
};
extern const struct json_schema version_schema;

bool version_signed(const struct version *v);
void version_copy(struct version *target,
                  const struct version *source); /* target is cleared first */
void version_clear(struct version *v);
