#include "agent/fetch.h"

#include "agent/cache.h"
#include "lib/http_range.h"
#include "lib/http_server.h"
#include "tests/unit/agent/agent_fixture.h"
#include "tests/unit/agent/repository.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

static struct version version;
static struct http_server *server;
static struct fetch *fetch;
static struct fetch_options options;
static pthread_t thread;
static struct trust *trust;
static pthread_t trust_thread;
static struct repository repository; /* under lock */

/* How the server behaves. */
static atomic_int cut_after; /* > 0: the answer ends after so many bytes */
static atomic_bool stalls;   /* sends a little, then nothing until released */
static atomic_int requests;
static atomic_int ranges;  /* requests that asked for a range */
static atomic_int trouble; /* enum err_code: answered instead of the file */

/* Guards the repository and the file, which both are served while a test changes them. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *file_bytes;
static size_t file_length;

static void alter_byte(size_t at) {
    pthread_mutex_lock(&lock);
    file_bytes[at] ^= 1;
    pthread_mutex_unlock(&lock);
}

static void change_length(int by) {
    pthread_mutex_lock(&lock);
    file_length += (size_t)by;
    pthread_mutex_unlock(&lock);
}

static int64_t length_served(void) {
    pthread_mutex_lock(&lock);
    int64_t length = (int64_t)file_length;
    pthread_mutex_unlock(&lock);
    return length;
}

static void wait_while_stalled(void) {
    while (atomic_load(&stalls)) usleep(2000);
}

static char *copy_of(int64_t first, int64_t length) {
    char *copy = memory_zeroed((size_t)length, 1);
    pthread_mutex_lock(&lock);
    memcpy(copy, file_bytes + first, (size_t)length);
    pthread_mutex_unlock(&lock);
    return copy;
}

static void send_part(struct http_request *r, int64_t first, int64_t last, int64_t whole) {
    char range[96];
    int64_t length = last - first + 1;
    int64_t cut = atomic_exchange(&cut_after, 0);
    bool stall = atomic_load(&stalls);
    OWN_MEMORY char *bytes = copy_of(first, length);
    snprintf(range, sizeof range, "bytes %lld-%lld/%lld", (long long)first, (long long)last,
             (long long)whole);
    if (length != whole) http_reply_header(r, "Content-Range", range);
    if (!http_stream_begin(r, length != whole ? 206 : 200, "application/octet-stream", length))
        return;
    int64_t now = cut > 0 && cut < length ? cut : length;
    if (stall) now = 1000;
    if (!http_stream_write(r, bytes, (size_t)now)) return;
    if (stall) wait_while_stalled();
    http_stream_end(r);
}

static void serve(struct http_request *r) {
    int64_t whole = length_served();
    int64_t first = 0;
    int64_t last = whole - 1;
    const char *range = http_header(r, "Range");
    atomic_fetch_add(&requests, 1);
    if (range != NULL) atomic_fetch_add(&ranges, 1);
    if (atomic_load(&trouble) != ERR_NONE) {
        struct err e;
        err_set(&e, (enum err_code)atomic_load(&trouble), "the server's own disk");
        http_reply_err(r, &e);
        return;
    }
    if (range == NULL || http_range_parse(range, whole, &first, &last) != 206) {
        first = 0;
        last = whole - 1;
    }
    send_part(r, first, last, whole);
}

static void serve_metadata(struct http_request *r) {
    OWN_TEXT struct text copy = TEXT_EMPTY;
    pthread_mutex_lock(&lock);
    const struct repository_file *f = repository_find(&repository, http_param(r, "file"));
    if (f != NULL) text_add_bytes(&copy, f->bytes.data, f->bytes.length);
    pthread_mutex_unlock(&lock);
    if (f != NULL)
        http_reply_json(r, 200, copy.data, copy.length);
    else
        http_reply_empty(r, 404);
}

static const struct http_route routes[] = {
    {"GET", "/binaries/:file",     HTTP_PUBLIC, serve,          0, 0, NULL},
    {"GET", "/tuf/metadata/:file", HTTP_PUBLIC, serve_metadata, 0, 0, NULL},
};

static void nothing(void *unused) {
    (void)unused;
}

static void url_of(char out[256], const char *file) {
    snprintf(out, 256, "http://127.0.0.1:%d/binaries/%s", http_server_port(server), file);
}

static void publish(const struct version *v) {
    pthread_mutex_lock(&lock);
    repository_add(&repository, v->file, v->sha256, v->size_bytes, "", false);
    repository_publish(&repository);
    pthread_mutex_unlock(&lock);
}

static void open_trust(void) {
    char url[64];
    struct trust_options opening = {
        .state = &place.state, .anchor.root_version = 1, .changed = nothing};
    const struct repository_file *root = repository_find(&repository, "1.root.json");
    repository_digest(root, opening.anchor.root_sha256);
    trust = trust_open(&opening);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", http_server_port(server));
    trust_source(trust, url, "");
    assert_int_equal(pthread_create(&trust_thread, NULL, trust_run, trust), 0);
    assert_ok(trust_refresh(trust, NULL, NULL, &place.e));
}

static int setup(void **unused) {
    setup_place(unused);
    repository_open(&repository);
    http_client_setup();
    make_version("1.2.3", 3000000, &version);
    OWN_TEXT struct text content = TEXT_EMPTY;
    assert_ok(file_read(in_place("build-1.2.3"), 10000000, &content, &place.e));
    file_length = content.length;
    file_bytes = text_take(&content);
    publish(&version);
    const struct http_server_options serving = {.address = "127.0.0.1",
                                                .workers = 4,
                                                .routes = routes,
                                                .route_count = 2,
                                                .stop_timeout_ms = 200};
    assert_ok(http_server_start(&server, &serving, &place.e));
    open_trust();
    options = (struct fetch_options){
        .state = &place.state, .trust = trust, .stall_timeout_ms = 15000, .changed = nothing};
    atomic_store(&requests, 0);
    atomic_store(&ranges, 0);
    atomic_store(&trouble, ERR_NONE);
    fetch = fetch_new(&options);
    assert_int_equal(pthread_create(&thread, NULL, fetch_run, fetch), 0);
    return 0;
}

static int teardown(void **unused) {
    atomic_store(&stalls, false);
    fetch_stop(fetch);
    pthread_join(thread, NULL);
    fetch_free(fetch);
    trust_stop(trust);
    pthread_join(trust_thread, NULL);
    trust_close(trust);
    http_server_stop(server);
    repository_close(&repository);
    free(file_bytes);
    version_clear(&version);
    return teardown_place(unused);
}

static struct fetch_status finish(uint64_t job) {
    struct fetch_status s;
    do fetch_status(fetch, &s);
    while (s.job == job && s.phase != FETCH_DONE && s.phase != FETCH_FAILED && usleep(2000) == 0);
    assert_int_equal(s.job, job);
    place.e = s.error;
    return s;
}

static uint64_t begin(const char *url) {
    const struct fetch_source from = {.url = url, .pin = "", .token = ""};
    return fetch_download(fetch, &version, &from);
}

static struct fetch_status download(void) {
    char url[256];
    url_of(url, version.file);
    return finish(begin(url));
}

static bool part_exists(void) {
    char path[STATE_PATH_SIZE];
    return access(state_path(&place.state, path, "tmp/%s.part", version.sha256), F_OK) == 0;
}

static void a_version_is_downloaded_verified_and_stored(void **unused) {
    (void)unused;
    struct fetch_status s = download();
    assert_int_equal(s.phase, FETCH_DONE);
    assert_string_equal(s.sha256, version.sha256);
    assert_true(cache_holds(&place.state, &version));
    assert_false(part_exists());
}

static void a_cut_download_is_resumed_where_it_was_cut(void **unused) {
    (void)unused;
    atomic_store(&cut_after, 1000000);
    struct fetch_status s = download();
    assert_int_equal(s.phase, FETCH_FAILED);
    assert_false(s.refused);
    assert_string_equal(s.cause, "download");
    assert_err(ERR_UNREACHABLE, "download");
    assert_true(part_exists());
    s = download();
    assert_int_equal(s.phase, FETCH_DONE);
    assert_int_equal(atomic_load(&requests), 2);
    assert_int_equal(atomic_load(&ranges), 1);
    assert_true(cache_holds(&place.state, &version));
}

static void altered_bytes_are_refused_and_fetched_anew(void **unused) {
    (void)unused;
    alter_byte(1234567);
    struct fetch_status s = download();
    assert_int_equal(s.phase, FETCH_FAILED);
    assert_false(s.refused);
    assert_string_equal(s.cause, "untrusted");
    assert_err(ERR_UNTRUSTED, "SHA-256");
    assert_false(part_exists());
    assert_false(cache_holds(&place.state, &version));
    alter_byte(1234567);
    assert_int_equal(download().phase, FETCH_DONE);
}

static void what_no_target_names_is_not_asked_for(void **unused) {
    (void)unused;
    struct version other;
    make_version("1.2.4", 1000, &other);
    version_copy(&version, &other);
    struct fetch_status s = download();
    assert_int_equal(s.phase, FETCH_FAILED);
    assert_string_equal(s.cause, "untrusted");
    assert_false(s.refused); /* a repository that is a moment behind names it next time */
    assert_err(ERR_NOT_FOUND, "not among the trusted targets");
    assert_int_equal(atomic_load(&requests), 0);
    version_clear(&other);
}

static void other_bytes_than_the_targets_name_are_not_asked_for(void **unused) {
    (void)unused;
    version.sha256[0] = version.sha256[0] == 'a' ? 'b' : 'a';
    struct fetch_status s = download();
    assert_int_equal(s.phase, FETCH_FAILED);
    assert_string_equal(s.cause, "untrusted");
    assert_true(s.refused);
    assert_err(ERR_UNTRUSTED, "other bytes");
    assert_int_equal(atomic_load(&requests), 0);
}

static void what_is_stored_says_which_targets_named_it(void **unused) {
    (void)unused;
    struct version found;
    assert_int_equal(download().phase, FETCH_DONE);
    assert_ok(cache_find(&place.state, version.sha256, &found, &place.e));
    assert_int_equal(found.targets_version, repository.targets.heading.version);
    assert_true(version_proven(&found));
    version_clear(&found);
}

static void a_name_for_another_machine_is_refused_without_asking(void **unused) {
    (void)unused;
    snprintf(version.file, sizeof version.file, "storage-server-1.2.3-windows-arm");
    struct fetch_status s = download();
    assert_true(s.refused);
    assert_err(ERR_UNTRUSTED, "windows");
    assert_int_equal(atomic_load(&requests), 0);
}

static void a_short_file_is_refused(void **unused) {
    (void)unused;
    change_length(-1);
    for (int i = 0; i < 3; i++) {
        struct fetch_status s = download();
        assert_int_equal(s.phase, FETCH_FAILED);
        assert_false(s.refused);
    }
    assert_false(cache_holds(&place.state, &version));
    change_length(1);
    struct fetch_status s = download();
    if (s.phase == FETCH_FAILED)
        s = download(); /* the first may still have had the short part's end */
    assert_int_equal(s.phase, FETCH_DONE);
}

static void a_long_file_is_refused(void **unused) {
    (void)unused;
    version.size_bytes -= 1;
    publish(&version);
    assert_int_equal(download().phase, FETCH_FAILED);
    assert_int_equal(place.e.code, ERR_UNTRUSTED);
    assert_false(cache_holds(&place.state, &version));
}

static void a_full_disk_is_named_before_a_byte_is_asked_for(void **unused) {
    (void)unused;
    version.size_bytes = JSON_INT_MAX;
    publish(&version);
    struct fetch_status s = download();
    assert_int_equal(s.phase, FETCH_FAILED);
    assert_false(s.refused);
    assert_string_equal(s.cause, "machine");
    assert_err(ERR_NO_SPACE, "are free");
    assert_int_equal(atomic_load(&requests), 0);
}

static void a_missing_file_says_so(void **unused) {
    (void)unused;
    char url[256];
    url_of(url, "x/y");
    struct fetch_status s = finish(begin(url));
    assert_int_equal(s.phase, FETCH_FAILED);
    assert_string_equal(s.cause, "download");
    assert_int_equal(place.e.code, ERR_NOT_FOUND);
}

static void the_servers_disk_is_no_fault_of_this_machine(void **unused) {
    (void)unused;
    static const enum err_code codes[] = {ERR_IO, ERR_NO_SPACE};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        atomic_store(&trouble, codes[i]);
        struct fetch_status s = download();
        assert_int_equal(s.phase, FETCH_FAILED);
        assert_false(s.refused);
        assert_err(codes[i], "the server's own disk");
        assert_string_equal(s.cause, "download");
    }
}

static void a_disk_that_fills_up_meanwhile_is_this_machines_fault(void **unused) {
    (void)unused;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit little = {.rlim_cur = 100000, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    struct fetch_status s = download();
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(s.phase, FETCH_FAILED);
    assert_string_equal(s.cause, "machine");
}

static void a_stalled_download_is_cancelled_by_another_wish(void **unused) {
    (void)unused;
    char url[256];
    struct fetch_status s;
    atomic_store(&stalls, true);
    url_of(url, version.file);
    uint64_t job = begin(url);
    wait_until((fetch_status(fetch, &s), s.done_bytes > 0));
    fetch_cancel(fetch);
    fetch_status(fetch, &s);
    assert_int_equal(s.job, job);
    assert_int_equal(s.phase, FETCH_IDLE);
    /* Nothing can end the old one but the cancellation: the server is silent and the stall deadline
     * far. */
    int before = atomic_load(&requests);
    job = begin(url);
    wait_until(atomic_load(&requests) > before);
    atomic_store(&stalls, false);
    assert_int_equal(finish(job).job, job);
}

static void a_stalled_server_ends_the_attempt(void **unused) {
    (void)unused;
    fetch_stop(fetch);
    pthread_join(thread, NULL);
    fetch_free(fetch);
    options.stall_timeout_ms = 300;
    fetch = fetch_new(&options);
    assert_int_equal(pthread_create(&thread, NULL, fetch_run, fetch), 0);
    atomic_store(&stalls, true);
    struct fetch_status s = download();
    atomic_store(&stalls, false);
    assert_int_equal(s.phase, FETCH_FAILED);
    assert_false(s.refused);
    assert_err(ERR_TIMEOUT, "");
    assert_true(part_exists());
}

static void a_local_file_is_taken_whether_targets_name_it_or_not(void **unused) {
    (void)unused;
    struct version found;
    struct fetch_status s = finish(fetch_local(fetch, in_place("build-1.2.3")));
    assert_int_equal(s.phase, FETCH_DONE);
    assert_string_equal(s.sha256, version.sha256);
    assert_ok(cache_find(&place.state, s.sha256, &found, &place.e));
    assert_false(version_proven(&found));
    version_clear(&found);

    assert_int_equal(rename(in_place("build-1.2.3"), in_place(version.file)), 0);
    s = finish(fetch_local(fetch, in_place(version.file)));
    assert_int_equal(s.phase, FETCH_DONE);
    assert_ok(cache_find(&place.state, s.sha256, &found, &place.e));
    assert_true(version_proven(&found));
    assert_string_equal(found.version, "1.2.3");
    version_clear(&found);
}

static void a_local_file_that_cannot_run_here_is_refused(void **unused) {
    (void)unused;
    write_file(in_place("text"), "no executable", 13);
    assert_int_equal(finish(fetch_local(fetch, in_place("text"))).phase, FETCH_FAILED);
    assert_err(ERR_UNTRUSTED, "does not run on this machine");
    assert_int_equal(finish(fetch_local(fetch, in_place("nowhere"))).phase, FETCH_FAILED);
    assert_err(ERR_NOT_FOUND, "binary_path");
    assert_int_equal(finish(fetch_local(fetch, place.directory)).phase, FETCH_FAILED);
    assert_err(ERR_INVALID, "not a file");
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_version_is_downloaded_verified_and_stored),
        TEST(a_cut_download_is_resumed_where_it_was_cut),
        TEST(altered_bytes_are_refused_and_fetched_anew),
        TEST(what_no_target_names_is_not_asked_for),
        TEST(other_bytes_than_the_targets_name_are_not_asked_for),
        TEST(what_is_stored_says_which_targets_named_it),
        TEST(a_name_for_another_machine_is_refused_without_asking),
        TEST(a_short_file_is_refused),
        TEST(a_long_file_is_refused),
        TEST(a_full_disk_is_named_before_a_byte_is_asked_for),
        TEST(a_missing_file_says_so),
        TEST(the_servers_disk_is_no_fault_of_this_machine),
        TEST(a_disk_that_fills_up_meanwhile_is_this_machines_fault),
        TEST(a_stalled_download_is_cancelled_by_another_wish),
        TEST(a_stalled_server_ends_the_attempt),
        TEST(a_local_file_is_taken_whether_targets_name_it_or_not),
        TEST(a_local_file_that_cannot_run_here_is_refused),
    };
    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
