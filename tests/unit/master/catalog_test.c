#include "tests/unit/master/binaries_fixture.h"

#define NAME "storage-server-1.0.0-linux-x86_64"
#define OTHER "storage-server-1.1.0-linux-x86_64"

static void id_of(const char *file_name, struct artifact_name *out) {
    struct err error = {0};
    assert_ok(artifact_name_parse(file_name, out, &error));
}

static struct sign_secret *release_secret(struct fixture *f) {
    struct err error = {0};
    struct sign_secret *secret = NULL;
    char path[PATH_MAX];
    assert_ok(file_join(path, sizeof path, f->state, "keys/release.key", &error));
    assert_ok(sign_secret_read(path, NULL, &secret, &error));
    return secret;
}

static bool remove_binary(struct fixture *f, const char *file_name, struct err *e) {
    struct artifact_name id;
    id_of(file_name, &id);
    return catalog_delete(f->catalog, &id, "test", e);
}

static void point_stable_elsewhere(struct fixture *f) {
    struct err error = {0};
    struct channel c;
    admits(f, "storage-server-9.0.0-linux-x86_64", "nine");
    assert_ok(channels_set(f->db, "stable", "storage-server", "9.0.0", "test", &c, &error));
}

static void what_is_admitted_is_there_signed_and_read_only(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct binary b;
    struct stat status;
    char path[PATH_MAX], id[SIGN_KEY_ID_HEX_SIZE];
    const struct sign_public *release = keys_release(f->keys);
    admits(f, NAME, "one");
    assert_ok(find(f, NAME, &b, &error));
    catalog_object_path(f->catalog, b.sha256, path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0444);
    assert_int_equal(status.st_size, b.size_bytes);
    assert_string_equal(b.key_id, sign_key_id(release, id));
    assert_false(b.publisher_signed);
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_ok(sign_verify_file(release, 1, b.signature, fd, NAME, NULL, &error));
    assert_false(sign_verify_file(release, 1, b.signature, fd, OTHER, NULL, &error));
    assert_int_equal(events_of(f, "binary.published"), 1);
}

static void the_same_bytes_again_change_nothing(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    bool created = true;
    const struct offer again = {.file_name = NAME, .words = "one"};
    admits(f, NAME, "one");
    assert_ok(admit(f, &again, NULL, &created, &error));
    assert_false(created);
    assert_int_equal(events_of(f, "binary.published"), 1);
}

static void other_bytes_under_a_name_name_both_digests(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct binary first, second;
    bool created = false;
    const struct offer two = {.file_name = NAME, .words = "two"};
    const struct offer elsewhere = {.file_name = OTHER, .words = "two"};
    admits(f, NAME, "one");
    assert_ok(find(f, NAME, &first, &error));
    assert_ok(admit(f, &elsewhere, &second, &created, &error));
    refuses(f, &two, ERR_CONFLICT, first.sha256);
    refuses(f, &two, ERR_CONFLICT, second.sha256);
    assert_ok(find(f, NAME, &second, &error));
    assert_string_equal(second.sha256, first.sha256);
}

static void refused_other_bytes_leave_no_object(void **state) {
    struct fixture *f = *state;
    struct staged staged;
    OWN_TEXT struct text content = TEXT_EMPTY;
    const struct offer two = {.file_name = NAME, .words = "two"};
    admits(f, NAME, "one");
    refuses(f, &two, ERR_CONFLICT, NAME);
    content_script("two", &content);
    stage_bytes(f, content.data, content.length, &staged);
    assert_false(object_exists(f, staged.sha256));
    catalog_unstage(&staged);
}

static void only_what_the_machine_runs_is_taken(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    bool created = false;
    OWN_TEXT struct text arm = TEXT_EMPTY;
    OWN_TEXT struct text intel = TEXT_EMPTY;
    OWN_TEXT struct text cut = TEXT_EMPTY;
    OWN_TEXT struct text words = TEXT_EMPTY;
    OWN_TEXT struct text nothing = TEXT_EMPTY;
    content_elf(EM_AARCH64, &arm);
    content_elf(EM_X86_64, &intel);
    text_add_bytes(&cut, intel.data, 20);
    text_add(&words, "just words");
    const struct offer wrong = {.file_name = NAME, .content = &arm};
    const struct offer shortened = {.file_name = NAME, .content = &cut};
    const struct offer not_elf = {.file_name = NAME, .content = &words};
    const struct offer empty = {.file_name = NAME, .content = &nothing};
    const struct offer right = {.file_name = NAME, .content = &intel};
    refuses(f, &wrong, ERR_UNTRUSTED, "for aarch64, not x86_64");
    refuses(f, &shortened, ERR_UNTRUSTED, "cut");
    refuses(f, &not_elf, ERR_UNTRUSTED, "neither an ELF executable nor a script");
    refuses(f, &empty, ERR_INVALID, "empty");
    assert_ok(admit(f, &right, NULL, &created, &error));
}

static void with_a_publisher_a_drop_needs_the_signature(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    char id[SIGN_KEY_ID_HEX_SIZE];
    struct binary b;
    bool created = false;
    OWN(sign_secret) struct sign_secret *key = trust_new_publisher(f);
    OWN_TEXT struct text content = TEXT_EMPTY;
    content_script("one", &content);
    OWN_MEMORY char *signature = signature_of(key, &content, NAME);
    const struct offer bare = {.file_name = NAME, .content = &content};
    const struct offer with = {.file_name = NAME, .content = &content, .signature = signature};
    holds(f, &bare, "lacks the signature");
    assert_ok(admit(f, &with, &b, &created, &error));
    assert_true(b.publisher_signed);
    assert_string_equal(b.key_id, sign_key_id(sign_secret_public(key), id));
    assert_string_equal(b.publisher_signature, signature);
    sign_key_id(keys_release(f->keys), id);
    assert_non_null(
        strstr(b.signature, id)); /* what agents get is the release key's all the same */
}

static void a_signature_binds_bytes_and_name(void **state) {
    struct fixture *f = *state;
    OWN(sign_secret) struct sign_secret *key = trust_new_publisher(f);
    OWN_TEXT struct text content = TEXT_EMPTY;
    OWN_TEXT struct text altered = TEXT_EMPTY;
    content_script("one", &content);
    content_script("onf", &altered);
    OWN_MEMORY char *signature = signature_of(key, &content, NAME);
    const struct offer renamed = {.file_name = OTHER, .content = &content, .signature = signature};
    const struct offer changed = {.file_name = NAME, .content = &altered, .signature = signature};
    refuses(f, &renamed, ERR_UNTRUSTED, NAME);
    refuses(f, &changed, ERR_UNTRUSTED, "altered");
}

static void only_trusted_keys_approve(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    trust_somebody(f);
    OWN(sign_secret) struct sign_secret *stranger = NULL;
    OWN_TEXT struct text content = TEXT_EMPTY;
    content_script("one", &content);
    assert_ok(sign_generate(&stranger, &error));
    OWN_MEMORY char *foreign = signature_of(stranger, &content, NAME);
    OWN(sign_secret) struct sign_secret *own = release_secret(f);
    OWN_MEMORY char *release = signature_of(own, &content, NAME);
    const struct offer by_stranger = {.file_name = NAME, .content = &content, .signature = foreign};
    const struct offer by_release = {.file_name = NAME, .content = &content, .signature = release};
    const struct offer garbage = {.file_name = NAME, .content = &content, .signature = "words"};
    refuses(f, &by_stranger, ERR_UNTRUSTED, "not trusted");
    refuses(f, &by_release, ERR_UNTRUSTED, "not trusted");
    refuses(f, &garbage, ERR_UNTRUSTED, "no minisign signature");
}

static void the_policy_can_be_set_either_way(void **state) {
    struct fixture *f = *state;
    OWN_TEXT struct text content = TEXT_EMPTY;
    const struct offer bare = {.file_name = NAME, .words = "one"};
    content_script("two", &content);
    reopen_catalog(f, CATALOG_SIGNATURES_ON);
    holds(f, &bare, "none is trusted");
    OWN(sign_secret) struct sign_secret *key = trust_new_publisher(f);
    reopen_catalog(f, CATALOG_SIGNATURES_OFF);
    admits(f, NAME, "one");
    OWN_MEMORY char *signature = signature_of(key, &content, NAME);
    const struct offer wrong = {.file_name = OTHER, .content = &content, .signature = signature};
    refuses(f, &wrong, ERR_UNTRUSTED, NAME); /* a signature that is wrong is never passed over */
}

static void the_trust_mark_follows_the_publishers(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    char id[SIGN_KEY_ID_HEX_SIZE];
    int64_t none = catalog_trust_mark(f->catalog);
    OWN(sign_secret) struct sign_secret *key = trust_new_publisher(f);
    assert_int_not_equal(catalog_trust_mark(f->catalog), none);
    assert_ok(keys_distrust(f->keys, sign_key_id(sign_secret_public(key), id), &error));
    assert_int_equal(catalog_trust_mark(f->catalog), none);
}

static void latest(struct fixture *f, const char *platform, const char *arch, bool pre,
                   const char *file_name) {
    struct err error = {0};
    struct binary b;
    char found[ARTIFACT_FILE_SIZE];
    assert_ok(catalog_latest(f->catalog, "storage-server", platform, arch, pre, &b, &error));
    assert_string_equal(artifact_file_name(&b.id, found), file_name);
}

static void latest_is_the_highest_that_may_be_offered(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct artifact_name id;
    struct binary b;
    admits(f, "storage-server-1.9.0-linux-x86_64", "a");
    admits(f, "storage-server-1.10.0-linux-x86_64", "b");
    admits(f, "storage-server-2.0.0-rc.1-linux-x86_64", "c");
    admits(f, "storage-server-3.0.0-darwin-aarch64", "d");
    admits(f, "other-4.0.0-linux-x86_64", "e");
    latest(f, "linux", "x86_64", false, "storage-server-1.10.0-linux-x86_64");
    latest(f, "linux", "x86_64", true, "storage-server-2.0.0-rc.1-linux-x86_64");
    id_of("storage-server-1.10.0-linux-x86_64", &id);
    assert_ok(catalog_yank(f->catalog, &id, "test", &error));
    latest(f, "linux", "x86_64", false, "storage-server-1.9.0-linux-x86_64");
    assert_ok(catalog_find(f->catalog, &id, &b, &error));
    assert_true(b.yanked);
    assert_false(catalog_latest(f->catalog, "storage-server", "linux", "arm", true, &b, &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
}

static void builds_for_any_machine_count(void **state) {
    struct fixture *f = *state;
    admits(f, "storage-server-1.0.0-linux-x86_64", "a");
    admits(f, "storage-server-1.0.0-linux-any", "b");
    admits(f, "storage-server-0.9.0-any-any", "c");
    latest(f, "linux", "x86_64", false, "storage-server-1.0.0-linux-x86_64");
    latest(f, "linux", "aarch64", false, "storage-server-1.0.0-linux-any");
    latest(f, "darwin", "aarch64", false, "storage-server-0.9.0-any-any");
}

static const struct binary *choose(const struct binary *list, size_t count, const char *platform,
                                   const char *arch) {
    return catalog_choose(list, count, "storage-server", "1.0.0", platform, arch);
}

static void the_choice_prefers_the_closest_build(void **state) {
    (void)state;
    struct binary list[] = {
        {.id = {"storage-server", "1.0.0", "any", "any"}},
        {.id = {"storage-server", "1.0.0", "linux", "any"}},
        {.id = {"storage-server", "1.0.0", "linux", "x86_64"}},
        {.id = {"storage-server", "1.1.0", "linux", "x86_64"}},
        {.id = {"other", "1.0.0", "linux", "x86_64"}},
    };
    assert_ptr_equal(choose(list, 5, "linux", "x86_64"), &list[2]);
    assert_ptr_equal(choose(list, 5, "linux", "arm"), &list[1]);
    assert_ptr_equal(choose(list, 5, "windows", "arm"), &list[0]);
    assert_null(choose(list + 2, 3, "windows", "arm"));
    list[2].yanked = true;
    assert_ptr_equal(choose(list, 5, "linux", "x86_64"), &list[1]);
    assert_null(choose(NULL, 0, "linux", "x86_64"));
}

static void lists_are_filtered_and_in_order_of_version(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    OWN_MEMORY struct binary *list = NULL;
    OWN_MEMORY struct binary *some = NULL;
    size_t count = 0;
    admits(f, "storage-server-1.10.0-linux-x86_64", "b");
    admits(f, "storage-server-1.9.0-linux-x86_64", "a");
    admits(f, "storage-server-1.9.0-linux-aarch64", "c");
    admits(f, "a-2.0.0-any-any", "d");
    assert_ok(catalog_list(f->catalog, NULL, NULL, NULL, NULL, &list, &count, &error));
    assert_int_equal(count, 4);
    assert_string_equal(list[0].id.name, "a");
    assert_string_equal(list[1].id.arch, "aarch64");
    assert_string_equal(list[2].id.version, "1.9.0");
    assert_string_equal(list[3].id.version, "1.10.0");
    assert_ok(catalog_list(f->catalog, "storage-server", "linux", "x86_64", "1.9.0", &some, &count,
                           &error));
    assert_int_equal(count, 1);
}

static void a_deleted_binary_is_gone_and_its_name_keeps_the_digest(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct binary b;
    bool created = false;
    const struct offer same = {.file_name = NAME, .words = "one"};
    const struct offer other = {.file_name = NAME, .words = "two"};
    admits(f, NAME, "one");
    point_stable_elsewhere(f);
    assert_ok(find(f, NAME, &b, &error));
    assert_ok(remove_binary(f, NAME, &error));
    assert_false(object_exists(f, b.sha256));
    assert_false(find(f, NAME, &b, &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
    assert_false(remove_binary(f, NAME, &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
    refuses(f, &other, ERR_CONFLICT, "deleted");
    assert_ok(admit(f, &same, &b, &created, &error));
    assert_true(created);
    assert_true(object_exists(f, b.sha256));
    assert_int_equal(events_of(f, "binary.deleted"), 1);
}

static void what_was_offered_before_a_deletion_stays_deleted(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    bool created = false;
    int64_t now_ms = clock_wall_ms();
    const struct offer before = {.file_name = NAME, .words = "one", .offered_at_ms = now_ms - 1000};
    const struct offer after = {
        .file_name = NAME, .words = "one", .offered_at_ms = now_ms + 3600000};
    admits(f, NAME, "one");
    point_stable_elsewhere(f);
    assert_ok(remove_binary(f, NAME, &error));
    refuses(f, &before, ERR_CONFLICT, "was deleted at");
    assert_ok(admit(f, &after, NULL, &created, &error));
    assert_true(created);
}

static void bytes_that_another_name_has_stay(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct binary b;
    admits(f, NAME, "one");
    admits(f, OTHER, "one");
    point_stable_elsewhere(f);
    assert_ok(find(f, NAME, &b, &error));
    assert_ok(remove_binary(f, NAME, &error));
    assert_true(object_exists(f, b.sha256));
    assert_ok(remove_binary(f, OTHER, &error));
    assert_false(object_exists(f, b.sha256));
}

static void what_a_channel_points_to_is_not_deleted(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct binary b;
    admits(f, NAME, "one"); /* adopted */
    assert_false(remove_binary(f, NAME, &error));
    assert_int_equal(error.code, ERR_CONFLICT);
    assert_non_null(strstr(error.text, "stable"));
    assert_ok(find(f, NAME, &b, &error));
}

static void yanking_twice_tells_once(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct artifact_name id;
    admits(f, NAME, "one");
    id_of(NAME, &id);
    assert_ok(catalog_yank(f->catalog, &id, "test", &error));
    assert_ok(catalog_yank(f->catalog, &id, "test", &error));
    assert_int_equal(events_of(f, "binary.yanked"), 1);
    id_of(OTHER, &id);
    assert_false(catalog_yank(f->catalog, &id, "test", &error));
    assert_int_equal(error.code, ERR_NOT_FOUND);
}

static void held_objects_go_when_they_are_released(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct binary b, kept;
    bool created = false;
    const struct offer again = {.file_name = OTHER, .words = "two"};
    admits(f, NAME, "one");
    admits(f, OTHER, "two");
    point_stable_elsewhere(f);
    assert_ok(find(f, NAME, &b, &error));
    assert_ok(find(f, OTHER, &kept, &error));
    catalog_hold_objects(f->catalog);
    catalog_hold_objects(f->catalog);
    assert_ok(remove_binary(f, NAME, &error));
    assert_ok(remove_binary(f, OTHER, &error));
    catalog_release_objects(f->catalog);
    assert_true(object_exists(f, b.sha256));
    assert_ok(admit(f, &again, NULL, &created, &error)); /* published anew before the release */
    catalog_release_objects(f->catalog);
    assert_false(object_exists(f, b.sha256));
    assert_true(object_exists(f, kept.sha256));
}

static void a_restart_clears_what_a_crash_left(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct binary b;
    struct staged staged;
    char path[PATH_MAX], foreign[PATH_MAX];
    static const char orphan[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    admits(f, NAME, "one");
    assert_ok(find(f, NAME, &b, &error));
    stage_bytes(f, "half", 4, &staged);
    catalog_object_path(f->catalog, orphan, path);
    catalog_object_path(f->catalog, "notes.txt", foreign);
    assert_ok(file_write_durable(path, "x", 1, 0444, &error));
    assert_ok(file_write_durable(foreign, "x", 1, 0644, &error));
    reopen_catalog(f, CATALOG_SIGNATURES_AUTO);
    assert_int_equal(access(staged.path, F_OK), -1);
    assert_false(object_exists(f, orphan));
    assert_true(object_exists(f, "notes.txt"));
    assert_true(object_exists(f, b.sha256));
    close(staged.fd);
}

static void a_lost_object_comes_back_with_its_bytes(void **state) {
    struct fixture *f = *state;
    struct err error = {0};
    struct binary b;
    char path[PATH_MAX];
    bool created = true;
    const struct offer again = {.file_name = NAME, .words = "one"};
    admits(f, NAME, "one");
    assert_ok(find(f, NAME, &b, &error));
    catalog_object_path(f->catalog, b.sha256, path);
    assert_int_equal(unlink(path), 0);
    reopen_catalog(f, CATALOG_SIGNATURES_AUTO); /* says so in the log, and starts */
    assert_ok(find(f, NAME, &b, &error));
    assert_ok(admit(f, &again, NULL, &created, &error));
    assert_false(created);
    assert_true(object_exists(f, b.sha256));
}

#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(what_is_admitted_is_there_signed_and_read_only),
        T(the_same_bytes_again_change_nothing),
        T(other_bytes_under_a_name_name_both_digests),
        T(refused_other_bytes_leave_no_object),
        T(only_what_the_machine_runs_is_taken),
        T(with_a_publisher_a_drop_needs_the_signature),
        T(a_signature_binds_bytes_and_name),
        T(only_trusted_keys_approve),
        T(the_policy_can_be_set_either_way),
        T(the_trust_mark_follows_the_publishers),
        T(latest_is_the_highest_that_may_be_offered),
        T(builds_for_any_machine_count),
        cmocka_unit_test(the_choice_prefers_the_closest_build),
        T(lists_are_filtered_and_in_order_of_version),
        T(a_deleted_binary_is_gone_and_its_name_keeps_the_digest),
        T(what_was_offered_before_a_deletion_stays_deleted),
        T(bytes_that_another_name_has_stay),
        T(what_a_channel_points_to_is_not_deleted),
        T(yanking_twice_tells_once),
        T(held_objects_go_when_they_are_released),
        T(a_restart_clears_what_a_crash_left),
        T(a_lost_object_comes_back_with_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
