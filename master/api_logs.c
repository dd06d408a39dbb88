#include "master/api_logs.h"

#include "master/master.h"

#include <string.h>

#define LOG_TIMEOUT_MS 10000

/* Where the last `lines` lines begin. */
static const char *last_lines(const char *words, int64_t lines) {
    const char *at = words + strlen(words);
    if (at > words && at[-1] == '\n') at--;
    while (at > words) {
        if (at[-1] == '\n' && --lines == 0) break;
        at--;
    }
    return at;
}

void api_logs_reply(struct http_request *r, const char *agent_id, const char *node_id) {
    static const char *const allowed[] = {"lines", NULL};
    OWN_TEXT struct text log = TEXT_EMPTY;
    int64_t lines = 0;
    struct err e;
    if (!http_query_only(r, allowed, &e) || !http_query_int(r, "lines", 1, 2000, 200, &lines, &e) ||
        !agents_fetch_log(master_of(r)->agents, agent_id, node_id, WIRE_LOG_MAX_BYTES,
                          LOG_TIMEOUT_MS, &log, &e)) {
        http_reply_err(r, &e);
        return;
    }
    const char *words = last_lines(text_value(&log), lines);
    http_reply_text(r, 200, "text/plain; charset=utf-8", words, strlen(words));
}
