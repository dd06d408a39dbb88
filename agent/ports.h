/* TCP ports of this machine's loopback for nodes. Any thread; reads /proc. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether 127.0.0.1:port can be listened on now. */
bool ports_free(int port);

/* Who listens on the port: "pid 123 (nginx)"; "another process" when it cannot be known. Returns
 * out. */
#define PORTS_HOLDER_SIZE 64
char *ports_holder(int port, char out[PORTS_HOLDER_SIZE]);

/* A free port within first..last that is not among the count reserved ones: preferred when it will
 * do, else the first from offset on (modulo the range's size). 0 when there is none. */
int ports_choose(int first, int last, const int *reserved, size_t count, int preferred,
                 unsigned offset);
