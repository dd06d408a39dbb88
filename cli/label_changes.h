/* "rack=b role- " as people type label changes -> the JSON the master takes. Pure. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

#include <stddef.h>

/* Appends {"labels":{"rack":"b","role":null},"channel":"beta"}: KEY=VALUE sets, KEY- removes,
 * channel "" is left out. ERR_USAGE for anything else, and when nothing would change. */
MUST_CHECK bool label_changes_json(char *const *changes, size_t count, const char *channel,
                                   struct text *out, struct err *e);
