#include "lib/tuf_foreign.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

enum { PEM_MAX_BYTES = 16 * 1024, RSA_LEAST_BITS = 2048, RSA_MAX_BITS = 8192 };

OWN_DEFINE(bio, BIO, BIO_free_all)
OWN_DEFINE(pkey, EVP_PKEY, EVP_PKEY_free)
OWN_DEFINE(digest, EVP_MD_CTX, EVP_MD_CTX_free)

/* NULL when it is no key of this type. The caller frees. */
static EVP_PKEY *read_key(const char *pem, const char *type) {
    size_t length = strlen(pem);
    if (length > PEM_MAX_BYTES) return NULL;
    OWN(bio) BIO *bio = BIO_new_mem_buf(pem, (int)length);
    OWN(pkey) EVP_PKEY *key = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    if (key == NULL || !EVP_PKEY_is_a(key, type)) return NULL;
    return TAKE(key);
}

/* The signature of bytes under the key; pss: with that padding. */
static bool signature_valid(EVP_PKEY *key, bool pss, const void *bytes, size_t length,
                            const unsigned char *signature, size_t signature_length) {
    OWN(digest) EVP_MD_CTX *digest = EVP_MD_CTX_new();
    EVP_PKEY_CTX *context = NULL; /* of the digest */
    if (digest == NULL || EVP_DigestVerifyInit(digest, &context, EVP_sha256(), NULL, key) != 1)
        return false;
    if (pss && (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) != 1 ||
                EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_AUTO) != 1))
        return false;
    return EVP_DigestVerify(digest, signature, signature_length, bytes, length) == 1;
}

static bool is_p256(EVP_PKEY *key) {
    char group[32];
    size_t length = 0;
    return EVP_PKEY_get_group_name(key, group, sizeof group, &length) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

static bool ecdsa_verify(const char *value, const void *bytes, size_t length,
                         const unsigned char *signature, size_t signature_length) {
    OWN(pkey) EVP_PKEY *key = read_key(value, "EC");
    bool valid = key != NULL && is_p256(key) &&
                 signature_valid(key, false, bytes, length, signature, signature_length);
    ERR_clear_error(); /* else it would explain somebody else's failure on this thread */
    return valid;
}

static bool rsa_valid(const char *value, bool pss, const void *bytes, size_t length,
                      const unsigned char *signature, size_t signature_length) {
    OWN(pkey) EVP_PKEY *key = read_key(value, "RSA");
    int bits = key != NULL ? EVP_PKEY_get_bits(key) : 0;
    bool valid = bits >= RSA_LEAST_BITS && bits <= RSA_MAX_BITS &&
                 signature_valid(key, pss, bytes, length, signature, signature_length);
    ERR_clear_error();
    return valid;
}

static bool rsa_pss_verify(const char *value, const void *bytes, size_t length,
                           const unsigned char *signature, size_t signature_length) {
    return rsa_valid(value, true, bytes, length, signature, signature_length);
}

static bool rsa_pkcs1_verify(const char *value, const void *bytes, size_t length,
                             const unsigned char *signature, size_t signature_length) {
    return rsa_valid(value, false, bytes, length, signature, signature_length);
}

/* Keys of both type names are about: the specification says "ecdsa", older tools the scheme. */
static const struct tuf_verifier verifiers[] = {
    {"ecdsa",               "ecdsa-sha2-nistp256", ecdsa_verify    },
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", ecdsa_verify    },
    {"rsa",                 "rsassa-pss-sha256",   rsa_pss_verify  },
    {"rsa",                 "rsa-pkcs1v15-sha256", rsa_pkcs1_verify},
};

const struct tuf_verifiers tuf_foreign = {verifiers, sizeof verifiers / sizeof verifiers[0]};
