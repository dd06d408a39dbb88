#include "lib/join.h"

#include "lib/encode.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SCHEME "grid://"
#define VERSION "1"
#define HTTP_PORT 7001
#define TEXT_MAX_BYTES 4096
#define PORT_MAX 65535
#define CLOSED "closed"
#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* What a join string holds behind '?'. */
enum parameter {
    VERSION_PARAMETER,
    BUS_PORT,
    MASTER_KEY,
    RELEASE_KEY,
    TOKEN,
    REQUIRED_PARAMETERS,
    DOWNLOADS = REQUIRED_PARAMETERS,
    ROOT,
    CA,
    PARAMETERS,
};
static const char *const names[PARAMETERS] = {
    [VERSION_PARAMETER] = "v", [BUS_PORT] = "bus", [MASTER_KEY] = "mk",
    [RELEASE_KEY] = "rk",      [TOKEN] = "t",      [DOWNLOADS] = "d",
    [ROOT] = "root",           [CA] = "ca",
};

/* The value of a parameter that was not given. */
static const char absent[] = "";

static bool parse_port(const char *text, int *port) {
    size_t length = strlen(text);
    if (length == 0 || length > 5 || strspn(text, DIGITS) < length) return false;
    *port = 0;
    for (const char *digit = text; *digit != '\0'; digit++) *port = *port * 10 + (*digit - '0');
    return *port <= PORT_MAX;
}

static bool is_ipv6(const char *text) {
    struct in6_addr address;
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_ipv4(const char *text) {
    struct in_addr address;
    return inet_pton(AF_INET, text, &address) == 1;
}

/* A name, or an IPv4 address: only digits and dots make no name. */
static bool is_host(const char *text) {
    size_t length = strlen(text);
    if (length == 0 || strspn(text, LETTERS DIGITS ".-_") < length) return false;
    if (text[0] == '-' || text[0] == '.') return false;
    return strspn(text, DIGITS ".") < length || is_ipv4(text);
}

static bool malformed_address(const char *text, struct err *e) {
    err_set(e, ERR_INVALID, "\"%.80s\" is no address", text);
    return err_hint(e, "write HOST:PORT, [IPV6]:PORT, HOST or PORT, with a port up to %d",
                    PORT_MAX);
}

/* Splits copy into *host and *port, "" or NULL where there is none. */
static bool split_address(char *copy, char **host, char **port) {
    *host = copy;
    *port = NULL;
    if (copy[0] == '[') {
        char *end = strchr(copy, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':')) return false;
        if (end[1] == ':') *port = end + 2;
        *end = '\0';
        *host = copy + 1;
        return is_ipv6(*host);
    }
    char *colon = strchr(copy, ':');
    if (colon == NULL) {
        if (copy[strspn(copy, DIGITS)] != '\0') return is_host(copy);
        *host = copy + strlen(copy);
        *port = copy;
        return true;
    }
    if (strchr(colon + 1, ':') != NULL) return is_ipv6(copy);
    *colon = '\0';
    *port = colon + 1;
    return copy[0] == '\0' || is_host(copy);
}

bool join_parse_address(const char *text, int default_port, char host[JOIN_HOST_SIZE], int *port,
                        struct err *e) {
    char copy[JOIN_HOST_SIZE + 16];
    char *host_part, *port_part;
    host[0] = '\0';
    *port = default_port;
    if (!text_copy(copy, sizeof copy, text) || !split_address(copy, &host_part, &port_part) ||
        (port_part != NULL && !parse_port(port_part, port)) ||
        !text_copy(host, JOIN_HOST_SIZE, host_part)) {
        host[0] = '\0';
        return malformed_address(text, e);
    }
    return true;
}

bool join_is_loopback(const char *host) {
    struct in_addr four;
    struct in6_addr six;
    if (strcasecmp(host, "localhost") == 0) return true;
    if (inet_pton(AF_INET, host, &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static bool add_parameter(char *pair, const char *values[PARAMETERS], struct err *e) {
    char *value = strchr(pair, '=');
    if (value != NULL) *value++ = '\0';
    for (size_t i = 0; i < PARAMETERS; i++) {
        if (strcmp(pair, names[i]) != 0) continue;
        if (values[i] != absent)
            return err_set(e, ERR_INVALID, "the join string holds %s= twice", names[i]);
        if (value == NULL || !decode_url(value))
            return err_set(e, ERR_INVALID, "the join string's %s= is malformed", names[i]);
        values[i] = value;
    }
    return true;
}

static bool collect_parameters(char *query, const char *values[PARAMETERS], struct err *e) {
    char *rest = query;
    for (size_t i = 0; i < PARAMETERS; i++) values[i] = absent;
    for (char *pair; (pair = strsep(&rest, "&")) != NULL;) {
        if (!add_parameter(pair, values, e)) return false;
    }
    for (size_t i = 0; i < REQUIRED_PARAMETERS; i++) {
        if (values[i] != absent) continue;
        err_set(e, ERR_INVALID, "the join string holds no %s=", names[i]);
        return err_hint(e, "copy all of it, within quotes");
    }
    return true;
}

static bool read_key(const char *name, const char *value, struct sign_public *out, struct err *e) {
    return sign_public_parse(value, out, e) || err_wrap(e, "the join string's %s=", name);
}

static bool read_digest(const char *text, char out[SHA256_HEX_SIZE]) {
    return sha256_hex_valid(text) && text_copy(out, SHA256_HEX_SIZE, text);
}

bool join_parse_root(const char *text, int64_t *version, char sha256[SHA256_HEX_SIZE]) {
    size_t digits = strspn(text, DIGITS);
    *version = 0;
    sha256[0] = '\0';
    if (digits == 0 || digits > 15 || text[0] == '0' || text[digits] != '.') return false;
    *version = strtoll(text, NULL, 10);
    return read_digest(text + digits + 1, sha256);
}

/* What masters of before do not tell. */
static bool read_trust(const char *const values[PARAMETERS], struct join *out, struct err *e) {
    if (values[ROOT] != absent &&
        !join_parse_root(values[ROOT], &out->root_version, out->root_sha256))
        return err_set(e, ERR_INVALID, "the join string's root= is no VERSION.SHA256");
    return values[CA] == absent || read_digest(values[CA], out->ca_sha256) ||
           err_set(e, ERR_INVALID, "the join string's ca= is no SHA-256 in hexadecimal");
}

static bool read_values(const char *const values[PARAMETERS], struct join *out, struct err *e) {
    char id[SECRET_ID_SIZE];
    if (strcmp(values[VERSION_PARAMETER], VERSION) != 0) {
        err_set(e, ERR_INVALID, "the join string is of version %.20s, only " VERSION " is known",
                values[VERSION_PARAMETER]);
        return err_hint(e, "install the agent of the master's version");
    }
    if (!parse_port(values[BUS_PORT], &out->bus_port) || out->bus_port == 0)
        return err_set(e, ERR_INVALID, "the join string's bus= is no port");
    if (!read_key(names[MASTER_KEY], values[MASTER_KEY], &out->master_key, e)) return false;
    if (!read_key(names[RELEASE_KEY], values[RELEASE_KEY], &out->release_key, e)) return false;
    if (!secret_id("gj", values[TOKEN], id, e)) {
        err_set(e, ERR_INVALID, "the join string's t= is no join token");
        return err_hint(e, "copy all of it, or make a new one: gridctl agent join-command");
    }
    out->downloads_closed = strcmp(values[DOWNLOADS], CLOSED) == 0;
    return read_trust(values, out, e) && text_copy(out->token, sizeof out->token, values[TOKEN]);
}

/* Takes apart the copy, whose token the caller wipes. */
static bool parse_copy(char *copy, struct join *out, struct err *e) {
    const char *values[PARAMETERS];
    if (strncmp(copy, SCHEME, strlen(SCHEME)) != 0) {
        err_set(e, ERR_INVALID, "a join string begins with " SCHEME);
        return err_hint(e, "gridctl agent join-command prints one");
    }
    char *query = copy + strlen(SCHEME);
    char *address = strsep(&query, "?");
    size_t length = strlen(address);
    if (length > 0 && address[length - 1] == '/') address[length - 1] = '\0';
    if (!join_parse_address(address, HTTP_PORT, out->host, &out->http_port, NULL) ||
        out->host[0] == '\0' || out->http_port == 0) /* not repeated: it may hold the token */
        return err_set(e, ERR_INVALID, "the join string names no host and port behind " SCHEME);
    return collect_parameters(query != NULL ? query : address + length, values, e) &&
           read_values(values, out, e);
}

bool join_parse(const char *text, struct join *out, struct err *e) {
    *out = (struct join){0};
    text += strspn(text, " \t\r\n");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL) length--;
    if (length >= TEXT_MAX_BYTES) return err_set(e, ERR_INVALID, "the join string is too long");
    OWN_MEMORY char *copy = strndup(text, length);
    if (copy == NULL) return err_set(e, ERR_UNAVAILABLE, "out of memory");
    bool parsed = parse_copy(copy, out, e);
    secret_wipe(copy, length);
    if (!parsed) secret_wipe(out, sizeof *out);
    return parsed;
}

static void add_key(struct text *out, const char *name, const struct sign_public *key) {
    char line[SIGN_PUBLIC_TEXT_SIZE];
    text_add_format(out, "&%s=", name);
    encode_url(out, sign_public_text(key, line));
}

void join_format(const struct join *j, struct text *out) {
    bool bracketed = strchr(j->host, ':') != NULL;
    text_add_format(out, SCHEME "%s%s%s:%d?v=" VERSION "&bus=%d", bracketed ? "[" : "", j->host,
                    bracketed ? "]" : "", j->http_port, j->bus_port);
    add_key(out, names[MASTER_KEY], &j->master_key);
    add_key(out, names[RELEASE_KEY], &j->release_key);
    if (j->root_version > 0)
        text_add_format(out, "&%s=%" PRId64 ".%s", names[ROOT], j->root_version, j->root_sha256);
    if (j->ca_sha256[0] != '\0') text_add_format(out, "&%s=%s", names[CA], j->ca_sha256);
    if (j->downloads_closed) text_add_format(out, "&%s=" CLOSED, names[DOWNLOADS]);
    text_add_format(out, "&%s=", names[TOKEN]);
    encode_url(out, j->token);
}
