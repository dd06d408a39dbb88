#include "cli/doctor.h"

#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "lib/clock.h"
#include "lib/join.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECT_S 2
#define MOST_NODES 16 /* whose ports are tried */

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

/* Whether somebody listens there, which a refused or lost connection denies. */
static bool listens(const char *host, int port) {
    char service[16];
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM};
    struct timeval patience = {.tv_sec = CONNECT_S};
    bool connected = false;
    snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(host, service, &hints, &found) != 0) return false;
    for (const struct addrinfo *at = found; at != NULL && !connected; at = at->ai_next) {
        OWN_FD int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) continue;
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); /* connect(2) too */
        connected = connect(fd, at->ai_addr, at->ai_addrlen) == 0;
    }
    freeaddrinfo(found);
    return connected;
}

/* The host of the URL that reached the master; false for one that makes no sense. */
static bool host_of(const char *url, char out[JOIN_HOST_SIZE]) {
    char address[SETTINGS_URL_SIZE];
    const char *host = strstr(url, "://");
    int port = 0;
    snprintf(address, sizeof address, "%s", host != NULL ? host + 3 : url);
    address[strcspn(address, "/")] = '\0';
    return join_parse_address(address, 80, out, &port, NULL);
}

/* The bus as agents would reach it from here: the master's host by its URL, the port of the bus. */
static void check_bus(struct doctor *d, const struct discovery *at,
                      const struct answer_summary *s) {
    char host[JOIN_HOST_SIZE], own[JOIN_HOST_SIZE];
    int port = 0;
    if (!host_of(at->url, host) ||
        !join_parse_address(format_or(s->bus_address, ""), 0, own, &port, NULL))
        return;
    if (listens(host, port))
        doctor_add(d, "ok", "bus", "", "%.200s port %d can be reached from here", host, port);
    else
        doctor_add(d, "fail", "bus",
                   join_is_loopback(own) && !join_is_loopback(host)
                       ? "agents elsewhere need grid-master --bus ADDR:PORT"
                       : "open this port in the firewall",
                   "%.120s port %d cannot be reached from here; the master serves the bus on %.80s",
                   host, port, s->bus_address);
}

/* Nodes that are said to be well on this very machine must take connections. */
static void check_node_ports(struct doctor *d, const struct doctor_view *v) {
    int asked = 0, reached = 0;
    for (size_t i = 0; i < v->agent_count; i++)
        for (size_t n = 0; n < v->agents[i].nodes_count && asked < MOST_NODES; n++) {
            const struct answer_node *node = &v->agents[i].nodes[n];
            if (!join_is_loopback(format_or(node->host, "")) ||
                strcmp(format_or(node->state, ""), "healthy") != 0)
                continue;
            asked++;
            if (listens("127.0.0.1", (int)node->port))
                reached++;
            else
                doctor_add(d, "fail", "node port", "gridctl node restart it",
                           "%.80s does not listen on port %lld of this machine", node->id,
                           (long long)node->port);
        }
    if (asked > 0 && reached == asked)
        doctor_add(d, "ok", "node port", "", "%d of %d on this machine take connections", reached,
                   asked);
}

/* False, with the reason among the findings, when it could not be read. */
static bool ask(struct invocation *call, struct doctor *d, const char *path, const char *check,
                struct http_answer *answer) {
    struct err e = {0};
    if (api_get(call->api, path, answer, &e)) return true;
    doctor_add(d, e.code == ERR_DENIED ? "warn" : "fail", check,
               e.code == ERR_DENIED ? "use a token of role operator to see more" : e.hint, "%s",
               e.text);
    return false;
}

/* What is asked about rollouts; empty where it could not be read, with the reason among the
 * findings. */
struct moves {
    void *active, *stuck, *quarantined;
    size_t active_count, stuck_count, quarantined_count;
};

static void ask_list(struct invocation *call, struct doctor *d, const char *path, const char *check,
                     const struct json_schema *schema, void **items, size_t *count) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct err e = {0};
    if (!ask(call, d, path, check, &answer)) return;
    if (!answer_decode_list(schema, &answer, items, count, &e))
        doctor_add(d, "fail", check, "use the same version of gridctl and master", "%s", e.text);
}

static void check_moves(struct invocation *call, struct doctor *d) {
    struct moves m = {0};
    ask_list(call, d, "/api/rollouts?active=true", "rollout", &answer_rollout_schema, &m.active,
             &m.active_count);
    ask_list(call, d, "/api/rollouts?state=revert_stuck", "rollout", &answer_rollout_schema,
             &m.stuck, &m.stuck_count);
    ask_list(call, d, "/api/quarantine", "quarantine", &answer_quarantined_schema, &m.quarantined,
             &m.quarantined_count);
    doctor_examine_rollouts(d, m.active, m.active_count);
    doctor_examine_rollouts(d, m.stuck, m.stuck_count);
    doctor_examine_quarantine(d, m.quarantined, m.quarantined_count);
    json_clear_list(&answer_rollout_schema, m.active, m.active_count);
    json_clear_list(&answer_rollout_schema, m.stuck, m.stuck_count);
    json_clear_list(&answer_quarantined_schema, m.quarantined, m.quarantined_count);
}

static void check_grid(struct invocation *call, struct doctor *d) {
    OWN_HTTP_ANSWER struct http_answer summary_answer = {0}, facts_answer = {0},
                                       agents_answer = {0};
    struct answer_summary summary;
    struct answer_facts facts;
    struct doctor_view v = {.summary = &summary, .own_version = GRID_VERSION};
    struct err e = {0};
    void *agents = NULL;
    if (!ask(call, d, "/api/summary", "summary", &summary_answer)) return;
    if (!answer_decode(&answer_summary_schema, &summary_answer, &summary, &e)) {
        doctor_add(d, "fail", "summary", "use the same version of gridctl and master", "%s",
                   e.text);
        return;
    }
    if (ask(call, d, "/api/doctor", "facts", &facts_answer) &&
        answer_decode(&answer_facts_schema, &facts_answer, &facts, &e))
        v.facts = &facts;
    v.now_ms = clock_wall_ms();
    if (ask(call, d, "/api/agents", "agents", &agents_answer) &&
        answer_decode_list(&answer_agent_schema, &agents_answer, &agents, &v.agent_count, &e))
        v.agents = agents;
    check_bus(d, &call->api->at, &summary);
    doctor_examine(d, &v);
    check_node_ports(d, &v);
    json_clear_list(&answer_agent_schema, agents, v.agent_count);
    if (v.facts != NULL) json_clear(&answer_facts_schema, &facts);
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
    if (check_ready(call, d)) {
        check_grid(call, d);
        check_moves(call, d);
    }
    if (!tell(call, d, e)) return false;
    if (doctor_failed(d) && call->exit_code == 0) call->exit_code = 1;
    return true;
}
