/* What this account has come to believe of a grid's repository, kept in ~/.config/grid/tuf/MASTER/:
 * the root that --root or the join string names, else that of the first use, then whatever its keys
 * have signed since (lib/tuf_client.h). So a master that was broken into cannot have a publisher
 * sign what follows from a root or from targets of its own, or from older ones. */
#pragma once

#include "cli/invocation.h"
#include "lib/text.h"
#include "lib/tuf_metadata.h"

/* The newest metadata of each role, verified; the caller frees the texts, on failure too.
 * ERR_UNTRUSTED says what the master tries. */
MUST_CHECK bool trust_pin_refresh(struct invocation *call, struct text files[TUF_ROLE_COUNT],
                                  struct err *e);
