#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "cli/rollout_answers.h"

static const struct output_column columns[] = {
    {"NAME",    0          },
    {"VERSION", 0          },
    {"DIGEST",  0          },
    {"ROLLOUT", 0          },
    {"SINCE",   0          },
    {"REASON",  COLUMN_FLEX},
};

static void quarantined_row(const void *item, int64_t now_ms, struct output_table *t) {
    const struct answer_quarantined *q = item;
    char age[FORMAT_SIZE];
    output_cell(t, q->name);
    output_cell(t, q->version);
    output_cell_format(t, "%.12s", q->digest);
    output_cell(t, q->rollout);
    output_cell(t, format_age(format_or(q->created_at, ""), now_ms, age));
    output_cell(t, q->reason);
}

static const char *quarantined_name(const void *item) {
    return ((const struct answer_quarantined *)item)->digest;
}

bool quarantine_show(struct invocation *call, struct err *e) {
    static const struct listing l = {.path = "/api/quarantine",
                                     .plural = "quarantined digests",
                                     .schema = &answer_quarantined_schema,
                                     .columns = columns,
                                     .column_count = COUNT_OF(columns),
                                     .row = quarantined_row,
                                     .name = quarantined_name};
    return listing_run(call, &l, e);
}

static bool lift_one(struct invocation *call, const char *digest, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    if (call->settings->dry_run) return invocation_would(call, e, "lift %s", digest);
    text_add(&path, "/api/quarantine");
    api_path_add(&path, digest);
    return api_send(call->api, "DELETE", text_value(&path), NULL, &answer, e) &&
           listing_changed(call, &answer, digest, e,
                           "%s is no longer quarantined: rollouts, channels and pins may choose it",
                           digest);
}

bool quarantine_release(struct invocation *call, struct err *e) {
    if (!call->settings->dry_run &&
        !invocation_confirm(call, e, "Builds that failed here may be chosen again. Go on?"))
        return false;
    return invocation_each(call, call->arguments, call->argument_count, lift_one, e);
}
