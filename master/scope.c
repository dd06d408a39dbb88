#include "master/scope.h"

#include "lib/labels.h"

#include <string.h>

bool scope_parse(const char *selector, char out[SCOPE_SIZE], struct err *e) {
    OWN_TEXT struct text canonical = TEXT_EMPTY;
    if (!labels_selector_check(selector, e)) return err_wrap(e, "scope");
    scope_and("", selector, &canonical);
    return text_copy(out, SCOPE_SIZE, text_value(&canonical)) ||
           err_set(e, ERR_INVALID, "scope: at most %d characters", SCOPE_SIZE - 1);
}

static bool has_term(const char *selector, const char *wanted) {
    char term[LABELS_TERM_SIZE];
    while (labels_selector_next(&selector, term))
        if (strcmp(term, wanted) == 0) return true;
    return false;
}

bool scope_covers(const char *outer, const char *inner) {
    char term[LABELS_TERM_SIZE];
    while (labels_selector_next(&outer, term))
        if (!has_term(inner, term)) return false;
    return true;
}

void scope_and(const char *scope, const char *selector, struct text *out) {
    char term[LABELS_TERM_SIZE];
    const char *cursor = scope;
    size_t count = 0;
    while (labels_selector_next(&cursor, term))
        text_add_format(out, "%s%s", count++ > 0 ? "," : "", term);
    cursor = selector;
    while (labels_selector_next(&cursor, term))
        if (!has_term(scope, term)) text_add_format(out, "%s%s", count++ > 0 ? "," : "", term);
}

static bool is_of(const char *kind, const char *family) {
    size_t length = strlen(family);
    return strncmp(kind, family, length) == 0 && kind[length] == '.';
}

bool scope_shows_event(const char *kind, bool of_agent_within) {
    static const char *const of_all[] = {"binary", "channel", "floor", "quarantine"};
    if (is_of(kind, "agent") || is_of(kind, "node") || strstr(kind, ".agent.") != NULL)
        return of_agent_within;
    for (size_t i = 0; i < sizeof of_all / sizeof of_all[0]; i++)
        if (is_of(kind, of_all[i])) return true;
    return false;
}
