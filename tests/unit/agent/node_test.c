/* Nodes as processes: started on a free port, adopted, left alone. */
#include "tests/unit/agent/node_fixture.h"

#include "agent/ports.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static void a_node_starts_and_becomes_healthy(void **unused) {
    (void)unused;
    struct wire_node told;
    assert_ok(start());
    assert_string_equal(state_name(), "starting");
    wait_until(healthy());
    node_describe(&node, false, 2048, &told);
    assert_string_equal(told.id, "agent-1/0");
    assert_string_equal(told.state, "healthy");
    assert_string_equal(told.version, "1.0.0");
    assert_string_equal(told.sha256, version.sha256);
    assert_int_equal(told.pid, node.pid);
    assert_in_range(told.port, first_port, last_port);
    assert_int_equal(told.restarts, 0);
    assert_int_equal(told.restart_generation, 3);
    assert_int_equal(told.capacity_bytes, 1000);
    json_clear(&wire_node_schema, &told);
}

static void an_agent_that_returns_finds_its_node_again(void **unused) {
    (void)unused;
    assert_ok(start());
    wait_until(healthy());
    pid_t pid = node.pid;
    int64_t port = node.record.port;
    int64_t started_at_ms = node.started_at_ms;
    forget_everything();
    assert_int_equal(facts.phase, NODE_UNKNOWN);
    wait_until(healthy());
    assert_int_equal(node.pid, pid);
    assert_int_equal(node.record.port, port);
    assert_string_equal(facts.running, version.sha256);
    assert_string_equal(node.record.version, "1.0.0");
    assert_true(llabs(node.started_at_ms - started_at_ms) < 2000);
    assert_non_null(strstr(node.record.sandbox, "no-new-privileges"));
}

static void a_node_is_known_by_its_own_note_when_the_record_is_lost(void **unused) {
    (void)unused;
    char path[STATE_PATH_SIZE + 16];
    assert_ok(start());
    wait_until(healthy());
    pid_t pid = node.pid;
    snprintf(path, sizeof path, "%s/record.json", node.directory);
    assert_int_equal(unlink(path), 0);
    forget_everything();
    wait_until(healthy());
    assert_int_equal(node.pid, pid);
    assert_string_equal(node.record.version, "9.9.9");
    assert_null(node.record.sandbox);
}

static void a_held_directory_is_not_started_twice(void **unused) {
    (void)unused;
    assert_ok(start());
    wait_until(healthy());
    pid_t pid = node.pid;
    forget_everything();
    assert_ok(start());
    assert_int_equal(facts.phase, NODE_UNKNOWN);
    wait_until(healthy());
    assert_int_equal(node.pid, pid);
}

static int hold_lock(const char *note) {
    char path[STATE_PATH_SIZE + 16];
    assert_ok(file_make_directory(node.data, 0700, &place.e));
    snprintf(path, sizeof path, "%s/lock", node.data);
    write_file(path, note, strlen(note));
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    return fd;
}

static void assert_held(const char *words) {
    ask();
    assert_int_equal(facts.phase, NODE_UNKNOWN); /* once may be chance */
    ask();
    assert_int_equal(facts.phase, NODE_HELD);
    if (strstr(reasons(), words) == NULL) fail_msg("\"%s\" does not name \"%s\"", reasons(), words);
    assert_int_equal(strncmp(reasons(), "conflict: ", 10), 0);
    assert_string_equal(state_name(), "stopped");
}

static void a_foreign_process_on_the_directory_is_named_and_left_alone(void **unused) {
    (void)unused;
    char pid[32];
    pid_t other = fork();
    if (other == 0)
        for (;;) pause();
    char note[300];
    snprintf(note, sizeof note,
             "{\"pid\":%d,\"start_time\":%lld,\"boot_id\":\"%s\",\"port\":1,\"nonce\":\"x\",\"id\":"
             "\"stranger\"}",
             (int)other, (long long)adopt_start_time(other), clock_boot_id());
    OWN_FD int fd = hold_lock(note);
    snprintf(pid, sizeof pid, "pid %d", (int)other);
    assert_held(pid);
    assert_int_equal(kill(other, 0), 0);
    close(TAKE_FD(fd));
    ask();
    assert_int_equal(facts.phase, NODE_DOWN);
    assert_string_equal(reasons(), "");
    assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}

static void a_recorded_pid_that_is_somebody_elses_now_is_not_touched(void **unused) {
    (void)unused;
    char note[300];
    pid_t other = fork();
    if (other == 0)
        for (;;) pause();
    snprintf(note, sizeof note,
             "{\"pid\":%d,\"start_time\":1,\"boot_id\":\"%s\",\"port\":1,\"nonce\":\"x\",\"id\":"
             "\"agent-1/0\"}",
             (int)other, clock_boot_id());
    OWN_FD int fd = hold_lock(note);
    close(TAKE_FD(fd)); /* the node is dead, its note is not */
    ask();
    assert_int_equal(facts.phase, NODE_DOWN);
    assert_ok(start());
    wait_until(healthy());
    assert_int_not_equal(node.pid, other);
    assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}

static void a_note_that_proves_nothing_holds_all_the_same(void **unused) {
    (void)unused;
    static const char *const notes[] = {"", "not json", "{}", "{\"pid\":-5,\"start_time\":1}",
                                        "{\"pid\":1,\"start_time\":1}"};
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        OWN_FD int fd = hold_lock(notes[i]);
        assert_held("in use");
        close(TAKE_FD(fd));
        ask();
        assert_int_equal(facts.phase, NODE_DOWN);
        facts.phase = NODE_UNKNOWN;
    }
}

static void a_silent_node_of_ours_is_adopted_as_unhealthy(void **unused) {
    (void)unused;
    assert_ok(start());
    wait_until(healthy());
    pid_t pid = node.pid;
    siginfo_t stopped;
    kill(pid, SIGSTOP);
    assert_int_equal(waitid(P_PID, (id_t)pid, &stopped, WSTOPPED | WNOWAIT), 0);
    forget_everything();
    ask();
    assert_int_equal(facts.phase, NODE_UNKNOWN); /* once may be chance */
    ask();
    assert_int_equal(facts.phase, NODE_RUNNING);
    assert_int_equal(node.pid, pid);
    assert_string_equal(state_name(), "unhealthy");
    assert_non_null(strstr(reasons(), "does not answer"));
    kill(pid, SIGCONT);
    wait_until(healthy());
    assert_int_equal(node.pid, pid);
}

/* It writes the note after it has taken the lock. */
static bool left_its_note(void) {
    char path[STATE_PATH_SIZE + 16];
    struct node_note note;
    snprintf(path, sizeof path, "%s/lock", node.data);
    OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && record_read_note(fd, &note, NULL) && note.pid == node.pid;
}

static void a_node_that_does_not_listen_yet_is_adopted_as_starting(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "silent", 1);
    assert_ok(start());
    pid_t pid = node.pid;
    int64_t port = node.record.port;
    wait_until(left_its_note());
    forget_everything();
    ask();
    ask();
    assert_int_equal(facts.phase, NODE_RUNNING);
    assert_int_equal(node.pid, pid);
    assert_int_equal(node.record.port, port);
    assert_string_equal(state_name(), "starting");
}

static int listen_on(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void a_taken_port_is_named_with_its_holder_and_another_one_is_used(void **unused) {
    (void)unused;
    char holder[64];
    assert_ok(start());
    wait_until(healthy());
    int port = (int)node.record.port;
    node_terminate(&node, clock_monotonic_ms());
    wait_until(ended());
    OWN_FD int fd = listen_on(port);
    assert_true(fd >= 0);
    int64_t asked_ms = clock_monotonic_ms();
    assert_ok(start());
    assert_int_equal(facts.phase, NODE_DOWN); /* it may be the old process that is still ending */
    assert_true(facts.start_after_ms > asked_ms);
    wait_until((facts.phase == NODE_DOWN ? (void)start() : (void)0, healthy()));
    assert_int_not_equal(node.record.port, port);
    snprintf(holder, sizeof holder, "port %d is taken by pid %d", port, (int)getpid());
    if (strstr(reasons(), holder) == NULL)
        fail_msg("\"%s\" does not name \"%s\"", reasons(), holder);
}

static void a_range_without_a_free_port_is_an_error(void **unused) {
    (void)unused;
    last_port = first_port;
    OWN_FD int fd = listen_on(first_port);
    assert_true(fd >= 0);
    assert_false(start());
    assert_err(ERR_CONFLICT, "no port from");
    assert_err(ERR_CONFLICT, "--node-ports");
    assert_int_equal(facts.failures, 1);
    assert_true(facts.machine_failed);
    assert_int_equal(strncmp(reasons(), "conflict: ", 10), 0);
}

static void reserved_ports_are_left_to_the_other_nodes(void **unused) {
    (void)unused;
    const int reserved[] = {first_port, first_port + 1};
    int port = ports_choose(first_port, last_port, reserved, 2, first_port, 0);
    assert_in_range(port, first_port + 2, last_port);
    assert_int_equal(ports_choose(first_port, first_port + 1, reserved, 2, 0, 0), 0);
    assert_int_equal(ports_choose(first_port, last_port, reserved, 0, port, 7), port);
}

static void damaged_bytes_start_nothing(void **unused) {
    (void)unused;
    char path[STATE_PATH_SIZE];
    state_path(&place.state, path, "store/%s", version.sha256);
    assert_int_equal(chmod(path, 0700), 0);
    OWN_FD int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, version.size_bytes / 2), 1);
    assert_false(start());
    assert_int_equal(place.e.code, ERR_CORRUPT);
    assert_int_equal(facts.phase, NODE_DOWN);
    assert_int_equal(strncmp(reasons(), "corrupt: ", 9), 0);
}

static void the_fallback_is_told_to_the_master(void **unused) {
    (void)unused;
    avoid_memfd = true;
    assert_ok(start());
    wait_until(healthy());
    assert_non_null(strstr(reasons(), "memfds cannot be executed"));
}

int main(int argc, char **argv) {
    int status = 0;
    if (fake_node_main(argc, argv, &status)) return status;
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_node_starts_and_becomes_healthy),
        TEST(an_agent_that_returns_finds_its_node_again),
        TEST(a_node_is_known_by_its_own_note_when_the_record_is_lost),
        TEST(a_held_directory_is_not_started_twice),
        TEST(a_foreign_process_on_the_directory_is_named_and_left_alone),
        TEST(a_recorded_pid_that_is_somebody_elses_now_is_not_touched),
        TEST(a_note_that_proves_nothing_holds_all_the_same),
        TEST(a_silent_node_of_ours_is_adopted_as_unhealthy),
        TEST(a_node_that_does_not_listen_yet_is_adopted_as_starting),
        TEST(a_taken_port_is_named_with_its_holder_and_another_one_is_used),
        TEST(a_range_without_a_free_port_is_an_error),
        TEST(reserved_ports_are_left_to_the_other_nodes),
        TEST(damaged_bytes_start_nothing),
        TEST(the_fallback_is_told_to_the_master),
    };
    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
