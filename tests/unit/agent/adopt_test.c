/* Every single thing that a process must prove before it counts as a node of ours: the test program
 * itself holds the lock and answers, and tells one untruth at a time. */
#include "agent/adopt.h"

#include "lib/http_server.h"
#include "tests/unit/agent/agent_fixture.h"

#include <sys/file.h>
#include <sys/wait.h>

#define NONCE "5f5f"

static struct http_server *server;
static const char *answered_nonce;
static const char *recorded_nonce;
static struct node_note truth;
static char data[300];
static struct adopt_result found;
static int lock_fd = -1;

static void healthz(struct http_request *r) {
    char json[128];
    int length = snprintf(json, sizeof json, "{\"status\":\"ok\",\"reasons\":[],\"nonce\":\"%s\"}",
                          answered_nonce);
    http_reply_json(r, 200, json, (size_t)length);
}

static int setup(void **unused) {
    static const struct http_route routes[] = {
        {"GET", "/healthz", HTTP_PUBLIC, healthz, 0, 0, NULL},
    };
    const struct http_server_options options = {
        .address = "127.0.0.1", .workers = 4, .routes = routes, .route_count = 1};
    setup_place(unused);
    http_client_setup();
    assert_ok(http_server_start(&server, &options, &place.e));
    answered_nonce = NONCE;
    recorded_nonce = "";
    truth = (struct node_note){.pid = getpid(),
                               .start_time = adopt_start_time(getpid()),
                               .port = http_server_port(server),
                               .nonce = NONCE,
                               .id = "agent-1/0"};
    snprintf(truth.boot_id, sizeof truth.boot_id, "%s", clock_boot_id());
    snprintf(data, sizeof data, "%s", in_place("data"));
    assert_ok(file_make_directory(data, 0700, &place.e));
    return 0;
}

static int teardown(void **unused) {
    if (lock_fd >= 0) close(lock_fd);
    lock_fd = -1;
    http_server_stop(server);
    return teardown_place(unused);
}

/* Holds the lock with this note, looks, and lets it go. */
static enum adopt_verdict examine(const struct node_note *note) {
    char path[400];
    char line[600];
    int length = snprintf(line, sizeof line,
                          "{\"pid\":%lld,\"start_time\":%lld,\"boot_id\":\"%s\",\"port\":%lld,"
                          "\"nonce\":\"%s\",\"id\":\"%s\"}\n",
                          (long long)note->pid, (long long)note->start_time, note->boot_id,
                          (long long)note->port, note->nonce, note->id);
    snprintf(path, sizeof path, "%s/lock", data);
    write_file(path, line, (size_t)length);
    lock_fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(lock_fd, LOCK_EX | LOCK_NB), 0);
    adopt_examine(data, "agent-1/0", recorded_nonce, &found);
    if (found.pidfd >= 0) close(found.pidfd);
    close(lock_fd);
    lock_fd = -1;
    return found.verdict;
}

static void assert_foreign(const struct node_note *note, const char *words) {
    assert_int_equal(examine(note), ADOPT_FOREIGN);
    assert_int_equal(found.pidfd, -1);
    if (strstr(found.reason, words) == NULL)
        fail_msg("\"%s\" does not name \"%s\"", found.reason, words);
}

static void who_proves_everything_is_ours(void **unused) {
    (void)unused;
    assert_int_equal(examine(&truth), ADOPT_OURS);
    assert_int_equal(found.note.pid, getpid());
    assert_true(found.pidfd >= 0);
}

static void an_unlocked_directory_is_free_whatever_its_note_says(void **unused) {
    (void)unused;
    assert_int_equal(examine(&truth), ADOPT_OURS);
    adopt_examine(data, "agent-1/0", "", &found);
    assert_int_equal(found.verdict, ADOPT_FREE);
    assert_false(adopt_is_held(data));
    adopt_examine("/nonexistent", "agent-1/0", "", &found);
    assert_int_equal(found.verdict, ADOPT_FREE);
}

static void another_start_time_is_another_process(void **unused) {
    (void)unused;
    struct node_note lie = truth;
    lie.start_time++;
    assert_foreign(&lie, "not by the process");
}

static void another_boot_is_another_process(void **unused) {
    (void)unused;
    struct node_note lie = truth;
    lie.boot_id[0] = lie.boot_id[0] == '0' ? '1' : '0';
    assert_foreign(&lie, "not by the process");
}

static void a_dead_pid_is_nobody(void **unused) {
    (void)unused;
    struct node_note lie = truth;
    pid_t gone = fork();
    if (gone == 0) _exit(0);
    waitpid(gone, NULL, 0);
    lie.pid = gone;
    assert_foreign(&lie, "not by pid");
}

static void another_id_is_not_ours(void **unused) {
    (void)unused;
    struct node_note lie = truth;
    snprintf(lie.id, sizeof lie.id, "agent-2/0");
    assert_foreign(&lie, "agent-2/0");
}

static void without_a_nonce_nobody_is_ours(void **unused) {
    (void)unused;
    struct node_note lie = truth;
    lie.nonce[0] = '\0';
    answered_nonce = "";
    assert_foreign(&lie, "did not start");
}

static void another_nonce_on_the_port_is_not_ours(void **unused) {
    (void)unused;
    answered_nonce = "6060";
    assert_foreign(&truth, "another process answers");
}

static void who_does_not_listen_yet_is_asked_again_later(void **unused) {
    (void)unused;
    struct node_note lie = truth;
    lie.port = 0;
    assert_foreign(&lie, "does not listen yet");
    lie.port = 1;
    assert_foreign(&lie, "does not answer");
    lie.port = 70000;
    assert_foreign(&lie, "does not listen");
}

static void who_is_silent_and_was_started_with_the_recorded_nonce_is_ours(void **unused) {
    (void)unused;
    struct node_note silent = truth;
    recorded_nonce = NONCE;
    silent.port = 1;
    assert_int_equal(examine(&silent), ADOPT_SILENT);
    assert_true(found.pidfd >= 0);
    assert_non_null(strstr(found.reason, "does not answer"));
    silent.port = 0;
    assert_int_equal(examine(&silent), ADOPT_SILENT);
    assert_int_equal(examine(&truth), ADOPT_OURS);
    recorded_nonce = "6060";
    assert_foreign(&silent, "does not listen yet");
}

static void the_recorded_nonce_alone_proves_nothing(void **unused) {
    (void)unused;
    struct node_note lie = truth;
    recorded_nonce = NONCE;
    lie.port = 1;
    lie.start_time++;
    assert_foreign(&lie, "not by the process");
    lie.start_time--;
    snprintf(lie.id, sizeof lie.id, "agent-2/0");
    assert_foreign(&lie, "agent-2/0");
}

static void ages_are_counted_from_the_boot(void **unused) {
    (void)unused;
    int64_t age_ms = adopt_age_ms(truth.start_time);
    assert_in_range(age_ms, 0, 60000);
    assert_true(adopt_age_ms(truth.start_time - sysconf(_SC_CLK_TCK) * 3600) >=
                age_ms + 3600 * 1000);
    assert_int_equal(adopt_age_ms(INT64_MAX / 2000), 0);
    assert_int_equal(adopt_start_time(0x7ffffff0), -1);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_proves_everything_is_ours),
        TEST(an_unlocked_directory_is_free_whatever_its_note_says),
        TEST(another_start_time_is_another_process),
        TEST(another_boot_is_another_process),
        TEST(a_dead_pid_is_nobody),
        TEST(another_id_is_not_ours),
        TEST(without_a_nonce_nobody_is_ours),
        TEST(another_nonce_on_the_port_is_not_ours),
        TEST(who_does_not_listen_yet_is_asked_again_later),
        TEST(who_is_silent_and_was_started_with_the_recorded_nonce_is_ours),
        TEST(the_recorded_nonce_alone_proves_nothing),
        TEST(ages_are_counted_from_the_boot),
    };
    return cmocka_run_group_tests_name("adopt", tests, NULL, NULL);
}
