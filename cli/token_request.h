/* Tokens made from --kind, --role, --uses, --expires, --label. */
#pragma once

#include "cli/answers.h"
#include "cli/api.h"
#include "cli/invocation.h"

/* POST /api/tokens. The caller clears *out with answer_created_token_schema. */
MUST_CHECK bool token_request_send(struct invocation *call, struct http_answer *answer,
                                   struct answer_created_token *out, struct err *e);

/* "one machine may use it, within 1 h", "role viewer, for 1 h". Pure. */
void token_request_limits(const struct settings *s, struct text *out);

/* The body of POST /api/tokens. Pure. ERR_USAGE for what cannot be meant: a role with a join token,
 * --label without '=', uses below 1.
 */
MUST_CHECK bool token_request_json(const struct settings *s, struct text *out, struct err *e);
