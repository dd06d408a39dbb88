#include "lib/bus_tls.h"

#include "lib/file.h"
#include "lib/text.h"

#include <string.h>

#define CERTIFICATE_MAX_BYTES (64 * 1024)

void bus_tls_free(nng_tls_config *config) {
    if (config != NULL) nng_tls_config_free(config);
}

static bool show_certificate(nng_tls_config *config, const char *path, const char *pem,
                             struct err *e) {
    int code = nng_tls_config_own_cert(config, pem, pem, NULL);
    if (code == 0) return true;
    bus_error(e, code, "no certificate for TLS with its key is in %s", path);
    if (e != NULL) e->code = ERR_CORRUPT;
    return err_hint(e, "the file holds a PEM certificate on P-256 and its private key");
}

bool bus_tls_server(nng_tls_config **out, const char *path, struct err *e) {
    OWN(bus_tls) nng_tls_config *config = NULL;
    OWN_TEXT struct text pem = TEXT_SECRET;
    *out = NULL;
    if (!file_read(path, CERTIFICATE_MAX_BYTES, &pem, e)) return false;
    bus_must(nng_tls_config_alloc(&config, NNG_TLS_MODE_SERVER));
    if (!show_certificate(config, path, text_value(&pem), e)) return false;
    *out = TAKE(config);
    return true;
}

bool bus_tls_client(nng_tls_config **out, const struct bus_trust *trust, struct err *e) {
    OWN(bus_tls) nng_tls_config *config = NULL;
    *out = NULL;
    bus_must(nng_tls_config_alloc(&config, NNG_TLS_MODE_CLIENT));
    bus_must(nng_tls_config_auth_mode(config, NNG_TLS_AUTH_MODE_REQUIRED));
    bus_must(nng_tls_config_server_name(config, trust->name));
    int code = nng_tls_config_ca_chain(config, trust->ca_pem, NULL);
    if (code != 0) {
        bus_error(e, code, "the certificate of the grid's CA cannot be used");
        if (e != NULL) e->code = ERR_CORRUPT;
        return false;
    }
    *out = TAKE(config);
    return true;
}

bool bus_tls_is_distrust(int failure) {
    return failure == NNG_EPEERAUTH || failure == NNG_ECRYPTO;
}
