/* Nodes as processes: started, adopted, left alone. The test program itself plays the node
 * (fake_node.h). */
#include "agent/node.h"

#include "agent/cache.h"
#include "agent/ports.h"
#include "tests/unit/agent/agent_fixture.h"
#include "tests/unit/agent/fake_node.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct version version;
static struct reconcile_node facts;
static struct node node;
static bool avoid_memfd;
static struct sandbox fence;
static int first_port, last_port;
static pid_t stray; /* a node that is not our child */

/* Puts this very program into the store as a signed version. */
static void store_self(void) {
    char part[STATE_PATH_SIZE];
    int64_t size_bytes = 0;
    char sha256[SHA256_HEX_SIZE];
    state_path(&place.state, part, "tmp/self");
    OWN_FD int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    OWN_FD int fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_ok(file_copy_hashed(self, fd, INT64_MAX, sha256, &size_bytes, &place.e));
    sign_version(part, "1.0.0", &version);
    assert_ok(cache_add(&place.state, &version, fd, part, &place.e));
}

/* A range of ports that was free a moment ago, different for concurrent runs. */
static void choose_range(void) {
    first_port = 20000 + (int)(random_below(800) * 10);
    last_port = first_port + 9;
}

static int setup(void **unused) {
    setup_place(unused);
    http_client_setup();
    store_self();
    choose_range();
    sandbox_probe(&fence, true);
    avoid_memfd = false;
    unsetenv("FAKE_NODE");
    node_init(&node, &facts, &place.state, "agent-1", 0, true);
    return 0;
}

static void reap_all(void) {
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
}

static int teardown(void **unused) {
    if (node.pid > 0 && node.pidfd >= 0) kill(node.pid, SIGKILL);
    if (node.pid > 0) waitpid(node.pid, NULL, 0);
    if (stray > 0) kill(stray, SIGKILL);
    stray = 0;
    node_fini(&node);
    version_clear(&version);
    reap_all();
    return teardown_place(unused);
}

static bool start(void) {
    memcpy(facts.assigned, version.sha256, sizeof facts.assigned);
    facts.phase = NODE_DOWN;
    const struct node_launch launch = {.state = &place.state,
                                       .version = &version,
                                       .avoid_memfd = &avoid_memfd,
                                       .sandbox = &fence,
                                       .first_port = first_port,
                                       .last_port = last_port,
                                       .restart_generation = 3};
    return node_start(&node, &launch, clock_monotonic_ms(), &place.e);
}

/* Asks what is due and takes the answer, as supervisor and prober do together. */
static void ask(void) {
    struct probe_question q;
    int64_t due_ms = INT64_MAX;
    struct probe_answer *a = memory_zeroed(1, sizeof *a);
    a->adopted.pidfd = -1;
    node.ask_after_ms = 0;
    if (node_question(&node, clock_monotonic_ms(), &q, &due_ms)) {
        a->question = q;
        if (q.kind == PROBE_HEALTH) (void)health_ask(q.port, q.nonce, &a->health);
        if (q.kind == PROBE_STOP) a->may_stop = health_may_stop(q.port, &a->reasons);
        if (q.kind == PROBE_EXAMINE) adopt_examine(q.data, q.node_id, q.nonce, &a->adopted);
        node_answer(&node, a, clock_monotonic_ms());
    }
    probe_answer_free(a);
}

static bool healthy(void) {
    ask();
    return facts.health == HEALTH_GOOD && facts.proven;
}

static bool ended(void) {
    return node_reap(&node, clock_monotonic_ms());
}

static const char *reasons(void) {
    static char *words;
    struct wire_node told;
    node_describe(&node, false, 2048, &told);
    free(words);
    words = TAKE(told.reasons);
    json_clear(&wire_node_schema, &told);
    return words != NULL ? words : "";
}

static const char *state_name(void) {
    static char name[16];
    struct wire_node told;
    node_describe(&node, false, 2048, &told);
    memcpy(name, told.state, sizeof name);
    json_clear(&wire_node_schema, &told);
    return name;
}

/* Another agent's look at the same directory after this one was killed. */
static void forget_everything(void) {
    if (node.pidfd >= 0) close(node.pidfd);
    node.pidfd = -1;
    node.pid = 0;
    node_fini(&node);
    node_init(&node, &facts, &place.state, "agent-1", 0, true);
}

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

static void an_exit_is_noted_with_its_log_and_backs_off(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "crash", 1);
    assert_ok(start());
    wait_until(ended());
    assert_int_equal(facts.phase, NODE_DOWN);
    assert_int_equal(facts.failures, 1);
    assert_true(facts.start_after_ms > clock_monotonic_ms());
    assert_string_equal(node.record.last_exit.kind, "exit");
    assert_int_equal(node.record.last_exit.value, 3);
    assert_non_null(strstr(node.record.last_exit.log_tail, "crashing as told"));
    assert_int_equal(node.record.restarts, 1);
    assert_string_equal(state_name(), "backoff");
}

static void the_words_of_a_former_process_are_not_those_of_the_next(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "crash", 1);
    assert_ok(start());
    wait_until(ended());
    setenv("FAKE_NODE", "mute", 1);
    assert_ok(start());
    wait_until(ended());
    assert_int_equal(node.record.last_exit.value, 3);
    assert_string_equal(node.record.last_exit.log_tail, "");
}

static void a_hung_node_ends_as_a_failure(void **unused) {
    (void)unused;
    assert_ok(start());
    wait_until(healthy());
    kill(node.pid, SIGSTOP);
    facts.hung = true;
    node_terminate(&node, clock_monotonic_ms());
    assert_string_equal(state_name(), "unhealthy");
    wait_until(ended());
    assert_int_equal(facts.failures, 1);
    assert_int_equal(node.record.restarts, 1);
    assert_false(facts.hung);
    assert_string_equal(state_name(), "backoff");
    assert_non_null(strstr(reasons(), "timeout: it answered nothing"));
    assert_ok(start());
    wait_until(healthy());
    assert_string_equal(reasons(), "");
}

static void a_jump_of_the_clock_is_no_time_up(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "crash", 1);
    for (unsigned failures = 1; failures <= 3; failures++) {
        assert_ok(start());
        node.started_at_ms -= 3 * 24 * 3600 * 1000;
        wait_until(ended());
        assert_int_equal(facts.failures, failures);
    }
}

static pid_t left_child(void) {
    char path[STATE_PATH_SIZE];
    OWN_TEXT struct text pid = TEXT_EMPTY;
    state_path(&place.state, path, "nodes/0/data/child");
    assert_ok(file_read(path, 32, &pid, &place.e));
    return (pid_t)strtol(text_value(&pid), NULL, 10);
}

static void what_a_node_leaves_ends_with_it(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "orphan", 1);
    assert_ok(start());
    wait_until(ended());
    stray = left_child();
    assert_true(stray > 0);
    wait_until(adopt_start_time(stray) < 0);
    stray = 0;
}

static void a_signal_is_noted(void **unused) {
    (void)unused;
    assert_ok(start());
    wait_until(healthy());
    kill(node.pid, SIGKILL);
    wait_until(ended());
    assert_string_equal(node.record.last_exit.kind, "signal");
    assert_int_equal(node.record.last_exit.value, SIGKILL);
}

static void a_start_that_found_its_port_taken_hides_no_cause(void **unused) {
    (void)unused;
    assert_ok(start());
    wait_until(healthy());
    int64_t port = node.record.port;
    kill(node.pid, SIGKILL);
    wait_until(ended());
    unsigned failures = facts.failures;
    setenv("FAKE_NODE", "conflict", 1);
    assert_ok(start());
    wait_until(ended());
    assert_string_equal(node.record.last_exit.kind, "signal");
    assert_int_equal(node.record.last_exit.value, SIGKILL);
    assert_int_equal(node.record.restarts, 1);
    assert_int_equal(facts.failures, failures);
    unsetenv("FAKE_NODE");
    assert_ok(start());
    wait_until(healthy());
    assert_int_equal(node.record.port, port);
}

static void a_conflict_that_does_not_end_counts_as_a_failure(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "conflict", 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(facts.failures, 0);
        assert_ok(start());
        wait_until(ended());
    }
    assert_int_equal(facts.failures, 1);
    assert_int_equal(node.record.last_exit.value, err_exit_code(ERR_CONFLICT));
}

static void the_end_of_an_adopted_node_is_seen_but_its_status_is_unknown(void **unused) {
    (void)unused;
    int ends[2];
    pid_t pid = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t parent = fork(); /* starts the node and dies, so that it is nobody's child here */
    if (parent == 0) {
        bool started = start();
        if (started && write(ends[1], &node.pid, sizeof node.pid) > 0) _exit(0);
        _exit(1);
    }
    waitpid(parent, NULL, 0);
    assert_int_equal(read(ends[0], &pid, sizeof pid), sizeof pid);
    close(ends[0]);
    close(ends[1]);
    stray = pid;
    wait_until(adopt_is_held(node.data));
    forget_everything();
    wait_until(healthy());
    assert_int_equal(node.pid, pid);
    kill(pid, SIGKILL);
    wait_until(ended());
    assert_string_equal(node.record.last_exit.kind, "unknown");
    assert_int_equal(facts.failures, 1);
    assert_int_equal(node.record.restarts, 1);
    stray = 0;
}

static void an_ordered_stop_is_no_failure(void **unused) {
    (void)unused;
    assert_ok(start());
    wait_until(healthy());
    facts.failures = 2;
    node_terminate(&node, clock_monotonic_ms());
    assert_int_equal(facts.phase, NODE_STOPPING);
    wait_until(ended());
    assert_int_equal(facts.phase, NODE_DOWN);
    assert_int_equal(facts.failures, 0);
    assert_int_equal(node.record.restarts, 0);
}

static void a_stubborn_node_is_killed(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "stubborn", 1);
    assert_ok(start());
    wait_until(healthy());
    node_terminate(&node, clock_monotonic_ms());
    assert_false(ended());
    node_kill(&node);
    wait_until(ended());
    assert_string_equal(node.record.last_exit.kind, "signal");
}

static void a_failing_node_is_unhealthy_and_says_why(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "failing", 1);
    assert_ok(start());
    wait_until((ask(), facts.health == HEALTH_BAD && facts.misses == 0));
    assert_false(facts.proven);
    assert_string_equal(state_name(), "unhealthy");
    assert_string_equal(reasons(), "index_lost");
}

static bool is_stopped(pid_t pid) {
    char path[64];
    OWN_TEXT struct text stat = TEXT_EMPTY;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    assert_ok(file_read(path, 4096, &stat, &place.e));
    return strstr(stat.data, ") T ") != NULL;
}

static void silence_of_a_young_node_is_no_complaint(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "silent", 1);
    assert_ok(start());
    for (unsigned miss = 0; miss < 2 * NODE_MISSES; miss++) ask();
    assert_int_equal(facts.health, HEALTH_NONE);
    assert_string_equal(state_name(), "starting");
    facts.started_ms -= RECONCILE_HEALTHY_MS;
    ask();
    assert_string_equal(state_name(), "unhealthy");
}

static void three_misses_make_a_node_unhealthy(void **unused) {
    (void)unused;
    assert_ok(start());
    wait_until(healthy());
    kill(node.pid, SIGSTOP);
    wait_until(is_stopped(node.pid));
    for (unsigned miss = 1; miss <= NODE_MISSES; miss++) {
        assert_int_equal(facts.health, HEALTH_GOOD);
        ask();
        assert_int_equal(facts.misses, miss);
    }
    assert_int_equal(facts.health, HEALTH_BAD);
    assert_string_equal(state_name(), "unhealthy");
    kill(node.pid, SIGCONT);
    wait_until(healthy());
    assert_string_equal(state_name(), "healthy");
}

static void a_veto_is_kept_with_its_reasons(void **unused) {
    (void)unused;
    setenv("FAKE_NODE", "veto", 1);
    assert_ok(start());
    wait_until(healthy());
    node.ask_stop = true;
    facts.stop_answer = STOP_ASKED;
    ask();
    assert_int_equal(facts.stop_answer, STOP_VETOED);
    assert_string_equal(node.veto, "last copy");
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
    assert_ok(start());
    assert_int_equal(facts.phase, NODE_DOWN); /* it may be the old process that is still ending */
    assert_true(facts.start_after_ms > clock_monotonic_ms());
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

static void a_new_restart_order_does_not_wait_for_the_backoff(void **unused) {
    (void)unused;
    facts.phase = NODE_DOWN;
    facts.start_after_ms = INT64_MAX;
    node.record.restart_generation = 4;
    node_order(&node, 4, 1000);
    assert_false(facts.restart_ordered);
    assert_int_equal(facts.start_after_ms, INT64_MAX);
    node_order(&node, 5, 1000);
    assert_true(facts.restart_ordered);
    assert_int_equal(facts.start_after_ms, 1000);
    facts.start_after_ms =
        INT64_MAX; /* that start failed: the order alone does not make it hurry */
    node_order(&node, 5, 2000);
    assert_int_equal(facts.start_after_ms, INT64_MAX);
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
        TEST(an_exit_is_noted_with_its_log_and_backs_off),
        TEST(the_words_of_a_former_process_are_not_those_of_the_next),
        TEST(a_hung_node_ends_as_a_failure),
        TEST(a_jump_of_the_clock_is_no_time_up),
        TEST(what_a_node_leaves_ends_with_it),
        TEST(a_signal_is_noted),
        TEST(a_start_that_found_its_port_taken_hides_no_cause),
        TEST(a_conflict_that_does_not_end_counts_as_a_failure),
        TEST(the_end_of_an_adopted_node_is_seen_but_its_status_is_unknown),
        TEST(an_ordered_stop_is_no_failure),
        TEST(a_stubborn_node_is_killed),
        TEST(a_failing_node_is_unhealthy_and_says_why),
        TEST(silence_of_a_young_node_is_no_complaint),
        TEST(three_misses_make_a_node_unhealthy),
        TEST(a_veto_is_kept_with_its_reasons),
        TEST(a_taken_port_is_named_with_its_holder_and_another_one_is_used),
        TEST(a_range_without_a_free_port_is_an_error),
        TEST(reserved_ports_are_left_to_the_other_nodes),
        TEST(damaged_bytes_start_nothing),
        TEST(the_fallback_is_told_to_the_master),
        TEST(a_new_restart_order_does_not_wait_for_the_backoff),
    };
    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
