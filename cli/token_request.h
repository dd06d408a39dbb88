/* The body of POST /api/tokens from --kind, --role, --uses, --expires, --label. Pure. */
#pragma once

#include "cli/settings.h"
#include "lib/err.h"
#include "lib/text.h"

/* ERR_USAGE for what cannot be meant: a role with a join token, --label without '=', uses below 1.
 */
MUST_CHECK bool token_request_json(const struct settings *s, struct text *out, struct err *e);
