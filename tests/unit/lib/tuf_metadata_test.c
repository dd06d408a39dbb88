/* What is written reads the same, promises hold, keys have their names. */
#include "lib/tuf_metadata.h"

#include "lib/clock.h"
#include "lib/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* SHA-256 and SHA-512 of "hello\n", by sha256sum and sha512sum. */
#define HELLO_SHA256 "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
#define HELLO_SHA512                                                                               \
    "e7c22b994c59d9cf2b48e549b1e24666636045930d3da7c1acb299d1c3b7f931"                             \
    "f94aae41edda2c2b207a36e10f8bcb8d45223e54878f5b316e7ce3b6bc019629"

/* The key of RFC 8032, section 7.1, test 1; its id by sha256sum of the canonical key. */
#define RFC8032_PUBLIC "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define RFC8032_KEY_ID "74c181c7ad8a0855d4b55e44d2ba87aabdddb196832571f15f92fece332e4916"

static struct tuf_key keys[TUF_ROLE_COUNT];

static int make_keys(void **state) {
    (void)state;
    sign_setup();
    for (int i = 0; i < TUF_ROLE_COUNT; i++)
        tuf_key_of(&(struct sign_public){.key = {(unsigned char)(i + 1)}}, &keys[i]);
    return 0;
}

static int free_keys(void **state) {
    (void)state;
    for (int i = 0; i < TUF_ROLE_COUNT; i++) tuf_key_clear(&keys[i]);
    return 0;
}

static int64_t at(const char *when) {
    return clock_parse_rfc3339(when);
}

/* Every role by one key, root by two. */
static void make_root(struct tuf_root *r) {
    *r = (struct tuf_root){
        .heading = {.version = 3, .expires_ms = at("2030-01-31T12:00:00Z")},
        .consistent_snapshot = true,
    };
    for (int i = TUF_ROLE_COUNT - 1; i >= 0; i--) {
        tuf_keys_add(&r->keys, &keys[i]);
        r->roles[i].threshold = 1;
        tuf_signers_add(&r->roles[i], keys[i].id);
    }
    r->roles[TUF_ROOT].threshold = 2;
    tuf_signers_add(&r->roles[TUF_ROOT], keys[1].id);
}

static void root_reads_as_written(void **state) {
    (void)state;
    struct err e = {0};
    struct tuf_root root;
    struct tuf_root again;
    OWN_TEXT struct text first = TEXT_EMPTY;
    OWN_TEXT struct text second = TEXT_EMPTY;
    make_root(&root);
    tuf_root_write(&root, &first);
    if (!tuf_root_parse(first.data, first.length, &again, &e)) fail_msg("%s", e.text);
    tuf_root_write(&again, &second);
    assert_string_equal(first.data, second.data);
    assert_int_equal(again.heading.version, 3);
    assert_int_equal(again.heading.expires_ms, at("2030-01-31T12:00:00Z"));
    assert_true(again.consistent_snapshot);
    assert_int_equal(again.roles[TUF_ROOT].threshold, 2);
    assert_int_equal(again.roles[TUF_ROOT].key_count, 2);
    assert_string_equal(again.roles[TUF_TARGETS].key_ids[0], keys[TUF_TARGETS].id);
    assert_true(tuf_key_same(tuf_keys_find(&again.keys, keys[2].id), &keys[2]));
    tuf_root_clear(&root);
    tuf_root_clear(&again);
}

static void timestamp_is_written_in_canonical_form(void **state) {
    (void)state;
    struct err e = {0};
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct tuf_timestamp t = {
        .heading = {.version = 7,            .expires_ms = at("2030-01-31T12:00:00Z") + 999},
        .snapshot = { .version = 5, .length = 6,                         .sha256 = HELLO_SHA256, .sha512 = HELLO_SHA512},
    };
    tuf_timestamp_write(&t, &out);
    assert_string_equal(out.data,
                        "{\"signatures\":[],\"signed\":{\"_type\":\"timestamp\",\"expires\":\"2030-"
                        "01-31T12:00:00Z\","
                        "\"meta\":{\"snapshot.json\":{\"hashes\":{\"sha256\":\"" HELLO_SHA256
                        "\",\"sha512\":\"" HELLO_SHA512 "\"},\"length\":6,\"version\":5}},"
                        "\"spec_version\":\"1.0.33\",\"version\":7}}");
    struct tuf_timestamp again;
    if (!tuf_timestamp_parse(out.data, out.length, &again, &e)) fail_msg("%s", e.text);
    assert_string_equal(again.snapshot.sha512, HELLO_SHA512);
    assert_int_equal(again.snapshot.version, 5);
    assert_int_equal(again.snapshot.length, 6);
}

static void snapshot_reads_as_written(void **state) {
    (void)state;
    struct err e = {0};
    OWN_TEXT struct text out = TEXT_EMPTY;
    struct tuf_snapshot_entry entries[] = {
        {.role = "../x",    .promise = {.version = 2, .length = -1}                       },
        {.role = "targets", .promise = {.version = 4, .length = 6, .sha256 = HELLO_SHA256}},
    };
    struct tuf_snapshot s = {
        .heading = {.version = 1, .expires_ms = at("2030-01-31T12:00:00Z")},
        .entries = entries,
        .count = 2,
    };
    tuf_snapshot_write(&s, &out);
    struct tuf_snapshot again;
    if (!tuf_snapshot_parse(out.data, out.length, &again, &e)) fail_msg("%s", e.text);
    assert_int_equal(again.count, 2);
    assert_int_equal(tuf_snapshot_find(&again, "targets")->promise.length, 6);
    assert_int_equal(tuf_snapshot_find(&again, "../x")->promise.length, -1);
    assert_int_equal(tuf_snapshot_find(&again, "../x")->promise.version, 2);
    assert_null(tuf_snapshot_find(&again, "other"));
    tuf_snapshot_clear(&again);
}

static void keys_that_no_role_names_are_dropped(void **state) {
    (void)state;
    struct tuf_root r = {.consistent_snapshot = true};
    const struct tuf_key listed[] = {
        {.id = "aa", .value = (char *)"1"},
        {.id = "cc", .value = (char *)"3"},
        {.id = "bb", .value = (char *)"2"},
    };
    for (size_t i = 0; i < 3; i++) tuf_keys_add(&r.keys, &listed[i]);
    tuf_signers_add(&r.roles[TUF_TARGETS], "cc");
    tuf_signers_add(&r.roles[TUF_ROOT], "aa");
    assert_true(tuf_signers_have(&r.roles[TUF_TARGETS], "cc"));
    assert_false(tuf_signers_have(&r.roles[TUF_TARGETS], "aa"));
    assert_true(tuf_root_names(&r, "aa"));
    assert_false(tuf_root_names(&r, "bb"));
    tuf_root_drop_unnamed(&r);
    assert_int_equal(r.keys.count, 2);
    assert_string_equal(r.keys.list[0].value, "1");
    assert_string_equal(tuf_keys_find(&r.keys, "cc")->value, "3");
    assert_null(tuf_keys_find(&r.keys, "bb"));
    tuf_root_clear(&r);
}

static void put(struct tuf_targets *t, const char *path, int64_t length, const char *custom) {
    struct tuf_target *target = tuf_targets_put(t, path);
    target->promise.length = length;
    assert_true(text_copy(target->promise.sha256, SHA256_HEX_SIZE, HELLO_SHA256));
    free(target->custom);
    target->custom = text_duplicate(custom);
}

static void targets_read_as_written(void **state) {
    (void)state;
    struct err e = {0};
    struct tuf_targets t = {
        .heading = {.version = 9, .expires_ms = at("2030-01-31T12:00:00Z")}
    };
    struct tuf_targets again;
    OWN_TEXT struct text out = TEXT_EMPTY;
    put(&t, "b", 1, "{\"name\":\"x\", \"n\":1}");
    put(&t, "a/\"quoted\"\n", 2, NULL);
    put(&t, "c", 3, NULL);
    put(&t, "b", 4, "{\"name\":\"y\"}");
    assert_true(tuf_targets_remove(&t, "c"));
    assert_false(tuf_targets_remove(&t, "c"));
    tuf_targets_write(&t, &out);
    if (!tuf_targets_parse(out.data, out.length, &again, &e)) fail_msg("%s", e.text);
    assert_int_equal(again.count, 2);
    assert_string_equal(again.list[0].path, "a/\"quoted\"\n");
    assert_null(again.list[0].custom);
    assert_string_equal(tuf_targets_find(&again, "b")->custom, "{\"name\":\"y\"}");
    assert_int_equal(tuf_targets_find(&again, "b")->promise.length, 4);
    assert_null(tuf_targets_find(&again, "c"));
    tuf_targets_clear(&t);
    tuf_targets_clear(&again);
}

static void promise_covers_length_and_every_hash(void **state) {
    (void)state;
    static const struct {
        struct tuf_promise promise;
        const char *text; /* "": kept */
    } cases[] = {
        {{.length = -1},                                                ""                                    },
        {{.length = 6, .sha256 = HELLO_SHA256, .sha512 = HELLO_SHA512}, ""                                    },
        {{.length = 7, .sha256 = HELLO_SHA256},                         "f.json: 6 bytes, and 7 were promised"},
        {{.length = 0},                                                 "f.json: 6 bytes, and 0 were promised"},
        {{.length = -1, .sha256 = "00", .sha512 = HELLO_SHA512},        "f.json: SHA-256 is 5891b5b5"         },
        {{.length = -1, .sha256 = HELLO_SHA256, .sha512 = "00"},        "f.json: SHA-512 is e7c22b99"         },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = {0};
        bool kept = tuf_promise_kept(&cases[i].promise, "hello\n", 6, "f.json", &e);
        assert_int_equal(kept, *cases[i].text == '\0');
        if (kept) continue;
        assert_int_equal(e.code, ERR_UNTRUSTED);
        if (strstr(e.text, cases[i].text) != e.text) fail_msg("%zu: %s", i, e.text);
    }
}

static void key_id_is_the_digest_of_the_canonical_key(void **state) {
    (void)state;
    struct err e;
    struct sign_public public = {0};
    struct sign_public back;
    struct tuf_key key;
    assert_true(decode_hex(RFC8032_PUBLIC, public.key, sizeof public.key));
    tuf_key_of(&public, &key);
    assert_string_equal(key.id, RFC8032_KEY_ID);
    assert_string_equal(key.value, RFC8032_PUBLIC);
    assert_true(tuf_key_public(&key, &back, &e));
    assert_memory_equal(back.key, public.key, sizeof back.key);
    assert_memory_equal(back.id, public.key, sizeof back.id);
    text_cut(key.keytype, sizeof key.keytype, "rsa");
    assert_false(tuf_key_public(&key, &back, &e));
    assert_int_equal(e.code, ERR_INVALID);
    tuf_key_clear(&key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_reads_as_written),
        cmocka_unit_test(timestamp_is_written_in_canonical_form),
        cmocka_unit_test(snapshot_reads_as_written),
        cmocka_unit_test(keys_that_no_role_names_are_dropped),
        cmocka_unit_test(targets_read_as_written),
        cmocka_unit_test(promise_covers_length_and_every_hash),
        cmocka_unit_test(key_id_is_the_digest_of_the_canonical_key),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
