/* TLS of the bus: what NNG's streams are given to speak it. TLS 1.2 with certificates on P-256, all
 * that NNG 1.5.2 and mbedTLS 2.28 do; a server's side may be OpenSSL's (lib/bus_openssl.c).
 * Included by lib/bus*.c only.
 *
 * NNG 1.5.2 frees the connection of a dial or an accept that failed while a thread that cancels it
 * may still hold it: where it matters such an operation is ended by closing its dialer or listener
 * and then waited for, never cancelled. */
#pragma once

#include "lib/bus_internal.h"

#include <nng/supplemental/tls/tls.h>

void bus_tls_free(nng_tls_config *config); /* drops this hold; NULL is fine */
OWN_DEFINE(bus_tls, nng_tls_config, bus_tls_free)

/* Of a server that shows the certificate in this PEM file. ERR_NOT_FOUND, ERR_CORRUPT. */
MUST_CHECK bool bus_tls_server(nng_tls_config **out, const char *path, struct err *e);

/* Of a client. ERR_CORRUPT for what is no certificate of a CA. */
MUST_CHECK bool bus_tls_client(nng_tls_config **out, const struct bus_trust *trust, struct err *e);

/* Whether a connection that ended so did for want of TLS, or of the right certificate. */
bool bus_tls_is_distrust(int failure);
