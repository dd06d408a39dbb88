#include "master/certificate.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#define SERIAL_BITS 159 /* RFC 5280: at most 20 octets, positive */
#define NEVER "99991231235959Z"

static bool failed(struct err *e, const char *what) {
    char reason[128];
    tls_trouble(reason, sizeof reason);
    return err_set(e, ERR_INTERNAL, "%s: %s", what, reason);
}

static bool set_serial(X509 *x) {
    BIGNUM *number = BN_new();
    bool done = number != NULL &&
                BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL;
    BN_free(number);
    return done;
}

static bool set_name(X509_NAME *name, const char *common_name) {
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"grid", -1,
                                      -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name,
                                      -1, -1, 0) == 1;
}

static bool add_extension(X509 *x, const X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, (X509 *)(uintptr_t)issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool done = extension != NULL && X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

/* Names are set as values, never through OpenSSL's little language, whose commas and colons a name
 * might hold. */
static bool add_name(GENERAL_NAMES *all, const char *name) {
    unsigned char address[16];
    int length = inet_pton(AF_INET, name, address) == 1    ? 4
                 : inet_pton(AF_INET6, name, address) == 1 ? 16
                                                           : 0;
    GENERAL_NAME *one = GENERAL_NAME_new();
    ASN1_STRING *value = length > 0 ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    bool done = one != NULL && value != NULL &&
                ASN1_STRING_set(value, length > 0 ? (const void *)address : name,
                                length > 0 ? length : (int)strlen(name)) == 1 &&
                sk_GENERAL_NAME_push(all, one) > 0;
    if (!done) abort(); /* memory alone can be short */
    GENERAL_NAME_set0_value(one, length > 0 ? GEN_IPADD : GEN_DNS, value);
    return true;
}

static bool add_names(X509 *x, const char *const *names) {
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    bool done = all != NULL;
    for (; done && *names != NULL; names++) done = add_name(all, *names);
    done = done && X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(all);
    return done;
}

static bool set_time(ASN1_TIME *at, int64_t unix_ms) {
    return ASN1_TIME_adj(at, (time_t)(unix_ms / 1000), 0, 0) != NULL;
}

/* The new pair with all that CA and servers have in common; the key is taken over. */
static struct tls_pair *begin(EVP_PKEY *key, const char *common_name) {
    OWN(tls_pair) struct tls_pair *p = memory_zeroed(1, sizeof *p);
    p->key = key;
    p->leaf = X509_new();
    bool done = p->key != NULL && p->leaf != NULL &&
                X509_set_version(p->leaf, X509_VERSION_3) == 1 && set_serial(p->leaf) &&
                set_name(X509_get_subject_name(p->leaf), common_name) &&
                X509_set_pubkey(p->leaf, p->key) == 1;
    return done ? TAKE(p) : NULL;
}

bool certificate_make_ca(struct tls_pair **out, const char *common_name, struct err *e) {
    OWN(tls_pair) struct tls_pair *p = begin(EVP_EC_gen("P-256"), common_name);
    bool done =
        p != NULL && set_time(X509_getm_notBefore(p->leaf), CERTIFICATE_BEGINS_ALWAYS) &&
        ASN1_TIME_set_string(X509_getm_notAfter(p->leaf), NEVER) == 1 &&
        X509_set_issuer_name(p->leaf, X509_get_subject_name(p->leaf)) == 1 &&
        add_extension(p->leaf, p->leaf, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_extension(p->leaf, p->leaf, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(p->leaf, p->leaf, NID_subject_key_identifier, "hash") &&
        X509_sign(p->leaf, p->key, EVP_sha256()) > 0;
    if (!done) return failed(e, "make a CA");
    *out = TAKE(p);
    return true;
}

static EVP_PKEY *key_for(const struct certificate_request *request) {
    if (request->key == NULL) return EVP_EC_gen("P-256");
    if (EVP_PKEY_up_ref(request->key) != 1) abort();
    return request->key;
}

bool certificate_sign(struct tls_pair **out, const struct certificate_request *request,
                      const struct tls_pair *ca, struct err *e) {
    OWN(tls_pair) struct tls_pair *p = begin(key_for(request), request->common_name);
    bool done = p != NULL && set_time(X509_getm_notBefore(p->leaf), request->begins_ms) &&
                set_time(X509_getm_notAfter(p->leaf), request->expires_ms) &&
                X509_set_issuer_name(p->leaf, X509_get_subject_name(ca->leaf)) == 1 &&
                add_extension(p->leaf, ca->leaf, NID_basic_constraints, "critical,CA:FALSE") &&
                add_extension(p->leaf, ca->leaf, NID_key_usage, "critical,digitalSignature") &&
                add_extension(p->leaf, ca->leaf, NID_ext_key_usage, "serverAuth") &&
                add_extension(p->leaf, ca->leaf, NID_subject_key_identifier, "hash") &&
                add_extension(p->leaf, ca->leaf, NID_authority_key_identifier, "keyid") &&
                add_names(p->leaf, request->names) && X509_sign(p->leaf, ca->key, EVP_sha256()) > 0;
    if (!done) return failed(e, "sign a certificate");
    *out = TAKE(p);
    return true;
}

static void add_pem(BIO *written, struct text *pem) {
    char *bytes = NULL;
    long length = BIO_get_mem_data(written, &bytes);
    text_add_bytes(pem, bytes, (size_t)length);
    BIO_free(written);
}

void certificate_add_key(const struct tls_pair *p, struct text *pem) {
    BIO *out = BIO_new(BIO_s_secmem());
    if (PEM_write_bio_PrivateKey(out, p->key, NULL, NULL, 0, NULL, NULL) != 1) abort();
    add_pem(out, pem);
}

void certificate_add_chain(const struct tls_pair *p, struct text *pem) {
    BIO *out = BIO_new(BIO_s_mem());
    if (PEM_write_bio_X509(out, p->leaf) != 1) abort();
    for (int i = 0; i < sk_X509_num(p->chain); i++)
        if (PEM_write_bio_X509(out, sk_X509_value(p->chain, i)) != 1) abort();
    add_pem(out, pem);
}

bool certificate_is_signed_by(const struct tls_pair *p, const struct tls_pair *ca) {
    bool is = X509_verify(p->leaf, X509_get0_pubkey(ca->leaf)) == 1;
    ERR_clear_error();
    return is;
}
