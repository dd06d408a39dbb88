#include "tests/sim/network.h"

#include "lib/text.h"

#include <assert.h>

enum { MOST_OVERTAKEN_MS = 3000 };

void network_init(struct network *n) {
    *n = (struct network){.free = QUEUE_NONE};
}

void network_fini(struct network *n) {
    free(n->pool);
    *n = (struct network){0};
}

static uint32_t take_slot(struct network *n) {
    if (n->free == QUEUE_NONE) {
        size_t before = n->capacity;
        n->capacity = before == 0 ? 256 : 2 * before;
        n->pool = memory_resize(n->pool, n->capacity, sizeof *n->pool);
        for (size_t i = before; i < n->capacity; i++) {
            n->pool[i].next_free = n->free;
            n->free = (uint32_t)i;
        }
    }
    uint32_t slot = n->free;
    n->free = n->pool[slot].next_free;
    n->under_way++;
    return slot;
}

static bool cut(const struct machine *m, bool to_master) {
    return to_master ? m->cut_out : m->cut_in;
}

static void send_once(struct world *w, uint32_t agent, bool to_master, const struct message *m) {
    const struct scenario *s = &w->scenario;
    int64_t *latest_ms = &w->machines[agent].latest_arrival_ms[to_master];
    int64_t at_ms = w->now_ms + dice_between(&w->dice, 1, s->delay_ms);
    if (!w->calm && dice_chance(&w->dice, s->reorder_ppm))
        at_ms += dice_below(&w->dice, MOST_OVERTAKEN_MS);
    else if (at_ms <= *latest_ms)
        at_ms = *latest_ms;
    else
        *latest_ms = at_ms;
    uint32_t slot = take_slot(&w->network);
    w->network.pool[slot] = *m;
    queue_add(&w->queue, &(struct planned){.at_ms = at_ms,
                                           .kind = to_master ? SIM_TO_MASTER : SIM_TO_AGENT,
                                           .agent = agent,
                                           .message = slot});
}

void network_send(struct world *w, uint32_t agent, bool to_master, const struct message *m) {
    const struct scenario *s = &w->scenario;
    if (cut(&w->machines[agent], to_master)) return;
    if (!w->calm && dice_chance(&w->dice, s->loss_ppm)) return;
    send_once(w, agent, to_master, m);
    if (!w->calm && dice_chance(&w->dice, s->duplicate_ppm)) send_once(w, agent, to_master, m);
}

bool network_arrive(struct world *w, const struct planned *e, struct message *out) {
    struct network *n = &w->network;
    assert(e->message < n->capacity && n->under_way > 0);
    *out = n->pool[e->message];
    n->pool[e->message].next_free = n->free;
    n->free = e->message;
    n->under_way--;
    return !cut(&w->machines[e->agent], e->kind == SIM_TO_MASTER);
}
