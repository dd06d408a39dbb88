/* A node in a state directory, looked after as supervisor and prober do together. The test program
 * itself plays it (fake_node.h). */
#pragma once

#include "agent/cache.h"
#include "agent/node.h"
#include "tests/unit/agent/agent_fixture.h"
#include "tests/unit/agent/fake_node.h"

#include <sys/wait.h>

static struct version version;
static struct reconcile_node facts;
static struct node node;
static bool avoid_memfd;
static struct sandbox fence;
static int first_port, last_port;
static pid_t stray; /* a node that is not our child */

/* Puts this very program into the store as a signed version. */
static inline void store_self(void) {
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
static inline void choose_range(void) {
    first_port = 20000 + (int)(random_below(800) * 10);
    last_port = first_port + 9;
}

static inline int setup(void **unused) {
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

static inline void reap_all(void) {
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
}

static inline int teardown(void **unused) {
    if (node.pid > 0 && node.pidfd >= 0) kill(node.pid, SIGKILL);
    if (node.pid > 0) waitpid(node.pid, NULL, 0);
    if (stray > 0) kill(stray, SIGKILL);
    stray = 0;
    node_fini(&node);
    version_clear(&version);
    reap_all();
    return teardown_place(unused);
}

static inline bool start(void) {
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
static inline void ask(void) {
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

static inline bool healthy(void) {
    ask();
    return facts.health == HEALTH_GOOD && facts.proven;
}

static inline bool ended(void) {
    return node_reap(&node, clock_monotonic_ms());
}

static inline const char *reasons(void) {
    static char *words;
    struct wire_node told;
    node_describe(&node, false, 2048, &told);
    free(words);
    words = TAKE(told.reasons);
    json_clear(&wire_node_schema, &told);
    return words != NULL ? words : "";
}

static inline const char *state_name(void) {
    static char name[16];
    struct wire_node told;
    node_describe(&node, false, 2048, &told);
    memcpy(name, told.state, sizeof name);
    json_clear(&wire_node_schema, &told);
    return name;
}

/* Another agent's look at the same directory after this one was killed. */
static inline void forget_everything(void) {
    if (node.pidfd >= 0) close(node.pidfd);
    node.pidfd = -1;
    node.pid = 0;
    node_fini(&node);
    node_init(&node, &facts, &place.state, "agent-1", 0, true);
}
