/* Bodies and queries of REST requests, read the same way by every handler. */
#pragma once

#include "lib/http_server.h"
#include "lib/json.h"

/* Reads the whole body as one JSON object; a member that the schema does not have is refused.
 * ERR_MEDIA_TYPE when the client says that it is something else. */
MUST_CHECK bool body_json(struct http_request *r, const struct json_schema *schema, void *out,
                          struct err *e);

/* The whole body, for those who decode it themselves. */
MUST_CHECK bool body_text(struct http_request *r, struct text *out, struct err *e);

/* Refuses every query parameter: for what is changed by a request, where one that is not known
 * might be meant as a condition. */
MUST_CHECK bool body_no_query(struct http_request *r, struct err *e);
