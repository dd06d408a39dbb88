/* REST handlers of /api/binaries and /binaries. On the HTTP server's threads. */
#pragma once

#include "lib/http_server.h"

void api_binaries_list(struct http_request *r);
void api_binaries_get(struct http_request *r);
void api_binaries_latest(struct http_request *r);
void api_binaries_rejected(struct http_request *r);
void api_binaries_verify(struct http_request *r);
void api_binaries_yank(struct http_request *r);
void api_binaries_delete(struct http_request *r);

/* With ?sha256= where an upload stands, else as GET. */
void api_binaries_head(struct http_request *r);
void api_binaries_put(struct http_request *r);

/* A file name, or one with .minisig or .sha256 behind. */
void api_binaries_download(struct http_request *r);
