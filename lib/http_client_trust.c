#include "lib/http_client_internal.h"

#include <string.h>

bool http_trusts_anybody(const struct http_trust *trust) {
    return trust->anybody && trust->pin == NULL && trust->ca_pem == NULL;
}

/* Of the system's CAs: to read all of them takes longer than a handshake. */
static void use_no_files(CURL *easy) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

static void believe_anybody(CURL *easy) {
    use_no_files(easy);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
}

void http_transfer_set_trust(const struct http_transfer *t) {
    const struct http_trust *trust = &t->trust;
    curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(t->easy, CURLOPT_SSLCERT, trust->certificate);
    if (trust->pin != NULL) {
        believe_anybody(t->easy); /* what the certificate says; its key is the one */
        curl_easy_setopt(t->easy, CURLOPT_PINNEDPUBLICKEY, trust->pin);
    } else if (trust->ca_pem != NULL) {
        struct curl_blob blob = {.data = (void *)(uintptr_t)trust->ca_pem,
                                 .len = strlen(trust->ca_pem),
                                 .flags = CURL_BLOB_COPY};
        use_no_files(t->easy);
        curl_easy_setopt(t->easy, CURLOPT_CAINFO_BLOB, &blob);
    } else if (trust->anybody) {
        believe_anybody(t->easy);
    }
}

bool http_transfer_distrusts(struct http_transfer *t, CURLcode code) {
    const char *words = t->curl_error[0] != '\0' ? t->curl_error : curl_easy_strerror(code);
    if (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH) {
        err_set(t->e, ERR_UNREACHABLE,
                "%.120s: whoever answers there has another key than expected", t->url);
        err_hint(t->e,
                 "another program may listen there, or somebody stand in between; nothing was "
                 "sent");
        return true;
    }
    if (code == CURLE_SSL_CERTPROBLEM) {
        err_set(t->e, ERR_INVALID, "client certificate %.120s: %s", t->trust.certificate, words);
        err_hint(t->e, "the file holds the certificate and its private key, as PEM");
        return true;
    }
    if (code != CURLE_PEER_FAILED_VERIFICATION) return false;
    err_set(t->e, ERR_UNREACHABLE, "%.120s: the certificate is not trusted: %s", t->url, words);
    err_hint(t->e,
             "another program may listen there, or somebody stand in between; nothing was sent");
    return true;
}
