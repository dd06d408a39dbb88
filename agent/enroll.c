#include "agent/enroll.h"

#include "agent/message.h"
#include "lib/http_client.h"
#include "lib/log.h"
#include "lib/pem.h"

#include <stdio.h>
#include <string.h>

enum { ANSWER_MS = 5000, NONCE_BYTES = 32, CA_MAX_BYTES = 16 * 1024 };

/* Where --master says, even when the join string says something else. */
static bool plan_address(const struct settings *s, struct enroll_plan *out, struct err *e) {
    if (s->master[0] == '\0') return true;
    if (!join_parse_address(s->master, 7000, out->host, &out->port, e))
        return err_wrap(e, "--master");
    if (out->host[0] == '\0') snprintf(out->host, sizeof out->host, "localhost");
    return true;
}

static bool plan_from_join(const struct settings *s, struct enroll_plan *out, struct err *e) {
    struct join join;
    if (!join_parse(s->token, &join, e)) return false;
    snprintf(out->host, sizeof out->host, "%s", join.host);
    snprintf(out->token, sizeof out->token, "%s", join.token);
    out->port = join.bus_port;
    memcpy(out->http_host, join.host, sizeof out->http_host);
    out->http_port = join.http_port;
    out->root_version = join.root_version;
    memcpy(out->root_sha256, join.root_sha256, sizeof out->root_sha256);
    memcpy(out->ca_sha256, join.ca_sha256, sizeof out->ca_sha256);
    out->master_key = join.master_key;
    out->release_key = join.release_key;
    out->pinned = true;
    secret_wipe(&join, sizeof join);
    return plan_address(s, out, e);
}

static bool plan_from_secret(const struct settings *s, struct enroll_plan *out, struct err *e) {
    char id[SECRET_ID_SIZE];
    snprintf(out->host, sizeof out->host, "localhost");
    out->port = 7000;
    if (!plan_address(s, out, e)) return false;
    if (!join_is_loopback(out->host)) {
        err_set(e, ERR_USAGE,
                "a bare secret works with a master on this machine only, not with %.80s",
                out->host);
        return err_hint(e,
                        "use the join string grid://... that `gridctl agent join-command` prints");
    }
    if (!secret_id("gj", s->token, id, e)) return err_wrap(e, "join secret");
    snprintf(out->token, sizeof out->token, "%.*s", (int)sizeof out->token - 1, s->token);
    return true;
}

bool enroll_plan(const struct settings *s, struct enroll_plan *out, struct err *e) {
    *out = (struct enroll_plan){0};
    if (s->program_version != NULL)
        text_cut(out->agent_version, sizeof out->agent_version, s->program_version);
    if (s->token[0] == '\0') {
        err_set(e, ERR_USAGE, "this machine is not enrolled yet and there is no join string");
        return err_hint(e, "run `gridctl agent join-command` where the master is, and give what it "
                           "prints in GRID_TOKEN "
                           "or --token-file");
    }
    if (s->agent_id[0] != '\0')
        snprintf(out->agent_id, sizeof out->agent_id, "%s", s->agent_id);
    else if (!settings_default_id(out->agent_id, e))
        return false;
    bool is_join = strncmp(s->token, "grid://", strlen("grid://")) == 0;
    return is_join ? plan_from_join(s, out, e) : plan_from_secret(s, out, e);
}

void enroll_plan_clear(struct enroll_plan *p) {
    free(p->ca_pem);
    secret_wipe(p, sizeof *p);
}

bool enroll_is_invited(const struct settings *s, const struct identity *who) {
    struct enroll_plan plan = {0};
    char id[SECRET_ID_SIZE];
    bool invited = s->token[0] != '\0' && enroll_plan(s, &plan, NULL) &&
                   secret_id("gj", plan.token, id, NULL) && strcmp(id, who->token_id) != 0;
    enroll_plan_clear(&plan);
    return invited;
}

bool enroll_is_foreign(const struct settings *s, const struct identity *who) {
    struct enroll_plan plan = {0};
    bool foreign = s->token[0] != '\0' && enroll_plan(s, &plan, NULL) && plan.pinned &&
                   !sign_public_equal(&plan.master_key, &who->master_key);
    enroll_plan_clear(&plan);
    return foreign;
}

bool enroll_may_retry(enum err_code code) {
    return code == ERR_UNREACHABLE || code == ERR_TIMEOUT || code == ERR_UNAVAILABLE ||
           code == ERR_RATE_LIMITED;
}

/* One certificate only, and that one: a client of TLS would trust every other that came along. */
static bool is_the_ca(const struct enroll_plan *plan, const char *pem) {
    char sha256[SHA256_HEX_SIZE];
    const char *begin = strstr(pem, "-----BEGIN");
    return begin != NULL && strstr(begin + 1, "-----BEGIN") == NULL &&
           pem_certificate_sha256(pem, sha256, NULL) && strcmp(sha256, plan->ca_sha256) == 0;
}

static bool get_ca(struct enroll_plan *plan, struct err *e) {
    char url[JOIN_HOST_SIZE + 64];
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    bool v6 = strchr(plan->http_host, ':') != NULL;
    snprintf(url, sizeof url, v6 ? "https://[%s]:%d/api/ca.pem" : "https://%s:%d/api/ca.pem",
             plan->http_host, plan->http_port);
    const struct http_call get = {.url = url,
                                  .trust = {.anybody = true},
                                  .timeout_ms = ANSWER_MS,
                                  .answer_max_bytes = CA_MAX_BYTES};
    if (!http_call_ok(&get, &answer, e)) return err_wrap(e, "certificate of the grid's CA");
    if (!is_the_ca(plan, text_value(&answer.body))) {
        err_set(e, ERR_UNTRUSTED, "%s is not the CA that the join string names", url);
        return err_hint(e, "is that the grid's master? If it got another CA, get a new join string "
                           "with `gridctl agent join-command`");
    }
    plan->ca_pem = text_take(&answer.body);
    return true;
}

bool enroll_connect(struct enroll_plan *plan, struct bus_client **out, struct err *e) {
    *out = NULL;
    bool tls = plan->ca_sha256[0] != '\0';
    if (tls && plan->ca_pem == NULL && !get_ca(plan, e)) return false;
    const struct bus_trust trust = {plan->ca_pem, WIRE_MASTER_NAME};
    return bus_client_open(out, plan->host, plan->port, tls ? &trust : NULL, e);
}

static bool call(struct bus_client *bus, const struct text *frame, void **answer, size_t *length,
                 struct err *e) {
    return bus_call(bus, frame->data, frame->length, ANSWER_MS, answer, length, e);
}

/* Whom the answer says it is from, before anything of it is believed. */
static bool claimed_key(const void *bytes, size_t length, struct sign_public *out) {
    struct frame f;
    struct wire_challenge m;
    return frame_parse(bytes, length, &f, NULL) &&
           json_decode(&wire_challenge_schema, f.json, f.json_length, JSON_IGNORE_UNKNOWN, &m,
                       NULL) &&
           sign_public_parse(m.master_key, out, NULL);
}

static bool check_keys(const struct enroll_plan *plan, const struct wire_challenge *m,
                       struct identity *out, struct err *e) {
    struct sign_public named;
    if (!sign_public_parse(m->master_key, &named, e) ||
        !sign_public_parse(m->release_key, &out->release_key, e))
        return err_wrap(e, "keys of the master");
    if (!sign_public_equal(&named, &out->master_key))
        return err_set(e, ERR_UNTRUSTED, "the master names a key that it does not sign with");
    if (!plan->pinned || sign_public_equal(&plan->release_key, &out->release_key)) return true;
    err_set(e, ERR_UNTRUSTED, "the master's release key is not the one of the join string");
    return err_hint(e, "get a new join string with `gridctl agent join-command`");
}

static bool ask_challenge(const struct enroll_plan *plan, struct bus_client *bus,
                          struct identity *out, struct wire_challenge *challenge, struct err *e) {
    struct wire_challenge_request request = {.type = "challenge"};
    OWN_TEXT struct text json = TEXT_EMPTY;
    OWN_TEXT struct text frame = TEXT_EMPTY;
    OWN_MEMORY void *answer = NULL;
    size_t length = 0;
    random_hex(NONCE_BYTES, request.nonce);
    json_encode(&wire_challenge_request_schema, &request, &json);
    frame_plain(json.data, json.length, &frame);
    if (!call(bus, &frame, &answer, &length, e)) return false;
    out->master_key = plan->master_key;
    if (!plan->pinned && !claimed_key(answer, length, &out->master_key))
        return err_set(e, ERR_UNTRUSTED, "%s:%d does not answer like a master", plan->host,
                       plan->port);
    struct message_expected expected = {&out->master_key, "challenge", request.nonce,
                                        &wire_challenge_schema};
    if (!message_open(&expected, answer, length, challenge, e)) return false;
    return check_keys(plan, challenge, out, e);
}

static bool fill_enroll(const struct enroll_plan *plan, const struct identity *who,
                        const struct wire_challenge *challenge, const char *labels,
                        struct wire_enroll *m, struct err *e) {
    struct text token = TEXT_EMPTY;
    *m = (struct wire_enroll){.type = "enroll"};
    snprintf(m->agent_version, sizeof m->agent_version, "%s", plan->agent_version);
    memcpy(m->nonce, challenge->nonce, sizeof m->nonce); /* the challenge is good for this nonce */
    memcpy(m->challenge, challenge->challenge, sizeof m->challenge);
    memcpy(m->agent_id, plan->agent_id, sizeof m->agent_id);
    sign_public_text(sign_secret_public(who->key), m->public_key);
    sign_public_text(&who->master_key, m->master_key);
    snprintf(m->platform, sizeof m->platform, "%s", platform_here());
    snprintf(m->arch, sizeof m->arch, "%s", platform_arch_here());
    m->labels = text_duplicate(labels);
    if (!sign_seal(&who->master_key, plan->token, &token, e)) {
        text_fini(&token);
        return false;
    }
    m->token = text_take(&token);
    return true;
}

static bool ask_place(const struct enroll_plan *plan, const struct identity *who,
                      const struct wire_challenge *challenge, const char *labels,
                      struct bus_client *bus, struct err *e) {
    struct wire_enroll m;
    struct wire_enrolled enrolled;
    OWN_TEXT struct text frame = TEXT_EMPTY;
    OWN_MEMORY void *answer = NULL;
    size_t length = 0;
    bool filled = fill_enroll(plan, who, challenge, labels, &m, e);
    struct message_expected expected = {&who->master_key, "enrolled", m.nonce,
                                        &wire_enrolled_schema};
    if (filled) message_sign(who->key, &wire_enroll_schema, &m, &frame);
    bool enrolled_now = filled && call(bus, &frame, &answer, &length, e) &&
                        message_open(&expected, answer, length, &enrolled, e);
    json_clear(&wire_enroll_schema, &m);
    if (!enrolled_now) return false;
    if (strcmp(enrolled.agent_id, plan->agent_id) != 0)
        return err_set(e, ERR_UNTRUSTED, "the master enrolled another agent");
    log_info("enroll.done", "agent=%s status=%s", plan->agent_id, enrolled.status);
    return true;
}

bool enroll(const struct state *state, const struct enroll_plan *plan, const char *labels,
            struct bus_client *bus, struct identity *out, struct err *e) {
    struct wire_challenge challenge;
    *out = (struct identity){.master_port = plan->port, .root_version = plan->root_version};
    memcpy(out->root_sha256, plan->root_sha256, sizeof out->root_sha256);
    if (plan->ca_pem != NULL) out->ca_pem = text_duplicate(plan->ca_pem);
    memcpy(out->agent_id, plan->agent_id, sizeof out->agent_id);
    memcpy(out->master_host, plan->host, sizeof out->master_host);
    (void)!secret_id("gj", plan->token, out->token_id, NULL);
    bool done = identity_key(state, &out->key, e) && ask_challenge(plan, bus, out, &challenge, e) &&
                ask_place(plan, out, &challenge, labels, bus, e) && identity_save(state, out, e);
    if (!done) identity_fini(out);
    return done;
}
