/* Catalog: which artifacts exist, proven authentic. Bytes live in STATE/objects/<sha256>, read-only
 * and never changed; a row in `artifact` makes them visible. One door for all: catalog_admit. Any
 * thread; blocks on disk. */
#pragma once

#include "lib/db.h"
#include "lib/err.h"
#include "master/binary.h"
#include "master/held.h"
#include "master/keys.h"
#include "master/repo.h"

#include <limits.h>

#define CATALOG_DEFAULT_CHANNEL "stable"

struct catalog;

enum catalog_signatures { CATALOG_SIGNATURES_AUTO, CATALOG_SIGNATURES_ON, CATALOG_SIGNATURES_OFF };

/* Empties STATE/staging, logs rows whose object is missing or has another size, removes objects
 * that no row names (a publication that a crash cut short). */
MUST_CHECK bool catalog_open(struct catalog **out, struct db *db, struct keys *keys,
                             struct repo *repo, const char *state_directory,
                             enum catalog_signatures required, struct err *e);
void catalog_close(struct catalog *c);
OWN_DEFINE(catalog, struct catalog, catalog_close)

/* A private file below STATE/staging to write bytes into before admission; removed by
 * catalog_unstage. */
struct staged {
    int fd;
    char path[PATH_MAX];
    char sha256[SHA256_HEX_SIZE]; /* of the content once complete */
    int64_t size_bytes;
};
MUST_CHECK bool catalog_stage(struct catalog *c, struct staged *out, struct err *e);
void catalog_unstage(struct staged *s); /* closes, removes; harmless after admission */

struct admission {
    const struct artifact_name *id;
    const struct staged *staged;
    const char *publisher_signature; /* minisign text, or NULL */
    const char *notes;
    const char *principal; /* "drop-box", "token:..." */
    /* When the bytes were offered, by the wall clock: what was deleted or discarded after that
     * stays so. 0: now. */
    int64_t offered_at_ms;
};

enum admitted {
    ADMITTED_NEW,
    ADMITTED_SAME, /* the very same bytes were there already; their object is written anew */
    ADMITTED_HELD, /* it lacks what policy asks for, or targets are signed elsewhere */
};

/* Checks ELF machine, signature policy and name binding, signs with the release key, publishes the
 * object, commits row, targets metadata and event, and adopts the version for channel "stable" when
 * that has none and the version is no pre-release; or holds it (master/held.h). ERR_INVALID
 * (empty), ERR_UNTRUSTED (a wrong signature), ERR_CONFLICT (the name has other bytes, was deleted
 * with other bytes, or was deleted or discarded after these were offered). */
MUST_CHECK bool catalog_admit(struct catalog *c, const struct admission *a, struct binary *out,
                              enum admitted *how, struct err *e);

/* Several admissions that become visible together: each is proven as it is added, and all share one
 * transaction and one version of the targets, whose signing costs in proportion to all that is
 * published. What came of each is told by the calls that decide it, perhaps not in the order of
 * adding: how, or why it was refused (NULL: it was not). One thread. */
struct catalog_batch;
typedef void catalog_told(void *argument, void *subject, enum admitted how, const struct err *why);
struct catalog_batch *catalog_batch_open(struct catalog *c, catalog_told *told, void *argument);
/* Nothing of the admission is needed after the call but its principal. Commits by itself when the
 * batch is full or has lasted long enough. */
void catalog_batch_add(struct catalog_batch *b, const struct admission *a, void *subject);
void catalog_batch_commit(struct catalog_batch *b);
void catalog_batch_close(struct catalog_batch *b); /* commits first */
OWN_DEFINE(catalog_batch, struct catalog_batch, catalog_batch_close)

/* Publishes a held file though it lacks a signature. ERR_NOT_FOUND; ERR_CONFLICT while targets are
 * signed elsewhere. */
MUST_CHECK bool catalog_approve(struct catalog *c, const char *file, const char *principal,
                                struct binary *out, struct err *e);
/* Gives a held file up: what was offered before that stays away (ERR_CONFLICT of catalog_admit). */
MUST_CHECK bool catalog_discard(struct catalog *c, const char *file, const char *principal,
                                struct err *e);
/* See held_prune_discarded. */
MUST_CHECK bool catalog_prune_discarded(struct catalog *c, held_lies_there *lies_there,
                                        const void *box, struct err *e);

/* Targets signed elsewhere, see repo_take_targets: held files that they name are published,
 * binaries that they call yanked are yanked, and those that they do not name are left out.
 * ERR_CONFLICT names a file whose bytes are not here. A root may come with targets; root NULL:
 * these alone. */
MUST_CHECK bool catalog_accept(struct catalog *c, const struct repo_input *root,
                               const struct repo_input *targets, const char *principal,
                               struct err *e);

/* ERR_NOT_FOUND when unknown or deleted. */
MUST_CHECK bool catalog_find(struct catalog *c, const struct artifact_name *id, struct binary *out,
                             struct err *e);

/* catalog_list inside an operation. */
MUST_CHECK bool catalog_read(struct db_connection *c, const char *name, const char *platform,
                             const char *arch, const char *version, struct binary **out,
                             size_t *count, struct err *e);

/* Filters may be NULL; sorted by name, semver, platform, arch. free() *out. */
MUST_CHECK bool catalog_list(struct catalog *c, const char *name, const char *platform,
                             const char *arch, const char *version, struct binary **out,
                             size_t *count, struct err *e);

/* Highest version that is offered; "any" builds count for every platform. */
MUST_CHECK bool catalog_latest(struct catalog *c, const char *name, const char *platform,
                               const char *arch, bool prereleases, struct binary *out,
                               struct err *e);

/* Pure choice among a list: the build of name and version for a machine, exact before "any"; NULL
 * when there is none. */
const struct binary *catalog_choose(const struct binary *list, size_t count, const char *name,
                                    const char *version, const char *platform, const char *arch);

MUST_CHECK bool catalog_yank(struct catalog *c, const struct artifact_name *id,
                             const char *principal, struct err *e);

/* Removes row (a tombstone stays) and, when nothing else uses them, bytes. ERR_CONFLICT names the
 * channels that point to the version; whether agents still hold it is the caller's check. */
MUST_CHECK bool catalog_delete(struct catalog *c, const struct artifact_name *id,
                               const char *principal, struct err *e);

/* Path of the object with this digest. */
void catalog_object_path(const struct catalog *c, const char *sha256, char out[PATH_MAX]);
const char *catalog_objects_directory(const struct catalog *c);

/* Between these no object goes away, so that a copy of database and objects fits together. They
 * count: every hold needs its release. */
void catalog_hold_objects(struct catalog *c);
void catalog_release_objects(struct catalog *c);

/* A number that differs when other publishers are trusted than before. */
int64_t catalog_trust_mark(struct catalog *c);
