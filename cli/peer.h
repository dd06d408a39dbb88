/* Whom gridctl believes at an https URL: --ca, the digest in a join string, the pin of a master on
 * this machine, what login kept, or who the system's CAs vouch for. */
#pragma once

#include "cli/discover.h"
#include "lib/http_client.h"

/* Whether the text is a join string, which names a master and its CA. Pure. */
bool peer_is_join(const char *text);

/* URL and CA's digest of a join string; its token joins machines and is no use here. Pure. */
MUST_CHECK bool peer_take_join(const char *text, struct discovery *out, struct err *e);

/* Reads what is known of the master at out->url, if it is an https URL. */
MUST_CHECK bool peer_find(const struct settings *s, struct discovery *out, struct err *e);

/* Fetches and proves the CA that a join string only names by its digest. */
MUST_CHECK bool peer_settle(struct discovery *d, struct err *e);

void peer_use(const struct discovery *d, struct http_trust *out);

/* Keeps it in directory, for the URL that is kept there (login). */
MUST_CHECK bool peer_keep(const struct discovery *d, const char *directory, struct err *e);

/* What to do when the master turned out to be somebody else. */
void peer_hint(const struct discovery *d, struct err *e);
