/* Canonical JSON as OLPC defines it (wiki.laptop.org/go/Canonical_JSON), which TUF signs: keys
 * sorted bytewise, no white space, in strings only '"' and '\' escaped, no floats. Pure. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

#include <stddef.h>

/* Appends the canonical form of one value, which must keep to the rules of lib/json_scan.h and hold
 * no key twice, no number but whole ones within +-(2^53 - 1). ERR_INVALID names what is wrong. */
MUST_CHECK bool json_canonical(const char *json, size_t length, struct text *out, struct err *e);

/* Where the value of a member of the outermost object lies in the input. ERR_INVALID, also when
 * there is none. */
MUST_CHECK bool json_member(const char *json, size_t length, const char *name, const char **value,
                            size_t *value_length, struct err *e);
