#include "agent/alive.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>

/* Set once, before threads start. */
static int descriptor = -1;
static int64_t every_ms = INT64_MAX;

void alive_begin(void) {
    char *end = NULL;
    const char *words = getenv(ALIVE_VARIABLE);
    if (words == NULL) return;
    int fd = (int)strtol(words, &end, 10);
    int64_t asked_ms = strtoll(end, NULL, 10);
    unsetenv(ALIVE_VARIABLE);
    if (fd <= 2 || asked_ms <= 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return;
    descriptor = fd;
    every_ms = asked_ms;
    alive_tell();
}

void alive_tell(void) {
    if (descriptor >= 0) (void)eventfd_write(descriptor, 1);
}

int64_t alive_every_ms(void) {
    return every_ms;
}
