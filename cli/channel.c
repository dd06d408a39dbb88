#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "lib/artifact.h"
#include "lib/json.h"

#include <string.h>

static const struct output_column columns[] = {
    {"NAME",     0           },
    {"ARTIFACT", 0           },
    {"VERSION",  0           },
    {"AGENTS",   COLUMN_RIGHT},
    {"CHANGED",  0           },
};

static void channel_row(const void *item, int64_t now_ms, struct output_table *t) {
    const struct answer_channel *c = item;
    char words[FORMAT_SIZE];
    output_cell(t, c->name);
    output_cell(t, c->artifact);
    output_cell(t, c->version);
    output_cell_format(t, "%lld", (long long)c->agents);
    output_cell(t, format_age(format_or(c->updated_at, ""), now_ms, words));
}

static const char *channel_name(const void *item) {
    return format_or(((const struct answer_channel *)item)->name, "");
}

bool channel_list(struct invocation *call, struct err *e) {
    static const struct listing l = {
        .path = "/api/channels",
        .plural = "channels",
        .schema = &answer_channel_schema,
        .columns = columns,
        .column_count = COUNT_OF(columns),
        .row = channel_row,
        .name = channel_name,
        .when_empty = "gridctl binary push FILE, then gridctl channel set stable VERSION"};
    return listing_run(call, &l, e);
}

static bool would_set(struct invocation *call, const char *name, const char *version,
                      struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    void *items = NULL;
    size_t count = 0;
    if (!api_get(call->api, "/api/channels", &answer, e) ||
        !answer_decode_list(&answer_channel_schema, &answer, &items, &count, e))
        return false;
    const char *artifact = call->settings->artifact;
    if (artifact[0] == '\0') artifact = ARTIFACT_DEFAULT_NAME;
    const struct answer_channel *found = NULL;
    for (const struct answer_channel *c = items; c < (const struct answer_channel *)items + count;
         c++)
        if (strcmp(channel_name(c), name) == 0 && strcmp(format_or(c->artifact, ""), artifact) == 0)
            found = c;
    char agents[FORMAT_SIZE];
    bool done = found == NULL
                    ? invocation_would(call, e, "make channel %s with version %s", name, version)
                    : invocation_would(call, e, "set channel %s from %s to %s for %s", name,
                                       format_or(found->version, "no version"), version,
                                       format_count(found->agents, "agent", agents));
    json_clear_list(&answer_channel_schema, items, count);
    return done;
}

bool channel_set(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY, body = TEXT_EMPTY;
    const char *name = call->arguments[0], *version = call->arguments[1];
    if (call->settings->dry_run) return would_set(call, name, version, e);
    text_add(&path, "/api/channels");
    api_path_add(&path, name);
    text_add(&body, "{\"version\":");
    json_quote(version, &body);
    if (call->settings->artifact[0] != '\0') {
        text_add(&body, ",\"artifact\":");
        json_quote(call->settings->artifact, &body);
    }
    text_add(&body, "}");
    if (!api_send(call->api, "PUT", text_value(&path), text_value(&body), &answer, e)) return false;
    struct answer_channel channel;
    char agents[FORMAT_SIZE];
    if (!answer_decode(&answer_channel_schema, &answer, &channel, e)) return false;
    bool done = listing_changed(call, &answer, name, e, "channel %s is %s %s for %s", name,
                                format_or(channel.artifact, ""), version,
                                format_count(channel.agents, "agent", agents));
    if (done && channel.agents > 0) invocation_note(call, "Next: gridctl agent list");
    json_clear(&answer_channel_schema, &channel);
    return done;
}
