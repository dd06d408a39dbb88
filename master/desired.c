#include "master/desired.h"

#include <stdio.h>
#include <string.h>

const char *desired_rule_name(enum desired_rule rule) {
    return rule == DESIRED_CHANNEL ? "channel" : "none";
}

static const struct channel *find_channel(const struct desired_inputs *in) {
    for (size_t i = 0; i < in->channel_count; i++) {
        const struct channel *c = &in->channels[i];
        if (strcmp(c->name, in->channel) == 0 && strcmp(c->artifact, in->artifact) == 0) return c;
    }
    return NULL;
}

static void explain_no_channel(const struct desired_inputs *in, struct desired_choice *out) {
    if (strcmp(in->channel, CATALOG_DEFAULT_CHANNEL) == 0 && in->binary_count == 0)
        snprintf(out->reason, sizeof out->reason,
                 "no %s binary is published yet: drop one into the master's binaries directory or"
                 " run gridctl binary push FILE",
                 in->artifact);
    else
        snprintf(out->reason, sizeof out->reason,
                 "channel %s points to no version yet: run gridctl channel set %s VERSION",
                 in->channel, in->channel);
}

static bool any_yanked(const struct desired_inputs *in, const char *version) {
    for (size_t i = 0; i < in->binary_count; i++) {
        const struct binary *b = &in->binaries[i];
        if (b->yanked && strcmp(b->id.name, in->artifact) == 0 &&
            strcmp(b->id.version, version) == 0)
            return true;
    }
    return false;
}

static void explain_no_build(const struct desired_inputs *in, const char *version,
                             struct desired_choice *out) {
    if (any_yanked(in, version))
        snprintf(out->reason, sizeof out->reason,
                 "channel %s points to %s, which was yanked: run gridctl channel set %s VERSION",
                 in->channel, version, in->channel);
    else
        snprintf(out->reason, sizeof out->reason,
                 "channel %s points to %s, which has no build for %s-%s: publish %s-%s-%s-%s",
                 in->channel, version, in->platform, in->arch, in->artifact, version, in->platform,
                 in->arch);
}

void desired_choose(const struct desired_inputs *in, struct desired_choice *out) {
    *out = (struct desired_choice){.rule = DESIRED_NONE};
    const struct channel *channel = find_channel(in);
    if (channel == NULL) {
        explain_no_channel(in, out);
        return;
    }
    out->rule = DESIRED_CHANNEL;
    out->binary = catalog_choose(in->binaries, in->binary_count, in->artifact, channel->version,
                                 in->platform, in->arch);
    if (out->binary == NULL)
        explain_no_build(in, channel->version, out);
    else
        snprintf(out->reason, sizeof out->reason, "channel %s points to %s", in->channel,
                 channel->version);
}
