#include "master/rollout_request.h"

#include "lib/labels.h"
#include "master/rollout_request_value.h"

#include <string.h>

#define NAMES_OF_KEYS "docs/reference/rollouts.md says what each of them means"

static const struct json_field window_fields[] = {
    J(JSON_STRING, struct rollout_window, days, JSON_REQUIRED),
    J(JSON_STRING, struct rollout_window, from, JSON_REQUIRED),
    J(JSON_STRING, struct rollout_window, to, JSON_REQUIRED),
    J(JSON_STRING, struct rollout_window, tz, 0),
};
static const struct json_schema window_schema = JSON_SCHEMA(struct rollout_window, window_fields);

/* The body as it is written: whatever may be number or text stays JSON. */
struct body {
    char version[SEMVER_SIZE];
    char name[ARTIFACT_NAME_SIZE];
    char selector[ROLLOUT_SELECTOR_SIZE];
    char *canary, *max_parallel;
    char *max_failures;
    char *min_healthy_s, *probation_s, *auto_promote_s, *healthy_deadline_s, *progress_deadline_s;
    char *auto_revert;
    bool allow_unavailable, supersede, override_quarantine;
    char topology[LABEL_PART_SIZE];
    struct rollout_window *windows;
    size_t windows_count;
};

static const struct json_field rollout_fields[] = {
    J(JSON_STRING, struct body, version, JSON_REQUIRED),
    J(JSON_STRING, struct body, name, 0),
    J(JSON_STRING, struct body, selector, 0),
    J(JSON_RAW, struct body, canary, 0),
    J(JSON_RAW, struct body, max_parallel, 0),
    J(JSON_RAW, struct body, max_failures, 0),
    J(JSON_RAW, struct body, min_healthy_s, 0),
    J(JSON_RAW, struct body, probation_s, 0),
    J(JSON_RAW, struct body, auto_promote_s, 0),
    J(JSON_RAW, struct body, healthy_deadline_s, 0),
    J(JSON_RAW, struct body, progress_deadline_s, 0),
    J_LIST(struct body, windows, &window_schema, 0),
    J(JSON_STRING, struct body, topology, 0),
    J(JSON_RAW, struct body, auto_revert, 0),
    J(JSON_BOOL, struct body, supersede, 0),
    J(JSON_BOOL, struct body, allow_unavailable, 0),
    J(JSON_BOOL, struct body, override_quarantine, 0),
};
static const struct json_schema rollout_schema = JSON_SCHEMA(struct body, rollout_fields);

static void clear_body(struct body *body) {
    json_clear(&rollout_schema, body);
}

static bool check_version(const struct body *body, struct err *e) {
    struct artifact_name ignored;
    if (!semver_valid(body->version)) {
        (void)err_set(e, ERR_INVALID, "version: \"%s\" is not MAJOR.MINOR.PATCH", body->version);
        return err_hint(e, "a version that is published, as in \"1.2.0\", without a v before it");
    }
    const char *name = body->name[0] != '\0' ? body->name : ARTIFACT_DEFAULT_NAME;
    return artifact_name_make(name, body->version, "any", "any", &ignored, e) ||
           err_wrap(e, "name");
}

static bool check_windows(const struct body *body, struct err *e) {
    if (body->windows_count > ROLLOUT_WINDOWS_MAX)
        return err_set(e, ERR_INVALID, "windows: %zu are more than %d", body->windows_count,
                       ROLLOUT_WINDOWS_MAX);
    for (size_t i = 0; i < body->windows_count; i++)
        if (!rollout_window_check(&body->windows[i], e)) return err_wrap(e, "windows[%zu]", i);
    return true;
}

static bool check_topology(const struct body *body, struct err *e) {
    OWN_TEXT struct text ignored = TEXT_EMPTY;
    if (body->topology[0] == '\0' || strcmp(body->topology, "none") == 0) return true;
    if (labels_with("", body->topology, "x", &ignored, e)) return true;
    (void)err_wrap(e, "topology");
    return err_hint(e, "the key of a label whose values are failure domains, as in \"rack\", or "
                       "\"none\"");
}

static bool check_words(const struct body *body, struct err *e) {
    if (!check_version(body, e)) return false;
    if (!labels_selector_check(body->selector, e)) return false;
    return check_topology(body, e) && check_windows(body, e);
}

static bool take_amounts(const struct body *body, struct rollout_request *out, struct err *e) {
    struct rollout_policy *p = &out->policy;
    return rollout_request_amount("canary", body->canary, "1", 0, &p->canary, out->canary, e) &&
           rollout_request_amount("max_parallel", body->max_parallel, "5%", 1, &p->max_parallel,
                                  out->max_parallel, e);
}

static bool take_failures(const struct body *body, struct rollout_policy *p, struct err *e) {
    struct rollout_amount borne;
    char words[ROLLOUT_AMOUNT_SIZE];
    p->max_failures = -1;
    if (body->max_failures == NULL) return true;
    bool good =
        rollout_request_amount("max_failures", body->max_failures, NULL, 0, &borne, words, e);
    if (good && borne.percent)
        good = err_set(e, ERR_INVALID, "max_failures: %s is not a count", body->max_failures);
    p->max_failures = borne.value;
    return good || err_hint(e, "a count as in 2; leave it out for 5 %% of the selected agents");
}

static bool take_auto_revert(const struct body *body, struct rollout_policy *p, struct err *e) {
    p->auto_revert = body->auto_revert == NULL || strcmp(body->auto_revert, "true") == 0;
    if (p->auto_revert || strcmp(body->auto_revert, "false") == 0) return true;
    return err_set(e, ERR_INVALID, "auto_revert: neither true nor false");
}

static bool take_durations(const struct body *body, struct rollout_policy *p, struct err *e) {
    const struct rollout_duration durations[] = {
        {"probation_s",         body->probation_s,         120000, 50, false, &p->probation_ms   },
        {"healthy_deadline_s",  body->healthy_deadline_s,  300000, 50, false,
         &p->healthy_deadline_ms                                                                 },
        {"progress_deadline_s", body->progress_deadline_s, 600000, 50, false,
         &p->progress_deadline_ms                                                                },
        {"auto_promote_s",      body->auto_promote_s,      0,      0,  true,  &p->auto_promote_ms},
    };
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++)
        if (!rollout_request_duration(&durations[i], e)) return false;
    const struct rollout_duration healthy = {
        "min_healthy_s", body->min_healthy_s, p->probation_ms < 30000 ? p->probation_ms : 30000, 0,
        false,           &p->min_healthy_ms};
    if (!rollout_request_duration(&healthy, e)) return false;
    if (p->min_healthy_ms <= p->probation_ms) return true;
    (void)err_set(e, ERR_INVALID, "min_healthy_s: longer than the probation of %g s",
                  (double)p->probation_ms / 1000);
    return err_hint(e, "raise probation_s as well: the healthy stretch lies within it");
}

static void take_words(struct body *body, struct rollout_request *out) {
    const char *name = body->name[0] != '\0' ? body->name : ARTIFACT_DEFAULT_NAME;
    text_cut(out->name, sizeof out->name, name);
    text_cut(out->version, sizeof out->version, body->version);
    text_cut(out->selector, sizeof out->selector, body->selector);
    text_cut(out->topology, sizeof out->topology, body->topology);
    out->supersede = body->supersede;
    out->override_quarantine = body->override_quarantine;
    out->policy.allow_unavailable = body->allow_unavailable;
    out->windows_count = body->windows_count;
    out->windows = TAKE(body->windows);
    body->windows_count = 0;
}

bool rollout_request_decode_stored(const char *json, size_t length, struct rollout_request *out,
                                   struct err *e) {
    __attribute__((cleanup(clear_body))) struct body body = {0};
    *out = (struct rollout_request){0};
    if (!json_decode(&rollout_schema, json, length, JSON_REJECT_UNKNOWN, &body, e)) {
        bool hinted = e == NULL || e->hint[0] != '\0';
        return hinted ? false : err_hint(e, NAMES_OF_KEYS);
    }
    if (!check_words(&body, e) || !take_amounts(&body, out, e) ||
        !take_failures(&body, &out->policy, e) || !take_auto_revert(&body, &out->policy, e) ||
        !take_durations(&body, &out->policy, e))
        return err_wrap(e, "rollout");
    take_words(&body, out);
    return true;
}

static bool check_zones(const struct rollout_request *r, struct err *e) {
    for (size_t i = 0; i < r->windows_count; i++)
        if (!rollout_window_check_zone(&r->windows[i], e))
            return err_wrap(e, "rollout: windows[%zu]", i);
    return true;
}

bool rollout_request_decode(const char *json, size_t length, struct rollout_request *out,
                            struct err *e) {
    if (!rollout_request_decode_stored(json, length, out, e)) return false;
    if (check_zones(out, e)) return true;
    rollout_request_clear(out);
    return false;
}

void rollout_request_encode(const struct rollout_request *r, struct text *out) {
    const struct rollout_policy *p = &r->policy;
    struct body body = {.canary = rollout_request_amount_text(p->canary),
                        .max_parallel = rollout_request_amount_text(p->max_parallel),
                        .min_healthy_s = rollout_request_duration_text(p->min_healthy_ms),
                        .probation_s = rollout_request_duration_text(p->probation_ms),
                        .auto_promote_s = rollout_request_duration_text(p->auto_promote_ms),
                        .healthy_deadline_s = rollout_request_duration_text(p->healthy_deadline_ms),
                        .progress_deadline_s =
                            rollout_request_duration_text(p->progress_deadline_ms),
                        .auto_revert = text_duplicate(p->auto_revert ? "true" : "false"),
                        .allow_unavailable = p->allow_unavailable,
                        .supersede = r->supersede,
                        .override_quarantine = r->override_quarantine,
                        .windows = r->windows,
                        .windows_count = r->windows_count};
    if (p->max_failures >= 0)
        body.max_failures =
            rollout_request_amount_text((struct rollout_amount){(int32_t)p->max_failures, false});
    text_cut(body.name, sizeof body.name, r->name);
    text_cut(body.version, sizeof body.version, r->version);
    text_cut(body.selector, sizeof body.selector, r->selector);
    text_cut(body.topology, sizeof body.topology, r->topology);
    json_encode(&rollout_schema, &body, out);
    body.windows = NULL; /* the request's */
    body.windows_count = 0;
    clear_body(&body);
}

void rollout_request_clear(struct rollout_request *request) {
    free(request->windows);
    *request = (struct rollout_request){0};
}

bool rollout_window_open(const struct rollout_request *request, int64_t now_wall_ms, bool *open,
                         int64_t *next_change_ms, struct err *e) {
    return rollout_windows_at(request->windows, request->windows_count, now_wall_ms, open,
                              next_change_ms, e);
}
