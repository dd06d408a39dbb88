/* Names of artifacts: {name}-{version}-{platform}-{arch}. Pure, but for the ELF check. Any
 * thread. */
#pragma once

#include "lib/err.h"
#include "lib/platform.h"
#include "lib/semver.h"

#define ARTIFACT_DEFAULT_NAME "storage-server" /* meant where none is named */
#define ARTIFACT_AGENT_NAME "grid-agent"       /* agents exchange themselves for it */
#define ARTIFACT_NAME_SIZE 64
#define ARTIFACT_FILE_SIZE (ARTIFACT_NAME_SIZE + SEMVER_SIZE + 2 * PLATFORM_SIZE + 3)

struct artifact_name {
    char name[ARTIFACT_NAME_SIZE]; /* [a-z0-9][a-z0-9_.-]*, at most 63 characters */
    char version[SEMVER_SIZE];     /* semver 2.0 without 'v' */
    char platform[PLATFORM_SIZE];  /* canonical */
    char arch[PLATFORM_SIZE];      /* canonical */
};

/* Takes a file name apart. A name with only canonical parts is accepted; anything else is
 * ERR_INVALID whose text says which part is wrong and how it should look
 * ("storage-server-1.0-linux-x86_64: version 1.0 is not MAJOR.MINOR.PATCH"). Since version and name
 * may both hold '-', the version begins at the first "-digit" from which a valid semver reaches the
 * platform; platform and arch are the last two parts. */
MUST_CHECK bool artifact_name_parse(const char *file_name, struct artifact_name *out,
                                    struct err *e);

/* Checks and canonicalises four parts given one by one (REST path, flags); aliases of platform and
 * arch are taken. Parts whose file name would read back as other parts (name "a-1.0.0", version
 * "2.0.0") are refused, so that a file name has one meaning. */
MUST_CHECK bool artifact_name_make(const char *name, const char *version, const char *platform,
                                   const char *arch, struct artifact_name *out, struct err *e);

/* The file name; out holds ARTIFACT_FILE_SIZE characters; returns out. */
char *artifact_file_name(const struct artifact_name *a, char out[ARTIFACT_FILE_SIZE]);

/* Whether the file is an ELF executable (or a script, "#!") that a machine of this platform and
 * arch runs: e_machine, class and type of the ELF header (System V gABI). Only linux is checked;
 * "any" takes everything. ERR_UNTRUSTED says what was found. */
MUST_CHECK bool artifact_check_machine(int fd, const char *platform, const char *arch,
                                       struct err *e);
