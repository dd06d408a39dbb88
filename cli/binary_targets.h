/* Targets metadata that publish one local file: FILE.targets.json beside it. */
#pragma once

#include "cli/binary_file.h"
#include "cli/trust_draft.h"
#include "cli/trust_fetch.h"

void binary_targets_path(const struct binary_file *f, char out[PATH_MAX + 16]);

/* The targets in force and this file. Where FILE.targets.json is there and still follows those in
 * force, it is taken instead, with its signatures; then *added is true. */
MUST_CHECK bool binary_targets_make(const struct binary_file *f, const struct trust_base *base,
                                    struct trust_file *out, bool *added, struct err *e);

/* FILE.targets.json; empty when there is none. ERR_INVALID when it names other bytes. */
MUST_CHECK bool binary_targets_read(const struct binary_file *f, struct trust_file *out,
                                    struct err *e);

/* Sends it after the file itself. ERR_CONFLICT when it was made of other targets than those in
 * force: what was published meanwhile would be gone. */
MUST_CHECK bool binary_targets_send(struct invocation *call, const struct binary_file *f,
                                    struct trust_file *targets, struct http_answer *answer,
                                    struct err *e);
