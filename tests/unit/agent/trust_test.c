/* agent/trust.h against a repository that is served over HTTP, by somebody good or bad. */
#include "agent/trust.h"

#include "agent/trust_clock.h"
#include "lib/http_server.h"
#include "tests/unit/agent/agent_fixture.h"
#include "tests/unit/agent/repository.h"

#include <pthread.h>
#include <sys/mman.h>

#define DAY_MS INT64_C(86400000)

static struct repository repository;                     /* becomes what is served with refresh */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the files that are served */
static struct repository_file served[REPOSITORY_FILES];
static size_t served_count;
static struct http_server *server, *mirror;
static int mirror_status; /* of its refusal; 0: it has the metadata, too */
static struct trust *trust;
static pthread_t thread;
static struct trust_options options;
static struct version build; /* named by the targets */

/* A failed refresh is tried again by itself, and must not meet files that are being changed. */
static void serve_these(const struct repository *r) {
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < served_count; i++) text_fini(&served[i].bytes);
    served_count = r != NULL ? r->count : 0;
    for (size_t i = 0; i < served_count; i++) {
        memcpy(served[i].name, r->files[i].name, sizeof served[i].name);
        text_add_bytes(&served[i].bytes, r->files[i].bytes.data, r->files[i].bytes.length);
    }
    pthread_mutex_unlock(&lock);
}

static void serve(struct http_request *r) {
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    const char *file = http_param(r, "file");
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < served_count; i++)
        if (strcmp(served[i].name, file) == 0)
            text_add_bytes(&bytes, served[i].bytes.data, served[i].bytes.length);
    pthread_mutex_unlock(&lock);
    if (bytes.length > 0)
        http_reply_json(r, 200, bytes.data, bytes.length);
    else
        http_reply_empty(r, 404);
}

static void serve_mirror(struct http_request *r) {
    if (mirror_status != 0)
        http_reply_empty(r, mirror_status);
    else
        serve(r);
}

static const struct http_route routes[] = {
    {"GET", "/tuf/metadata/:file", HTTP_PUBLIC, serve, 0, 0, NULL},
};
static const struct http_route mirror_routes[] = {
    {"GET", "/tuf/metadata/:file", HTTP_PUBLIC, serve_mirror, 0, 0, NULL},
};

static void nothing(void *unused) {
    (void)unused;
}

static void start_trust(void) {
    char url[64];
    trust = trust_open(&options);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", http_server_port(server));
    trust_source(trust, url, "");
    assert_int_equal(pthread_create(&thread, NULL, trust_run, trust), 0);
}

static void stop_trust(void) {
    trust_stop(trust);
    pthread_join(thread, NULL);
    trust_close(trust);
}

static void restart_trust(void) {
    stop_trust();
    start_trust();
}

static bool refresh(void) {
    serve_these(&repository);
    return trust_refresh(trust, NULL, NULL, &place.e);
}

static int setup(void **unused) {
    setup_place(unused);
    http_client_setup();
    repository_open(&repository);
    make_version("1.2.3", 1000, &build);
    repository_add(&repository, build.file, build.sha256, build.size_bytes, "", false);
    repository_publish(&repository);
    const struct http_server_options serving = {
        .address = "127.0.0.1", .workers = 8, .routes = routes, .route_count = 1};
    assert_ok(http_server_start(&server, &serving, &place.e));
    options =
        (struct trust_options){.state = &place.state, .anchor.root_version = 1, .changed = nothing};
    repository_digest(repository_find(&repository, "1.root.json"), options.anchor.root_sha256);
    start_trust();
    assert_ok(refresh());
    return 0;
}

static int teardown(void **unused) {
    stop_trust();
    http_server_stop(server);
    serve_these(NULL);
    repository_close(&repository);
    version_clear(&build);
    return teardown_place(unused);
}

static bool allows(const struct version *v) {
    int64_t targets_version = 0;
    bool allowed = trust_allows(trust, v, &targets_version, &place.e);
    if (allowed) assert_int_equal(targets_version, repository.targets.heading.version);
    return allowed;
}

/* Fails unless the report names this attack ("" for none) and these words in its reason. */
static void assert_reported(const char *attack, const char *words) {
    struct wire_trust told;
    trust_report(trust, &told);
    assert_string_equal(told.attack != NULL ? told.attack : "", attack);
    const char *reason = told.reason != NULL ? told.reason : "";
    if (strstr(reason, words) == NULL) fail_msg("\"%s\" does not name \"%s\"", reason, words);
    json_clear(&wire_trust_schema, &told);
}

static const struct repository_file *keep(const char *name, struct text *out) {
    const struct repository_file *f = repository_find(&repository, name);
    text_clear(out);
    text_add_bytes(out, f->bytes.data, f->bytes.length);
    return f;
}

static void put_back(const char *name, const struct text *bytes) {
    struct text copy = TEXT_EMPTY;
    text_add_bytes(&copy, bytes->data, bytes->length);
    repository_put(&repository, name, &copy);
}

static void what_the_targets_name_is_allowed(void **unused) {
    (void)unused;
    assert_true(allows(&build));
    assert_reported("", "");
    struct wire_trust told;
    trust_report(trust, &told);
    assert_int_equal(told.root, 1);
    assert_int_equal(told.targets, repository.targets.heading.version);
    assert_int_equal(told.timestamp, repository.timestamp_version);
    json_clear(&wire_trust_schema, &told);
}

static void what_they_do_not_name_exactly_is_not(void **unused) {
    (void)unused;
    static const struct {
        const char *what;
        const char *file;
        int64_t longer;
        enum err_code code;
        const char *words;
    } rows[] = {
        {"another name",   "storage-server-1.2.4-linux-x86_64", 0, ERR_NOT_FOUND, "not among"    },
        {"another length", NULL,                                1, ERR_UNTRUSTED, "bytes instead"},
    };
    assert_ok(refresh());
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct version v = build;
        if (rows[i].file != NULL) snprintf(v.file, sizeof v.file, "%s", rows[i].file);
        v.size_bytes += rows[i].longer;
        if (allows(&v)) fail_msg("%s is allowed", rows[i].what);
        assert_err(rows[i].code, rows[i].words);
    }
    struct version v = build;
    v.sha256[7] = v.sha256[7] == '0' ? '1' : '0';
    assert_false(allows(&v));
    assert_err(ERR_UNTRUSTED, "other bytes");
}

/* A target whose entry says something else than its name. */
static void a_build_for_another_machine_is_not_allowed_under_any_name(void **unused) {
    (void)unused;
    struct tuf_custom custom = {.release = 1};
    struct text text = TEXT_EMPTY;
    assert_ok(artifact_name_parse("storage-server-1.2.3-windows-arm", &custom.id, &place.e));
    tuf_custom_write(&custom, &text);
    struct tuf_target *t = tuf_targets_put(&repository.targets, build.file);
    free(t->custom);
    t->custom = text_take(&text);
    repository_publish(&repository);
    assert_ok(refresh());
    assert_false(allows(&build));
    assert_err(ERR_UNTRUSTED, "for windows on arm");
    free(t->custom);
    t->custom = NULL;
    repository_publish(&repository);
    assert_ok(refresh());
    assert_false(allows(&build));
    assert_err(ERR_UNTRUSTED, "do not say what");
}

static void nothing_begins_below_the_floor_or_yanked(void **unused) {
    (void)unused;
    char other[ARTIFACT_FILE_SIZE];
    snprintf(other, sizeof other, "storage-server-2.0.0-%s-%s", platform_here(),
             platform_arch_here());
    repository_add(&repository, other, build.sha256, 5, "1.2.4", false);
    repository_publish(&repository);
    assert_ok(refresh());
    assert_false(allows(&build));
    assert_err(ERR_UNTRUSTED, "below the floor of storage-server, which is 1.2.4");
    assert_false(trust_allows_switch(trust, &build, &place.e));
    repository_add(&repository, other, build.sha256, 5, "1.2.3", false);
    repository_publish(&repository);
    assert_ok(refresh());
    assert_true(allows(&build));
    repository_add(&repository, build.file, build.sha256, build.size_bytes, "", true);
    repository_publish(&repository);
    assert_ok(refresh());
    assert_false(allows(&build));
    assert_err(ERR_UNTRUSTED, "withdrawn");
    assert_false(trust_allows_switch(trust, &build, &place.e));
}

static void what_is_trusted_outlives_the_agent_and_the_network(void **unused) {
    (void)unused;
    assert_ok(refresh());
    stop_trust();
    trust = trust_open(&options);
    assert_int_equal(pthread_create(&thread, NULL, trust_run, trust), 0);
    assert_true(allows(&build));
    assert_reported("", "");
}

static void an_older_timestamp_is_a_rollback(void **unused) {
    (void)unused;
    OWN_TEXT struct text old = TEXT_EMPTY;
    keep("timestamp.json", &old);
    repository_stamp(&repository);
    assert_ok(refresh());
    put_back("timestamp.json", &old);
    uint64_t number = trust_number(trust);
    assert_false(refresh());
    assert_int_equal(place.e.code, ERR_UNTRUSTED);
    assert_reported("rollback", "timestamp");
    assert_true(allows(&build));
    repository_stamp(&repository);
    assert_ok(refresh());
    assert_reported("", "");
    assert_true(trust_number(trust) > number); /* what was refused may be asked for again */
}

static void a_timestamp_that_nobody_replaces_is_a_freeze(void **unused) {
    (void)unused;
    struct trust_clock clock;
    assert_ok(refresh());
    stop_trust();
    trust_clock_load(&clock, &place.state);
    assert_true(clock.floor_ms > 0);
    clock.taken_boot_ms -= DAY_MS + 60000; /* as if it had been taken before yesterday */
    assert_ok(trust_clock_save(&clock, &place.state, &place.e));
    start_trust();
    assert_false(refresh());
    assert_int_equal(place.e.code, ERR_UNTRUSTED);
    assert_reported("freeze", "expired");
    assert_false(allows(&build));
    assert_err(ERR_UNTRUSTED, "held back");
    assert_true(trust_allows_switch(trust, &build, &place.e)); /* it came in before */
    repository.now_ms += 2 * DAY_MS;
    repository_publish(&repository);
    assert_ok(refresh());
    assert_true(allows(&build));
    assert_reported("", "");
}

static void a_silent_network_freezes_too_but_only_after_a_day(void **unused) {
    (void)unused;
    struct trust_clock clock;
    assert_ok(refresh());
    trust_source(trust, "http://127.0.0.1:1", "");
    assert_false(refresh());
    assert_int_equal(place.e.code, ERR_UNREACHABLE);
    assert_reported("", "127.0.0.1");
    assert_true(allows(&build));
    stop_trust();
    trust_clock_load(&clock, &place.state);
    clock.taken_boot_ms -= DAY_MS + 60000;
    assert_ok(trust_clock_save(&clock, &place.state, &place.e));
    trust = trust_open(&options);
    trust_source(trust, "http://127.0.0.1:1", "");
    assert_int_equal(pthread_create(&thread, NULL, trust_run, trust), 0);
    assert_false(refresh());
    assert_reported("freeze", "held back");
    assert_false(allows(&build));
}

static void a_root_of_other_bytes_is_refused(void **unused) {
    (void)unused;
    stop_trust();
    options.anchor.root_sha256[0] = options.anchor.root_sha256[0] == '0' ? '1' : '0';
    start_trust();
    assert_false(refresh());
    assert_err(ERR_UNTRUSTED, "which the join string names");
    assert_reported("mix-and-match", "1.root.json");
    assert_false(allows(&build));
    assert_err(ERR_NOT_FOUND, "no targets are trusted yet");
}

static void begin_at_the_bridge(void) {
    stop_trust();
    options.anchor = (struct trust_anchor){.release_key = *sign_secret_public(place.key)};
    OWN_FD int fd = memfd_create("root", MFD_CLOEXEC);
    repository_bridge(&repository, place.key, fd);
}

static void the_release_key_is_a_bridge_that_is_crossed_once(void **unused) {
    (void)unused;
    struct text nonsense = TEXT_EMPTY;
    begin_at_the_bridge();
    start_trust();
    assert_ok(refresh());
    assert_true(allows(&build));
    text_add(&nonsense, "nobody asks any more");
    repository_put(&repository, "1.root.json.minisig", &nonsense);
    restart_trust();
    assert_ok(refresh());
}

static void a_bridge_that_another_key_made_is_refused(void **unused) {
    (void)unused;
    struct sign_secret *other = NULL;
    begin_at_the_bridge();
    assert_ok(sign_generate(&other, &place.e));
    options.anchor.release_key = *sign_secret_public(other);
    sign_secret_free(other);
    start_trust();
    assert_false(refresh());
    assert_err(ERR_UNTRUSTED, "release key");
    assert_reported("unsigned", "1.root.json");
}

static void damaged_files_are_fetched_again(void **unused) {
    (void)unused;
    static const char *const files[] = {"root.json",    "timestamp.json", "snapshot.json",
                                        "targets.json", "clock",          "anchor"};
    assert_ok(refresh());
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[STATE_PATH_SIZE];
        stop_trust();
        write_file(state_path(&place.state, path, "tuf/%s", files[i]), "{\"damaged\"", 10);
        start_trust();
        if (!refresh()) fail_msg("%s: %s", files[i], place.e.text);
        assert_true(allows(&build));
    }
}

static void targets_that_are_kept_back_after_a_rotation_let_nothing_begin(void **unused) {
    (void)unused;
    struct text nothing_there = TEXT_EMPTY;
    assert_ok(refresh());
    assert_true(trust_allows_switch(trust, &build, &place.e));
    sign_secret_free(repository.keys[TUF_TARGETS]);
    assert_ok(sign_generate(&repository.keys[TUF_TARGETS], &place.e));
    repository_root(&repository, NULL);
    text_add(&nothing_there, "{}");
    repository_put(&repository, "timestamp.json", &nothing_there);
    assert_false(refresh());
    restart_trust();
    assert_false(trust_allows_switch(trust, &build, &place.e));
    assert_err(ERR_NOT_FOUND, "no targets are trusted yet");
    repository_publish(&repository);
    assert_ok(refresh());
    assert_true(trust_allows_switch(trust, &build, &place.e));
}

static void what_came_in_before_there_was_a_root_may_begin(void **unused) {
    (void)unused;
    begin_at_the_bridge();
    trust = trust_open(&options);
    assert_true(trust_allows_switch(trust, &build, &place.e));
    assert_false(allows(&build));
    assert_err(ERR_NOT_FOUND, "no targets are trusted yet");
    assert_int_equal(pthread_create(&thread, NULL, trust_run, trust), 0);
}

static void stolen_online_keys_install_nothing_and_a_rotation_heals(void **unused) {
    (void)unused;
    assert_ok(refresh());
    struct sign_secret *root = repository.keys[TUF_ROOT], *targets = repository.keys[TUF_TARGETS];
    struct version evil;
    make_version("6.6.6", 1000, &evil);
    /* With snapshot's and timestamp's keys alone: targets of his own, and versions far ahead. */
    assert_ok(sign_generate(&repository.keys[TUF_TARGETS], &place.e));
    repository_add(&repository, evil.file, evil.sha256, evil.size_bytes, "", false);
    repository.timestamp_version = 1000000;
    repository.snapshot_version = 1000000;
    repository.now_ms += 3650 * DAY_MS;
    repository_publish(&repository);
    assert_false(refresh());
    assert_reported("unsigned", "targets");
    assert_false(allows(&evil));
    /* The owner: new online keys by a new root, and versions that begin where they were. */
    sign_secret_free(repository.keys[TUF_TARGETS]);
    repository.keys[TUF_TARGETS] = targets;
    sign_secret_free(repository.keys[TUF_SNAPSHOT]);
    sign_secret_free(repository.keys[TUF_TIMESTAMP]);
    assert_ok(sign_generate(&repository.keys[TUF_SNAPSHOT], &place.e));
    assert_ok(sign_generate(&repository.keys[TUF_TIMESTAMP], &place.e));
    repository.now_ms -= 3650 * DAY_MS;
    repository.timestamp_version = repository.snapshot_version = 10;
    repository_root(&repository, root);
    assert_true(tuf_targets_remove(&repository.targets, evil.file));
    repository_publish(&repository);
    assert_ok(refresh());
    assert_true(allows(&build));
    assert_false(allows(&evil));
    version_clear(&evil);
}

static void another_grids_metadata_give_way(void **unused) {
    (void)unused;
    assert_ok(refresh());
    stop_trust();
    repository_close(&repository);
    repository_open(&repository);
    repository.timestamp_version = repository.snapshot_version = 0;
    repository_publish(&repository);
    repository_digest(repository_find(&repository, "1.root.json"), options.anchor.root_sha256);
    start_trust();
    assert_ok(refresh());
    assert_false(allows(&build));
    assert_err(ERR_NOT_FOUND, "not among");
}

static bool no(void *unused) {
    (void)unused;
    return false;
}

static void a_refresh_that_nobody_waits_for_any_more_is_left(void **unused) {
    (void)unused;
    stop_trust();
    trust = trust_open(&options); /* whose thread does not run */
    assert_false(trust_refresh(trust, no, NULL, &place.e));
    assert_err(ERR_UNAVAILABLE, "cancelled");
    assert_int_equal(pthread_create(&thread, NULL, trust_run, trust), 0);
    assert_false(refresh());
    assert_err(ERR_UNAVAILABLE, "where its metadata are");
}

/* Starts anew, with a mirror and a master that is there or not. */
static void refresh_by_mirror(int status, bool master, bool *done) {
    char url[64];
    const struct http_server_options serving = {
        .address = "127.0.0.1", .workers = 8, .routes = mirror_routes, .route_count = 1};
    stop_trust();
    mirror_status = status;
    assert_ok(http_server_start(&mirror, &serving, &place.e));
    snprintf(url, sizeof url, "http://127.0.0.1:%d", http_server_port(mirror));
    options.mirror = url;
    start_trust();
    options.mirror = NULL;
    if (!master) trust_source(trust, "http://127.0.0.1:1", "");
    repository_publish(&repository);
    *done = refresh();
    http_server_stop(mirror);
}

static void a_mirror_is_asked_before_the_master(void **unused) {
    (void)unused;
    bool done = false;
    refresh_by_mirror(0, false, &done);
    assert_ok(done);
    assert_true(allows(&build));
}

static void a_mirror_of_builds_alone_is_passed_over(void **unused) {
    (void)unused;
    static const int refusals[] = {401, 403, 404};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        bool done = false;
        refresh_by_mirror(refusals[i], true, &done);
        assert_ok(done);
        assert_true(allows(&build));
    }
}

static void a_mirror_that_fails_is_waited_for(void **unused) {
    (void)unused;
    bool done = true;
    refresh_by_mirror(503, true, &done);
    assert_false(done);
    assert_err(ERR_UNAVAILABLE, "503");
}

static void a_master_that_is_away_behind_a_mirror_of_builds_is_told_with_it(void **unused) {
    (void)unused;
    bool done = true;
    refresh_by_mirror(404, false, &done);
    assert_false(done);
    assert_err(ERR_UNREACHABLE, "has no metadata, so from the master");
}

static void time_is_told_by_what_was_signed_and_the_boot_clock(void **unused) {
    (void)unused;
    struct trust_clock c = {0};
    assert_int_equal(trust_clock_now(&c, 12345), 0);
    assert_true(trust_clock_take(&c, 100 * DAY_MS, 1000));
    assert_int_equal(trust_clock_now(&c, 1000), 99 * DAY_MS);
    assert_int_equal(trust_clock_now(&c, 5000), 99 * DAY_MS + 4000);
    assert_false(trust_clock_take(&c, 100 * DAY_MS, 9000)); /* the same again is no news */
    assert_int_equal(trust_clock_now(&c, 5000), 99 * DAY_MS + 4000);
    c.taken_boot_ms = clock_boot_ms() + DAY_MS; /* of a life that lasted longer */
    assert_ok(trust_clock_save(&c, &place.state, &place.e));
    trust_clock_load(&c, &place.state);
    int64_t now_ms = trust_clock_now(&c, clock_boot_ms());
    assert_true(now_ms >= 99 * DAY_MS && now_ms < 99 * DAY_MS + 60000);
    assert_ok(trust_clock_reset(&c, &place.state, &place.e));
    trust_clock_load(&c, &place.state);
    assert_int_equal(c.floor_ms, 0);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_the_targets_name_is_allowed),
        TEST(what_they_do_not_name_exactly_is_not),
        TEST(a_build_for_another_machine_is_not_allowed_under_any_name),
        TEST(nothing_begins_below_the_floor_or_yanked),
        TEST(what_is_trusted_outlives_the_agent_and_the_network),
        TEST(an_older_timestamp_is_a_rollback),
        TEST(a_timestamp_that_nobody_replaces_is_a_freeze),
        TEST(a_silent_network_freezes_too_but_only_after_a_day),
        TEST(a_root_of_other_bytes_is_refused),
        TEST(the_release_key_is_a_bridge_that_is_crossed_once),
        TEST(a_bridge_that_another_key_made_is_refused),
        TEST(damaged_files_are_fetched_again),
        TEST(targets_that_are_kept_back_after_a_rotation_let_nothing_begin),
        TEST(what_came_in_before_there_was_a_root_may_begin),
        TEST(stolen_online_keys_install_nothing_and_a_rotation_heals),
        TEST(another_grids_metadata_give_way),
        TEST(a_refresh_that_nobody_waits_for_any_more_is_left),
        TEST(a_mirror_is_asked_before_the_master),
        TEST(a_mirror_of_builds_alone_is_passed_over),
        TEST(a_mirror_that_fails_is_waited_for),
        TEST(a_master_that_is_away_behind_a_mirror_of_builds_is_told_with_it),
        TEST(time_is_told_by_what_was_signed_and_the_boot_clock),
    };
    return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
