/* Turns a backup into the state directory of a master that does not run. Either everything is there
 * and proven to be what the backup says, or nothing that a master would start from. */
#pragma once

#include "lib/err.h"

#include <stdint.h>

struct restore_result {
    int64_t files;
    int64_t bytes;
};

/* path: the archive; state: the directory, made when missing. ERR_CONFLICT when it holds state
 * already or a master has it locked, ERR_CORRUPT when a file is not what MANIFEST says. check_only:
 * nothing is written outside a temporary directory that is removed again. */
MUST_CHECK bool restore(const char *path, const char *state, bool check_only,
                        struct restore_result *out, struct err *e);

/* Whether an entry may be in a backup: "grid.db", "MANIFEST", or "keys/", "trusted-keys/",
 * "objects/" with one plain name. Pure. */
bool restore_name_allowed(const char *name);

/* Takes one line of `sha256sum` apart: "<64 hex>  name". False when it is none. Pure. */
MUST_CHECK bool restore_manifest_line(const char *line, char sha256[65], const char **name);
