#include "cli/rollout_watch.h"

#include "cli/format.h"
#include "cli/listing.h"
#include "cli/retry.h"
#include "cli/rollout_screen.h"
#include "cli/rollout_words.h"
#include "cli/terminal.h"
#include "lib/clock.h"

#include <stdio.h>
#include <string.h>

#define POLL_MS 700
#define ONE_ANSWER_MS 10000
#define EXIT_ROLLED_BACK 7
#define FEW_AGENTS 200 /* so many are asked for one and all at each look */

struct watch {
    struct invocation *call;
    char id[SETTINGS_WORD_SIZE];
    struct rollout_scene before, now;
    int64_t began_ms, deadline_ms; /* monotonic; deadline 0: none */
    int drawn;                     /* lines of the live view that are on the screen */
    bool seen, away;
    struct text interrupt_words;
};

static void rollout_path(const char *id, const char *what, struct text *out) {
    text_add(out, "/api/rollouts");
    api_path_add(out, id);
    if (what != NULL) text_add_format(out, "/%s", what);
}

static bool newest(struct invocation *call, char out[SETTINGS_WORD_SIZE], struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    void *items = NULL;
    size_t count = 0;
    if (!api_get(call->api, "/api/rollouts?limit=1", &answer, e) ||
        !answer_decode_list(&answer_rollout_schema, &answer, &items, &count, e))
        return false;
    bool fits =
        count > 0 && text_copy(out, SETTINGS_WORD_SIZE, ((const struct answer_rollout *)items)->id);
    json_clear_list(&answer_rollout_schema, items, count);
    if (fits) return true;
    err_set(e, ERR_NOT_FOUND, "there is no rollout yet");
    return err_hint(e, "gridctl rollout plan --version VERSION");
}

bool rollout_fetch(struct invocation *call, const char *id, struct http_answer *answer,
                   struct rollout_scene *out, struct err *e) {
    OWN_TEXT struct text path = TEXT_EMPTY;
    char found[SETTINGS_WORD_SIZE];
    *out = (struct rollout_scene){0};
    if (id[0] == '\0' && !newest(call, found, e)) return false;
    rollout_path(id[0] == '\0' ? found : id, NULL, &path);
    return api_get(call->api, text_value(&path), answer, e) &&
           answer_decode(&answer_rollout_schema, answer, &out->rollout, e);
}

static bool fetch_state(struct invocation *call, struct rollout_scene *s, const char *state,
                        struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text path = TEXT_EMPTY;
    void *items = NULL;
    size_t count = 0, size = sizeof *s->agents;
    rollout_path(s->rollout.id, "agents", &path);
    if (state != NULL) {
        api_query_add(&path, "state", state);
        api_query_add_int(&path, "limit", FEW_AGENTS);
    }
    if (!api_get(call->api, text_value(&path), &answer, e) ||
        !answer_decode_list(&answer_rollout_agent_schema, &answer, &items, &count, e))
        return false;
    if (count > 0) {
        s->agents = memory_resize(s->agents, s->agent_count + count, size);
        memcpy(s->agents + s->agent_count, items, count * size);
        s->agent_count += count;
    }
    free(items); /* what the items own is owned by s now */
    return true;
}

bool rollout_fetch_agents(struct invocation *call, struct rollout_scene *s, bool all,
                          struct err *e) {
    const struct answer_progress *p = &s->rollout.progress;
    const struct {
        const char *state;
        int64_t count;
    } parts[] = {
        {"granted",       p->granted      },
        {"returning",     p->returning    },
        {"failed",        p->failed       },
        {"held",          p->held         },
        {"return_failed", p->return_failed},
    };
    s->complete = all || p->selected + p->excluded <= FEW_AGENTS;
    if (s->complete) return fetch_state(call, s, NULL, e);
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (parts[i].count > 0 && !fetch_state(call, s, parts[i].state, e)) return false;
    return true;
}

/* The rollout as it is now. *same: as it was, by its ETag, and nobody is in flight whose phase
 * could have changed. */
static bool look(struct watch *w, struct http_answer *answer, bool *same, struct err *e) {
    OWN_TEXT struct text path = TEXT_EMPTY, unless = TEXT_EMPTY;
    const char *headers[2] = {NULL, NULL};
    struct http_call get = {.method = "GET", .headers = headers, .timeout_ms = ONE_ANSWER_MS};
    const struct answer_progress *p = &w->now.rollout.progress;
    bool still = w->seen && p->granted + p->returning == 0 && w->now.etag[0] != '\0';
    text_add_format(&unless, "If-None-Match: %s", w->now.etag);
    if (still) headers[0] = text_value(&unless);
    rollout_path(w->id, NULL, &path);
    if (!api_call(w->call->api, &get, text_value(&path), answer, e)) return false;
    *same = answer->status == 304;
    if (*same) return true;
    struct rollout_scene fresh = {.elapsed_ms = clock_monotonic_ms() - w->began_ms};
    if (!answer_decode(&answer_rollout_schema, answer, &fresh.rollout, e)) return false;
    text_cut(fresh.etag, sizeof fresh.etag, answer->etag);
    if (!rollout_fetch_agents(w->call, &fresh, false, e)) {
        rollout_scene_clear(&fresh);
        return false;
    }
    rollout_scene_clear(&w->before);
    w->before = w->now;
    w->now = fresh;
    return true;
}

static bool is_live(const struct watch *w) {
    return w->call->stderr_style.width > 0;
}

static void erase(struct watch *w) {
    if (w->drawn > 0) fprintf(stderr, "\033[%dA\033[J", w->drawn);
    w->drawn = 0;
}

static void draw(struct watch *w) {
    OWN_TEXT struct text screen = TEXT_EMPTY;
    w->now.elapsed_ms = clock_monotonic_ms() - w->began_ms;
    rollout_screen(&w->now, &w->call->stderr_style, &screen);
    erase(w);
    fputs(text_value(&screen), stderr);
    for (size_t i = 0; i < screen.length; i++) w->drawn += screen.data[i] == '\n';
    fflush(stderr);
}

static void show(struct watch *w, bool same) {
    if (!invocation_for_people(w->call)) return;
    if (is_live(w)) {
        draw(w);
        return;
    }
    OWN_TEXT struct text lines = TEXT_EMPTY;
    if (!same)
        rollout_changes(w->seen ? &w->before : NULL, &w->now, &w->call->stderr_style, &lines);
    fputs(text_value(&lines), stderr);
    fflush(stderr);
}

static bool may_pass(const struct err *e) {
    return e->code == ERR_UNREACHABLE || e->code == ERR_TIMEOUT || e->code == ERR_UNAVAILABLE ||
           e->code == ERR_RATE_LIMITED;
}

/* A master that is away moves nothing meanwhile: the rollout waits with it. */
static void note_away(struct watch *w, const struct err *e) {
    if (!w->away && e != NULL) {
        w->drawn = 0; /* what was seen last stays on the screen */
        invocation_note(w->call, "%s; trying again until it is back", e->text);
    }
    if (w->away && e == NULL) invocation_note(w->call, "the master is back");
    w->away = e != NULL;
}

static bool timed_out(const struct watch *w, struct err *e) {
    if (w->deadline_ms == 0 || clock_monotonic_ms() < w->deadline_ms) return false;
    err_set(e, ERR_TIMEOUT, "%s has not ended within --timeout, and goes on", w->id);
    err_hint(e, "gridctl rollout status %s --wait", w->id);
    return true;
}

/* Until it has ended; its last answer stays in *answer. */
static bool follow(struct watch *w, struct http_answer *answer, struct err *e) {
    for (;; retry_wait(POLL_MS)) {
        struct err each = {0};
        bool same = false;
        http_answer_fini(answer);
        *answer = (struct http_answer){0};
        if (look(w, answer, &same, &each)) {
            note_away(w, NULL);
            show(w, same);
            w->seen = true;
            if (!rollout_state_active(w->now.rollout.state)) return true;
        } else if (may_pass(&each)) {
            note_away(w, &each);
        } else {
            *e = each;
            return false;
        }
        if (timed_out(w, e)) return false;
    }
}

static bool tell_end(struct watch *w, const struct http_answer *answer, struct err *e) {
    OWN_TEXT struct text out = TEXT_EMPTY, next = TEXT_EMPTY;
    if (w->call->format == OUTPUT_JSON) return listing_json(answer, e);
    if (w->call->format == OUTPUT_NAME) return listing_line(e, "%s", w->id);
    rollout_words_end(&w->now.rollout, &w->call->style, &out);
    if (w->call->exit_code != 0)
        rollout_words_agents(w->now.agents, w->now.agent_count, false, &w->call->style, &out);
    rollout_words_next(&w->now.rollout, &next);
    if (!output_emit(&out, e)) return false;
    invocation_note(w->call, "Next: %s", text_value(&next));
    return true;
}

bool rollout_watch(struct invocation *call, const char *id, const char *wanted, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    struct watch w = {.call = call, .began_ms = clock_monotonic_ms()};
    text_cut(w.id, sizeof w.id, id);
    if (call->settings->timeout_ms > 0) w.deadline_ms = w.began_ms + call->settings->timeout_ms;
    text_add_format(&w.interrupt_words,
                    "\n%s goes on. Watch it again: gridctl rollout status %s "
                    "--wait\n",
                    w.id, w.id);
    terminal_on_interrupt(text_value(&w.interrupt_words), NULL);
    bool done = follow(&w, &answer, e);
    terminal_on_interrupt(NULL, NULL);
    if (done) {
        call->exit_code = strcmp(w.now.rollout.state, wanted) == 0 ? 0 : EXIT_ROLLED_BACK;
        done = tell_end(&w, &answer, e);
    }
    rollout_scene_clear(&w.before);
    rollout_scene_clear(&w.now);
    text_fini(&w.interrupt_words);
    return done;
}
