/* A change of trust on its way: a root, targets, or both, signed by whoever must, then published
 * together. */
#pragma once

#include "cli/answers.h"
#include "cli/invocation.h"
#include "cli/key_file.h"
#include "cli/trust_words.h"
#include "lib/http_client.h"

struct trust_draft {
    struct trust_file root;    /* empty: it stays */
    struct trust_file targets; /* empty: they stay */
};
void trust_draft_fini(struct trust_draft *d);
#define OWN_TRUST_DRAFT __attribute__((cleanup(trust_draft_fini)))

/* The root that says who signs the draft's targets: its own, else the one in force; NULL: not
 * known. */
const struct tuf_root *trust_draft_judge(const struct trust_draft *d,
                                         const struct trust_base *base);

/* Signs what this key may sign. ERR_CONFLICT when that is nothing; where it is not known who may,
 * everything is signed. */
MUST_CHECK bool trust_draft_sign(struct trust_draft *d, const struct trust_base *base,
                                 const struct sign_secret *key, struct err *e);

MUST_CHECK bool trust_draft_sign_all(struct trust_draft *d, const struct trust_base *base,
                                     const struct key_ring *keys, struct err *e);

/* Tells people what it says. */
void trust_draft_show(const struct invocation *call, const struct trust_draft *d,
                      const struct trust_base *base);

/* Whether all signatures are there; see trust_words_complete. */
bool trust_draft_complete(const struct trust_draft *d, const struct trust_base *base,
                          struct text *lacking);

/* Writes what the draft holds as "N.root.json" and "N.targets.json" into the working directory, and
 * prints their names and what to do with them. */
MUST_CHECK bool trust_draft_write(struct invocation *call, const struct trust_draft *d,
                                  const char *lacking, struct err *e);

/* Sends it. ERR_CONFLICT when it does not follow what is in force, or would leave agents behind
 * (--abandon); ERR_UNTRUSTED when signatures are missing. */
MUST_CHECK bool trust_draft_send(struct invocation *call, const struct trust_draft *d,
                                 const struct trust_base *base, struct http_answer *answer,
                                 struct err *e);

/* The same, and says so. */
MUST_CHECK bool trust_draft_publish(struct invocation *call, const struct trust_draft *d,
                                    const struct trust_base *base, struct err *e);

/* Says what it says, asks, signs with the keys at hand; then publishes it, or writes it when
 * signatures are missing or there is no master (--metadata). With --dry-run it is only said. */
MUST_CHECK bool trust_draft_deliver(struct invocation *call, struct trust_draft *d,
                                    const struct trust_base *base, const struct key_ring *keys,
                                    struct err *e);
