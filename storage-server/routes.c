#include "storage-server/routes.h"

#include "storage-server/conditions.h"
#include "storage-server/measures.h"
#include "storage-server/node.h"
#include "storage-server/routes_chunks.h"

#include "lib/join.h"
#include "lib/json.h"

#include <stdio.h>

#define PUT_TIMEOUT_MS 60000

struct health {
    char status[16];
    char *reasons;
    char *nonce;
    char *version;
    char *id;
    int64_t capacity_bytes;
    int64_t free_bytes;
};
static const struct json_field health_fields[] = {
    J(JSON_STRING, struct health, status, 0),  J(JSON_STRINGS, struct health, reasons, 0),
    J(JSON_TEXT, struct health, nonce, 0),     J(JSON_TEXT, struct health, version, 0),
    J(JSON_TEXT, struct health, id, 0),        J(JSON_INT, struct health, capacity_bytes, 0),
    J(JSON_INT, struct health, free_bytes, 0),
};
static const struct json_schema health_schema = JSON_SCHEMA(struct health, health_fields);

struct consent {
    bool ok;
    char *reasons;
};
static const struct json_field consent_fields[] = {
    J(JSON_BOOL, struct consent, ok, 0),
    J(JSON_STRINGS, struct consent, reasons, 0),
};
static const struct json_schema consent_schema = JSON_SCHEMA(struct consent, consent_fields);

static void reply(struct http_request *r, const struct json_schema *schema, void *answer) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    json_encode(schema, answer, &json);
    http_reply_json(r, 200, json.data, json.length);
    json_clear(schema, answer);
}

static char *reasons_of(unsigned conditions) {
    struct text lines = TEXT_EMPTY;
    conditions_reasons(conditions, &lines);
    return text_take(&lines);
}

static void healthz(struct http_request *r) {
    const struct node *n = http_context(r);
    unsigned conditions = node_conditions(n);
    struct health health = {
        .reasons = reasons_of(conditions),
        .nonce = text_duplicate(n->nonce),
        .version = text_duplicate(n->version),
        .id = text_duplicate(n->id),
    };
    (void)!text_copy(health.status, sizeof health.status, conditions_status(conditions));
    (void)!chunks_space(n->chunks, &health.capacity_bytes, &health.free_bytes, NULL);
    reply(r, &health_schema, &health);
}

/* What was acknowledged is on the disk, and running requests are drained: a node alone never
 * objects. */
static void ok_to_stop(struct http_request *r) {
    struct consent consent = {.ok = true, .reasons = text_duplicate("")};
    reply(r, &consent_schema, &consent);
}

static void set_gauges(const struct node *n) {
    int64_t capacity_bytes = 0;
    int64_t free_bytes = 0;
    const char *reason = NULL;
    bool holds = false;
    unsigned conditions = node_conditions(n);
    for (size_t i = 0; conditions_reason(conditions, i, &reason, &holds); i++)
        metric_set(&measure_conditions, holds ? 1 : 0, reason, NULL);
    metric_set(&measure_chunks, (double)chunks_count(n->chunks), NULL, NULL);
    if (!chunks_space(n->chunks, &capacity_bytes, &free_bytes, NULL)) return;
    metric_set(&measure_capacity_bytes, (double)capacity_bytes, NULL, NULL);
    metric_set(&measure_free_bytes, (double)free_bytes, NULL, NULL);
}

static void show_metrics(struct http_request *r) {
    OWN_TEXT struct text page = TEXT_EMPTY;
    set_gauges(http_context(r));
    measures_render(&page);
    http_reply_text(r, 200, "text/plain; version=0.0.4", page.data, page.length);
}

/* Runs work as one of the node's requests for chunks, and answers with its error. */
static void run(struct http_request *r, chunk_work *work) {
    struct node *n = http_context(r);
    struct err e = {0};
    if (!node_enter(n, &e)) {
        http_reply_err(r, &e);
        return;
    }
    if (!work(r, n, &e)) http_reply_err(r, &e);
    node_leave(n);
}

static void put(struct http_request *r) {
    run(r, chunk_put);
}

static void get(struct http_request *r) {
    run(r, chunk_get);
}

static void head(struct http_request *r) {
    run(r, chunk_head);
}

static void delete (struct http_request *r) {
    run(r, chunk_delete);
}

static void list(struct http_request *r) {
    run(r, chunk_list);
}

const struct http_route routes[] = {
    {"PUT",    "/v1/chunks/:id", HTTP_PUBLIC, put,          CHUNK_MAX_BYTES, PUT_TIMEOUT_MS, NULL},
    {"GET",    "/v1/chunks/:id", HTTP_PUBLIC, get,          0,               0,              NULL},
    {"HEAD",   "/v1/chunks/:id", HTTP_PUBLIC, head,         0,               0,              NULL},
    {"DELETE", "/v1/chunks/:id", HTTP_PUBLIC, delete,       0,               0,              NULL},
    {"GET",    "/v1/chunks",     HTTP_PUBLIC, list,         0,               0,              NULL},
    {"GET",    "/v1/ok-to-stop", HTTP_PUBLIC, ok_to_stop,   0,               0,              NULL},
    {"GET",    "/healthz",       HTTP_PUBLIC, healthz,      0,               0,              NULL},
    {"GET",    "/metrics",       HTTP_PUBLIC, show_metrics, 0,               0,              NULL},
};
const size_t route_count = sizeof routes / sizeof routes[0];

bool routes_authorize(struct http_request *r, enum http_role role, struct err *e) {
    const char *named = http_header(r, "Host");
    char host[JOIN_HOST_SIZE];
    int port = 0;
    (void)role;
    if (named == NULL) return true; /* HTTP/1.0: no browser */
    if (join_parse_address(named, 80, host, &port, NULL) && join_is_loopback(host)) return true;
    err_set(e, ERR_DENIED, "this node answers to names of this machine only, not to %.80s", named);
    return err_hint(e, "use 127.0.0.1 or localhost");
}

void routes_finished(void *context, const char *method, const char *route, int status,
                     double seconds, int64_t sent_bytes) {
    char class[] = "0xx";
    (void)context;
    (void)method;
    class[0] = (char)('0' + status / 100 % 10);
    metric_observe(&measure_http_seconds, seconds, route, class);
    metric_add(&measure_http_sent_bytes, (double)sent_bytes, NULL, NULL);
}
