/* REST handlers of /tuf: what TUF clients read. On the HTTP server's threads. */
#pragma once

#include "lib/http_server.h"

void api_tuf_metadata(struct http_request *r); /* "timestamp.json", "3.root.json"; for everybody */
void api_tuf_targets(struct http_request *r);  /* "SHA256.FILE": the bytes of /binaries/FILE */
