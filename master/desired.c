#include "master/desired.h"

#include "lib/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *desired_rule_name(enum desired_rule rule) {
    static const char *const names[] = {"none", "channel", "completed", "rollout", "pin"};
    assert((size_t)rule < sizeof names / sizeof names[0]);
    return names[rule];
}

/* What one rule says. It is there even when no build of its version can be had: the agent then
 * keeps what it runs, and is told why. */
struct opinion {
    enum desired_rule rule;
    const char *version;
    const char *sha256; /* even when the catalog has no such binary; NULL: binary's, if any */
    const struct binary *binary;
    int64_t at_ms;
    char reason[256];
};

/* What keeps a build of this version from being offered, NULL when there is none. */
static const char *why_unoffered(const struct desired_inputs *in, const char *version) {
    for (size_t i = 0; i < in->binary_count; i++) {
        const struct binary *b = &in->binaries[i];
        if (!binary_is_offered(b) && strcmp(b->id.name, in->artifact) == 0 &&
            strcmp(b->id.version, version) == 0)
            return b->yanked ? "was yanked" : "the signed targets leave out";
    }
    return NULL;
}

static const struct binary *build_of(const struct desired_inputs *in, const char *version) {
    return catalog_choose(in->binaries, in->binary_count, in->artifact, version, in->platform,
                          in->arch);
}

/* The very bytes: yanked or not, since an agent that has run them may go back there. */
static const struct binary *build_with(const struct desired_inputs *in, const char *version,
                                       const char *sha256) {
    for (size_t i = 0; i < in->binary_count; i++) {
        const struct binary *b = &in->binaries[i];
        if (strcmp(b->sha256, sha256) == 0 && strcmp(b->id.version, version) == 0 &&
            strcmp(b->id.name, in->artifact) == 0 &&
            platform_fits(b->id.platform, b->id.arch, in->platform, in->arch))
            return b;
    }
    return NULL;
}

/* Behind "channel stable points to 1.0.0" and the like; next: what to do about it. */
static void explain_no_build(const struct desired_inputs *in, struct opinion *o, const char *next) {
    size_t used = strlen(o->reason);
    char *more = o->reason + used;
    size_t room = sizeof o->reason - used;
    const char *why = why_unoffered(in, o->version);
    if (why != NULL)
        snprintf(more, room, ", which %s: %s", why, next);
    else
        snprintf(more, room, ", which has no build for %s-%s: publish %s-%s-%s-%s", in->platform,
                 in->arch, in->artifact, o->version, in->platform, in->arch);
}

static void judge_pin(const struct desired_inputs *in, struct opinion *o) {
    o->rule = DESIRED_PIN;
    o->version = in->pin;
    o->binary = build_of(in, in->pin);
    snprintf(o->reason, sizeof o->reason, "the agent is pinned to %s", in->pin);
    if (o->binary == NULL)
        explain_no_build(in, o, "run gridctl agent pin with another version, or agent unpin");
}

static void judge_origin(const struct desired_inputs *in, struct opinion *o) {
    const struct desired_rollout *r = in->rollout;
    o->version = r->from_version;
    o->sha256 = r->from_sha256;
    o->binary = build_with(in, r->from_version, r->from_sha256);
    if (r->from_version[0] == '\0')
        snprintf(o->reason, sizeof o->reason,
                 "rollout r-%" PRId64 " to %s gives it nothing to run until its turn comes",
                 r->number, r->version);
    else
        snprintf(o->reason, sizeof o->reason,
                 "rollout r-%" PRId64 " to %s keeps it on %s, its own version from before",
                 r->number, r->version, r->from_version);
}

/* A rollout that still has something to do, or left a straggler behind. */
static void judge_rollout(const struct desired_inputs *in, struct opinion *o) {
    const struct desired_rollout *r = in->rollout;
    o->rule = DESIRED_ROLLOUT;
    o->at_ms = r->finished_at_ms;
    if (r->told == TOLD_ORIGIN) {
        judge_origin(in, o);
        return;
    }
    o->version = r->version;
    o->binary = build_with(in, r->version, r->to_sha256);
    snprintf(o->reason, sizeof o->reason, "rollout r-%" PRId64 " moves it to %s", r->number,
             r->version);
    if (o->binary == NULL) explain_no_build(in, o, "publish another version and roll that out");
}

static void judge_finished(const struct desired_inputs *in, struct opinion *o) {
    const struct desired_rollout *r = in->rollout;
    o->rule = DESIRED_COMPLETED;
    o->at_ms = r->finished_at_ms;
    o->version = r->version;
    o->binary = build_of(in, r->version);
    snprintf(o->reason, sizeof o->reason,
             r->late ? "rollout r-%" PRId64 " had moved machines like this one to %s"
                     : "rollout r-%" PRId64 " moved it to %s",
             r->number, r->version);
    if (o->binary == NULL) explain_no_build(in, o, "roll out another version");
}

static const struct channel *find_channel(const struct desired_inputs *in) {
    for (size_t i = 0; i < in->channel_count; i++) {
        const struct channel *c = &in->channels[i];
        if (strcmp(c->name, in->channel) == 0 && strcmp(c->artifact, in->artifact) == 0) return c;
    }
    return NULL;
}

static void judge_channel(const struct desired_inputs *in, const struct channel *channel,
                          struct opinion *o) {
    char next[96];
    snprintf(next, sizeof next, "run gridctl channel set %s VERSION", in->channel);
    o->rule = DESIRED_CHANNEL;
    o->at_ms = channel->updated_at_ms;
    o->version = channel->version;
    o->binary = build_of(in, channel->version);
    snprintf(o->reason, sizeof o->reason, "channel %s points to %s", in->channel, channel->version);
    if (o->binary == NULL) {
        explain_no_build(in, o, next);
    } else if (quarantine_find_in(in->quarantined, in->quarantined_count, o->binary->sha256) !=
               NULL) {
        size_t used = strlen(o->reason);
        o->binary = NULL;
        snprintf(o->reason + used, sizeof o->reason - used, ", which is quarantined: %s", next);
    }
}

static void explain_nothing(const struct desired_inputs *in, struct desired_choice *out) {
    if (in->channel[0] == '\0')
        snprintf(out->reason, sizeof out->reason,
                 "no rollout of %s has moved it: it stays as it is", in->artifact);
    else if (strcmp(in->channel, CATALOG_DEFAULT_CHANNEL) == 0 && in->binary_count == 0)
        snprintf(out->reason, sizeof out->reason,
                 "no %s binary is published yet: drop one into the master's binaries directory or"
                 " run gridctl binary push FILE",
                 in->artifact);
    else
        snprintf(out->reason, sizeof out->reason,
                 "channel %s points to no version yet: run gridctl channel set %s VERSION",
                 in->channel, in->channel);
}

static void lose(struct desired_choice *out, const struct opinion *o) {
    struct desired_lost *lost = &out->lost[out->lost_count++];
    lost->rule = o->rule;
    snprintf(lost->version, sizeof lost->version, "%s", o->version);
    memcpy(lost->reason, o->reason, sizeof lost->reason);
}

static void win(struct desired_choice *out, const struct opinion *o) {
    out->rule = o->rule;
    out->binary = o->binary;
    snprintf(out->version, sizeof out->version, "%s", o->version);
    const char *own = o->binary != NULL ? o->binary->sha256 : "";
    snprintf(out->sha256, sizeof out->sha256, "%s", o->sha256 != NULL ? o->sha256 : own);
    memcpy(out->reason, o->reason, sizeof out->reason);
}

/* At the same moment the rollout wins: it was finished by somebody watching machines. */
static bool channel_is_newer(const struct opinion *channel, const struct opinion *rollout) {
    return rollout->at_ms > 0 && channel->at_ms > rollout->at_ms;
}

/* Strongest first; returns how many. */
static size_t judge(const struct desired_inputs *in, struct opinion opinions[DESIRED_LOST_MAX]) {
    size_t count = 0;
    const struct channel *channel = find_channel(in);
    if (in->pin[0] != '\0') judge_pin(in, &opinions[count++]);
    if (in->rollout->number > 0 && in->rollout->told != TOLD_OTHERS)
        judge_rollout(in, &opinions[count++]);
    else if (in->rollout->number > 0)
        judge_finished(in, &opinions[count++]);
    if (channel == NULL) return count;
    struct opinion *last = &opinions[count];
    judge_channel(in, channel, last);
    if (in->rollout->number > 0 && channel_is_newer(last, last - 1)) {
        const struct opinion newer = *last;
        *last = last[-1];
        last[-1] = newer;
    }
    return count + 1;
}

void desired_choose(const struct desired_inputs *in, struct desired_choice *out) {
    struct opinion opinions[DESIRED_LOST_MAX] = {{.rule = DESIRED_NONE}};
    *out = (struct desired_choice){.rule = DESIRED_NONE};
    size_t count = judge(in, opinions);
    if (count == 0)
        explain_nothing(in, out);
    else
        win(out, &opinions[0]);
    for (size_t i = 1; i < count; i++) lose(out, &opinions[i]);
}
