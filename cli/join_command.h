/* The line that makes another machine a member of the grid. Pure. */
#pragma once

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/text.h"

/* One line for any POSIX shell: downloads install.sh from the master that the join string names,
 * with curl or wget, runs it as root only if it has this digest, and leaves no copy. ERR_INVALID
 * when the join string is none. */
MUST_CHECK bool join_command_line(const char *join, const char sha256[SHA256_HEX_SIZE],
                                  struct text *out, struct err *e);

/* "linux/x86_64, linux/aarch64" from the master's list of binaries (JSON): where both grid-agent
 * and grid-launcher are published. Nothing is added when there is no such place. */
MUST_CHECK bool join_command_platforms(const char *binaries_json, size_t length, struct text *out,
                                       struct err *e);
