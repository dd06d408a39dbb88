/* What is written down about one node: by the agent before it starts the process
 * (nodes/INDEX/record.json), and by the process itself about itself (DATA/lock). Blocks on disk;
 * one thread per node. */
#pragma once

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/wire.h"

#define RECORD_NONCE_SIZE 65

struct record {
    int64_t port; /* 0: none chosen yet */
    char nonce[RECORD_NONCE_SIZE];
    char sha256[SHA256_HEX_SIZE];
    char version[SEMVER_SIZE];
    int64_t restarts;
    int64_t restart_generation; /* the highest restart order that a start carried out */
    int64_t user;               /* that the last start ran as and owns the data; 0: the agent's */
    char *sandbox;              /* layers the last start is fenced in by, lines; NULL: not told */
    int64_t log_begin;          /* place in its log where the lines of this process begin */
    struct wire_exit last_exit;
};

/* A missing or damaged record is an empty one: the node's own note counts more. */
void record_load(const char *directory, struct record *out);
MUST_CHECK bool record_save(const char *directory, const struct record *r, struct err *e);
void record_clear(struct record *r);

/* The line a node keeps in its locked data directory. */
struct node_note {
    int64_t pid;
    int64_t start_time; /* clock ticks since boot, field 22 of /proc/PID/stat */
    char boot_id[64];
    char sha256[SHA256_HEX_SIZE];
    int64_t port; /* 0 until it listens */
    char nonce[128];
    char id[128];
    char version[SEMVER_SIZE];
};
MUST_CHECK bool record_read_note(int lock_fd, struct node_note *out, struct err *e);
