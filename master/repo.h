/* The repository of TUF metadata that this master publishes below /tuf/: what agents trust.
 * Metadata are rows of repo_metadata, so that publishing commits together with the catalog's row,
 * and a backup holds them; the newest are in memory. Keys lie in STATE/keys/{root,targets,snapshot,
 * timestamp}.key as long as they are here; root and targets may be moved away (offline), which
 * holds what is dropped until signed targets metadata name it. Versions of all roles but root are
 * max(last + 1, Unix seconds), so that a restored backup continues above what agents have seen. Any
 * thread; one inner lock. */
#pragma once

#include "lib/db.h"
#include "lib/tuf_metadata.h"
#include "master/catalog.h"
#include "master/keys.h"

struct repo;

struct repo_options {
    struct db *db;
    struct keys *keys;
    const char *state_directory;
    int64_t timestamp_life_ms; /* 0: a day; signed anew when a twenty-fourth of it has passed */
    int64_t snapshot_life_ms;  /* 0: a week */
    int64_t targets_life_ms;   /* 0: a year */
    int64_t root_life_ms;      /* 0: two years */
};

/* Makes keys and first metadata when there are none: of all that the catalog has, and
 * 1.root.json.minisig by the release key, the bridge for agents that only know that key.
 * ERR_CORRUPT when metadata are there whose online keys are gone. */
MUST_CHECK bool repo_open(struct repo **out, const struct repo_options *options, struct err *e);
void repo_close(struct repo *r);
OWN_DEFINE(repo, struct repo, repo_close)

/* A file of the metadata folder ("timestamp.json", "3.root.json", "root.json" is the newest root,
 * "1.root.json.minisig"). ERR_NOT_FOUND. */
MUST_CHECK bool repo_file(struct repo *r, const char *file, struct text *out, struct err *e);

/* Version of the newest root and the SHA-256 of its bytes: "root" of the join string. */
void repo_root_digest(struct repo *r, int64_t *version, char sha256[SHA256_HEX_SIZE]);

/* Whether targets can be signed here. */
bool repo_signs_targets(struct repo *r);

/* In the transaction that makes a binary visible, or takes it away: targets, snapshot and timestamp
 * that say so. Where targets keys are away this is ERR_CONFLICT, unless the trusted targets say it
 * already. repo_committed or repo_dropped follows, after the transaction. */
MUST_CHECK bool repo_add(struct repo *r, struct db_connection *c, const struct binary *b,
                         struct err *e);
MUST_CHECK bool repo_remove(struct repo *r, struct db_connection *c, const struct artifact_name *id,
                            struct err *e);
void repo_committed(struct repo *r);
void repo_dropped(struct repo *r);

/* Metadata signed elsewhere. Root: the next version, by the threshold of the old and the new keys,
 * to which this master's own root key adds its signature when it has one; keys here that no role
 * names any more are wiped. A root that gives targets to other keys is taken only together with
 * targets that these have signed (NULL where they stay valid, or can be signed here), in one
 * transaction: agents must never meet a root whose targets they cannot verify. POST /api/trust/root
 * therefore takes a root, or {"root":{...},"targets":{...}}. Targets: a version above the newest;
 * what it names is published or held. ERR_UNTRUSTED counts the signatures, ERR_CONFLICT names the
 * version that is due. */
MUST_CHECK bool repo_accept_root(struct repo *r, const char *bytes, size_t length,
                                 const char *targets, size_t targets_length, const char *principal,
                                 struct err *e);
MUST_CHECK bool repo_accept_targets(struct repo *r, const char *bytes, size_t length,
                                    const char *principal, struct err *e);

/* New keys for these roles (bits 1 << enum tuf_role_kind), made here. ERR_CONFLICT when root is
 * away. */
MUST_CHECK bool repo_rotate(struct repo *r, unsigned roles, const char *principal, struct err *e);

/* Signs anew what is due. Call it now and then. */
MUST_CHECK bool repo_tick(struct repo *r, int64_t now_wall_ms, struct err *e);
