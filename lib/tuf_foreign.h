/* Verifiers of the key types that repositories of others use: ECDSA over P-256 and RSA, both
 * with SHA-256, keys in PEM (SubjectPublicKeyInfo). They link OpenSSL's EVP, 3 MB of a static
 * program (docs/decisions/0012), so only those who need them name tuf_foreign. Any thread. */
#pragma once

#include "lib/tuf_key.h"

/* "ecdsa-sha2-nistp256": signatures in DER. "rsassa-pss-sha256": MGF1 with SHA-256, salt of any
 * length. "rsa-pkcs1v15-sha256": the older padding, which the specification does not name but tools
 * with hardware keys sign with. RSA keys of 2048 to 8192 bits. */
extern const struct tuf_verifiers tuf_foreign;
