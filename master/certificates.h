/* Certificates of the master: the grid's own CA (ECDSA P-256), made when first needed, what it
 * signs for HTTP (90 days, renewed when a third is left, its key kept) and for the bus (10 years,
 * name "grid-master"), or a certificate for HTTP that the operator brings. Files: STATE/tls/ca.pem,
 * ca.key, http.pem, bus.pem, given.pem (key and chain in one, 0600), and pin, which is
 * certificates_http_pin. Any thread, but one at a time
 * for certificates_renew. */
#pragma once

#include "lib/err.h"
#include "lib/hash.h"

#include <limits.h>
#include <stdint.h>

#define CERTIFICATES_PIN_SIZE 128 /* "sha256//BASE64", two of them joined by ';' */
#define CERTIFICATES_NAME "grid-master"

struct certificates;

struct certificates_options {
    const char *state_directory;
    const char *const *names; /* host names and addresses for HTTP besides those of this machine,
                                 NULL-terminated; may be NULL */
    const char *given_certificate, *given_key; /* PEM files for HTTP; NULL: by the own CA. Without
                                                  given_key the key stands in the certificate's */
};

/* Reads or makes everything. A CA that cannot be read is never replaced (ERR_CORRUPT). A given
 * certificate that does not belong to its key, is out of its time or cannot be read is refused. */
MUST_CHECK bool certificates_open(struct certificates **out,
                                  const struct certificates_options *options, struct err *e);
void certificates_close(struct certificates *c);
OWN_DEFINE(certificates, struct certificates, certificates_close)

const char *certificates_http_path(const struct certificates *c); /* key and chain, PEM */
const char *certificates_bus_path(const struct certificates *c);
const char *certificates_ca_path(const struct certificates *c);
const char *certificates_ca_pem(const struct certificates *c);

/* SHA-256 of the CA's DER: "ca" of the join string. */
const char *certificates_ca_sha256(const struct certificates *c);

/* As curl takes it: SHA-256 of the public key that HTTP shows now and, while a given certificate is
 * being exchanged, of the one before. */
void certificates_http_pin(struct certificates *c, char out[CERTIFICATES_PIN_SIZE]);

/* Signs the HTTP certificate anew when it is due or lacks a name that the machine has come by, or
 * reads a given one that was exchanged; *renewed tells. What fails leaves the one before in place,
 * is tried again, and is an error only once. Call it each second or so. */
MUST_CHECK bool certificates_renew(struct certificates *c, int64_t now_wall_ms, bool *renewed,
                                   struct err *e);
int64_t certificates_http_expires_ms(struct certificates *c);

/* Whether bus.pem is not what it was at the start: the bus shows that one until the next start. */
bool certificates_bus_outdated(const struct certificates *c);
