#include "master/peers.h"

#include <assert.h>
#include <search.h>
#include <string.h>

static int by_session(const void *a, const void *b) {
    return memcmp(((const struct peer *)a)->session.id, ((const struct peer *)b)->session.id,
                  SESSION_ID_SIZE);
}

static int by_agent(const void *a, const void *b) {
    return strcmp(((const struct peer *)a)->agent_id, ((const struct peer *)b)->agent_id);
}

struct peer *peers_find(const struct peers *ps, const unsigned char session[SESSION_ID_SIZE]) {
    struct peer key;
    memcpy(key.session.id, session, SESSION_ID_SIZE);
    struct peer **node = tfind(&key, &ps->by_session, by_session);
    return node != NULL ? *node : NULL;
}

struct peer *peers_find_live(const struct peers *ps, const char *agent_id) {
    struct peer key;
    if (!text_copy(key.agent_id, sizeof key.agent_id, agent_id)) return NULL;
    struct peer **node = tfind(&key, &ps->by_agent, by_agent);
    return node != NULL ? *node : NULL;
}

void peers_add(struct peers *ps, const struct session *s, const struct wire_hello *hello,
               int64_t now_ms) {
    struct peer *p = memory_zeroed(1, sizeof *p);
    p->session = *s;
    p->created_ms = now_ms;
    memcpy(p->agent_id, hello->agent_id, sizeof p->agent_id);
    memcpy(p->instance, hello->instance, sizeof p->instance);
    p->greeting = hello->greeting;
    if (tsearch(p, &ps->by_session, by_session) == NULL) abort();
    p->older = ps->unproven;
    if (p->older != NULL) p->older->newer = p;
    ps->unproven = p;
    ps->unproven_count++;
    ps->count++;
}

/* Without a walk: thousands greet at once, and the first to prove themselves are the oldest. */
static void leave_unproven(struct peers *ps, struct peer *p) {
    assert(!p->live && ps->unproven_count > 0);
    if (p->newer != NULL)
        p->newer->older = p->older;
    else
        ps->unproven = p->older;
    if (p->older != NULL) p->older->newer = p->newer;
    p->older = p->newer = NULL;
    ps->unproven_count--;
}

static void free_peer(void *p) {
    secret_wipe(p, sizeof(struct peer));
    free(p);
}

void peers_forget(struct peers *ps, struct peer *p) {
    struct bus_request *r = peers_unpark(ps, p);
    if (r != NULL) bus_discard(r);
    if (!p->live) leave_unproven(ps, p);
    tdelete(p, &ps->by_session, by_session);
    if (p->live) tdelete(p, &ps->by_agent, by_agent);
    assert(ps->count > 0);
    ps->count--;
    free_peer(p);
}

void peers_make_live(struct peers *ps, struct peer *p) {
    if (p->live) return;
    struct peer *before = peers_find_live(ps, p->agent_id);
    if (before != NULL) peers_forget(ps, before);
    leave_unproven(ps, p);
    p->live = true;
    if (tsearch(p, &ps->by_agent, by_agent) == NULL) abort();
}

/* A hello that was not followed up must not become the session of whoever gets the id next. */
void peers_forget_unproven_of(struct peers *ps, const char *agent_id) {
    for (struct peer *p = ps->unproven, *older; p != NULL; p = older) {
        older = p->older;
        if (strcmp(p->agent_id, agent_id) == 0) peers_forget(ps, p);
    }
}

void peers_forget_unproven_before(struct peers *ps, int64_t begun_ms) {
    for (struct peer *p = ps->unproven, *older; p != NULL; p = older) {
        older = p->older;
        if (p->created_ms <= begun_ms) peers_forget(ps, p);
    }
}

/* Parked sessions wait in a list, oldest first, so that the tick looks only at those whose time has
 * come. */
void peers_park(struct peers *ps, struct peer *p, struct bus_request *r, uint64_t sequence,
                int64_t now_ms) {
    assert(p->parked == NULL);
    p->parked = r;
    p->parked_sequence = sequence;
    p->parked_at_ms = now_ms;
    p->previous = ps->newest;
    if (ps->newest != NULL)
        ps->newest->next = p;
    else
        ps->oldest = p;
    ps->newest = p;
    ps->parked_count++;
}

struct bus_request *peers_unpark(struct peers *ps, struct peer *p) {
    if (p->parked == NULL) return NULL;
    if (p->previous != NULL)
        p->previous->next = p->next;
    else
        ps->oldest = p->next;
    if (p->next != NULL)
        p->next->previous = p->previous;
    else
        ps->newest = p->previous;
    p->previous = p->next = NULL;
    assert(ps->parked_count > 0);
    ps->parked_count--;
    return TAKE(p->parked);
}

static void free_nothing(void *p) {
    (void)p;
}

void peers_fini(struct peers *ps) {
    while (ps->oldest != NULL) bus_discard(peers_unpark(ps, ps->oldest));
    assert(ps->newest == NULL && ps->parked_count == 0);
    tdestroy(ps->by_agent, free_nothing);
    tdestroy(ps->by_session, free_peer);
    *ps = (struct peers){0};
}
