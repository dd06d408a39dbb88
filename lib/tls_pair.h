/* A private key and the certificate chain that belongs to it, as a TLS server shows it. A pair does
 * not change; several threads may read it. */
#pragma once

#include "lib/err.h"
#include "lib/own.h"

#include <openssl/x509.h>
#include <stdint.h>

#define TLS_PIN_SIZE 56 /* "sha256//BASE64" */

struct tls_pair {
    EVP_PKEY *key;
    X509 *leaf;
    STACK_OF(X509) * chain; /* above the leaf; NULL: nothing */
};

/* From PEM text: the leaf first, whatever order the key stands in. ERR_INVALID says what is missing
 * or does not match; an encrypted key is refused. */
MUST_CHECK bool tls_pair_parse(struct tls_pair **out, const char *pem, struct err *e);

/* The file of at most 1 MiB; errors name it. */
MUST_CHECK bool tls_pair_read(struct tls_pair **out, const char *path, struct err *e);
void tls_pair_free(struct tls_pair *p);
OWN_DEFINE(tls_pair, struct tls_pair, tls_pair_free)

int64_t tls_pair_begins_ms(const struct tls_pair *p); /* Unix time */
int64_t tls_pair_expires_ms(const struct tls_pair *p);

/* SHA-256 of the public key, as curl takes it. */
void tls_pair_pin(const struct tls_pair *p, char out[TLS_PIN_SIZE]);

/* Whether the certificate is good for a host name or address. */
bool tls_pair_names(const struct tls_pair *p, const char *name);

/* The newest of OpenSSL's complaints of this thread, and forgets them all. */
void tls_trouble(char *out, size_t size);
