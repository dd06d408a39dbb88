/* What is wrong with an audit trail, and that nothing is wrong with a whole one. */
#include "cli/audit_trail.h"

#include "lib/clock.h"
#include "lib/encode.h"
#include "tests/unit/cli/cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#define ROWS 6

struct world {
    struct sign_secret *key;
    struct audit_memory memory;
    struct answer_audit_row rows[ROWS];
    struct answer_audit_point points[2]; /* at rows 2 and 5 */
    char at[CLOCK_RFC3339_SIZE];
    char hashes[ROWS][SHA256_HEX_SIZE];
    char signatures[2][ENCODE_BASE64_SIZE(SIGN_SIGNATURE_SIZE)];
    size_t first, end; /* of the rows that there are */
    size_t point_count;
};

static void sign_point(struct world *w, size_t index, int64_t seq) {
    struct audit_point point = {.seq = seq, .at_ms = clock_parse_rfc3339(w->at)};
    unsigned char signature[SIGN_SIGNATURE_SIZE];
    memcpy(point.hash, w->hashes[seq - 1], sizeof point.hash);
    audit_point_sign(&point, w->key, signature);
    encode_base64(signature, sizeof signature, w->signatures[index]);
    w->points[index] =
        (struct answer_audit_point){seq, w->at, w->hashes[seq - 1], w->signatures[index]};
}

/* The rows point into *w: it must stay where it is. */
static void fill(struct world *w) {
    struct err e;
    *w = (struct world){.end = ROWS, .point_count = 2};
    assert_true(sign_generate(&w->key, &e));
    clock_rfc3339(1700000000123, w->at);
    for (size_t i = 0; i < ROWS; i++) {
        const struct audit_row row = {1700000000123, "token:a", "channel.set", "stable", "{}"};
        audit_chain_hash(i > 0 ? w->hashes[i - 1] : "", &row, w->hashes[i]);
        w->rows[i] = (struct answer_audit_row){(int64_t)i + 1, w->at, "token:a",   "channel.set",
                                               "stable",       "{}",  w->hashes[i]};
    }
    sign_point(w, 0, 2);
    sign_point(w, 1, 5);
}

static bool check(struct world *w, struct err *e) {
    struct audit_trail t;
    bool whole =
        audit_trail_begin(&t, &w->memory, sign_secret_public(w->key), w->points, w->point_count, e);
    for (size_t i = w->first; i < w->end && whole; i++) whole = audit_trail_row(&t, &w->rows[i], e);
    return whole && audit_trail_end(&t, e);
}

static void refuse(struct world *w, const char *words) {
    struct err e = {0};
    assert_false(check(w, &e));
    if (strstr(e.text, words) == NULL) fail_msg("%s", e.text);
    sign_secret_free(w->key);
}

static void whole_trail_passes(void **state) {
    (void)state;
    struct world w;
    struct err e = {0};
    fill(&w);
    w.memory.seq = 4;
    memcpy(w.memory.hash, w.hashes[3], sizeof w.memory.hash);
    if (!check(&w, &e)) fail_msg("%s", e.text);
    sign_secret_free(w.key);
    struct world none;
    fill(&none);
    none.end = none.point_count = 0;
    assert_true(check(&none, &e));
    sign_secret_free(none.key);
}

static void altered_row_is_named(void **state) {
    (void)state;
    struct world w;
    fill(&w);
    w.rows[3].subject = "beta";
    refuse(&w, "row 4 was altered");
}

static void row_that_was_taken_out_leaves_a_gap(void **state) {
    (void)state;
    struct world w;
    fill(&w);
    memmove(&w.rows[2], &w.rows[3], 3 * sizeof w.rows[0]);
    w.end--;
    refuse(&w, "after row 2 comes row 4");
}

static void rows_cut_off_at_the_end_show_by_a_checkpoint(void **state) {
    (void)state;
    struct world w;
    fill(&w);
    w.end = 4;
    refuse(&w, "row 5 was signed");
}

static void rows_cut_off_at_the_end_show_by_memory(void **state) {
    (void)state;
    struct world w;
    fill(&w);
    w.end = 5;
    w.memory.seq = 6;
    memcpy(w.memory.hash, w.hashes[5], sizeof w.memory.hash);
    refuse(&w, "row 6 was seen here");
}

static void rows_cut_off_at_the_beginning_show(void **state) {
    (void)state;
    struct world w;
    fill(&w);
    w.first = 1;
    refuse(&w, "begins with row 2");
    struct world pruned; /* up to a checkpoint, and yet with few rows */
    fill(&pruned);
    pruned.first = 2;
    refuse(&pruned, "a master keeps the newest");
}

/* The rows that are kept begin behind those that were seen. */
static void rows_that_nobody_saw_are_counted(void **state) {
    (void)state;
    struct world w;
    struct audit_trail t;
    struct err e = {0};
    fill(&w);
    w.memory.seq = 1;
    assert_true(
        audit_trail_begin(&t, &w.memory, sign_secret_public(w.key), w.points, w.point_count, &e));
    assert_true(audit_trail_row(&t, &w.rows[2], &e));
    assert_int_equal(t.unseen, 1);
    w.first = 2;
    w.memory.seq = 2;
    memcpy(w.memory.hash, w.hashes[0], sizeof w.memory.hash);
    refuse(&w, "up to 2 are not those that were checked here");
}

static void history_written_anew_shows_by_a_checkpoint_and_by_memory(void **state) {
    (void)state;
    struct world w;
    fill(&w);
    w.points[0].hash = w.hashes[0];
    struct audit_point point = {.seq = 2, .at_ms = clock_parse_rfc3339(w.at)};
    unsigned char signature[SIGN_SIGNATURE_SIZE];
    memcpy(point.hash, w.hashes[0], sizeof point.hash);
    audit_point_sign(&point, w.key, signature);
    encode_base64(signature, sizeof signature, w.signatures[0]);
    refuse(&w, "up to 2 are not those that the master signed");
    struct world seen;
    fill(&seen);
    seen.memory.seq = 3;
    memcpy(seen.memory.hash, seen.hashes[4], sizeof seen.memory.hash);
    refuse(&seen, "up to 3 are not those that were checked here");
}

static void checkpoint_of_another_key_is_refused(void **state) {
    (void)state;
    struct world w;
    struct err e;
    fill(&w);
    sign_secret_free(w.key);
    assert_true(sign_generate(&w.key, &e));
    refuse(&w, "not signed by this master");
}

int main(void) {
    sign_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_trail_passes),
        cmocka_unit_test(altered_row_is_named),
        cmocka_unit_test(row_that_was_taken_out_leaves_a_gap),
        cmocka_unit_test(rows_cut_off_at_the_end_show_by_a_checkpoint),
        cmocka_unit_test(rows_cut_off_at_the_end_show_by_memory),
        cmocka_unit_test(rows_cut_off_at_the_beginning_show),
        cmocka_unit_test(rows_that_nobody_saw_are_counted),
        cmocka_unit_test(history_written_anew_shows_by_a_checkpoint_and_by_memory),
        cmocka_unit_test(checkpoint_of_another_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
