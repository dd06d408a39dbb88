/* A certificate authority of a test's own, on P-256, and what it signs. */
#pragma once

#include "lib/text.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
    char *pem; /* the certificate */
};

__attribute__((unused)) static X509 *authority_certificate(EVP_PKEY *key, const char *common_name,
                                                           const char *issuer_name) {
    X509 *c = X509_new();
    X509_set_version(c, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c), random());
    X509_gmtime_adj(X509_getm_notBefore(c), -3600);
    X509_gmtime_adj(X509_getm_notAfter(c), 86400);
    X509_set_pubkey(c, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC,
                               (const unsigned char *)common_name, -1, -1, 0);
    X509_NAME_add_entry_by_txt(X509_get_issuer_name(c), "CN", MBSTRING_ASC,
                               (const unsigned char *)issuer_name, -1, -1, 0);
    return c;
}

__attribute__((unused)) static void authority_extend(X509 *c, int nid, const char *value) {
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    X509_add_ext(c, extension, -1);
    X509_EXTENSION_free(extension);
}

__attribute__((unused)) static char *authority_pem_of(X509 *c) {
    struct text text = TEXT_EMPTY;
    char *bytes;
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, c);
    long length = BIO_get_mem_data(bio, &bytes);
    text_add_bytes(&text, bytes, (size_t)length);
    BIO_free(bio);
    return text_take(&text);
}

__attribute__((unused)) static void authority_init(struct authority *a, const char *name) {
    a->key = EVP_EC_gen("P-256");
    a->certificate = authority_certificate(a->key, name, name);
    authority_extend(a->certificate, NID_basic_constraints, "critical,CA:TRUE");
    authority_extend(a->certificate, NID_key_usage, "critical,keyCertSign");
    X509_sign(a->certificate, a->key, EVP_sha256());
    a->pem = authority_pem_of(a->certificate);
}

__attribute__((unused)) static void authority_fini(struct authority *a) {
    EVP_PKEY_free(a->key);
    X509_free(a->certificate);
    free(a->pem);
}

/* Writes a new key and its certificate, for this DNS name and by this name of an issuer, to path.
 */
__attribute__((unused)) static bool authority_sign(const struct authority *a, const char *issuer,
                                                   const char *dns_name, const char *path) {
    char names[128];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *c = authority_certificate(key, dns_name, issuer);
    snprintf(names, sizeof names, "DNS:%s", dns_name);
    authority_extend(c, NID_subject_alt_name, names);
    X509_sign(c, a->key, EVP_sha256());
    FILE *f = fopen(path, "we");
    bool written = f != NULL && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                   PEM_write_X509(f, c) == 1;
    if (f != NULL) fclose(f);
    X509_free(c);
    EVP_PKEY_free(key);
    return written;
}
