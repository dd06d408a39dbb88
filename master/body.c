#include "master/body.h"

#include "lib/text.h"

#include <string.h>
#include <strings.h>

static bool check_type(const struct http_request *r, struct err *e) {
    static const char json[] = "application/json";
    const char *type = http_header(r, "Content-Type");
    if (type == NULL) return true;
    size_t length = strcspn(type, "; \t");
    if (length == sizeof json - 1 && strncasecmp(type, json, length) == 0) return true;
    err_set(e, ERR_MEDIA_TYPE, "%.64s: the body is to be %s", type, json);
    return err_hint(e, "add the header Content-Type: %s", json);
}

bool body_text(struct http_request *r, struct text *out, struct err *e) {
    return check_type(r, e) && http_body(r, out, e);
}

bool body_json(struct http_request *r, const struct json_schema *schema, void *out, struct err *e) {
    OWN_TEXT struct text body = TEXT_SECRET; /* passwords come like anything else */
    return body_text(r, &body, e) &&
           json_decode_secret(schema, text_value(&body), body.length, JSON_REJECT_UNKNOWN, out, e);
}

bool body_no_query(struct http_request *r, struct err *e) {
    static const char *const nothing[] = {NULL};
    return http_query_only(r, nothing, e);
}
