/* What a PEM file of a certificate says without a TLS library. Pure. */
#pragma once

#include "lib/err.h"
#include "lib/hash.h"

/* SHA-256 of the DER of the first certificate in pem, which is how a join string names a CA.
 * ERR_INVALID when there is none. */
MUST_CHECK bool pem_certificate_sha256(const char *pem, char out[SHA256_HEX_SIZE], struct err *e);
