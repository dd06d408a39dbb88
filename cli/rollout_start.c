/* rollout plan and start: the plan is shown and asked about before anything moves, and one run of
 * the command starts one rollout, however often its answer is lost. */
#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "cli/retry.h"
#include "cli/rollout_body.h"
#include "cli/rollout_watch.h"
#include "cli/rollout_words.h"
#include "cli/terminal.h"
#include "lib/secret.h"

#include <stdio.h>
#include <string.h>

#define KEY_BYTES 16

/* The master names keys of the request; here they are options. */
static void speak_of_options(struct err *e) {
    static const struct {
        const char *key, *option;
    } words[] = {
        {"supersede: true",           "--supersede"          },
        {"override_quarantine: true", "--override-quarantine"},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *at = strstr(e->hint, words[i].key);
        if (at == NULL) continue;
        char hint[sizeof e->hint];
        snprintf(hint, sizeof hint, "%.*s%s%s", (int)(at - e->hint), e->hint, words[i].option,
                 at + strlen(words[i].key));
        text_cut(e->hint, sizeof e->hint, hint);
    }
}

static bool ask_plan(struct invocation *call, const char *body, struct http_answer *answer,
                     struct answer_plan *plan, struct err *e) {
    return api_send(call->api, "POST", "/api/rollouts/plan", body, answer, e) &&
           answer_decode(&answer_plan_schema, answer, plan, e);
}

/* What would refuse the start, as the error it would be. */
static bool check_conflict(const struct answer_plan *plan, struct err *e) {
    const struct answer_refusal *c = &plan->conflict;
    if (format_or(c->text, "")[0] == '\0') return true;
    err_set(e, err_code_by_name(format_or(c->code, "conflict")), "%s", c->text);
    err_hint(e, "%s", format_or(c->hint, "gridctl rollout list --active"));
    speak_of_options(e);
    return false;
}

static bool emit_plan(struct invocation *call, const struct answer_plan *plan,
                      const struct http_answer *answer, struct err *e) {
    OWN_TEXT struct text out = TEXT_EMPTY;
    if (call->format == OUTPUT_JSON) return listing_json(answer, e);
    rollout_words_plan(plan, call->format == OUTPUT_WIDE, &call->style, &out);
    return output_emit(&out, e);
}

bool rollout_plan_show(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text body = TEXT_EMPTY;
    struct answer_plan plan;
    if (!rollout_body(call->settings, &body, e) ||
        !ask_plan(call, text_value(&body), &answer, &plan, e))
        return false;
    bool done = emit_plan(call, &plan, &answer, e) && check_conflict(&plan, e);
    json_clear(&answer_plan_schema, &plan);
    return done;
}

/* Shows on stderr what would happen, and asks. */
static bool agree(struct invocation *call, const char *body, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text summary = TEXT_EMPTY;
    struct answer_plan plan;
    if (!call->settings->yes && !terminal_present())
        return invocation_confirm(call, e, "start?"); /* refuses, and says so */
    if (!ask_plan(call, body, &answer, &plan, e)) return false;
    rollout_words_plan(&plan, false, &call->stderr_style, &summary);
    if (invocation_for_people(call)) fputs(text_value(&summary), stderr);
    bool done = check_conflict(&plan, e) &&
                invocation_confirm(call, e, "Move %lld agents to %s %s?", (long long)plan.selected,
                                   format_or(plan.name, "?"), format_or(plan.version, "?"));
    json_clear(&answer_plan_schema, &plan);
    return done;
}

/* An answer that was lost is asked for again with the same key, which starts nothing twice. */
static bool start(struct invocation *call, const char *body, struct http_answer *answer,
                  struct err *e) {
    char key[RANDOM_HEX_SIZE(KEY_BYTES)], header[sizeof key + 32];
    const char *headers[] = {header, NULL};
    struct retry retry = RETRY_BEGIN;
    random_hex(KEY_BYTES, key);
    snprintf(header, sizeof header, "Idempotency-Key: %s", key);
    terminal_on_interrupt("\nit may have begun: gridctl rollout list --active\n", NULL);
    for (;;) {
        struct http_call post = {.method = "POST",
                                 .headers = headers,
                                 .content_type = "application/json",
                                 .body = body,
                                 .body_length = strlen(body)};
        http_answer_fini(answer);
        *answer = (struct http_answer){0};
        if (api_call(call->api, &post, "/api/rollouts", answer, e)) return true;
        int64_t ms = retry_worthwhile(e->code, answer->status)
                         ? retry_next(&retry, answer->retry_after_s)
                         : -1;
        if (ms < 0) {
            speak_of_options(e);
            return false;
        }
        invocation_note(call, "%s; asking again", e->text);
        retry_wait(ms);
    }
}

static bool tell_started(struct invocation *call, const struct answer_rollout *r,
                         const struct http_answer *answer, struct err *e) {
    if (!listing_changed(call, answer, r->id, e, "%s moves %lld agents to %s %s", r->id,
                         (long long)r->progress.selected, format_or(r->name, "?"),
                         format_or(r->version, "?")))
        return false;
    invocation_note(call, "Next: gridctl rollout status %s --wait", r->id);
    return true;
}

static bool begin(struct invocation *call, const char *body, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct answer_rollout rollout;
    if (!agree(call, body, e) || !start(call, body, &answer, e) ||
        !answer_decode(&answer_rollout_schema, &answer, &rollout, e))
        return false;
    bool done = call->settings->rollout.wait ? rollout_watch(call, rollout.id, "completed", e)
                                             : tell_started(call, &rollout, &answer, e);
    json_clear(&answer_rollout_schema, &rollout);
    return done;
}

bool rollout_begin(struct invocation *call, struct err *e) {
    OWN_TEXT struct text body = TEXT_EMPTY;
    if (call->settings->dry_run) return rollout_plan_show(call, e);
    return rollout_body(call->settings, &body, e) && begin(call, text_value(&body), e);
}
