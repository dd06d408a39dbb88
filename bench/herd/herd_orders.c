/* What one agent of the herd is told to run. */
#include "bench/herd/herd_internal.h"

#include "lib/clock.h"

#include <stdio.h>
#include <string.h>

/* The text behind this key of the object, "" when it has none; key with its quotes and colon. */
static void read_text(const char *json, const char *key, char *out, size_t size) {
    const char *found = json != NULL ? strstr(json, key) : NULL;
    out[0] = '\0';
    if (found == NULL || found[strlen(key)] != '"') return;
    found += strlen(key) + 1;
    snprintf(out, size, "%.*s", (int)strcspn(found, "\""), found);
}

static int64_t read_number(const char *object, const char *key) {
    const char *end = object != NULL ? strchr(object, '}') : NULL;
    const char *found = object != NULL ? strstr(object, key) : NULL;
    return found != NULL && found < end ? strtoll(found + strlen(key), NULL, 10) : 0;
}

static void read_grant(const char *json, struct herd_grant *out) {
    const char *grant = strstr(json, "\"grant\":{");
    *out = (struct herd_grant){
        .attempt = read_number(grant, "\"attempt\":"),
        .lease_ms = read_number(grant, "\"lease_ms\":"),
    };
    read_text(json, "\"version\":", out->version, sizeof out->version);
    read_text(json, "\"sha256\":", out->sha256, sizeof out->sha256);
    read_text(grant, "\"rollout\":", out->rollout, sizeof out->rollout);
}

void herd_agent_finish_switch(struct herd_agent *a) {
    if (a->switching) herd_switched(a->herd);
    a->switching = false;
    memcpy(a->version, a->grant.version, sizeof a->version);
    memcpy(a->sha256, a->grant.sha256, sizeof a->sha256);
    text_clear(&a->report);
}

static void begin_switch(struct herd_agent *a, int64_t now_ms) {
    int64_t takes_ms = herd_switch_ms(a->herd);
    a->switching = true;
    a->switched_at_ms = takes_ms < 0 ? INT64_MAX : now_ms + takes_ms;
}

/* The herd shares its machine with the master it measures, so that it reads of an answer only what
 * it acts on. */
void herd_agent_obey(struct herd_agent *a, const char *json) {
    const char *generation = strstr(json, "\"generation\":");
    if (generation == NULL) return;
    int64_t number = strtoll(generation + strlen("\"generation\":"), NULL, 10);
    struct herd_grant before = a->grant, now;
    read_grant(json, &now);
    if (number < a->generation || (number == a->generation && now.lease_ms == before.lease_ms))
        return;
    a->generation = number;
    a->grant = now;
    read_text(strstr(json, "\"prefetch\":{"), "\"sha256\":", a->staged, sizeof a->staged);
    text_clear(&a->report);
    bool same = a->switching && before.attempt == a->grant.attempt &&
                strcmp(before.rollout, a->grant.rollout) == 0;
    if (a->grant.rollout[0] == '\0' || strcmp(a->grant.version, a->version) == 0)
        herd_agent_finish_switch(a);
    else if (a->grant.lease_ms > 0 && !same)
        begin_switch(a, clock_monotonic_ms());
    herd_told(a->herd, &a->grant);
}
