/* Texts that hold a secret: what they hold is wiped before its memory is given back. Growing leaves
 * copies behind, so that a secret is added last, or at once. */
#pragma once

#include "lib/text.h"

#include <string.h>

__attribute__((unused)) static inline void secret_text_fini(struct text *t) {
    if (t->data != NULL) explicit_bzero(t->data, t->capacity);
    text_fini(t);
}

/* OWN_SECRET_TEXT struct text pem = TEXT_EMPTY; */
#define OWN_SECRET_TEXT __attribute__((cleanup(secret_text_fini)))
