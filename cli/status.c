#include "cli/status.h"

#include "cli/discover.h"
#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "cli/rollout_words.h"
#include "lib/artifact.h"

#include <stdio.h>
#include <string.h>

#define BAR_WIDTH 10

struct part {
    int64_t count;
    const char *state;
};

/* "3   2 up, 1 lost": the sum, then what it is made of. */
static void add_parts(const char *label, const struct part *parts, size_t count,
                      const struct output_style *style, struct text *out) {
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += parts[i].count;
    text_add_format(out, "%-7s %-3lld", label, (long long)sum);
    const char *separator = " ";
    for (size_t i = 0; i < count; i++) {
        if (parts[i].count == 0) continue;
        text_add_format(out, "%s%lld ", separator, (long long)parts[i].count);
        output_state(parts[i].state, style, out);
        separator = ", ";
    }
    while (out->data[out->length - 1] == ' ') out->data[--out->length] = '\0';
    text_add(out, "\n");
}

static void add_agents(const struct answer_agent_counts *a, const struct output_style *style,
                       struct text *out) {
    const struct part parts[] = {
        {a->up,      "up"     },
        {a->suspect, "suspect"},
        {a->lost,    "lost"   },
        {a->pending, "pending"},
        {a->revoked, "revoked"},
    };
    add_parts("Agents", parts, COUNT_OF(parts), style, out);
}

static void add_nodes(const struct answer_node_counts *n, const struct output_style *style,
                      struct text *out) {
    const struct part parts[] = {
        {n->healthy,   "healthy"  },
        {n->starting,  "starting" },
        {n->draining,  "draining" },
        {n->unhealthy, "unhealthy"},
        {n->backoff,   "backoff"  },
        {n->stopped,   "stopped"  },
    };
    add_parts("Nodes", parts, COUNT_OF(parts), style, out);
}

static void add_versions(const struct answer_summary *s, const struct output_style *style,
                         struct text *out) {
    int64_t sum = 0;
    int width = 0;
    for (size_t i = 0; i < s->versions_count; i++) {
        int columns = output_columns(format_or(s->versions[i].version, "none"));
        sum += s->versions[i].agents;
        if (columns > width) width = columns;
    }
    for (size_t i = 0; i < s->versions_count && sum > 0; i++) {
        const char *version = format_or(s->versions[i].version, "none");
        text_add_format(out, "%-7s ", i == 0 ? "Version" : "");
        output_clean(version, false, style, out);
        text_add_format(out, "%*s ", width - output_columns(version), "");
        output_bar(s->versions[i].agents, sum, BAR_WIDTH, style, out);
        text_add_format(out, " %3d%%\n", (int)((s->versions[i].agents * 200 + sum) / (2 * sum)));
    }
}

/* Channels of storage-server, which every grid has, go without its name. */
static void add_channels(const struct answer_summary *s, const struct output_style *style,
                         struct text *out) {
    if (s->channels_count == 0) return;
    text_add(out, "Channel");
    for (size_t i = 0; i < s->channels_count; i++) {
        const char *artifact = format_or(s->channels[i].artifact, ARTIFACT_DEFAULT_NAME);
        text_add(out, i > 0 ? ", " : " ");
        if (strcmp(artifact, ARTIFACT_DEFAULT_NAME) != 0) {
            output_clean(artifact, false, style, out);
            text_add(out, " ");
        }
        output_clean(format_or(s->channels[i].name, "?"), false, style, out);
        text_add(out, " ");
        output_clean(format_or(s->channels[i].version, "none"), false, style, out);
    }
    text_add(out, "\n");
}

void status_text(const struct answer_summary *s, const char *url, const struct output_style *style,
                 struct text *out) {
    char words[FORMAT_SIZE], total[FORMAT_SIZE];
    text_add_format(out, "%s  %s  master ", discover_is_local(url) ? "local" : "remote", url);
    output_clean(format_or(s->version, "?"), false, style, out);
    text_add_format(out, "  up %s\n", format_duration(s->uptime_s * 1000, words));
    add_agents(&s->agents, style, out);
    add_nodes(&s->nodes, style, out);
    add_versions(s, style, out);
    add_channels(s, style, out);
    if (s->capacity_bytes > 0)
        text_add_format(out, "Space   %s free of %s\n", format_bytes(s->free_bytes, words),
                        format_bytes(s->capacity_bytes, total));
    if (s->failed_updates > 0)
        text_add_format(out, "Failed  %s did not take the version they should run\n",
                        format_count(s->failed_updates, "agent", words));
    if (s->rejected > 0)
        text_add_format(out, "Refused %s in the drop box\n",
                        format_count(s->rejected, "file", words));
}

void status_rollouts(const struct answer_rollout *rollouts, size_t count,
                     const struct output_style *style, struct text *out) {
    for (size_t i = 0; i < count; i++) {
        OWN_TEXT struct text progress = TEXT_EMPTY;
        rollout_words_progress(&rollouts[i], &progress);
        text_add_format(out, "Rollout %s  ", rollouts[i].id);
        output_clean(format_or(rollouts[i].version, "?"), false, style, out);
        text_add(out, "  ");
        output_state(format_or(rollouts[i].state, "?"), style, out);
        text_add_format(out, "  %s\n", text_value(&progress));
    }
}

const char *status_next(const struct answer_summary *s) {
    if (s->binaries == 0 && s->rejected == 0) return "gridctl binary push FILE";
    if (s->rejected > 0 && s->binaries == 0) return "gridctl binary list --rejected";
    if (s->agents.up + s->agents.suspect + s->agents.lost + s->agents.pending == 0)
        return "gridctl agent join-command";
    if (s->agents.pending > 0) return "gridctl agent list --filter status=pending";
    if (s->agents.lost > 0) return "gridctl agent list --filter status=lost";
    if (s->agents.suspect > 0) return "gridctl agent list --filter status=suspect";
    if (s->nodes.unhealthy > 0) return "gridctl node list --filter state=unhealthy";
    if (s->nodes.backoff > 0) return "gridctl node list --filter state=backoff";
    if (s->failed_updates > 0) return "gridctl event tail --kind agent.update_failed";
    if (s->nodes.starting > 0) return "gridctl event tail --follow";
    if (s->rejected > 0) return "gridctl binary list --rejected";
    return "gridctl agent list";
}

void status_add_next(const struct answer_summary *s, const struct answer_rollout *rollouts,
                     size_t count, struct text *out) {
    OWN_TEXT struct text next = TEXT_EMPTY;
    for (size_t i = 0; i < count && next.length == 0; i++)
        if (rollout_words_stands(&rollouts[i]))
            text_add_format(&next, "gridctl rollout status %s", rollouts[i].id);
    if (next.length == 0) text_add(&next, status_next(s));
    if (count > 0 && strcmp(next.data, "gridctl agent list") == 0) {
        text_clear(&next);
        text_add_format(&next, "gridctl rollout status %s --wait", rollouts[0].id);
    }
    text_add_format(out, "Next: %s\n", next.data);
}

/* Those that may still move agents; a token that may not see them sees none. */
static bool fetch_rollouts(struct invocation *call, void **items, size_t *count, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    *items = NULL;
    *count = 0;
    if (!api_get(call->api, "/api/rollouts?active=true", &answer, e))
        return e->code == ERR_DENIED || e->code == ERR_UNAUTHENTICATED;
    return answer_decode_list(&answer_rollout_schema, &answer, items, count, e);
}

bool status_show(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct answer_summary summary;
    if (!api_get(call->api, "/api/summary", &answer, e)) return false;
    if (call->format == OUTPUT_JSON) return listing_json(&answer, e);
    if (!answer_decode(&answer_summary_schema, &answer, &summary, e)) return false;
    void *rollouts;
    size_t count;
    bool done = fetch_rollouts(call, &rollouts, &count, e);
    if (done) {
        status_text(&summary, call->api->at.url, &call->style, &out);
        status_rollouts(rollouts, count, &call->style, &out);
        status_add_next(&summary, rollouts, count, &out);
    }
    json_clear_list(&answer_rollout_schema, rollouts, count);
    json_clear(&answer_summary_schema, &summary);
    return done && output_emit(&out, e);
}
