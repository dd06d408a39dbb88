#include "cli/answers.h"
#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"

#define MASTER_TIMEOUT_MS 3000

/* The master's version is a courtesy: without a master or a token there is still an answer. */
static void master_version(struct invocation *call, struct text *out) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct err ignored = {0};
    struct answer_summary summary;
    struct http_call get = {.method = "GET", .timeout_ms = MASTER_TIMEOUT_MS};
    if (!api_call(call->api, &get, "/api/summary", &answer, &ignored) ||
        !answer_decode(&answer_summary_schema, &answer, &summary, &ignored))
        return;
    text_add(out, format_or(summary.version, ""));
    json_clear(&answer_summary_schema, &summary);
}

bool version_show(struct invocation *call, struct err *e) {
    OWN_TEXT struct text master = TEXT_EMPTY, quoted = TEXT_EMPTY;
    master_version(call, &master);
    if (call->format == OUTPUT_JSON) {
        if (master.length > 0)
            json_quote(text_value(&master), &quoted);
        else
            text_add(&quoted, "null");
        return listing_line(e, "{\"gridctl\": \"%s\", \"master\": %s}", GRID_VERSION,
                            text_value(&quoted));
    }
    if (master.length == 0) return listing_line(e, "gridctl %s", GRID_VERSION);
    return listing_line(e, "gridctl %s\nmaster  %s  %s", GRID_VERSION, text_value(&master),
                        call->api->at.url);
}
