#include "cli/peer.h"

#include "lib/file.h"
#include "lib/join.h"
#include "lib/pem.h"

#include <stdio.h>
#include <string.h>

#define SCHEME "grid://"
#define HTTP_PORT 7001
#define CA_MAX_BYTES (64 * 1024)
#define CA_PATH "/api/ca.pem"
#define KEPT_CA "ca.pem"
#define KEPT_PIN "pin"

bool peer_is_join(const char *text) {
    return strncmp(text, SCHEME, sizeof SCHEME - 1) == 0;
}

/* The value of ca= in the parameters, or "". */
static bool take_digest(const char *parameters, char out[SHA256_HEX_SIZE], struct err *e) {
    for (const char *at = parameters; at != NULL; at = strchr(at, '&')) {
        at += *at == '&';
        if (strncmp(at, "ca=", 3) != 0) continue;
        if (strcspn(at + 3, "&") == SHA256_HEX_SIZE - 1) {
            memcpy(out, at + 3, SHA256_HEX_SIZE - 1);
            out[SHA256_HEX_SIZE - 1] = '\0';
            if (sha256_hex_valid(out)) return true;
        }
        return err_set(e, ERR_USAGE, "ca= of the join string is no SHA-256");
    }
    return true;
}

/* root= of it, for who asks what the grid's keys say; whether it is one is asked there. */
static void take_root(const char *parameters, char out[SETTINGS_ROOT_SIZE]) {
    for (const char *at = parameters; at != NULL; at = strchr(at, '&')) {
        at += *at == '&';
        if (strncmp(at, "root=", 5) == 0)
            snprintf(out, SETTINGS_ROOT_SIZE, "%.*s", (int)strcspn(at + 5, "&"), at + 5);
    }
}

bool peer_take_join(const char *text, struct discovery *out, struct err *e) {
    char address[JOIN_HOST_SIZE + 16], host[JOIN_HOST_SIZE];
    int port = 0;
    const char *begin = text + sizeof SCHEME - 1;
    size_t length = strcspn(begin, "?");
    const char *parameters = begin[length] == '?' ? begin + length + 1 : NULL;
    if (length > 0 && begin[length - 1] == '/') length--;
    snprintf(address, sizeof address, "%.*s", (int)length, begin);
    if (length >= sizeof address || !join_parse_address(address, HTTP_PORT, host, &port, e) ||
        host[0] == '\0')
        return err_set(e, ERR_USAGE, "the join string names no host and port behind " SCHEME);
    if (!take_digest(parameters, out->ca_sha256, e)) return false;
    take_root(parameters, out->root);
    bool v6 = strchr(host, ':') != NULL;
    int made =
        snprintf(out->url, sizeof out->url, "http%s://%s%s%s:%d",
                 out->ca_sha256[0] != '\0' ? "s" : "", v6 ? "[" : "", host, v6 ? "]" : "", port);
    return made < (int)sizeof out->url || err_set(e, ERR_USAGE, "the URL is too long");
}

static bool read_ca(const char *path, struct discovery *out, struct err *e) {
    OWN_TEXT struct text pem = TEXT_EMPTY;
    char digest[SHA256_HEX_SIZE];
    if (!file_read(path, CA_MAX_BYTES, &pem, e)) return err_wrap(e, "CA");
    if (!pem_certificate_sha256(text_value(&pem), digest, e)) return err_wrap(e, "%s", path);
    out->ca_pem = text_take(&pem);
    return true;
}

static bool take_local(const struct settings *s, struct discovery *out, struct err *e) {
    char directory[PATH_MAX], from[DISCOVER_FROM_SIZE];
    const char *state = discover_state(s);
    e->code = ERR_NONE;
    if (!discover_same_place(state, out->url)) return true;
    if (!file_join(directory, sizeof directory, state, "tls", e)) return false;
    return discover_line(directory, "pin", out->pin, sizeof out->pin, from, e) ||
           e->code == ERR_NONE || e->code == ERR_DENIED;
}

static bool take_kept(struct discovery *out, struct err *e) {
    char directory[PATH_MAX], path[PATH_MAX], from[DISCOVER_FROM_SIZE];
    if (!discover_config_directory(directory) || !discover_same_place(directory, out->url))
        return true;
    if (discover_line(directory, KEPT_PIN, out->pin, sizeof out->pin, from, e)) return true;
    if (e->code != ERR_NONE) return false;
    if (!file_join(path, sizeof path, directory, KEPT_CA, e)) return false;
    return access(path, F_OK) != 0 || read_ca(path, out, e);
}

bool peer_find(const struct settings *s, struct discovery *out, struct err *e) {
    if (strncmp(out->url, "https://", 8) != 0) return true;
    memcpy(out->certificate, s->cert, sizeof out->certificate);
    if (s->ca[0] != '\0') return read_ca(s->ca, out, e);
    if (out->ca_sha256[0] != '\0') return true;
    if (!take_local(s, out, e)) return false;
    return out->pin[0] != '\0' || take_kept(out, e);
}

void peer_use(const struct discovery *d, struct http_trust *out) {
    *out = (struct http_trust){.pin = d->pin[0] != '\0' ? d->pin : NULL,
                               .ca_pem = d->ca_pem,
                               .certificate = d->certificate[0] != '\0' ? d->certificate : NULL};
}

static bool get_ca(const struct discovery *d, struct http_trust trust, struct http_answer *out,
                   struct err *e) {
    OWN_TEXT struct text url = TEXT_EMPTY;
    text_add_format(&url, "%s" CA_PATH, d->url);
    const struct http_call call = {
        .url = url.data, .trust = trust, .answer_max_bytes = CA_MAX_BYTES};
    return http_call_ok(&call, out, e);
}

/* The CA is public: that it was handed out proves nothing, only that its holder answers does. A
 * master that shows a given certificate is believed as any web server is. */
static bool prove(struct discovery *d, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer by_ca = {0};
    OWN_HTTP_ANSWER struct http_answer by_system = {0};
    if (get_ca(d, (struct http_trust){.ca_pem = d->ca_pem}, &by_ca, e)) return true;
    if (!get_ca(d, (struct http_trust){0}, &by_system, e)) {
        err_set(e, ERR_UNREACHABLE,
                "whoever answers at %.100s is not the master of the join string", d->url);
        return err_hint(e, "somebody may stand in between; nothing was sent");
    }
    free(d->ca_pem);
    d->ca_pem = NULL;
    return true;
}

bool peer_settle(struct discovery *d, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    char digest[SHA256_HEX_SIZE];
    if (d->ca_sha256[0] == '\0' || d->ca_pem != NULL) return true;
    if (!get_ca(d, (struct http_trust){.anybody = true}, &answer, e))
        return err_wrap(e, "fetch the CA of the join string");
    bool right = pem_certificate_sha256(text_value(&answer.body), digest, e) &&
                 strcmp(digest, d->ca_sha256) == 0;
    if (!right) {
        err_set(e, ERR_UNREACHABLE, "the CA at %.100s is not the one of the join string", d->url);
        return err_hint(
            e, "somebody may stand in between, or it is of another grid; nothing was sent");
    }
    d->ca_pem = text_take(&answer.body);
    return prove(d, e);
}

static bool keep_or_drop(const char *directory, const char *name, const char *words,
                         struct err *e) {
    char path[PATH_MAX];
    if (!file_join(path, sizeof path, directory, name, e)) return false;
    if (words == NULL || words[0] == '\0') return file_remove_durable(path, e);
    return file_write_durable(path, words, strlen(words), 0600, e);
}

bool peer_keep(const struct discovery *d, const char *directory, struct err *e) {
    return keep_or_drop(directory, KEPT_PIN, d->pin, e) &&
           keep_or_drop(directory, KEPT_CA, d->ca_pem, e);
}

void peer_hint(const struct discovery *d, struct err *e) {
    if (d->pin[0] != '\0' || d->ca_pem != NULL)
        err_hint(e,
                 "somebody may stand in between, or it is another grid; nothing was sent. If it is "
                 "yours, take its CA anew: STATE/tls/ca.pem there, --ca FILE here");
    else
        err_hint(e, "name its CA: --ca FILE or GRID_CA, a copy of STATE/tls/ca.pem there; or --url "
                    "with a whole join string");
}
