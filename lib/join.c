#include "lib/join.h"

#include "lib/encode.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define SCHEME "grid://"
#define DEFAULT_HTTP_PORT 7001
#define PORT_MAX 65535

static bool parse_port(const char *text, int *port) {
    int value = 0;
    if (*text == '\0' || strlen(text) > 5) return false;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9') return false;
        value = 10 * value + (*at - '0');
    }
    *port = value;
    return value <= PORT_MAX;
}

static bool is_number(const char *text) {
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static bool host_valid(const char *host) {
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:%";
    return host[strspn(host, allowed)] == '\0';
}

/* Splits "HOST:PORT" and its kin in place: *port is NULL when there is none. */
static bool split_address(char *words, char **host, char **port) {
    *host = words;
    *port = NULL;
    if (*words == '[') {
        char *end = strchr(words, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':')) return false;
        *port = end[1] == ':' ? end + 2 : NULL;
        *host = words + 1;
        *end = '\0';
        return **host != '\0';
    }
    char *colon = strchr(words, ':');
    if (colon != NULL && strchr(colon + 1, ':') != NULL) return true; /* bare IPv6 */
    if (colon != NULL) {
        *colon = '\0';
        *port = colon + 1;
    } else if (is_number(words)) {
        *port = words;
        *host = words + strlen(words);
    }
    return true;
}

bool join_parse_address(const char *text, int default_port, char host[JOIN_HOST_SIZE], int *port,
                        struct err *e) {
    char words[JOIN_HOST_SIZE + 16];
    char *host_part = NULL, *port_part = NULL;
    *port = default_port;
    if (text_copy(words, sizeof words, text) && split_address(words, &host_part, &port_part) &&
        host_valid(host_part) && text_copy(host, JOIN_HOST_SIZE, host_part) &&
        (port_part == NULL || parse_port(port_part, port)))
        return true;
    err_set(e, ERR_INVALID, "\"%.100s\" is no address", text);
    return err_hint(e, "write HOST:PORT, [IPV6]:PORT or PORT, with a port up to %d", PORT_MAX);
}

bool join_is_loopback(const char *host) {
    struct in_addr v4;
    struct in6_addr v6;
    if (strcasecmp(host, "localhost") == 0) return true;
    if (inet_pton(AF_INET, host, &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool bad(struct err *e, const char *what) {
    err_set(e, ERR_INVALID, "join string: %s", what);
    return err_hint(e, "copy the whole line that gridctl agent join-command printed");
}

/* Values of the parameters, decoded, pointing into the parsed copy. */
struct parameters {
    char *v, *bus, *mk, *rk, *t;
};

static bool take_parameter(char *pair, struct parameters *p, struct err *e) {
    char *value = strchr(pair, '=');
    if (value == NULL) return bad(e, "a parameter has no value");
    *value++ = '\0';
    if (!decode_url(value)) return bad(e, "a parameter is not percent-encoded right");
    if (strcmp(pair, "v") == 0) p->v = value;
    if (strcmp(pair, "bus") == 0) p->bus = value;
    if (strcmp(pair, "mk") == 0) p->mk = value;
    if (strcmp(pair, "rk") == 0) p->rk = value;
    if (strcmp(pair, "t") == 0) p->t = value;
    return true;
}

static bool take_values(const struct parameters *p, struct join *out, struct err *e) {
    char id[SECRET_ID_SIZE];
    if (p->v == NULL || strcmp(p->v, "1") != 0)
        return bad(e, "v is not 1: it is for another version of the agent");
    if (p->bus == NULL || !parse_port(p->bus, &out->bus_port))
        return bad(e, "bus is missing or no port");
    if (p->mk == NULL || !sign_public_parse(p->mk, &out->master_key, e))
        return bad(e, "mk is missing or no public key");
    if (p->rk == NULL || !sign_public_parse(p->rk, &out->release_key, e))
        return bad(e, "rk is missing or no public key");
    if (p->t == NULL || !secret_id("gj", p->t, id, e) ||
        !text_copy(out->token, sizeof out->token, p->t))
        return bad(e, "t is missing or no join token");
    return true;
}

bool join_parse(const char *text, struct join *out, struct err *e) {
    char words[2048];
    struct parameters p = {.v = NULL};
    *out = (struct join){.http_port = 0};
    if (strncmp(text, SCHEME, strlen(SCHEME)) != 0) return bad(e, "it does not begin with " SCHEME);
    if (!text_copy(words, sizeof words, text + strlen(SCHEME))) return bad(e, "it is too long");
    char *query = strchr(words, '?');
    bool done = query != NULL || bad(e, "its parameters are missing");
    if (done) {
        *query++ = '\0';
        for (char *pair; done && (pair = strsep(&query, "&")) != NULL;)
            done = *pair == '\0' || take_parameter(pair, &p, e);
    }
    done = done && (join_parse_address(words, DEFAULT_HTTP_PORT, out->host, &out->http_port, e) ||
                    bad(e, "host or port is wrong"));
    done =
        done && (out->host[0] != '\0' || bad(e, "the host is missing")) && take_values(&p, out, e);
    secret_wipe(words, sizeof words);
    if (!done) secret_wipe(out, sizeof *out);
    return done;
}

static void add_key(struct text *out, const char *name, const struct sign_public *key) {
    char words[SIGN_PUBLIC_TEXT_SIZE];
    text_add_format(out, "&%s=", name);
    encode_url(out, sign_public_text(key, words));
}

void join_format(const struct join *j, struct text *out) {
    bool v6 = strchr(j->host, ':') != NULL;
    text_add_format(out, v6 ? SCHEME "[%s]:%d?v=1&bus=%d" : SCHEME "%s:%d?v=1&bus=%d", j->host,
                    j->http_port, j->bus_port);
    add_key(out, "mk", &j->master_key);
    add_key(out, "rk", &j->release_key);
    text_add_format(out, "&t=%s", j->token);
}
