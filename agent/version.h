/* One version of an artifact as the agent keeps it: what the bytes are and by whose word. Pure. */
#pragma once

#include "lib/artifact.h"
#include "lib/hash.h"
#include "lib/json.h"

struct version {
    char sha256[SHA256_HEX_SIZE]; /* "" : none */
    int64_t size_bytes;
    char file[ARTIFACT_FILE_SIZE]; /* the name that it was published by; for local files whatever
                                      they are called */
    char version[SEMVER_SIZE];     /* "" when a local file's name does not tell */
    int64_t targets_version;       /* of the trusted targets that named it when its bytes came onto
                                      this machine; 0: none did */
    char *signature; /* by the release key, as agents of before TUF need it; what such an agent kept
                        has been proven by it. NULL or "" for none */
};
extern const struct json_schema version_schema;

/* Of what is kept: whether its bytes were proven when they came; else they are a local file's. */
bool version_proven(const struct version *v);
void version_copy(struct version *target,
                  const struct version *source); /* target is cleared first */
void version_clear(struct version *v);
