#include "agent/trust_clock.h"

#include "agent/sealed.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"

#include <string.h>

#define MAGIC "grid clock 1"

struct note {
    int64_t floor_ms, boot_ms;
    char boot_id[64];
};
static const struct json_field note_fields[] = {
    J(JSON_INT, struct note, floor_ms, JSON_REQUIRED),
    J(JSON_INT, struct note, boot_ms, JSON_REQUIRED),
    J(JSON_STRING, struct note, boot_id, 0),
};
static const struct json_schema note_schema = JSON_SCHEMA(struct note, note_fields);

static const char *path_of(const struct state *s, char out[STATE_PATH_SIZE]) {
    return state_path(s, out, "tuf/clock");
}

void trust_clock_load(struct trust_clock *c, const struct state *s) {
    char path[STATE_PATH_SIZE];
    struct note n;
    struct err e = {0};
    OWN_TEXT struct text json = TEXT_EMPTY;
    *c = (struct trust_clock){.taken_boot_ms = clock_boot_ms()};
    bool there = sealed_read(path_of(s, path), MAGIC, &json, &e) &&
                 json_decode(&note_schema, json.data, json.length, JSON_IGNORE_UNKNOWN, &n, &e);
    if (!there && e.code != ERR_NOT_FOUND) log_warn("trust.clock", "error=%s", e.text);
    if (!there) return;
    c->floor_ms = n.floor_ms;
    bool same_life = n.boot_id[0] != '\0' && strcmp(n.boot_id, clock_boot_id()) == 0;
    if (same_life && n.boot_ms <= c->taken_boot_ms) c->taken_boot_ms = n.boot_ms;
}

bool trust_clock_take(struct trust_clock *c, int64_t expires_ms, int64_t boot_ms) {
    int64_t signed_ms = expires_ms - TRUST_CLOCK_DAY_MS;
    if (signed_ms <= c->floor_ms) return false;
    *c = (struct trust_clock){.floor_ms = signed_ms, .taken_boot_ms = boot_ms};
    return true;
}

bool trust_clock_save(const struct trust_clock *c, const struct state *s, struct err *e) {
    char path[STATE_PATH_SIZE];
    struct note n = {.floor_ms = c->floor_ms, .boot_ms = c->taken_boot_ms};
    OWN_TEXT struct text json = TEXT_EMPTY;
    text_cut(n.boot_id, sizeof n.boot_id, clock_boot_id());
    json_encode(&note_schema, &n, &json);
    return sealed_write(path_of(s, path), MAGIC, &json, e);
}

bool trust_clock_reset(struct trust_clock *c, const struct state *s, struct err *e) {
    char path[STATE_PATH_SIZE];
    *c = (struct trust_clock){.taken_boot_ms = clock_boot_ms()};
    return file_remove_durable(path_of(s, path), e);
}

int64_t trust_clock_now(const struct trust_clock *c, int64_t boot_ms) {
    return c->floor_ms > 0 ? c->floor_ms + (boot_ms - c->taken_boot_ms) : 0;
}
