/* A master that went back in time, as a virtual machine does that is set back to a snapshot, offers
 * versions below those that agents know. They call that a rollback until it signs above them. */
#include "master/events.h"
#include "master/repo_internal.h"

#include <inttypes.h>

struct outrunning {
    struct repo *repo;
    struct repo_seen seen;
};

static bool tell(struct db_connection *c, const char *role, int64_t seen, int64_t ours,
                 const char *done, struct err *e) {
    return events_add_change(c, e, "trust.behind", role, "master", NULL,
                             "agents know %s %" PRId64 " and this master had %" PRId64
                             ", as after it was set back to an earlier state: %s",
                             role, seen, ours, done);
}

/* What cannot be signed above here: said once for each version. */
static bool tell_once(struct repo *r, struct db_connection *c, enum tuf_role_kind role,
                      int64_t seen, const char *done, struct err *e) {
    if (seen <= r->behind_told[role]) return true;
    r->behind_told[role] = seen;
    return tell(c, tuf_role_name(role), seen, repo_view_version(&r->view, role), done, e);
}

static bool tell_targets_away(struct repo *r, struct db_connection *c, int64_t seen,
                              struct err *e) {
    return tell_once(r, c, TUF_TARGETS, seen,
                     "sign them anew where the key is: gridctl key targets --key FILE", e);
}

/* Keys of a root that was lost may be in nobody's hands here, and agents that trust it look for its
 * successor alone. */
static bool tell_root(struct repo *r, struct db_connection *c, int64_t seen, struct err *e) {
    if (seen <= repo_view_version(&r->view, TUF_ROOT)) return true;
    return tell_once(r, c, TUF_ROOT, seen,
                     "publish what was lost again (gridctl key publish N.root.json; agents keep "
                     "theirs in STATE/tuf/root.json), or restore a later backup",
                     e);
}

static bool outrun(struct db_connection *c, void *argument, struct err *e) {
    const struct outrunning *o = argument;
    struct repo *r = o->repo;
    if (!repo_view_load(r, c, e) || !tell_root(r, c, o->seen.root, e)) return false;
    int64_t targets = r->view.targets.heading.version;
    int64_t timestamp = r->view.timestamp.heading.version;
    bool targets_behind = o->seen.targets > targets;
    bool signs_targets = repo_can_sign(r, &r->view.root.roles[TUF_TARGETS]);
    if (targets_behind && !signs_targets && !tell_targets_away(r, c, o->seen.targets, e))
        return false;
    r->outrun[TUF_TARGETS] = o->seen.targets;
    /* No snapshot is newer than the timestamp that tells of it. */
    r->outrun[TUF_SNAPSHOT] = r->outrun[TUF_TIMESTAMP] = o->seen.timestamp;
    if (targets_behind && signs_targets)
        return repo_publish(r, c, TUF_TARGETS, e) &&
               tell(c, tuf_role_name(TUF_TARGETS), o->seen.targets, targets,
                    "all was signed anew, above that", e);
    return o->seen.timestamp <= timestamp ||
           (repo_publish(r, c, TUF_SNAPSHOT, e) &&
            tell(c, tuf_role_name(TUF_TIMESTAMP), o->seen.timestamp, timestamp,
                 "snapshot and timestamp were signed anew, above that", e));
}

bool repo_outrun(struct repo *r, const struct repo_seen *seen, struct err *e) {
    struct outrunning o = {r, *seen};
    struct repo_status status;
    repo_status(r, &status);
    bool above = seen->root <= status.headings[TUF_ROOT].version &&
                 seen->targets <= status.headings[TUF_TARGETS].version &&
                 seen->timestamp <= status.headings[TUF_TIMESTAMP].version;
    if (above) return true;
    return db_write(r->db, outrun, &o, e) || err_wrap(e, "sign above what agents know");
}
