#include "master/listen.h"

#include "lib/log.h"
#include "lib/text.h"
#include "master/certificates_names.h"

#include <stdio.h>
#include <string.h>

static bool parse(const char *flag, const char *value, struct listen_address *out, struct err *e) {
    if (!join_parse_address(value, 0, out->host, &out->port, e)) {
        err_wrap(e, "--%s", flag);
        e->code = ERR_USAGE;
        return err_hint(e, "name [ADDRESS:]PORT; a port is 0 (any free one) to 65535");
    }
    if (out->host[0] == '\0') snprintf(out->host, sizeof out->host, "127.0.0.1");
    return true;
}

static bool check_open(const char *flag, const struct listen_address *at, bool insecure,
                       struct err *e) {
    if (join_is_loopback(at->host)) return true;
    if (insecure) {
        log_warn("master.insecure", "flag=%s address=%s", flag, at->host);
        return true;
    }
    err_set(e, ERR_USAGE,
            "--%s %s with --tls off: other machines would reach this master without "
            "encryption",
            flag, at->host);
    return err_hint(e, "leave out --tls off, or add --insecure when the network itself is trusted");
}

/* What only makes sense with TLS, and the first flag of it that was given. */
static const char *tls_flag(const struct settings *s) {
    if (s->tls_certificate[0] != '\0') return "tls-cert";
    if (s->tls_key[0] != '\0') return "tls-key";
    if (s->tls_names != NULL) return "tls-name";
    if (s->client_ca[0] != '\0') return "client-ca";
    return s->require_client_certificate ? "require-client-cert" : NULL;
}

static bool check_flags(const struct settings *s, struct err *e) {
    const char *flag = tls_flag(s);
    bool off = strcmp(s->tls, "off") == 0;
    if (!off && strcmp(s->tls, "on") != 0 && strcmp(s->tls, "auto") != 0)
        return err_set(e, ERR_USAGE, "--tls %s: one of auto, on, off", s->tls);
    if (off && flag != NULL) return err_set(e, ERR_USAGE, "--%s needs TLS, and --tls is off", flag);
    if (s->tls_key[0] != '\0' && s->tls_certificate[0] == '\0')
        return err_set(e, ERR_USAGE, "--tls-key needs --tls-cert beside it");
    if (s->require_client_certificate && s->client_ca[0] == '\0') {
        err_set(e, ERR_USAGE, "--require-client-cert needs --client-ca FILE");
        return err_hint(e, "FILE holds the certificates of the CAs whose clients may come, as PEM");
    }
    const char **names = listen_names(s, e);
    listen_names_free(names);
    return names != NULL;
}

/* Flags of TLS ask for it even on loopback. */
static bool wants_tls(const struct settings *s, const struct listen *at) {
    if (strcmp(s->tls, "auto") != 0) return strcmp(s->tls, "on") == 0;
    if (tls_flag(s) != NULL) return true;
    bool local = join_is_loopback(at->http.host) && join_is_loopback(at->bus.host);
    return !local && !s->insecure;
}

bool listen_decide(const struct settings *s, struct listen *out, struct err *e) {
    if (!check_flags(s, e) || !parse("http", s->http, &out->http, e) ||
        !parse("bus", s->bus, &out->bus, e))
        return false;
    out->tls = wants_tls(s, out);
    return out->tls || (check_open("http", &out->http, s->insecure, e) &&
                        check_open("bus", &out->bus, s->insecure, e));
}

void listen_names_free(const char **names) {
    for (const char **name = names; names != NULL && *name != NULL; name++)
        free((void *)(uintptr_t)*name);
    free(names);
}

static bool add_names(const char **names, const char *flag, const char *lines, struct err *e) {
    OWN_MEMORY char *words = text_duplicate(lines);
    char *rest = NULL;
    size_t count = 0;
    while (names[count] != NULL) count++;
    for (char *name = words != NULL ? strtok_r(words, ",\n", &rest) : NULL; name != NULL;
         name = strtok_r(NULL, ",\n", &rest)) {
        if (!certificates_name_valid(name) || count == CERTIFICATES_NAMES_MAX) {
            err_set(e, ERR_USAGE, "--%s %.100s: neither a host name nor an IP address", flag, name);
            return err_hint(e, "give it as clients call this machine, without scheme and port");
        }
        names[count++] = text_duplicate(name);
    }
    return true;
}

const char **listen_names(const struct settings *s, struct err *e) {
    const char **names = memory_zeroed(CERTIFICATES_NAMES_MAX + 1, sizeof *names);
    if (add_names(names, "tls-name", s->tls_names, e) &&
        add_names(names, "host-name", s->host_names, e))
        return names;
    listen_names_free(names);
    return NULL;
}
