#include "cli/doctor.h"

#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "lib/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CLOCK_TOLERANCE_MS 30000
#define LOW_SPACE_PERCENT 5

void doctor_add(struct doctor *d, const char *state, const char *check, const char *next,
                const char *format, ...) {
    if (d->count == DOCTOR_MAX_FINDINGS) return;
    struct finding *f = &d->findings[d->count++];
    snprintf(f->state, sizeof f->state, "%s", state);
    snprintf(f->check, sizeof f->check, "%s", check);
    snprintf(f->next, sizeof f->next, "%s", next);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(f->found, sizeof f->found, format, arguments);
    va_end(arguments);
}

bool doctor_failed(const struct doctor *d) {
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->findings[i].state, "fail") == 0) return true;
    return false;
}

static void examine_master(struct doctor *d, const struct answer_summary *s,
                           const char *own_version, int64_t now_ms) {
    const char *version = format_or(s->version, "?");
    if (strcmp(version, own_version) == 0)
        doctor_add(d, "ok", "version", "", "master and gridctl are %s", own_version);
    else
        doctor_add(d, "warn", "version", "use the same version of both",
                   "master is %s, gridctl is %s", version, own_version);
    int64_t started = clock_parse_rfc3339(format_or(s->started_at, ""));
    int64_t off = started < 0 ? 0 : now_ms - (started + s->uptime_s * 1000);
    char words[FORMAT_SIZE];
    if (off > CLOCK_TOLERANCE_MS || off < -CLOCK_TOLERANCE_MS)
        doctor_add(d, "warn", "clock", "synchronize the clocks (NTP)",
                   "the master's clock is %s %s this machine's",
                   format_duration(off < 0 ? -off : off, words), off < 0 ? "ahead of" : "behind");
    else
        doctor_add(d, "ok", "clock", "", "the master's clock agrees with this machine's");
}

static void examine_channels(struct doctor *d, const struct answer_summary *s) {
    OWN_TEXT struct text list = TEXT_EMPTY;
    for (size_t i = 0; i < s->channels_count; i++) {
        const char *version = format_or(s->channels[i].version, "");
        if (version[0] == '\0') continue;
        text_add_format(&list, "%s%s %s", list.length > 0 ? ", " : "",
                        format_or(s->channels[i].name, "?"), version);
    }
    if (list.length > 0)
        doctor_add(d, "ok", "channel", "", "%s", list.data);
    else
        doctor_add(d, "warn", "channel", "gridctl channel set stable VERSION",
                   "no channel points to a version");
}

static void examine_binaries(struct doctor *d, const struct answer_summary *s) {
    char words[FORMAT_SIZE];
    if (s->binaries == 0)
        doctor_add(d, "warn", "binaries", "gridctl binary push FILE", "nothing is published");
    else
        doctor_add(d, "ok", "binaries", "", "%lld published", (long long)s->binaries);
    if (s->rejected > 0)
        doctor_add(d, "warn", "drop box", "gridctl binary list --rejected", "%s refused",
                   format_count(s->rejected, "file", words));
    examine_channels(d, s);
}

static void examine_agents(struct doctor *d, const struct answer_agent_counts *a) {
    int64_t all = a->up + a->suspect + a->lost + a->pending;
    if (all == 0)
        doctor_add(d, "warn", "agents", "gridctl agent join-command", "no machine has joined");
    else
        doctor_add(d, a->up > 0 ? "ok" : "fail", "agents", a->up > 0 ? "" : "gridctl agent list",
                   "%lld of %lld up", (long long)a->up, (long long)all);
    if (a->lost > 0)
        doctor_add(d, "fail", "agents", "gridctl agent list --filter status=lost", "%lld lost",
                   (long long)a->lost);
    if (a->suspect > 0)
        doctor_add(d, "warn", "agents", "gridctl agent list --filter status=suspect",
                   "%lld silent for some seconds", (long long)a->suspect);
    if (a->pending > 0)
        doctor_add(d, "warn", "agents", "gridctl agent approve ID", "%lld wait for approval",
                   (long long)a->pending);
}

static void examine_nodes(struct doctor *d, const struct answer_summary *s) {
    const struct answer_node_counts *n = &s->nodes;
    int64_t all = n->healthy + n->starting + n->unhealthy + n->backoff + n->stopped + n->draining;
    if (n->draining > 0)
        doctor_add(d, "ok", "nodes", "", "%lld of %lld healthy, %lld serve on while draining",
                   (long long)n->healthy, (long long)all, (long long)n->draining);
    else if (all > 0)
        doctor_add(d, "ok", "nodes", "", "%lld of %lld healthy", (long long)n->healthy,
                   (long long)all);
    if (n->unhealthy > 0)
        doctor_add(d, "fail", "nodes", "gridctl node list --filter state=unhealthy",
                   "%lld unhealthy", (long long)n->unhealthy);
    if (n->backoff > 0)
        doctor_add(d, "fail", "nodes", "gridctl node list --filter state=backoff",
                   "%lld keep ending and are started again", (long long)n->backoff);
    char words[FORMAT_SIZE];
    if (s->capacity_bytes > 0 && s->free_bytes * 100 / s->capacity_bytes < LOW_SPACE_PERCENT)
        doctor_add(d, "warn", "space", "gridctl node list", "only %s free in the whole grid",
                   format_bytes(s->free_bytes, words));
}

void doctor_examine(struct doctor *d, const struct answer_summary *s, const char *own_version,
                    int64_t now_ms) {
    examine_master(d, s, own_version, now_ms);
    examine_binaries(d, s);
    examine_agents(d, &s->agents);
    examine_nodes(d, s);
}

static void check_address(struct doctor *d, const struct discovery *at) {
    struct stat status;
    if (strncmp(at->url, "http://", 7) == 0 && !discover_is_local(at->url))
        doctor_add(d, "warn", "address", "use it on trusted networks only",
                   "%.120s (%.80s) is not encrypted", at->url, at->url_from);
    else
        doctor_add(d, "ok", "address", "", "%.120s (%.80s)", at->url, at->url_from);
    if (at->token[0] == '\0')
        doctor_add(d, "warn", "token", "gridctl login, or GRID_TOKEN", "none was found");
    else if (stat(at->token_from, &status) == 0 && (status.st_mode & 077) != 0)
        doctor_add(d, "warn", "token", "chmod 600 it", "%.200s can be read by others",
                   at->token_from);
    else
        doctor_add(d, "ok", "token", "", "from %.200s", at->token_from);
}

static bool check_ready(struct invocation *call, struct doctor *d) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct err e = {0};
    struct answer_readiness ready;
    if (api_get(call->api, "/readyz", &answer, &e)) {
        doctor_add(d, "ok", "master", "", "answers and is ready");
        return true;
    }
    if (answer.status == 503 && answer_decode(&answer_readiness_schema, &answer, &ready, &e)) {
        doctor_add(d, "fail", "master", "look at its log", "not ready: %.200s",
                   format_or(ready.reasons, "no reason given"));
        json_clear(&answer_readiness_schema, &ready);
        return true;
    }
    doctor_add(d, "fail", "master", e.hint, "%s", e.text);
    if (answer.status < 400) call->exit_code = err_exit_code(e.code);
    return answer.status >= 400;
}

static void check_grid(struct invocation *call, struct doctor *d) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct err e = {0};
    struct answer_summary summary;
    if (!api_get(call->api, "/api/summary", &answer, &e) ||
        !answer_decode(&answer_summary_schema, &answer, &summary, &e)) {
        doctor_add(d, "fail", "summary", e.hint, "%s", e.text);
        return;
    }
    doctor_examine(d, &summary, GRID_VERSION, clock_wall_ms());
    json_clear(&answer_summary_schema, &summary);
}

static const struct json_field finding_fields[] = {
    J(JSON_STRING, struct finding, state, 0),
    J(JSON_STRING, struct finding, check, 0),
    J(JSON_STRING, struct finding, found, 0),
    J(JSON_STRING, struct finding, next, JSON_OMIT_EMPTY),
};
static const struct json_schema finding_schema = JSON_SCHEMA(struct finding, finding_fields);

static bool tell(const struct invocation *call, const struct doctor *d, struct err *e) {
    static const struct output_column columns[] = {
        {"STATE", COLUMN_STATE},
        {"CHECK", 0           },
        {"FOUND", COLUMN_FLEX },
        {"NEXT",  0           },
    };
    OWN_TEXT struct text out = TEXT_EMPTY, json = TEXT_EMPTY;
    OWN_TABLE struct output_table t = OUTPUT_TABLE_OF(columns);
    if (call->format == OUTPUT_JSON) {
        json_encode_list(&finding_schema, d->findings, d->count, &json);
        return output_json(text_value(&json), json.length, &out, e) && output_emit(&out, e);
    }
    for (size_t i = 0; i < d->count; i++) {
        output_cell(&t, d->findings[i].state);
        output_cell(&t, d->findings[i].check);
        output_cell(&t, d->findings[i].found);
        output_cell(&t, d->findings[i].next);
    }
    output_table(&t, false, &call->style, &out);
    return output_emit(&out, e);
}

bool doctor_run(struct invocation *call, struct err *e) {
    OWN_MEMORY struct doctor *d = memory_zeroed(1, sizeof *d);
    if (!api_connect(call->api, e)) return false;
    check_address(d, &call->api->at);
    if (check_ready(call, d)) check_grid(call, d);
    if (!tell(call, d, e)) return false;
    if (doctor_failed(d) && call->exit_code == 0) call->exit_code = 1;
    return true;
}
