/* The strict rules of lib/json.h on text alone, before any tree is built. Pure. */
#pragma once

#include "lib/err.h"

#include <stddef.h>

#define JSON_DEPTH_MAX 32
#define JSON_NUMBER_MAX_CHARACTERS 64

/* Whether the bytes are exactly one JSON value (RFC 8259) with valid UTF-8, no \u0000, no lone
 * surrogates, numbers a double can hold, nested at most JSON_DEPTH_MAX deep. Duplicate keys are not
 * looked for. ERR_INVALID names the byte. */
MUST_CHECK bool json_scan(const char *json, size_t length, struct err *e);
