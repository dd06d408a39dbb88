/* Semantic Versioning 2.0.0 (semver.org): validity and precedence. Pure. */
#pragma once

#include <stdbool.h>

#define SEMVER_SIZE 64 /* longest version text that the grid takes, with its NUL */

/* True for MAJOR.MINOR.PATCH[-pre][+build] without a leading 'v', shorter than SEMVER_SIZE. */
bool semver_valid(const char *version);
bool semver_is_prerelease(const char *version);

/* Precedence of section 11: negative, 0 or positive. Build metadata does not count; use
 * semver_order to sort. Both must be valid. */
int semver_compare(const char *a, const char *b);

/* A total order: precedence first, then build metadata bytewise, so that lists are stable. */
int semver_order(const char *a, const char *b);
