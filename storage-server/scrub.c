#include "storage-server/scrub.h"

#include "storage-server/conditions.h"
#include "storage-server/measures.h"

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/rate.h"

#include <limits.h>

#define STEP_BYTES (1024 * 1024)
#define STATE_MAX_BYTES 4096

static const struct json_field fields[] = {
    J(JSON_INT, struct scrub_state, directory, JSON_REQUIRED),
    J(JSON_INT, struct scrub_state, begun_at_ms, JSON_REQUIRED),
};
static const struct json_schema state_schema = JSON_SCHEMA(struct scrub_state, fields);

int64_t scrub_next(struct scrub_state *state, int64_t interval_ms, int64_t now_ms) {
    if (state->directory < CHUNK_DIRECTORIES) return 0;
    int64_t since = now_ms - state->begun_at_ms;
    if (since < 0) state->begun_at_ms = now_ms;
    if (since < interval_ms) return interval_ms - (since > 0 ? since : 0);
    *state = (struct scrub_state){.begun_at_ms = now_ms};
    return 0;
}

static bool state_path(const struct scrub *s, char path[PATH_MAX]) {
    return file_join(path, PATH_MAX, s->directory, "scrub.json", NULL);
}

/* Without a usable state a new pass begins. */
static struct scrub_state load(const struct scrub *s) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    struct scrub_state state;
    char path[PATH_MAX];
    bool loaded = state_path(s, path) && file_read(path, STATE_MAX_BYTES, &json, NULL) &&
                  json_decode(&state_schema, text_value(&json), json.length, JSON_IGNORE_UNKNOWN,
                              &state, NULL);
    if (loaded && state.directory >= 0 && state.directory <= CHUNK_DIRECTORIES) return state;
    return (struct scrub_state){.begun_at_ms = clock_wall_ms()};
}

static void save(const struct scrub *s, const struct scrub_state *state) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    char path[PATH_MAX];
    struct err e;
    if (chunks_conditions(s->chunks) &
        (CONDITION_WRITE_ERROR | CONDITION_DISK_FULL | CONDITION_DATA_MISSING))
        return;
    json_encode(&state_schema, state, &json);
    if (state_path(s, path) && !file_write_durable(path, json.data, json.length, 0600, &e))
        log_warn("scrub.state_not_saved", "error=%s", e.text);
}

/* Spends bytes of the allowance. False when the program ends. */
static bool pace(const struct scrub *s, struct rate_bucket *bucket, int64_t bytes) {
    double rate = (double)s->rate_bps;
    struct rate_limit limit = {.per_second = rate, .burst = rate > STEP_BYTES ? rate : STEP_BYTES};
    int64_t wait_ms = 0;
    while (!rate_take(bucket, limit, (double)bytes, clock_monotonic_ms(), &wait_ms))
        if (!pause_for(s->pause, wait_ms > 0 ? wait_ms : 1)) return false;
    return pause_for(s->pause, 0);
}

/* False when the program ends. A damaged chunk was put aside and counted by the reader. */
static bool scrub_chunk(const struct scrub *s, struct rate_bucket *bucket, const char *id) {
    OWN(chunk_reader) struct chunk_reader *r = NULL;
    struct err e;
    if (!chunk_reader_open(&r, s->chunks, id, CHUNK_FOR_SCRUB, &e)) return true;
    int64_t length = chunk_reader_header(r)->length;
    bool goes_on = true;
    bool intact = true;
    chunk_reader_forget(r);
    for (int64_t offset = 0; offset < length && goes_on && intact; offset += STEP_BYTES) {
        int64_t step = length - offset < STEP_BYTES ? length - offset : STEP_BYTES;
        goes_on = pace(s, bucket, step);
        intact = goes_on && chunk_reader_verify(r, offset, step, &e);
        if (intact) metric_add(&measure_scrubbed_bytes, (double)step, NULL, NULL);
    }
    chunk_reader_forget(r);
    return goes_on;
}

/* Sets *found when there was anything to prove. False when the program ends. */
static bool scrub_directory(const struct scrub *s, struct rate_bucket *bucket, unsigned directory,
                            bool *found) {
    OWN_MEMORY struct chunk_entry *entries = NULL;
    size_t count = 0;
    struct err e;
    *found = false;
    if (!chunks_list(s->chunks, directory, "", "", SIZE_MAX, &entries, &count, &e)) {
        log_warn("scrub.directory_skipped", "directory=%02x error=%s", directory, e.text);
        return true;
    }
    *found = count > 0;
    for (size_t i = 0; i < count; i++)
        if (!scrub_chunk(s, bucket, entries[i].id)) return false;
    return true;
}

void *scrub_run(void *argument) {
    const struct scrub *s = argument;
    struct scrub_state state = load(s);
    struct rate_bucket bucket = {0};
    while (pause_for(s->pause, scrub_next(&state, s->interval_ms, clock_wall_ms()))) {
        bool found = false;
        if (state.directory == CHUNK_DIRECTORIES) continue;
        if (!scrub_directory(s, &bucket, (unsigned)state.directory, &found)) break;
        state.directory++;
        if (found || state.directory == CHUNK_DIRECTORIES) save(s, &state);
        if (state.directory == CHUNK_DIRECTORIES) metric_add(&measure_scrub_passes, 1, NULL, NULL);
    }
    return NULL;
}
