/* What metadata files say, what they change, and whose signatures they still need, in words. Pure.
 */
#pragma once

#include "cli/key_file.h"
#include "cli/output.h"
#include "cli/trust_file.h"

struct answer_trust;

/* What is in force; files that are not known are empty. */
struct trust_base {
    struct trust_file root;
    struct trust_file targets;
    struct text proven[TUF_ROLE_COUNT]; /* timestamp and snapshot; owned */
    struct answer_trust *master;        /* what it says of its keys; NULL: it was not asked */
    struct tuf_signers here;            /* ids of the keys that the master has */
};
void trust_base_fini(struct trust_base *b);
#define OWN_TRUST_BASE __attribute__((cleanup(trust_base_fini)))

/* Whether what is said to be in force was signed by those who may: root by its own keys, targets by
 * those of root, or without root by one of the keys with which something on top of them is to be
 * signed (with none there is nothing to fear). ERR_UNTRUSTED: what a stranger wrote there would get
 * signed, or would hide what is new. */
MUST_CHECK bool trust_base_proven(const struct trust_base *b, const struct key_ring *ring,
                                  struct err *e);

/* Appends what f says, and what is another than in force. */
void trust_words_say(const struct trust_file *f, const struct trust_base *base,
                     const struct output_style *style, struct text *out);

/* Whether f has the signatures that it needs, those that the master adds counted in; lacking gets a
 * line for each role that has too few: "root: 1 of 2 signatures; missing: NAME NAME". judge is the
 * root that says who signs targets; it may be NULL, then only a root's own signatures are looked
 * at. */
bool trust_words_complete(const struct trust_file *f, const struct trust_base *base,
                          const struct tuf_root *judge, struct text *lacking);
