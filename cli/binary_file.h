/* A local file that is or will be an artifact: opened once, named by the file name rule or by
 * options, hashed. */
#pragma once

#include "cli/settings.h"
#include "lib/artifact.h"
#include "lib/hash.h"
#include "lib/text.h"

struct binary_file {
    int fd; /* -1: closed */
    char path[PATH_MAX];
    struct artifact_name id;
    char name[ARTIFACT_FILE_SIZE]; /* the artifact's file name, whatever the local one is */
    char sha256[SHA256_HEX_SIZE];
    int64_t size_bytes;
};

/* Opens a regular, non-empty file. --name, --version, --platform, --arch win over what its name
 * says. */
MUST_CHECK bool binary_file_open(const char *path, const struct settings *s,
                                 struct binary_file *out, struct err *e);
void binary_file_close(struct binary_file *f);
#define OWN_BINARY_FILE __attribute__((cleanup(binary_file_close)))

/* The naming alone; pure. ERR_USAGE tells which options are missing. */
MUST_CHECK bool binary_file_identify(const char *path, const struct settings *s,
                                     struct artifact_name *out, struct err *e);

/* Reads the signature that belongs to f: the file --signature, else PATH.minisig; *found false when
 * there is no PATH.minisig. */
MUST_CHECK bool binary_file_signature(const struct binary_file *f, const struct settings *s,
                                      struct text *out, bool *found, struct err *e);

/* Signs f, whose artifact name the signature binds, by a secret key file (key_file.h). */
MUST_CHECK bool binary_file_sign(const struct binary_file *f, const char *key_path,
                                 struct text *out, struct err *e);

/* Appends "/api/binaries/VERSION/PLATFORM/ARCH[/what]?name=NAME". Pure. */
void binary_path(const struct artifact_name *id, const char *what, struct text *out);
