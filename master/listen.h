/* Where the master listens, and whether it speaks TLS there. Pure but for a warning in the log. */
#pragma once

#include "lib/join.h"
#include "master/settings.h"

struct listen_address {
    char host[JOIN_HOST_SIZE];
    int port;
};

struct listen {
    struct listen_address http, bus;
    bool tls; /* on both */
};

/* ERR_USAGE for what cannot be meant: no address, flags that contradict each other, other machines
 * without TLS and without --insecure. */
MUST_CHECK bool listen_decide(const struct settings *s, struct listen *out, struct err *e);

/* The names of --tls-name and --host-name apart, in a list that ends with NULL; free it with
 * listen_names_free. NULL with *e set for one that no certificate can hold. */
MUST_CHECK const char **listen_names(const struct settings *s, struct err *e);
void listen_names_free(const char **names);
