/* The next root and the targets that go with it, from what is in force and changes. */
#pragma once

#include "cli/trust_draft.h"
#include "cli/trust_root.h"

/* The root after the one in force. When the targets in force would not hold under it, and the
 * master has not the keys to sign them anew, the draft gets targets that say the same, to be signed
 * by who may from then on; ERR_USAGE when those are not known (--metadata). */
MUST_CHECK bool trust_next_root(const struct trust_base *base, const struct trust_changes *changes,
                                int64_t life_ms, struct trust_draft *out, struct err *e);

#define TRUST_ROOT_LIFE_MS (INT64_C(730) * 24 * 3600 * 1000)
#define TRUST_TARGETS_LIFE_MS (INT64_C(365) * 24 * 3600 * 1000)
