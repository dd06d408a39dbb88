/* The builds of the agent on this machine, docs/decisions/0010-agent-builds.md:
 *
 *   STATE/agent/VERSION-SHA256/grid-agent   never changed; the name says what must be inside
 *   STATE/agent/current, previous           links to such directories, switched by rename
 *
 * One launcher at a time works here. Blocks on disk. */
#pragma once

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/semver.h"

#include <limits.h>

#define BUILDS_NAME_SIZE (SEMVER_SIZE + SHA256_HEX_SIZE)

/* Whether a directory of this name could hold a build: VERSION-SHA256. Pure. */
bool builds_name_valid(const char *name);

/* The build that the link "current" or "previous" of directory names. ERR_NOT_FOUND when there is
 * no such link, ERR_CORRUPT when it names none. */
MUST_CHECK bool builds_linked(const char *directory, const char *link, char out[BUILDS_NAME_SIZE],
                              struct err *e);

/* The build's program, proven to hold the bytes that its name promises. ERR_NOT_FOUND, ERR_DENIED,
 * ERR_CORRUPT, ERR_IO. */
MUST_CHECK bool builds_prove(const char *directory, const char *name, char program[PATH_MAX],
                             struct err *e);

/* Makes this build current and the one before previous, in that order on disk. Proves it first; the
 * same call again changes nothing. Errors of builds_prove, ERR_INVALID for what is no build's name.
 */
MUST_CHECK bool builds_use(const char *directory, const char *name, struct err *e);

/* Makes "current" name this build and removes "previous". A crash leaves either the old or the new
 * "current" behind, and the same call again completes it. */
MUST_CHECK bool builds_go_back(const char *directory, const char *name, struct err *e);
