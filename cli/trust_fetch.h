/* What is in force: from the master's repository, proven by what this account believes
 * (trust_pin.h), or from the files of --metadata where there is no network. */
#pragma once

#include "cli/invocation.h"
#include "cli/trust_words.h"

/* Root and targets, and what proves that they are the newest; with --metadata only what these files
 * are. No token is needed. */
MUST_CHECK bool trust_fetch(struct invocation *call, struct trust_base *out, struct err *e);

/* The same, and without --metadata also what the master says of its keys, which takes a token. */
MUST_CHECK bool trust_fetch_all(struct invocation *call, struct trust_base *out, struct err *e);
