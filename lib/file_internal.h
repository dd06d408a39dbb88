/* Between the parts of lib/file.h. */
#pragma once

#include "lib/file.h"

/* read(2), again when a signal came in between. */
MUST_CHECK ssize_t file_read_some(int fd, void *buffer, size_t size);
