#include "master/decided.h"

#include "lib/clock.h"
#include "master/store.h"

static bool take(struct db_row *row, void *argument, struct err *e) {
    (void)e;
    *(int64_t *)argument = db_column_int(row, 0);
    return true;
}

bool decided_now(struct db_connection *c, int64_t *out_ms, struct err *e) {
    int64_t newest_ms = 0, now_ms = clock_wall_ms();
    if (!db_one(c, Q_DECIDED_NEWEST, take, &newest_ms, e, "")) return false;
    *out_ms = now_ms > newest_ms ? now_ms : newest_ms + 1;
    return true;
}
