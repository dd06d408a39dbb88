#include "storage-server/conditions.h"

const char *conditions_status(unsigned conditions) {
    if (conditions & (CONDITION_WRITE_ERROR | CONDITION_DATA_MISSING)) return "failing";
    return conditions != 0 ? "degraded" : "ok";
}

static const struct {
    unsigned any_of;
    const char *reason;
} reasons[] = {
    {CONDITION_DISK_FULL,                                                  "disk_full"   },
    {CONDITION_READ_ERROR | CONDITION_WRITE_ERROR,                         "io_error"    },
    {CONDITION_DATA_MISSING,                                               "data_missing"},
    {CONDITION_DISK_FULL | CONDITION_WRITE_ERROR | CONDITION_DATA_MISSING, "read_only"   },
    {CONDITION_DRAINING,                                                   "draining"    },
};

bool conditions_reason(unsigned conditions, size_t index, const char **reason, bool *holds) {
    if (index >= sizeof reasons / sizeof reasons[0]) return false;
    *reason = reasons[index].reason;
    *holds = (conditions & reasons[index].any_of) != 0;
    return true;
}

void conditions_reasons(unsigned conditions, struct text *lines) {
    const char *reason = NULL;
    bool holds = false;
    for (size_t i = 0; conditions_reason(conditions, i, &reason, &holds); i++)
        if (holds) text_add_format(lines, "%s%s", lines->length > 0 ? "\n" : "", reason);
}

bool conditions_allow_absence(unsigned conditions, struct err *e) {
    if (!(conditions & CONDITION_DATA_MISSING)) return true;
    err_set(e, ERR_UNAVAILABLE, "this node's data directory was moved, deleted or covered");
    return err_hint(e, "use another node; this one needs its directory back, or a restart, which "
                       "begins with an empty one");
}

bool conditions_allow_delete(unsigned conditions, struct err *e) {
    if (!conditions_allow_absence(conditions, e)) return false;
    if (conditions & CONDITION_WRITE_ERROR) {
        err_set(e, ERR_UNAVAILABLE, "this node is read-only, because writing to its disk failed");
        return err_hint(e, "use another node; this one needs a look at its disk and a restart");
    }
    if (conditions & CONDITION_DRAINING) {
        err_set(e, ERR_UNAVAILABLE, "this node is stopping");
        return err_hint(e, "try again in a moment, or use another node");
    }
    return true;
}

bool conditions_allow_write(unsigned conditions, struct err *e) {
    if (!conditions_allow_delete(conditions, e)) return false;
    if (conditions & CONDITION_DISK_FULL) {
        err_set(e, ERR_NO_SPACE,
                "this node's disk is full, so it is read-only until there is space again");
        return err_hint(e, "use another node, or delete chunks here");
    }
    return true;
}

bool space_fits(int64_t free_bytes, int64_t reserve_bytes, int64_t wanted_bytes) {
    return free_bytes >= reserve_bytes && free_bytes - reserve_bytes >= wanted_bytes;
}

int64_t space_needed_again(int64_t refused_bytes) {
    return refused_bytes < SPACE_USUAL_BYTES ? refused_bytes : SPACE_USUAL_BYTES;
}
