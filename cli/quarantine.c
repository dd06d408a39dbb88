#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "cli/rollout_answers.h"
#include "lib/hash.h"

#include <stdio.h>
#include <string.h>

/* Fewer digits than this name no digest, so that a slip lifts nothing. */
#define FEWEST_DIGITS 8

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

bool quarantined_list(struct invocation *call, struct err *e) {
    static const struct listing l = {.path = "/api/quarantine",
                                     .plural = "quarantined digests",
                                     .schema = &answer_quarantined_schema,
                                     .columns = columns,
                                     .column_count = COUNT_OF(columns),
                                     .row = quarantined_row,
                                     .name = quarantined_name};
    return listing_run(call, &l, e);
}

static void add_path(const char *digest, struct text *out) {
    text_add(out, "/api/quarantine");
    api_path_add(out, digest);
}

static bool lift(struct invocation *call, const char *digest, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    if (call->settings->dry_run) return invocation_would(call, e, "lift %s", digest);
    add_path(digest, &path);
    return api_send(call->api, "DELETE", text_value(&path), NULL, &answer, e) &&
           listing_changed(call, &answer, digest, e,
                           "%s is no longer quarantined: rollouts, channels and pins may choose it",
                           digest);
}

/* The one digest that begins so, as lists show it; begin itself when none does, for the master to
 * refuse. */
static bool find_digest(struct invocation *call, const char *begin,
                        char out[static SHA256_HEX_SIZE], struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    void *items = NULL;
    size_t count = 0, found = 0;
    snprintf(out, SHA256_HEX_SIZE, "%s", begin);
    if (!api_get(call->api, "/api/quarantine", &answer, e) ||
        !answer_decode_list(&answer_quarantined_schema, &answer, &items, &count, e))
        return false;
    const struct answer_quarantined *list = items;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(list[i].digest, begin, strlen(begin)) != 0) continue;
        snprintf(out, SHA256_HEX_SIZE, "%s", list[i].digest);
        found++;
    }
    json_clear_list(&answer_quarantined_schema, items, count);
    if (found < 2) return true;
    err_set(e, ERR_USAGE, "%zu quarantined digests begin with %s", found, begin);
    return err_hint(e, "give more of it; gridctl quarantine list -o name shows them whole");
}

typedef bool on_digest(struct invocation *call, const char *digest, struct err *e);

static bool complete(struct invocation *call, const char *given, on_digest *act, struct err *e) {
    char digest[SHA256_HEX_SIZE];
    size_t digits = strlen(given);
    if (digits < FEWEST_DIGITS || digits >= sizeof digest - 1) return act(call, given, e);
    return find_digest(call, given, digest, e) && act(call, digest, e);
}

static void describe(const struct answer_quarantined *q, const struct output_style *style,
                     struct text *out) {
    char words[FORMAT_SIZE];
    OWN_TABLE struct output_table t = OUTPUT_FIELDS;
    output_field(&t, "Name", q->name);
    output_field(&t, "Version", q->version);
    output_field(&t, "Digest", q->digest);
    output_field(&t, "Rollout", q->rollout);
    output_field(&t, "Since", format_time(format_or(q->created_at, ""), words));
    output_field(&t, "Reason", q->reason);
    output_fields(&t, style, out);
}

static bool show(struct invocation *call, const char *digest, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY, out = TEXT_EMPTY;
    struct answer_quarantined q = {0};
    add_path(digest, &path);
    if (!api_get(call->api, text_value(&path), &answer, e) ||
        !answer_decode(&answer_quarantined_schema, &answer, &q, e))
        return false;
    describe(&q, &call->style, &out);
    bool done = call->format == OUTPUT_TABLE ? output_emit(&out, e)
                                             : listing_changed(call, &answer, q.digest, e, " ");
    json_clear(&answer_quarantined_schema, &q);
    return done;
}

bool quarantine_show(struct invocation *call, struct err *e) {
    return complete(call, call->arguments[0], show, e);
}

static bool lift_one(struct invocation *call, const char *given, struct err *e) {
    return complete(call, given, lift, e);
}

bool quarantine_release(struct invocation *call, struct err *e) {
    if (!call->settings->dry_run &&
        !invocation_confirm(call, e, "Builds that failed here may be chosen again. Go on?"))
        return false;
    return invocation_each(call, call->arguments, call->argument_count, lift_one, e);
}
