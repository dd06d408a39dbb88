/* Which master is meant and which token to show it. A token found beside a state directory or
 * remembered by login is shown only to the master it belongs to. */
#pragma once

#include "cli/settings.h"
#include "lib/err.h"
#include "lib/hash.h"

#define DISCOVER_TOKEN_SIZE 512
#define DISCOVER_FROM_SIZE (PATH_MAX + 32)
#define DISCOVER_PIN_SIZE 128

struct discovery {
    char url[SETTINGS_URL_SIZE];       /* without a final '/' */
    char url_from[DISCOVER_FROM_SIZE]; /* "--url or GRID_URL", a file, "default" */
    char token[DISCOVER_TOKEN_SIZE];   /* "" when there is none */
    char token_from[DISCOVER_FROM_SIZE];

    /* Whom to believe at an https URL; nothing set: who the system's CAs vouch for. */
    char pin[DISCOVER_PIN_SIZE];     /* "" : none */
    char *ca_pem;                    /* owned */
    char ca_sha256[SHA256_HEX_SIZE]; /* of a join string: the CA is still to be fetched */

    char root[SETTINGS_ROOT_SIZE]; /* of a join string: "VERSION.SHA256"; "": none */
    char certificate[PATH_MAX];    /* our own, for masters that ask for one; "" : none */
};
void discovery_fini(struct discovery *d); /* wipes the token */

/* Reads settings, environment and files. ERR_INVALID, ERR_IO when what was named cannot be used. */
MUST_CHECK bool discover(const struct settings *s, struct discovery *out, struct err *e);

/* "http://host:7001/" or "host:7001" -> "http://host:7001". ERR_USAGE for other schemes, secrets,
 * queries. Pure. */
MUST_CHECK bool discover_url(const char *text, char out[SETTINGS_URL_SIZE], struct err *e);

/* The first line of DIRECTORY/NAME; false when there is no such file, with e->code ERR_NONE. Other
 * failures are errors. */
MUST_CHECK bool discover_line(const char *directory, const char *name, char *line, size_t size,
                              char from[DISCOVER_FROM_SIZE], struct err *e);
const char *
discover_state(const struct settings *s); /* the directory of a master on this machine */

/* Whether a "url" file in directory names the master at url; unsaid when there is no such file. */
bool discover_belongs(const char *directory, const char *url, bool unsaid);

/* Whether the "url" file of a state directory here names the master at url: the same words, or the
 * same port at another address of this machine, as https://127.0.0.1:7001 and
 * https://192.0.2.7:7001 are. */
bool discover_same_place(const char *directory, const char *url);

/* Whether the URL's host is loopback. Pure. */
bool discover_is_local(const char *url);

/* Drops white space around; ERR_INVALID when what is left is empty or could not stand in a header.
 * Never echoes it. Pure. */
MUST_CHECK bool discover_token_text(const char *text, char out[DISCOVER_TOKEN_SIZE], struct err *e);

/* $XDG_CONFIG_HOME/grid or ~/.config/grid; false when neither is known. */
MUST_CHECK bool discover_config_directory(char out[PATH_MAX]);
