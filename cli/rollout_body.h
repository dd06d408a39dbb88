/* The request that plans and starts a rollout, made of options. Pure. */
#pragma once

#include "cli/settings.h"
#include "lib/err.h"
#include "lib/text.h"

/* Appends the JSON body. What was not asked for is left out, so that the master's defaults count.
 * ERR_USAGE names the option and what it takes. */
MUST_CHECK bool rollout_body(const struct settings *s, struct text *out, struct err *e);
