/* GET /install.sh. */
#pragma once

#include "lib/http_server.h"

void api_install(struct http_request *r);
