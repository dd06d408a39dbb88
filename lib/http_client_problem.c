#include "lib/http_client_internal.h"
#include "lib/json.h"

#include <stddef.h>
#include <string.h>

struct problem {
    char *code;
    char *title;
    char *detail;
    char *hint;
};

static const struct json_field problem_fields[] = {
    J(JSON_TEXT, struct problem, code, 0),
    J(JSON_TEXT, struct problem, title, 0),
    J(JSON_TEXT, struct problem, detail, 0),
    J(JSON_TEXT, struct problem, hint, 0),
};
static const struct json_schema problem_schema = JSON_SCHEMA(struct problem, problem_fields);

/* What a server without problem+json means, by status alone. */
static enum err_code code_of_status(int status) {
#define CODE(code, name, http_status, title, exit_code) code,
    static const enum err_code codes[] = {ERR_CODES(CODE)};
#undef CODE
    if (status == 500) return ERR_INTERNAL;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (err_http_status(codes[i]) == status) return codes[i];
    return status > 500 ? ERR_UNAVAILABLE : ERR_INVALID;
}

static enum err_code code_of(const struct problem *p, int status) {
    enum err_code named = p->code != NULL ? err_code_by_name(p->code) : ERR_NONE;
    bool known = p->code != NULL && strcmp(err_code_name(named), p->code) == 0;
    return known && named != ERR_NONE ? named : code_of_status(status);
}

/* Words of a server end up on a terminal: without the characters that steer one. */
static void blank_controls(char *words) {
    for (; words != NULL && *words != '\0'; words++)
        if ((unsigned char)*words < 0x20 || *words == 0x7f) *words = ' ';
}

static bool is_problem(const struct http_answer *a) {
    static const char type[] = "application/problem+json";
    return strncmp(a->content_type, type, sizeof type - 1) == 0;
}

bool http_answer_err(const struct http_answer *a, const char *url, struct err *e) {
    struct problem p = {0};
    bool known = is_problem(a) && json_decode(&problem_schema, text_value(&a->body), a->body.length,
                                              JSON_IGNORE_UNKNOWN, &p, NULL);
    blank_controls(p.detail);
    blank_controls(p.title);
    blank_controls(p.hint);
    enum err_code code = code_of(&p, a->status);
    const char *words = p.detail != NULL ? p.detail : p.title;
    if (words != NULL)
        err_set(e, code, "%s", words);
    else
        err_set(e, code, "%.120s answered with status %d", url, a->status);
    if (p.hint != NULL) err_hint(e, "%s", p.hint);
    if (known) json_clear(&problem_schema, &p);
    return false;
}
