/* A rollout with its members in memory: arrays that grow together, sorted by id. */
#include "master/rollouts_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void live_rollout_free(struct live_rollout *l) {
    for (size_t i = 0; i < l->row.state.member_count; i++) {
        free((char *)l->agents[i].reason);
        free((char *)l->agents[i].diagnosis);
    }
    free(l->row.state.members);
    free(l->agents);
    free(l->domain_names);
    free(l->taken);
    free(l->domains);
    rollout_request_clear(&l->row.request);
    free(l);
}

void live_rollout_name(struct live_rollout *l) {
    snprintf(l->id, sizeof l->id, ROLLOUT_ID_FORMAT, l->row.number);
}

/* For so many elements and one more, so that thousands may be added one by one. */
static size_t capacity_for(size_t count) {
    size_t capacity = 8;
    while (capacity <= count) capacity *= 2;
    return capacity;
}

static void *copy_array(const void *array, size_t count, size_t size) {
    void *copy = memory_zeroed(capacity_for(count), size);
    if (count > 0) memcpy(copy, array, count * size);
    return copy;
}

static struct rollout_request copy_request(const struct rollout_request *r) {
    struct rollout_request copy = *r;
    copy.windows = copy_array(r->windows, r->windows_count, sizeof *r->windows);
    return copy;
}

struct live_rollout *live_rollout_copy(const struct live_rollout *l) {
    struct live_rollout *copy = memory_zeroed(1, sizeof *copy);
    size_t count = l->row.state.member_count;
    *copy = *l;
    copy->next = NULL;
    copy->row.request = copy_request(&l->row.request);
    copy->row.state.members =
        copy_array(l->row.state.members, count, sizeof *copy->row.state.members);
    copy->agents = copy_array(l->agents, count, sizeof *copy->agents);
    copy->domain_names = copy_array(l->domain_names, count, sizeof *copy->domain_names);
    copy->taken = copy_array(l->taken, count, sizeof *copy->taken);
    copy->domains = NULL;
    copy->domain_count = 0;
    for (size_t i = 0; i < count; i++) {
        copy->agents[i].reason = text_duplicate(l->agents[i].reason);
        copy->agents[i].diagnosis = text_duplicate(l->agents[i].diagnosis);
    }
    live_rollout_number_domains(copy);
    return copy;
}

bool live_rollout_self(const struct live_rollout *l) {
    return strcmp(l->row.request.name, ARTIFACT_AGENT_NAME) == 0;
}

/* Where the id is, or where it would be inserted. */
static size_t position(const struct live_rollout *l, const char *id, bool *found) {
    size_t low = 0, high = l->row.state.member_count;
    *found = false;
    if (high > 0 && strcmp(l->agents[high - 1].id, id) < 0) return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(l->agents[middle].id, id);
        *found |= order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool live_rollout_find(const struct live_rollout *l, const char *id, size_t *index) {
    bool found = false;
    *index = position(l, id, &found);
    return found;
}

/* Room for one more element at `at`, zeroed. */
static void *open_gap(void *array, size_t count, size_t size, size_t at) {
    char *grown = memory_resize(array, capacity_for(count), size);
    memmove(grown + (at + 1) * size, grown + at * size, (count - at) * size);
    memset(grown + at * size, 0, size);
    return grown;
}

size_t live_rollout_add(struct live_rollout *l, const char *agent_id, const char *domain) {
    struct rollout *s = &l->row.state;
    size_t at = 0, count = s->member_count;
    (void)live_rollout_find(l, agent_id, &at);
    s->members = open_gap(s->members, count, sizeof *s->members, at);
    l->agents = open_gap(l->agents, count, sizeof *l->agents, at);
    l->domain_names = open_gap(l->domain_names, count, sizeof *l->domain_names, at);
    l->taken = open_gap(l->taken, count, sizeof *l->taken, at);
    s->member_count++;
    text_cut(l->agents[at].id, sizeof l->agents[at].id, agent_id);
    text_cut(l->domain_names[at], sizeof l->domain_names[at], domain);
    s->members[at].domain = -1;
    l->agents[at].reason = text_duplicate("");
    l->agents[at].diagnosis = text_duplicate("");
    return at;
}

void live_rollout_take_out(struct live_rollout *l, const char *agent_id) {
    size_t at = 0;
    if (live_rollout_find(l, agent_id, &at)) l->taken[at] = true;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int32_t index_of(const struct live_rollout *l, const char *name) {
    char **found = bsearch(&name, l->domains, l->domain_count, sizeof *l->domains, by_name);
    return (int32_t)(found - l->domains);
}

/* One that is on its way, so that it keeps its domain, of the domain whose turn it is; NULL: none.
 */
static const char *name_of_turn(const struct live_rollout *l) {
    const struct rollout *s = &l->row.state;
    for (size_t i = 0; i < s->member_count; i++)
        if (rollout_member_flies(&s->members[i]) && s->members[i].domain == s->domain)
            return l->domain_names[i];
    return NULL;
}

/* The names point into domain_names: there are few, and the arrays move only when members come. */
void live_rollout_number_domains(struct live_rollout *l) {
    struct rollout *s = &l->row.state;
    bool numbered = l->domain_count > 0;
    const char *turn = numbered ? name_of_turn(l) : NULL;
    l->domains = memory_resize(l->domains, s->member_count + 1, sizeof *l->domains);
    for (size_t i = 0; i < s->member_count; i++) l->domains[i] = l->domain_names[i];
    if (s->member_count > 0) qsort(l->domains, s->member_count, sizeof *l->domains, by_name);
    l->domain_count = 0;
    for (size_t i = 0; i < s->member_count; i++)
        if (i == 0 || strcmp(l->domains[i], l->domains[l->domain_count - 1]) != 0)
            l->domains[l->domain_count++] = l->domains[i];
    for (size_t i = 0; i < s->member_count; i++)
        s->members[i].domain = index_of(l, l->domain_names[i]);
    if (numbered) s->domain = turn != NULL ? index_of(l, turn) : -1;
}

struct rollout_part live_rollout_part(const struct live_rollout *l,
                                      const struct rollout_member *members, size_t index) {
    const struct rollout_agent_view *a = &l->agents[index];
    return (struct rollout_part){.rollout = l->id,
                                 .self = live_rollout_self(l),
                                 .version = l->row.request.version,
                                 .to_sha256 = a->to_sha256,
                                 .from_version = a->from_version,
                                 .from_sha256 = a->from_sha256,
                                 .member = &members[index]};
}

int64_t live_rollout_clock(const struct live_rollout *l, int64_t now_ms) {
    return l->row.clock_ms + (now_ms > l->clock_at_ms ? now_ms - l->clock_at_ms : 0);
}

void live_rollout_view(const struct live_rollout *l, struct rollout_view *out) {
    *out = (struct rollout_view){.number = l->row.number,
                                 .request = &l->row.request,
                                 .rollout = &l->row.state,
                                 .reason = l->row.reason,
                                 .principal = l->row.principal,
                                 .created_at_ms = l->row.created_at_ms,
                                 .finished_at_ms = l->row.finished_at_ms,
                                 .superseded_by = l->row.superseded_by,
                                 .domains = (const char *const *)l->domains,
                                 .domain_count = l->domain_count,
                                 .agents = l->agents};
    rollout_count(&l->row.state, &out->tally);
}
