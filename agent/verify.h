/* Whether bytes are what they claim to be. Every check reads the descriptor itself (pread), so that
 * what was checked is what is used. Any thread; blocks on disk. */
#pragma once

#include "agent/version.h"
#include "lib/err.h"

/* That the name fits: one of this machine's platform and arch, of this version. ERR_INVALID,
 * ERR_UNTRUSTED. */
MUST_CHECK bool verify_name(const struct version *v, struct err *e);

/* Size and SHA-256. ERR_UNTRUSTED says what was found and what was expected. */
MUST_CHECK bool verify_digest(const struct version *v, int fd, struct err *e);

/* That this machine can run it (ELF machine). ERR_UNTRUSTED. */
MUST_CHECK bool verify_machine(const struct version *v, int fd, struct err *e);

/* Both of them. Whether anybody vouches for these bytes is agent/trust.h's to say. */
MUST_CHECK bool verify_bytes(const struct version *v, int fd, struct err *e);
