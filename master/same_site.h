/* Which requests of a browser are our own pages': rules for whatever a cookie may open. Pure. */
#pragma once

#include "lib/err.h"

/* Whether Host names this master in a way that no stranger's name server decides on: an address,
 * localhost, or one of names (lines; NULL: none). ERR_DENIED. */
MUST_CHECK bool same_site_host(const char *host, const char *names, struct err *e);

/* Whether Origin is http:// or https:// and exactly Host. */
bool same_site_origin(const char *origin, const char *host);

/* The value of a cookie, copied; false when it is not there, too long, or there twice: who planted
 * the second one? */
bool same_site_cookie(const char *header, const char *name, char *out, size_t size);
