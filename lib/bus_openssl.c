#include "lib/bus_openssl.h"

#include "lib/bus_internal.h"
#include "lib/text.h"

#include <nng/supplemental/tls/engine.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

/* Those of TLS 1.2 that keep what was said secret even when the key is stolen later. */
#define CIPHERS                                                                                    \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"                                 \
    "ECDHE-ECDSA-CHACHA20-POLY1305"

/* What NNG allocates for us, a listener's and a connection's. */
struct nng_tls_engine_config {
    SSL_CTX *context;
    nng_tls_mode mode;
    char name[BUS_HOST_SIZE]; /* of the server; "" : of no matter */
};
struct nng_tls_engine_conn {
    SSL *ssl;
};

static BIO_METHOD *wire; /* NNG's buffers of a connection; its data is NNG's connection */

static int wire_write(BIO *b, const char *bytes, int length) {
    size_t size = (size_t)length;
    BIO_clear_retry_flags(b);
    int code = nng_tls_engine_send(BIO_get_data(b), (const uint8_t *)bytes, &size);
    if (code == NNG_EAGAIN) BIO_set_retry_write(b);
    return code == 0 ? (int)size : -1;
}

static int wire_read(BIO *b, char *bytes, int length) {
    size_t size = (size_t)length;
    BIO_clear_retry_flags(b);
    int code = nng_tls_engine_recv(BIO_get_data(b), (uint8_t *)bytes, &size);
    if (code == NNG_EAGAIN) BIO_set_retry_read(b);
    return code == 0 ? (int)size : -1;
}

static long wire_control(BIO *b, int command, long number, void *pointer) {
    (void)b, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int config_init(nng_tls_engine_config *c, nng_tls_mode mode) {
    c->mode = mode;
    c->context =
        SSL_CTX_new(mode == NNG_TLS_MODE_SERVER ? TLS_server_method() : TLS_client_method());
    if (c->context == NULL) return NNG_ENOMEM;
    SSL_CTX_set_options(c->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                        SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(c->context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(c->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
                                     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    bool set = SSL_CTX_set_min_proto_version(c->context, TLS1_2_VERSION) == 1 &&
               SSL_CTX_set_max_proto_version(c->context, TLS1_2_VERSION) == 1 &&
               SSL_CTX_set_cipher_list(c->context, CIPHERS) == 1 &&
               SSL_CTX_set1_groups_list(c->context, "P-256") == 1;
    if (set) return 0;
    SSL_CTX_free(c->context);
    return NNG_ECRYPTO;
}

static void config_fini(nng_tls_engine_config *c) {
    SSL_CTX_free(c->context);
}

static int config_server(nng_tls_engine_config *c, const char *name) {
    bool taken = text_copy(c->name, sizeof c->name, name) &&
                 X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(c->context), name, 0) == 1;
    return taken ? 0 : NNG_EINVAL;
}

static int config_auth(nng_tls_engine_config *c, nng_tls_auth_mode mode) {
    bool required = mode == NNG_TLS_AUTH_MODE_REQUIRED;
    if (!required && mode != NNG_TLS_AUTH_MODE_NONE) return NNG_ENOTSUP;
    SSL_CTX_set_verify(
        c->context, required ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE,
        NULL);
    return 0;
}

static int config_ca_chain(nng_tls_engine_config *c, const char *certificates, const char *crl) {
    X509_STORE *store = SSL_CTX_get_cert_store(c->context);
    BIO *pem = crl == NULL ? BIO_new_mem_buf(certificates, -1) : NULL; /* there are none here */
    bool taken = false;
    for (X509 *x; pem != NULL && (x = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL;) {
        taken = X509_STORE_add_cert(store, x) == 1 || taken;
        X509_free(x);
    }
    BIO_free(pem);
    ERR_clear_error();
    return taken ? 0 : NNG_ECRYPTO;
}

static int config_version(nng_tls_engine_config *c, nng_tls_version least, nng_tls_version most) {
    (void)c;
    return least <= NNG_TLS_1_2 && most >= NNG_TLS_1_2 ? 0 : NNG_ENOTSUP;
}

static bool take_certificates(SSL_CTX *context, BIO *pem) {
    bool taken = false;
    for (X509 *x; (x = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL; X509_free(x)) {
        bool done = taken ? SSL_CTX_add1_chain_cert(context, x) == 1
                          : SSL_CTX_use_certificate(context, x) == 1;
        if (!done) {
            X509_free(x);
            return false;
        }
        taken = true;
    }
    return taken;
}

static bool take_key(SSL_CTX *context, BIO *pem) {
    char nothing[] = ""; /* the passphrase: a terminal is never asked for one */
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, NULL, nothing);
    bool taken = key != NULL && SSL_CTX_use_PrivateKey(context, key) == 1 &&
                 SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(key);
    return taken;
}

static int config_own_cert(nng_tls_engine_config *c, const char *certificates, const char *key,
                           const char *passphrase) {
    (void)passphrase;
    BIO *certificate_pem = BIO_new_mem_buf(certificates, -1), *key_pem = BIO_new_mem_buf(key, -1);
    bool taken = certificate_pem != NULL && key_pem != NULL &&
                 take_certificates(c->context, certificate_pem) && take_key(c->context, key_pem);
    BIO_free(certificate_pem);
    BIO_free(key_pem);
    ERR_clear_error();
    return taken ? 0 : NNG_ECRYPTO;
}

static int conn_init(nng_tls_engine_conn *c, void *nng, nng_tls_engine_config *config) {
    BIO *bio = BIO_new(wire);
    c->ssl = SSL_new(config->context);
    if (bio == NULL || c->ssl == NULL) {
        BIO_free(bio);
        SSL_free(c->ssl);
        return NNG_ENOMEM;
    }
    BIO_set_data(bio, nng);
    BIO_set_init(bio, 1);
    SSL_set_bio(c->ssl, bio, bio);
    if (config->mode == NNG_TLS_MODE_SERVER)
        SSL_set_accept_state(c->ssl);
    else
        SSL_set_connect_state(c->ssl);
    if (config->name[0] != '\0') SSL_set_tlsext_host_name(c->ssl, config->name);
    return 0;
}

static void conn_fini(nng_tls_engine_conn *c) {
    SSL_free(c->ssl);
}

/* What the call before means to NNG; the thread's list of errors is left empty. */
static int judge(const nng_tls_engine_conn *c, int result) {
    int reason = SSL_get_error(c->ssl, result);
    ERR_clear_error();
    if (reason == SSL_ERROR_NONE) return 0;
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) return NNG_EAGAIN;
    if (SSL_get_verify_result(c->ssl) != X509_V_OK) return NNG_EPEERAUTH;
    return reason == SSL_ERROR_SSL ? NNG_ECRYPTO : NNG_ECLOSED;
}

static void conn_close(nng_tls_engine_conn *c) {
    if (!SSL_in_init(c->ssl)) SSL_shutdown(c->ssl);
    ERR_clear_error();
}

static int conn_handshake(nng_tls_engine_conn *c) {
    return judge(c, SSL_do_handshake(c->ssl));
}

static int conn_recv(nng_tls_engine_conn *c, uint8_t *bytes, size_t *size) {
    return judge(c, SSL_read_ex(c->ssl, bytes, *size, size));
}

static int conn_send(nng_tls_engine_conn *c, const uint8_t *bytes, size_t *size) {
    return judge(c, SSL_write_ex(c->ssl, bytes, *size, size));
}

static bool conn_verified(nng_tls_engine_conn *c) {
    return SSL_get_verify_mode(c->ssl) != SSL_VERIFY_NONE &&
           SSL_get_verify_result(c->ssl) == X509_V_OK;
}

void bus_openssl_use(void) {
    static nng_tls_engine_config_ops config_ops = {.size = sizeof(struct nng_tls_engine_config),
                                                   .init = config_init,
                                                   .fini = config_fini,
                                                   .server = config_server,
                                                   .auth = config_auth,
                                                   .ca_chain = config_ca_chain,
                                                   .own_cert = config_own_cert,
                                                   .version = config_version};
    static nng_tls_engine_conn_ops conn_ops = {.size = sizeof(struct nng_tls_engine_conn),
                                               .init = conn_init,
                                               .fini = conn_fini,
                                               .close = conn_close,
                                               .handshake = conn_handshake,
                                               .recv = conn_recv,
                                               .send = conn_send,
                                               .verified = conn_verified};
    static const nng_tls_engine engine = {.version = NNG_TLS_ENGINE_VERSION,
                                          .config_ops = &config_ops,
                                          .conn_ops = &conn_ops,
                                          .name = "openssl",
                                          .description = OPENSSL_VERSION_TEXT};
    nng_aio *first = NULL;
    wire = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "nng");
    if (wire == NULL || BIO_meth_set_write(wire, wire_write) != 1 ||
        BIO_meth_set_read(wire, wire_read) != 1 || BIO_meth_set_ctrl(wire, wire_control) != 1)
        bus_must(NNG_ENOMEM);
    bus_must(nng_aio_alloc(&first, NULL, NULL)); /* NNG begins, and with it its own engine */
    nng_aio_free(first);
    bus_must(nng_tls_engine_register(&engine));
}
