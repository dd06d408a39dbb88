/* Paths of targets that a delegation covers (The Update Framework 1.0, section 4.5). Pure. */
#pragma once

#include <stdbool.h>

/* Whether the whole path fits the pattern: '*' stands for any characters and '?' for one, neither
 * for '/'; every other character for itself. Takes time in proportion to both lengths at most. */
bool tuf_path_matches(const char *pattern, const char *path);
