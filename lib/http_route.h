/* Inside lib/http_server*: what of HTTP can be decided without a connection. Pure. */
#pragma once

#include "lib/http_server.h"

/* Appends what the parameters of a pattern take from a path that it matches, decoded. */
void http_route_parameters(const char *pattern, const char *path, struct text *out);
const char *http_route_parameter(const struct text *parameters, const char *name); /* or NULL */

/* Whether etag (without quotes) is in the list of an If-Match or If-None-Match header, or the list
 * is "*". Weak ones count for If-None-Match only (RFC 9110 section 13.1). */
bool http_etag_listed(const char *list, const char *etag, bool weak_counts);

/* Decodes the path of a request onto out. ERR_INVALID for what could mean two things or lead
 * elsewhere: dot segments and backslashes in any encoding, NUL and control characters, empty
 * segments, malformed or doubled escapes, bytes that are no UTF-8. */
MUST_CHECK bool http_path_decode(const char *raw, struct text *out, struct err *e);

struct http_query_pair {
    const char *name;
    const char *value;
};
#define HTTP_QUERY_PAIRS 64

/* Splits and decodes a query in place; the pairs point into it. '+' stays '+'. ERR_INVALID for more
 * than HTTP_QUERY_PAIRS, malformed escapes, control characters, no UTF-8, a secret's name. */
MUST_CHECK bool http_query_decode(char *query, struct http_query_pair pairs[HTTP_QUERY_PAIRS],
                                  size_t *count, struct err *e);

/* RFC 9110 section 5.6.2: at least one character, none that delimits. */
bool http_is_token(const char *text);

/* A whole Content-Length: digits only, at most 18 of them. */
MUST_CHECK bool http_length_parse(const char *text, int64_t *out);
