/* The repository of TUF metadata that this master publishes below /tuf/: what agents trust.
 * Metadata are rows of repo_metadata, so that publishing commits together with the catalog's row,
 * and a backup holds them. Keys lie in STATE/keys/{root,targets,snapshot,timestamp}.key as long as
 * they are here; root and targets may be moved away (offline), which holds what is dropped until
 * signed targets metadata name it. Versions of all roles but root are max(last + 1, Unix seconds),
 * so that a restored backup continues above what agents have seen.
 *
 * Any thread, but for what is said to be inside an operation: that runs in db_write, and what it
 * signed is undone with it. */
#pragma once

#include "lib/db.h"
#include "lib/tuf_metadata.h"
#include "master/binary.h"
#include "master/keys.h"

struct repo;

struct repo_options {
    struct db *db;
    struct keys *keys;
    const char *state_directory;
    bool restored;             /* agents may have seen more than these rows: all is signed anew */
    int64_t timestamp_life_ms; /* 0: a day; signed anew when a twenty-fourth of it has passed */
    int64_t snapshot_life_ms; /* 0: a week; signed anew when half of it has passed, as the others */
    int64_t targets_life_ms;  /* 0: a year */
    int64_t root_life_ms;     /* 0: two years */
};

/* Makes keys and first metadata when there are none: of all that the catalog has, and
 * 1.root.json.minisig by the release key, the bridge for agents that only know that key.
 * ERR_CORRUPT when keys are gone that should be here. Finishes the wiping of keys that a crash has
 * cut short. */
MUST_CHECK bool repo_open(struct repo **out, const struct repo_options *options, struct err *e);
void repo_close(struct repo *r);
OWN_DEFINE(repo, struct repo, repo_close)

/* A file of the metadata folder ("timestamp.json", "3.root.json", "root.json" is the newest root,
 * "1.root.json.minisig"), shared by all who read it: repo_file_release. ERR_NOT_FOUND. */
struct repo_bytes {
    const char *data;
    size_t length;
};
MUST_CHECK bool repo_file(struct repo *r, const char *file, const struct repo_bytes **out,
                          struct err *e);
void repo_file_release(const struct repo_bytes *b); /* NULL is fine */
OWN_DEFINE(repo_bytes, const struct repo_bytes, repo_file_release)

/* Version of the newest root and the SHA-256 of its bytes: "root" of the join string. */
void repo_root_digest(struct repo *r, int64_t *version, char sha256[SHA256_HEX_SIZE]);

/* What is in force. */
struct repo_status {
    struct tuf_heading headings[TUF_ROLE_COUNT];
    bool signs[TUF_ROLE_COUNT]; /* enough of its keys are here */
    char root_sha256[SHA256_HEX_SIZE];
};
void repo_status(struct repo *r, struct repo_status *out);

/* The newest root, taken apart: tuf_root_clear. */
MUST_CHECK bool repo_root(struct repo *r, struct tuf_root *out, struct err *e);
/* Whether the secret key of this id is here. */
bool repo_has_key(struct repo *r, const char *key_id);
/* The role's key that waits for a root to name it; false when there is none. */
bool repo_next_key(struct repo *r, enum tuf_role_kind role, struct sign_public *out);

/* Inside an operation: whether targets can be signed here. */
MUST_CHECK bool repo_signs_targets(struct repo *r, struct db_connection *c, bool *signs,
                                   struct err *e);

/* Inside the operation that changes the catalog: targets, snapshot and timestamp that say so, one
 * version for all that is added together. Where targets keys are away this is ERR_CONFLICT, unless
 * the trusted targets say it already. */
MUST_CHECK bool repo_add(struct repo *r, struct db_connection *c, const struct binary *const *list,
                         size_t count, struct err *e);
MUST_CHECK bool repo_remove(struct repo *r, struct db_connection *c, const struct artifact_name *id,
                            struct err *e);
MUST_CHECK bool repo_yank(struct repo *r, struct db_connection *c, const struct artifact_name *id,
                          struct err *e);
/* After a floor was set or removed: every target of the artifact tells it. Nothing where targets
 * keys are away: whoever signs there says which floor holds. */
MUST_CHECK bool repo_follow_floor(struct repo *r, struct db_connection *c, const char *artifact,
                                  struct err *e);

/* Metadata signed elsewhere (catalog_accept_root, catalog_accept_targets are the doors). Changes of
 * keys and acceptances come one after another: repo_begin_change before the operation,
 * repo_end_change after it, which wipes keys that the root in force does not name. */
void repo_begin_change(struct repo *r);
void repo_end_change(struct repo *r);

/* Inside an operation. Root: the next version, by the threshold of the old and the new keys, to
 * which this master's own root keys add their signatures. A root that gives targets to other keys
 * is taken only together with targets that these have signed (NULL where they stay valid, or can be
 * signed here): agents must never meet a root whose targets they cannot verify. Targets: a version
 * above the newest. ERR_UNTRUSTED counts the signatures, ERR_CONFLICT names the version that is due
 * or the key that is missing here. */
struct repo_input {
    const char *bytes;
    size_t length;
};
MUST_CHECK bool repo_take_root(struct repo *r, struct db_connection *c,
                               const struct repo_input *root, const struct repo_input *targets,
                               const char *principal, struct err *e);
MUST_CHECK bool repo_take_targets(struct repo *r, struct db_connection *c,
                                  const struct repo_input *targets, const char *principal,
                                  struct err *e);

/* Inside an operation: the targets as they are after the above. Good until the next call. */
MUST_CHECK bool repo_targets(struct repo *r, struct db_connection *c,
                             const struct tuf_targets **out, struct err *e);

/* Whether root metadata leave too few root keys here to sign a root: then the release key goes,
 * too. ERR_INVALID. */
MUST_CHECK bool repo_root_leaves(struct repo *r, const struct repo_input *root, bool *leaves,
                                 struct err *e);

/* New keys for these roles (bits 1 << enum tuf_role_kind), made here, and the root that names them.
 * Where root is away those of snapshot and timestamp are kept until a root names them, which
 * somebody else has to sign (repo_next_key); others are ERR_CONFLICT. */
MUST_CHECK bool repo_rotate(struct repo *r, unsigned roles, const char *principal, struct err *e);

/* The highest versions that agents say they trust. */
struct repo_seen {
    int64_t targets, timestamp, root;
};
/* Signs anew above what agents have seen, where that is newer than what is in force, with an event
 * that says so. A root that was lost cannot be signed again: that is only said. Call it now and
 * then; cheap when nothing is to be done. */
MUST_CHECK bool repo_outrun(struct repo *r, const struct repo_seen *seen, struct err *e);

/* Signs anew what is due. Call it now and then; cheap when nothing is. */
MUST_CHECK bool repo_tick(struct repo *r, int64_t now_wall_ms, struct err *e);
