/* A record that is replaced as a whole: a line that says what it is, with a CRC32C of what follows,
 * then JSON. Blocks on disk. */
#pragma once

#include "lib/err.h"
#include "lib/text.h"

/* magic: "grid journal 1". ERR_NOT_FOUND, ERR_IO; ERR_CORRUPT when it is not what was written. */
MUST_CHECK bool sealed_read(const char *path, const char *magic, struct text *json, struct err *e);

MUST_CHECK bool sealed_write(const char *path, const char *magic, const struct text *json,
                             struct err *e);
