#include "master/downloads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const int64_t now_ms = INT64_C(1800000000000);
static struct downloads_key key, other;
static char grant[WIRE_DOWNLOAD_TOKEN_SIZE];

static int setup(void **unused) {
    (void)unused;
    OWN(sign_secret) struct sign_secret *master = NULL;
    OWN(sign_secret) struct sign_secret *stranger = NULL;
    sign_setup();
    assert_true(sign_generate(&master, NULL));
    assert_true(sign_generate(&stranger, NULL));
    downloads_key_make(master, &key);
    downloads_key_make(stranger, &other);
    downloads_grant(&key, "rack.b-1", now_ms, grant);
    return 0;
}

static enum download_proof prove(const char *text, int64_t at_ms) {
    char agent_id[WIRE_AGENT_ID_SIZE];
    return downloads_prove(&key, text, at_ms, agent_id);
}

static void a_grant_tells_whose_it_is(void **unused) {
    (void)unused;
    char agent_id[WIRE_AGENT_ID_SIZE];
    assert_true(downloads_is_grant(grant));
    assert_int_equal(downloads_prove(&key, grant, now_ms, agent_id), DOWNLOAD_PROVEN);
    assert_string_equal(agent_id, "rack.b-1");
}

static void a_grant_lives_for_its_minutes_only(void **unused) {
    (void)unused;
    int64_t life_ms = DOWNLOADS_LIFE_S * INT64_C(1000);
    assert_int_equal(prove(grant, now_ms + life_ms - 1), DOWNLOAD_PROVEN);
    assert_int_equal(prove(grant, now_ms + life_ms), DOWNLOAD_EXPIRED);
}

static void the_longest_id_fits(void **unused) {
    (void)unused;
    char id[WIRE_AGENT_ID_SIZE], long_one[WIRE_DOWNLOAD_TOKEN_SIZE];
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    downloads_grant(&key, id, now_ms, long_one);
    assert_int_equal(prove(long_one, now_ms), DOWNLOAD_PROVEN);
}

static void any_altered_character_is_forgery(void **unused) {
    (void)unused;
    for (size_t i = 0; grant[i] != '\0'; i++) {
        char altered[sizeof grant];
        memcpy(altered, grant, sizeof altered);
        altered[i] = altered[i] == '1' ? '2' : '1';
        if (prove(altered, now_ms) != DOWNLOAD_FORGED) fail_msg("character %zu of %s", i, grant);
        altered[i] = '\0';
        if (prove(altered, now_ms) != DOWNLOAD_FORGED) fail_msg("cut at %zu of %s", i, grant);
    }
    assert_int_equal(prove("gd_", now_ms), DOWNLOAD_FORGED);
    assert_int_equal(prove("gd_....", now_ms), DOWNLOAD_FORGED);
}

static void another_masters_grant_is_forgery(void **unused) {
    (void)unused;
    char foreign[WIRE_DOWNLOAD_TOKEN_SIZE];
    downloads_grant(&other, "rack.b-1", now_ms, foreign);
    assert_int_equal(prove(foreign, now_ms), DOWNLOAD_FORGED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_grant_tells_whose_it_is, setup),
        cmocka_unit_test_setup(a_grant_lives_for_its_minutes_only, setup),
        cmocka_unit_test_setup(the_longest_id_fits, setup),
        cmocka_unit_test_setup(any_altered_character_is_forgery, setup),
        cmocka_unit_test_setup(another_masters_grant_is_forgery, setup),
    };
    return cmocka_run_group_tests_name("downloads", tests, NULL, NULL);
}
