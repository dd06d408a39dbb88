/* Join strings, as one line:
 *   grid://HOST:7001?v=1&bus=7000&mk=<master message key>&rk=<release key>&root=3.<sha256>
 *       &ca=<sha256>&t=gj_<id>.<secret>
 *
 * root is the version and digest of the newest root.json; ca the digest of the CA's DER where HTTP
 * and bus speak TLS, absent where they do not.
 * Keys are minisign's base64 lines, percent-encoded as needed. d=closed says that the master gives
 * files to nobody without the token; only there it is shown over HTTP (install.sh). Unknown
 * parameters are ignored, a missing one is named, and no error repeats the token. Pure. */
#pragma once

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/secret.h"
#include "lib/sign.h"
#include "lib/text.h"

#include <stdint.h>

#define JOIN_HOST_SIZE 256

struct join {
    char host[JOIN_HOST_SIZE]; /* name, IPv4, or IPv6 without brackets */
    int http_port;
    int bus_port;
    struct sign_public master_key;
    struct sign_public release_key;
    int64_t root_version;              /* 0: not told, by a master of before */
    char root_sha256[SHA256_HEX_SIZE]; /* "" likewise */
    char ca_sha256[SHA256_HEX_SIZE];   /* "" : no TLS */
    char token[SECRET_TEXT_SIZE];
    bool downloads_closed;
};

/* ERR_INVALID. White space around the text is dropped. */
MUST_CHECK bool join_parse(const char *text, struct join *out, struct err *e);
void join_format(const struct join *j, struct text *out);

/* "VERSION.SHA256", as root= has it. */
MUST_CHECK bool join_parse_root(const char *text, int64_t *version, char sha256[SHA256_HEX_SIZE]);

/* "HOST:PORT", "[v6]:PORT", ":PORT", "PORT" or "HOST" (then default_port) taken apart. host is ""
 * when not given. */
MUST_CHECK bool join_parse_address(const char *text, int default_port, char host[JOIN_HOST_SIZE],
                                   int *port, struct err *e);

/* True for localhost, 127.0.0.0/8 and ::1. */
bool join_is_loopback(const char *host);
