#include "cli/settings.h"

#include "lib/err.h"

#include <stdio.h>
#include <string.h>

bool settings_next(const char **cursor, char line[PATH_MAX]) {
    if (*cursor == NULL || **cursor == '\0') return false;
    size_t length = strcspn(*cursor, "\n");
    snprintf(line, PATH_MAX, "%.*s", (int)length, *cursor);
    *cursor += length + ((*cursor)[length] == '\n');
    return true;
}

bool settings_one(const char *lines, const char *option, char line[PATH_MAX], struct err *e) {
    line[0] = '\0';
    if (settings_next(&lines, line) && *lines != '\0')
        return err_set(e, ERR_USAGE, "%s is good for one file here", option);
    return true;
}
