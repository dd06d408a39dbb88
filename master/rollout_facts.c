#include "master/rollout_facts.h"

#include <string.h>

static const struct wire_update *update_of(const struct agent_view *a,
                                           const struct rollout_part *p) {
    return p->self ? &a->report.self.update : &a->report.update;
}

static const struct wire_staging *staging_of(const struct agent_view *a,
                                             const struct rollout_part *p) {
    return p->self ? &a->report.self.staging : &a->report.staging;
}

static bool runs(const struct agent_view *a, const struct rollout_part *p, const char *version,
                 const char *sha256) {
    const char *its_version = p->self ? a->report.self.version : a->report.version;
    const char *its_sha256 = p->self ? a->report.self.sha256 : a->report.sha256;
    return version[0] != '\0' && strcmp(its_version, version) == 0 &&
           strcmp(its_sha256, sha256) == 0;
}

/* A machine that should run nothing yet is in order without a node that works. */
static bool works(const struct agent_view *a, const struct rollout_part *p) {
    if (p->self) return a->report.agent_id[0] != '\0';
    for (size_t i = 0; i < a->report.nodes_count; i++) {
        const char *state = a->report.nodes[i].state;
        bool idle = strcmp(state, "stopped") == 0 && a->report.version[0] == '\0' &&
                    p->from_version[0] == '\0';
        if (strcmp(state, "healthy") != 0 && strcmp(state, "draining") != 0 && !idle) return false;
    }
    return a->report.nodes_count > 0 || p->from_version[0] == '\0';
}

static enum rollout_cause cause_of(const char *name, enum rollout_cause otherwise) {
    enum rollout_cause cause = otherwise;
    if (name[0] != '\0' && !rollout_cause_parse(name, &cause)) return otherwise;
    return cause;
}

static enum rollout_cause fetch_cause(const struct wire_staging *s, const char *sha256) {
    if (strcmp(s->state, "failed") != 0 || strcmp(s->sha256, sha256) != 0) return CAUSE_NONE;
    return cause_of(s->cause, CAUSE_DOWNLOAD);
}

static bool goes_back(const struct rollout_member *m) {
    return m->state == MEMBER_LEAVING || m->state == MEMBER_RETURNING ||
           m->state == MEMBER_RETURNED || m->state == MEMBER_RETURN_FAILED;
}

/* Its grant came to nothing: at rest on what it ran before, it has gone back. */
static bool was_put_aside(const struct rollout_member *m) {
    return m->state == MEMBER_FAILED || m->state == MEMBER_HELD;
}

static bool speaks_of_grant(const struct wire_update *u, const struct rollout_part *p) {
    return p->member->attempt > 0 && u->rollout_attempt == p->member->attempt &&
           strcmp(u->rollout, p->rollout) == 0;
}

/* Who ran nothing before has nothing to prove on its way back. */
static bool is_done(const struct agent_view *a, const struct rollout_part *p, bool back) {
    if (!back) return runs(a, p, p->version, p->to_sha256);
    return p->from_version[0] == '\0' || runs(a, p, p->from_version, p->from_sha256);
}

static const struct {
    const char *state;
    enum rollout_progress progress;
} progresses[] = {
    {"downloading", PROGRESS_HELD     },
    {"verifying",   PROGRESS_HELD     },
    {"waiting",     PROGRESS_HELD     },
    {"switching",   PROGRESS_SWITCHING},
    {"probation",   PROGRESS_PROBATION},
    {"returning",   PROGRESS_SWITCHING},
    {"failed",      PROGRESS_WENT_BACK},
    {"stuck",       PROGRESS_STUCK    },
};

/* It acts on what it was told last of this grant, which gives no leave. */
static bool has_yielded(const struct agent_view *a, const struct rollout_part *p) {
    const struct wire_grant *told = p->self ? &a->self.grant : &a->grant;
    const struct wire_update *u = update_of(a, p);
    bool same = strcmp(told->rollout, p->rollout) == 0 && told->attempt == u->rollout_attempt &&
                told->edition > 0 && told->edition == u->edition;
    return speaks_of_grant(u, p) && same && told->lease_ms == 0;
}

static bool is_at_rest(const struct agent_view *a, const struct rollout_part *p) {
    static const char *const busy[] = {"switching", "probation", "returning", "stuck"};
    const char *state = update_of(a, p)->state;
    for (size_t i = 0; i < sizeof busy / sizeof busy[0]; i++)
        if (strcmp(state, busy[i]) == 0) return false;
    return a->report.generation == a->generation;
}

static void judge_progress(const struct agent_view *a, const struct rollout_part *p,
                           struct rollout_facts *out) {
    const struct wire_update *u = update_of(a, p);
    bool back = goes_back(p->member);
    if (!speaks_of_grant(u, p)) return;
    out->progress = PROGRESS_HELD;
    for (size_t i = 0; i < sizeof progresses / sizeof progresses[0]; i++)
        if (strcmp(u->state, progresses[i].state) == 0)
            out->progress = (uint8_t)progresses[i].progress;
    bool rests = strcmp(u->state, "idle") == 0 || (back && p->from_version[0] == '\0');
    if (rests && is_done(a, p, back))
        out->progress = PROGRESS_COMMITTED;
    else if (rests && was_put_aside(p->member) && runs(a, p, p->from_version, p->from_sha256))
        out->progress = PROGRESS_WENT_BACK;
    bool gave_up = out->progress == PROGRESS_WENT_BACK || out->progress == PROGRESS_STUCK;
    enum rollout_cause known = (enum rollout_cause)p->member->cause;
    if (known == CAUSE_NONE) known = CAUSE_VERSION;
    out->cause = (uint8_t)cause_of(u->cause, gave_up ? known : CAUSE_NONE);
}

void rollout_facts_of(const struct agent_view *a, const struct rollout_part *p,
                      struct rollout_facts *out) {
    const struct wire_staging *s = staging_of(a, p);
    /* Nobody else decides what such a machine runs. */
    bool fixed = p->self ? a->report.self.sha256[0] == '\0'
                         : text_or_empty(a->report.binary_path)[0] != '\0';
    *out =
        (struct rollout_facts){.nodes = 1,
                               .online = a->status == AGENT_UP,
                               .lost = a->status == AGENT_LOST,
                               .works = works(a, p),
                               .draining = strcmp(a->mode, "draining") == 0 || a->conflict != NULL,
                               .pinned = !p->self && a->pin[0] != '\0',
                               .removed = a->admission != ADMISSION_ADMITTED,
                               .has_build = p->to_sha256[0] != '\0' && !fixed};
    if (!p->self && a->report.nodes_count > 1) out->nodes = (int16_t)a->report.nodes_count;
    out->on_target = runs(a, p, p->version, p->to_sha256);
    out->staged =
        out->on_target || (strcmp(s->state, "staged") == 0 && strcmp(s->sha256, p->to_sha256) == 0);
    if (!out->staged) out->fetch_cause = (uint8_t)fetch_cause(s, p->to_sha256);
    out->yielded = has_yielded(a, p);
    out->at_rest = is_at_rest(a, p);
    judge_progress(a, p, out);
}

const char *rollout_facts_reason(const struct agent_view *a, const struct rollout_part *p) {
    const struct wire_update *u = update_of(a, p);
    if (speaks_of_grant(u, p) && text_or_empty(u->reason)[0] != '\0') return u->reason;
    const struct wire_staging *s = staging_of(a, p);
    return fetch_cause(s, p->to_sha256) != CAUSE_NONE ? text_or_empty(s->reason) : "";
}

const char *rollout_facts_diagnosis(const struct agent_view *a, const struct rollout_part *p) {
    const struct wire_update *u = update_of(a, p);
    return speaks_of_grant(u, p) && u->diagnosis != NULL ? u->diagnosis : "";
}
