/* The builds of the agent on this machine, docs/decisions/0010-agent-builds.md:
 *
 *   STATE/agent/VERSION-SHA256/grid-agent   never changed; the name says what must be inside
 *   STATE/agent/current, previous           links to such directories, switched by rename
 *
 * The launcher works here while no agent of it runs, the agent while it does. Blocks on disk. */
#pragma once

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/semver.h"

#include <limits.h>

#define BUILDS_NAME_SIZE (SEMVER_SIZE + SHA256_HEX_SIZE)

/* Whether a directory of this name could hold a build: VERSION-SHA256. Pure. */
bool builds_name_valid(const char *name);

/* As long as a version can be. False when it does not fit, which no valid version does. */
MUST_CHECK bool builds_name(const char *version, const char *sha256, char out[BUILDS_NAME_SIZE]);

/* Both halves of a valid name. */
void builds_split(const char *name, char version[SEMVER_SIZE], char sha256[SHA256_HEX_SIZE]);

/* The build that the link "current" or "previous" of directory names. ERR_NOT_FOUND when there is
 * no such link, ERR_CORRUPT when it names none. */
MUST_CHECK bool builds_linked(const char *directory, const char *link, char out[BUILDS_NAME_SIZE],
                              struct err *e);

/* The build's program, proven to hold the bytes that its name promises. ERR_NOT_FOUND, ERR_DENIED,
 * ERR_CORRUPT, ERR_IO. */
MUST_CHECK bool builds_prove(const char *directory, const char *name, char program[PATH_MAX],
                             struct err *e);

/* Makes the verified file at temporary_path, in directory itself, this build: mode 0500, flushed,
 * whole or absent after a crash. Bytes that are there already are replaced. */
MUST_CHECK bool builds_add(const char *directory, const char *name, int fd,
                           const char *temporary_path, struct err *e);

/* Removes what is no build of keep: other builds, and what was left over beside them. Best effort.
 */
void builds_collect(const char *directory, const char *const *keep, size_t count);

/* Makes this build current and the one before previous, in that order on disk. Proves it first; the
 * same call again changes nothing. Errors of builds_prove, ERR_INVALID for what is no build's name.
 */
MUST_CHECK bool builds_use(const char *directory, const char *name, struct err *e);

/* Makes "current" name this build and removes "previous". A crash leaves either the old or the new
 * "current" behind, and the same call again completes it. */
MUST_CHECK bool builds_go_back(const char *directory, const char *name, struct err *e);
