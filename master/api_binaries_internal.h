/* What the handlers of binaries share. Not for others. */
#pragma once

#include "lib/http_server.h"
#include "master/catalog.h"

/* Reading is public unless the settings close it; then it takes a viewer. */
MUST_CHECK bool api_binaries_readable(struct http_request *r, struct err *e);

/* The artifact that path and ?name= (default: storage-server) name. */
MUST_CHECK bool api_binaries_id(struct http_request *r, struct artifact_name *out, struct err *e);

/* Hex of either case to lower case. */
MUST_CHECK bool api_binaries_sha256(const char *given, char out[SHA256_HEX_SIZE], struct err *e);

void api_binaries_reply(struct http_request *r, int status, const struct binary *b);

/* The bytes, with what caches and clients want to know of them. */
void api_binaries_reply_content(struct http_request *r, const struct binary *b);
