#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"

static bool patch(struct invocation *call, const char *id, const char *body,
                  struct http_answer *answer, struct answer_agent *agent, struct err *e) {
    OWN_TEXT struct text path = TEXT_EMPTY;
    text_add(&path, "/api/agents");
    api_path_add(&path, id);
    return api_send(call->api, "PATCH", text_value(&path), body, answer, e) &&
           answer_decode(&answer_agent_schema, answer, agent, e);
}

bool agent_pin(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text body = TEXT_EMPTY;
    struct answer_agent agent;
    const char *id = call->arguments[0], *version = call->arguments[1];
    if (call->settings->dry_run)
        return invocation_would(call, e, "pin %s to %s, whatever its channel and rollouts say", id,
                                version);
    text_add(&body, "{\"pin\":");
    json_quote(version, &body);
    text_add(&body, "}");
    if (!patch(call, id, text_value(&body), &answer, &agent, e)) return false;
    bool done = listing_changed(
        call, &answer, id, e, "%s is pinned to %s (it runs %s); no channel and no rollout moves it",
        id, version, format_or(agent.version, "nothing yet"));
    json_clear(&answer_agent_schema, &agent);
    return done;
}

static bool unpin_one(struct invocation *call, const char *id, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct answer_agent agent;
    if (call->settings->dry_run) return invocation_would(call, e, "unpin %s", id);
    if (!patch(call, id, "{\"pin\":null}", &answer, &agent, e)) return false;
    bool done = listing_changed(call, &answer, id, e, "%s is not pinned; it should run %s", id,
                                format_or(agent.desired_version, "nothing"));
    json_clear(&answer_agent_schema, &agent);
    return done;
}

bool agent_unpin(struct invocation *call, struct err *e) {
    return invocation_each(call, call->arguments, call->argument_count, unpin_one, e);
}
