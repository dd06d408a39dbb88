#include "agent/update_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void update_set_state(struct wire_update *u, const char *state) {
    snprintf(u->state, sizeof u->state, "%s", state);
}

void update_set_cause(struct wire_update *u, const char *cause) {
    snprintf(u->cause, sizeof u->cause, "%s", cause);
}

void update_set_reason(struct wire_update *u, const char *format, ...) {
    char words[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    free(u->reason);
    u->reason = words[0] != '\0' ? text_duplicate(words) : NULL;
}

void update_set_failure(struct wire_update *u, const struct err *why, const char *cause) {
    update_set_state(u, "failed");
    update_set_cause(u, cause);
    snprintf(u->code, sizeof u->code, "%s", err_code_name(why->code));
    update_set_reason(u, "%s", why->text);
}
