#include "storage-server/node.h"

#include "storage-server/conditions.h"

unsigned node_conditions(const struct node *n) {
    return chunks_conditions(n->chunks) | (atomic_load(&n->draining) ? CONDITION_DRAINING : 0U);
}

bool node_enter(struct node *n, struct err *e) {
    if (atomic_fetch_add(&n->running, 1) < n->running_max) return true;
    node_leave(n);
    err_set(e, ERR_RATE_LIMITED, "this node has %d requests under way", n->running_max);
    return err_hint(e, "try again in a moment, or use another node");
}

void node_leave(struct node *n) {
    atomic_fetch_sub(&n->running, 1);
}
