/* Conversations with the master's REST interface. The first call finds out which master and which
 * token. One thread. */
#pragma once

#include "cli/discover.h"
#include "lib/http_client.h"

struct api {
    const struct settings *settings;
    bool connected;
    struct discovery at;
};
void api_fini(struct api *a); /* wipes the token */

/* Decides on URL and token; every call below does it by itself. */
MUST_CHECK bool api_connect(struct api *a, struct err *e);

/* Completes call (method, body, ...) by URL, token and --timeout, and makes it. path begins with
 * '/' and may hold a query. A status of 400 and above is an error with the master's own words and
 * hint; *out is filled then, too. */
MUST_CHECK bool api_call(struct api *a, struct http_call *call, const char *path,
                         struct http_answer *out, struct err *e);

MUST_CHECK bool api_get(struct api *a, const char *path, struct http_answer *out, struct err *e);
/* body NULL: none. */
MUST_CHECK bool api_send(struct api *a, const char *method, const char *path, const char *body,
                         struct http_answer *out, struct err *e);

/* Paths; pure. */

/* Appends "/" and the percent-encoded segment; the '/' of a node id becomes '~' (ids never hold a
 * '~'). */
void api_path_add(struct text *path, const char *segment);

/* Appends "?name=value" or "&name=value", percent-encoded; nothing when value is NULL or "". */
void api_query_add(struct text *path, const char *name, const char *value);
void api_query_add_int(struct text *path, const char *name, int64_t value);

/* Appends the query that --filter lines ("status=up\nlabel=rack=b"), --sort and --limit ask for.
 * ERR_USAGE for a line without '='. */
MUST_CHECK bool api_query_list(struct text *path, const struct settings *s, struct err *e);
