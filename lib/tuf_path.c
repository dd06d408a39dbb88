#include "lib/tuf_path.h"

#include <stddef.h>

bool tuf_path_matches(const char *pattern, const char *path) {
    const char *star = NULL, *star_path = NULL; /* the last '*', and what it has swallowed up to */
    while (*path != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            star_path = path;
        } else if (*pattern == *path || (*pattern == '?' && *path != '/')) {
            pattern++;
            path++;
        } else if (star != NULL && *star_path != '/') {
            pattern = star;
            path = ++star_path;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == '\0';
}
