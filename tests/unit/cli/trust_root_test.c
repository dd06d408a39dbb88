#include "cli/trust_root.h"

#include "cli/trust_words.h"
#include "tests/unit/cli/cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#define END_MS INT64_C(2000000000000)

static struct sign_secret *secrets[6];

static int make_keys(void **state) {
    (void)state;
    struct err e;
    sign_setup();
    for (size_t i = 0; i < COUNT(secrets); i++)
        if (!sign_generate(&secrets[i], &e)) return -1;
    return 0;
}

static int free_keys(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(secrets); i++) sign_secret_free(secrets[i]);
    return 0;
}

static struct trust_change add(enum tuf_role_kind role, size_t key) {
    return (struct trust_change){
        .kind = TRUST_ADD, .role = role, .key = *sign_secret_public(secrets[key])};
}

static struct trust_change threshold(enum tuf_role_kind role, int64_t count) {
    return (struct trust_change){.kind = TRUST_THRESHOLD, .role = role, .threshold = count};
}

static struct trust_change removal(enum tuf_role_kind role, size_t key) {
    struct trust_change change = {.kind = TRUST_REMOVE, .role = role};
    struct tuf_key named;
    tuf_key_of(sign_secret_public(secrets[key]), &named);
    memcpy(change.id, named.id, sizeof change.id);
    tuf_key_clear(&named);
    return change;
}

/* Key i signs role i, alone. */
static void first_root(struct tuf_root *out) {
    OWN_CHANGES struct trust_changes changes = {0};
    struct tuf_root nothing = {.consistent_snapshot = true};
    struct err e = {0};
    for (int role = 0; role < TUF_ROLE_COUNT; role++) {
        struct trust_change key = add((enum tuf_role_kind)role, (size_t)role);
        struct trust_change one = threshold((enum tuf_role_kind)role, 1);
        trust_changes_add(&changes, &key);
        trust_changes_add(&changes, &one);
    }
    assert_true(trust_root_next(&nothing, &changes, END_MS, out, &e));
}

static bool next(const struct tuf_root *current, const struct trust_change *list, size_t count,
                 struct tuf_root *out, struct err *e) {
    struct trust_changes changes = {.list = (struct trust_change *)list, .count = count};
    return trust_root_next(current, &changes, END_MS, out, e);
}

static void a_root_without_changes_is_renewed(void **state) {
    (void)state;
    struct tuf_root one, two;
    struct err e = {0};
    first_root(&one);
    assert_true(next(&one, NULL, 0, &two, &e));
    assert_int_equal(two.heading.version, 2);
    assert_int_equal(two.heading.expires_ms, END_MS);
    assert_true(two.consistent_snapshot);
    for (size_t i = 0; i < TUF_ROLE_COUNT; i++)
        assert_false(trust_signers_differ(&one.roles[i], &two.roles[i]));
    tuf_root_clear(&one);
    tuf_root_clear(&two);
}

static void a_lost_key_is_replaced_in_one_step(void **state) {
    (void)state;
    struct tuf_root one, two;
    struct err e = {0};
    const struct trust_change changes[] = {removal(TUF_ROOT, TUF_ROOT), add(TUF_ROOT, 4)};
    first_root(&one);
    assert_true(next(&one, changes, COUNT(changes), &two, &e));
    assert_int_equal(two.keys.count, 4); /* the lost one is nowhere any more */
    assert_true(trust_signers_differ(&one.roles[TUF_ROOT], &two.roles[TUF_ROOT]));
    assert_int_equal(trust_signers_among(&two.roles[TUF_ROOT], &one.roles[TUF_ROOT]), 0);
    assert_int_equal(two.roles[TUF_ROOT].key_count, 1);
    tuf_root_clear(&one);
    tuf_root_clear(&two);
}

static void a_role_is_handed_over_to_exactly_these_keys(void **state) {
    (void)state;
    OWN_CHANGES struct trust_changes changes = {0};
    const struct sign_public keys[] = {*sign_secret_public(secrets[TUF_ROOT]),
                                       *sign_secret_public(secrets[4]),
                                       *sign_secret_public(secrets[5])};
    struct tuf_root one, two, three;
    struct err e = {0};
    first_root(&one);
    trust_root_hand_over(&one, TUF_ROOT, keys, 3, 2, &changes);
    assert_true(trust_root_next(&one, &changes, END_MS, &two, &e));
    assert_int_equal(two.roles[TUF_ROOT].key_count, 3);
    assert_int_equal(two.roles[TUF_ROOT].threshold, 2);
    trust_changes_clear(&changes);
    trust_root_hand_over(&two, TUF_ROOT, keys + 1, 1, 1, &changes);
    assert_true(trust_root_next(&two, &changes, END_MS, &three, &e));
    assert_int_equal(three.roles[TUF_ROOT].key_count, 1);
    assert_int_equal(three.keys.count, 4);
    tuf_root_clear(&one);
    tuf_root_clear(&two);
    tuf_root_clear(&three);
}

static void impossible_changes_are_refused(void **state) {
    (void)state;
    const struct {
        struct trust_change change;
        enum err_code code;
        const char *words;
    } bad[] = {
        {add(TUF_TARGETS,       TUF_TARGETS), ERR_CONFLICT, "is a key of targets already"      },
        {removal(TUF_ROOT,      5),           ERR_CONFLICT, "is no key of root"                },
        {threshold(TUF_ROOT,    2),           ERR_INVALID,  "root would need 2 signatures of 1"},
        {threshold(TUF_TARGETS, 0),           ERR_INVALID,  "targets would need 0 signatures"  },
        {removal(TUF_ROOT,      TUF_ROOT),    ERR_INVALID,  "root would need 1 signatures of 0"},
    };
    struct tuf_root one, two;
    first_root(&one);
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e = {0};
        assert_false(next(&one, &bad[i].change, 1, &two, &e));
        assert_int_equal(e.code, bad[i].code);
        assert_non_null(strstr(e.text, bad[i].words));
    }
    tuf_root_clear(&one);
}

static void a_key_is_found_by_the_beginning_of_either_id(void **state) {
    (void)state;
    struct tuf_root one;
    struct err e = {0};
    char name[SIGN_KEY_ID_HEX_SIZE], id[TUF_KEY_ID_SIZE], again[TUF_KEY_ID_SIZE];
    first_root(&one);
    sign_key_id(sign_secret_public(secrets[TUF_ROOT]), name);
    name[8] = '\0';
    assert_true(trust_root_find(&one, TUF_ROOT, name, id, &e));
    assert_string_equal(id, one.roles[TUF_ROOT].key_ids[0]);
    name[0] |= 0x20; /* either case */
    assert_true(trust_root_find(&one, TUF_ROOT, name, again, &e));
    char beginning[13];
    snprintf(beginning, sizeof beginning, "%.12s", id);
    assert_true(trust_root_find(&one, TUF_ROOT, beginning, again, &e));
    assert_string_equal(id, again);
    assert_false(trust_root_find(&one, TUF_TARGETS, beginning, again, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    beginning[5] = '\0';
    assert_false(trust_root_find(&one, TUF_ROOT, beginning, again, &e));
    tuf_root_clear(&one);
}

static void words_of_options_name_a_role_and_a_value(void **state) {
    (void)state;
    static const char *const bad[] = {"root", "root=", "=a.pub", "mirror=a.pub", "a.pub"};
    enum tuf_role_kind role;
    const char *value;
    struct err e = {0};
    assert_true(trust_root_word("--add", "targets=a=b.pub", &role, &value, &e));
    assert_int_equal(role, TUF_TARGETS);
    assert_string_equal(value, "a=b.pub");
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(trust_root_word("--add", bad[i], &role, &value, &e));
        assert_int_equal(e.code, ERR_USAGE);
    }
}

/* Root 1 by key 0, root 2 by two of keys 0, 4, 5. */
static void both_roots_must_be_signed_for(void **state) {
    (void)state;
    OWN_TRUST_BASE struct trust_base base = {0};
    OWN_TRUST_FILE struct trust_file draft = {0};
    OWN_TEXT struct text lacking = TEXT_EMPTY, says = TEXT_EMPTY;
    static const struct output_style style = {.utf8 = true};
    struct tuf_root one, two;
    struct err e = {0};
    const struct trust_change changes[] = {add(TUF_ROOT, 4), add(TUF_ROOT, 5),
                                           threshold(TUF_ROOT, 2)};
    char name[SIGN_KEY_ID_HEX_SIZE];
    first_root(&one);
    assert_true(next(&one, changes, COUNT(changes), &two, &e));
    assert_true(trust_file_of_root(&one, &base.root, &e) && trust_file_of_root(&two, &draft, &e));
    assert_true(trust_file_sign(&draft, secrets[4], &e));
    assert_false(trust_words_complete(&draft, &base, NULL, &lacking));
    assert_non_null(strstr(text_value(&lacking), "root: 1 of 2 signatures; missing:"));
    assert_non_null(strstr(text_value(&lacking), "the root before: 0 of 1 signatures"));
    assert_null(strstr(text_value(&lacking),
                       sign_key_id(sign_secret_public(secrets[4]), name))); /* it has signed */
    base.here = one.roles[TUF_ROOT]; /* the master signs with key 0: for both roots */
    assert_true(trust_words_complete(&draft, &base, NULL, &lacking));
    base.here = (struct tuf_signers){0};
    assert_true(trust_file_sign(&draft, secrets[0], &e));
    assert_true(trust_words_complete(&draft, &base, NULL, &lacking));
    trust_words_say(&draft, &base, &style, &says);
    assert_non_null(strstr(text_value(&says), "root version 2, good until 2033"));
    assert_non_null(strstr(text_value(&says), "2 of 3"));
    char came[SIGN_KEY_ID_HEX_SIZE + 1];
    snprintf(came, sizeof came, "+%s", sign_key_id(sign_secret_public(secrets[5]), name));
    assert_non_null(strstr(text_value(&says), came));
    tuf_root_clear(&one);
    tuf_root_clear(&two);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_root_without_changes_is_renewed),
        cmocka_unit_test(a_lost_key_is_replaced_in_one_step),
        cmocka_unit_test(a_role_is_handed_over_to_exactly_these_keys),
        cmocka_unit_test(impossible_changes_are_refused),
        cmocka_unit_test(a_key_is_found_by_the_beginning_of_either_id),
        cmocka_unit_test(words_of_options_name_a_role_and_a_value),
        cmocka_unit_test(both_roots_must_be_signed_for),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
