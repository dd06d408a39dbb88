/* Makes keys and signs certificates: ECDSA over P-256, which every TLS library takes. Pure but for
 * randomness. */
#pragma once

#include "lib/tls_pair.h"

#include "lib/text.h"

/* Valid until the year 9999, as a CA that is pinned cannot be exchanged. */
MUST_CHECK bool certificate_make_ca(struct tls_pair **out, const char *common_name, struct err *e);

/* notBefore of what no clock should doubt: a machine without a battery begins in 1970. */
#define CERTIFICATE_BEGINS_ALWAYS 0

struct certificate_request {
    const char *common_name;
    const char *const *names; /* host names and addresses; NULL-terminated, at least one */
    int64_t begins_ms;        /* Unix time */
    int64_t expires_ms;
    EVP_PKEY *key; /* NULL: a new one is made */
};

/* A server's certificate, signed by ca. */
MUST_CHECK bool certificate_sign(struct tls_pair **out, const struct certificate_request *request,
                                 const struct tls_pair *ca, struct err *e);

void certificate_add_key(const struct tls_pair *p, struct text *pem);
void certificate_add_chain(const struct tls_pair *p, struct text *pem);

/* Whether ca signed the certificate of p. */
bool certificate_is_signed_by(const struct tls_pair *p, const struct tls_pair *ca);
