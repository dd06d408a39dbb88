#include "agent/self_journal.h"

#include "agent/sealed.h"
#include "lib/log.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define MAGIC "grid self journal 1"

/* As it is on disk. */
struct page {
    char stage[12];
    struct self_journal j;
};

static const struct json_field page_fields[] = {
    J(JSON_STRING, struct page, stage, JSON_REQUIRED),
    J_NAMED(JSON_STRING, struct page, j.from, "from", JSON_REQUIRED),
    J_NAMED(JSON_STRING, struct page, j.to, "to", JSON_REQUIRED),
    {.name = "grant",
                                                           .type = JSON_OBJECT,
                                                           .flags = JSON_OMIT_EMPTY,
                                                           .offset = offsetof(struct page, j.grant),
                                                           .present_offset = SIZE_MAX,
                                                           .sub = &wire_grant_schema},
    J_NAMED(JSON_INT, struct page, j.switches, "switches", 0),
    J_NAMED(JSON_INT, struct page, j.held, "held", JSON_OMIT_EMPTY),
    J_NAMED(JSON_BOOL, struct page, j.unseen, "unseen", JSON_OMIT_EMPTY),
    J_NAMED(JSON_STRING, struct page, j.code, "code", JSON_OMIT_EMPTY),
    J_NAMED(JSON_STRING, struct page, j.cause, "cause", JSON_OMIT_EMPTY),
    J_NAMED(JSON_STRING, struct page, j.reason, "reason", JSON_OMIT_EMPTY),
    J_NAMED(JSON_TEXT, struct page, j.diagnosis, "diagnosis", JSON_OMIT_EMPTY),
};
static const struct json_schema page_schema = JSON_SCHEMA(struct page, page_fields);

static const char *const stage_names[] = {
#define SELF_NAME(stage, name) [stage] = (name),
    SELF_STAGES(SELF_NAME)
#undef SELF_NAME
};
enum { STAGE_COUNT = sizeof stage_names / sizeof stage_names[0] };

static const char *path_of(const struct state *s, char out[STATE_PATH_SIZE]) {
    return state_path(s, out, "agent/journal");
}

void self_journal_clear(struct self_journal *j) {
    free(j->diagnosis);
    *j = (struct self_journal){0};
}

static bool check(const struct page *p, enum self_stage *stage) {
    for (int i = 0; i < STAGE_COUNT; i++)
        if (strcmp(p->stage, stage_names[i]) == 0) {
            *stage = (enum self_stage)i;
            return builds_name_valid(p->j.from) && builds_name_valid(p->j.to);
        }
    return false;
}

static bool parse(const struct text *json, struct self_journal *out, struct err *e) {
    struct page page;
    if (!json_decode(&page_schema, text_value(json), json->length, JSON_IGNORE_UNKNOWN, &page, e))
        return false;
    *out = page.j;
    if (check(&page, &out->stage)) return true;
    self_journal_clear(out);
    return err_set(e, ERR_CORRUPT, "it names no builds");
}

void self_journal_load(struct self_journal *out, const struct state *s) {
    char path[STATE_PATH_SIZE];
    struct err e = {0};
    OWN_TEXT struct text json = TEXT_EMPTY;
    *out = (struct self_journal){0};
    if (sealed_read(path_of(s, path), MAGIC, &json, &e) && parse(&json, out, &e)) return;
    if (e.code != ERR_NOT_FOUND) log_error("self.journal_damaged", "error=%s", e.text);
}

bool self_journal_save(const struct self_journal *j, const struct state *s, struct err *e) {
    char path[STATE_PATH_SIZE];
    struct page page = {.j = *j};
    OWN_TEXT struct text json = TEXT_EMPTY;
    assert((size_t)j->stage < STAGE_COUNT && strlen(stage_names[j->stage]) < sizeof page.stage);
    snprintf(page.stage, sizeof page.stage, "%s", stage_names[j->stage]);
    json_encode(&page_schema, &page, &json);
    return sealed_write(path_of(s, path), MAGIC, &json, e);
}
