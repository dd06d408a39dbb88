#include "lib/tls_pair.h"

#include "lib/encode.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/text.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FILE_MAX (1024 * 1024)

void tls_pair_free(struct tls_pair *p) {
    if (p == NULL) return;
    EVP_PKEY_free(p->key);
    X509_free(p->leaf);
    sk_X509_pop_free(p->chain, X509_free);
    free(p);
}

void tls_trouble(char *out, size_t size) {
    unsigned long newest = ERR_peek_last_error();
    const char *reason = newest != 0 ? ERR_reason_error_string(newest) : NULL;
    snprintf(out, size, "%s", reason != NULL ? reason : "no reason was given");
    ERR_clear_error();
}

/* Nobody is there to type a passphrase; OpenSSL would ask the terminal for it. */
static int no_passphrase(char *out, int size, int writing, void *argument) {
    (void)out, (void)size, (void)writing;
    *(bool *)argument = true;
    return -1;
}

static bool read_key(struct tls_pair *p, const char *pem, struct err *e) {
    bool encrypted = false;
    BIO *in = BIO_new_mem_buf(pem, -1);
    p->key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, &encrypted);
    BIO_free(in);
    ERR_clear_error();
    if (p->key != NULL) return true;
    if (!encrypted) return err_set(e, ERR_INVALID, "there is no private key in PEM");
    err_set(e, ERR_INVALID, "the private key is encrypted");
    return err_hint(e, "decrypt it: openssl pkey -in KEY -out PLAIN-KEY");
}

static bool read_chain(struct tls_pair *p, const char *pem, struct err *e) {
    BIO *in = BIO_new_mem_buf(pem, -1);
    p->leaf = PEM_read_bio_X509(in, NULL, NULL, NULL);
    for (X509 *next; p->leaf != NULL && (next = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL;) {
        if (p->chain == NULL) p->chain = sk_X509_new_null();
        if (p->chain == NULL || sk_X509_push(p->chain, next) <= 0) abort();
    }
    BIO_free(in);
    bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (!ended) return err_set(e, ERR_INVALID, "a certificate in PEM is damaged");
    return p->leaf != NULL || err_set(e, ERR_INVALID, "there is no certificate in PEM");
}

bool tls_pair_parse(struct tls_pair **out, const char *pem, struct err *e) {
    OWN(tls_pair) struct tls_pair *p = memory_zeroed(1, sizeof *p);
    if (!read_chain(p, pem, e) || !read_key(p, pem, e)) return false;
    bool match = X509_check_private_key(p->leaf, p->key) == 1;
    ERR_clear_error();
    if (!match) {
        err_set(e, ERR_INVALID, "the certificate does not belong to the private key");
        return err_hint(e, "give the key that the certificate was requested with; the server's own "
                           "certificate comes first in its file, those of CAs behind it");
    }
    *out = TAKE(p);
    return true;
}

bool tls_pair_read(struct tls_pair **out, const char *path, struct err *e) {
    OWN_TEXT struct text pem = TEXT_SECRET;
    if (!file_read(path, FILE_MAX, &pem, e)) return false;
    if (tls_pair_parse(out, text_value(&pem), e)) return true;
    return err_wrap(e, "%s", path);
}

static int64_t unix_ms(const ASN1_TIME *at) {
    struct tm parts;
    if (ASN1_TIME_to_tm(at, &parts) != 1) return 0;
    return (int64_t)timegm(&parts) * 1000;
}

int64_t tls_pair_begins_ms(const struct tls_pair *p) {
    return unix_ms(X509_get0_notBefore(p->leaf));
}

int64_t tls_pair_expires_ms(const struct tls_pair *p) {
    return unix_ms(X509_get0_notAfter(p->leaf));
}

void tls_pair_pin(const struct tls_pair *p, char out[TLS_PIN_SIZE]) {
    unsigned char *der = NULL;
    unsigned char digest[SHA256_SIZE];
    char base64[ENCODE_BASE64_SIZE(SHA256_SIZE)];
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(p->leaf), &der);
    if (length <= 0) abort();
    sha256_bytes(der, (size_t)length, digest);
    OPENSSL_free(der);
    snprintf(out, TLS_PIN_SIZE, "sha256//%s", encode_base64(digest, sizeof digest, base64));
}

bool tls_pair_names(const struct tls_pair *p, const char *name) {
    unsigned char address[16];
    bool is_address =
        inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
    if (is_address) return X509_check_ip_asc(p->leaf, name, 0) == 1;
    return X509_check_host(p->leaf, name, 0, 0, NULL) == 1;
}
