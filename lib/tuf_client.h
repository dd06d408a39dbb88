/* The client of The Update Framework 1.0, section 5: from a root that is trusted to bytes of
 * targets that are. Where trusted files lie and where new ones come from is the caller's (struct
 * tuf_client_options); what time it is, too. One thread at a time. */
#pragma once

#include "lib/tuf_metadata.h"

#define TUF_ROOT_MAX_BYTES (512 * 1024)
#define TUF_TIMESTAMP_MAX_BYTES (16 * 1024)
#define TUF_SNAPSHOT_MAX_BYTES (2 * 1024 * 1024) /* when the timestamp does not say */
#define TUF_TARGETS_MAX_BYTES (16 * 1024 * 1024) /* whatever is promised, and of any file */
#define TUF_ROOT_STEPS_MAX 256
#define TUF_DELEGATIONS_MAX 32 /* delegated roles visited for one target */

struct tuf_client_options {
    void *argument;
    /* A trusted file ("root.json", "timestamp.json", "snapshot.json", "targets.json", and of
     * delegated roles "ROLE.json" with ROLE percent-encoded), byte for byte. ERR_NOT_FOUND. */
    bool (*load)(void *argument, const char *file, struct text *out, struct err *e);
    /* Keeps it durably in place of an older one; NULL bytes: removes it (after a rotation of keys,
     * section 5.3.11). */
    bool (*save)(void *argument, const char *file, const char *bytes, size_t length, struct err *e);
    /* A file of the repository ("3.root.json", "timestamp.json"). More than max_bytes is
     * ERR_TOO_LARGE, a file that is not there ERR_NOT_FOUND; other errors end the refresh. */
    bool (*fetch)(void *argument, const char *file, size_t max_bytes, struct text *out,
                  struct err *e);
    const struct tuf_verifiers *foreign; /* NULL: Ed25519 alone */
};

struct tuf_client;

/* ERR_NOT_FOUND without a trusted root.json, ERR_CORRUPT when it is none. Other trusted files that
 * are damaged, or that the trusted root does not believe, count as absent; one that cannot be read
 * is an error. The options are copied; foreign stays the caller's and outlives the client. */
MUST_CHECK bool tuf_client_open(struct tuf_client **out, const struct tuf_client_options *options,
                                struct err *e);
void tuf_client_close(struct tuf_client *c);
OWN_DEFINE(tuf_client, struct tuf_client, tuf_client_close)

/* Why the last refresh or look-up failed, in the words of the specification's list of attacks. The
 * error is ERR_UNTRUSTED then. */
enum tuf_attack {
    TUF_NO_ATTACK,     /* nothing wrong, or the network's or the disk's fault */
    TUF_UNSIGNED,      /* too few valid signatures */
    TUF_ROLLBACK,      /* a version below the trusted one; a role gone from the snapshot */
    TUF_FREEZE,        /* expired */
    TUF_MIX_AND_MATCH, /* hash, length or version is not what the role above says */
    TUF_ENDLESS,       /* more bytes than allowed */
    TUF_MALFORMED,     /* no metadata of that role */
};
const char *tuf_attack_name(enum tuf_attack a); /* "", "unsigned", "rollback", "freeze", ... */

/* Root chain, timestamp, snapshot, targets, in this order, by now_ms (Unix milliseconds). What was
 * taken before the failure stays trusted, and so does what was trusted before it: each file is
 * saved as soon as it is proven, so that a process may end between any two of them. */
MUST_CHECK bool tuf_client_refresh(struct tuf_client *c, int64_t now_ms, struct err *e);
enum tuf_attack tuf_client_attack(const struct tuf_client *c);

/* The target of this path among the trusted targets, looking into delegated roles in their order
 * (section 5.6.7), which are fetched as needed; those that were fetched before and are still what
 * the snapshot says are not fetched again, so that this works without a network. *out is owned by
 * the client and good until its next use. ERR_NOT_FOUND. Roles are visited once: cycles end, and a
 * role that is reached again by another way is not entered again. A role on the way that cannot be
 * had or proven ends the search with its error. The targets roles must not have expired; whether
 * the timestamp has is for the caller to ask. */
MUST_CHECK bool tuf_client_target(struct tuf_client *c, const char *path, int64_t now_ms,
                                  const struct tuf_target **out, struct err *e);

/* Trusted now; NULL: none yet. Of the client, until its next use. */
const struct tuf_root *tuf_client_root(const struct tuf_client *c);
const struct tuf_timestamp *tuf_client_timestamp(const struct tuf_client *c);
const struct tuf_targets *tuf_client_targets(const struct tuf_client *c);

/* The name of the target's file below the targets folder: "PATH", or with consistent snapshots
 * "DIR/SHA256.NAME". */
void tuf_client_target_file(const struct tuf_client *c, const struct tuf_target *t,
                            struct text *out);
