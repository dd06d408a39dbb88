/* REST handler of /api/backup. On the HTTP server's threads. */
#pragma once

#include "lib/http_server.h"

/* Streams an SQLite archive of database, keys and objects that fit together, with a MANIFEST. */
void api_backup_create(struct http_request *r);
