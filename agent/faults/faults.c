/* What is wrong with builds of the agent that tests roll out; every other build has none of this.
 * GRID_TEST_FAULT says which one it is; the linker leads calls of one function here (--wrap). */
#include "agent/adopt.h"
#include "lib/bus.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IS(fault) (strcmp(GRID_TEST_FAULT, fault) == 0)

static void crash(int number) {
    static const char words[] = "test fault: it crashes now\n";
    (void)number;
    (void)!write(STDERR_FILENO, words, sizeof words - 1);
    signal(SIGABRT, SIG_DFL);
    abort();
}

__attribute__((constructor)) static void begin(void) {
    if (IS("exit")) {
        fprintf(stderr, "test fault: it ends at once\n");
        _exit(3);
    }
    if (!IS("crash")) return;
    signal(SIGALRM, crash);
    alarm(1);
}

void __real_alive_tell(void);
void __wrap_alive_tell(void);

/* The supervisor's thread stops in the middle of its work. */
void __wrap_alive_tell(void) {
    static atomic_int calls;
    while (IS("hang") && atomic_fetch_add(&calls, 1) > 2) pause();
    __real_alive_tell();
}

void __real_bus_client_send(struct bus_client *c, uint64_t ticket, const void *bytes, size_t length,
                            int64_t timeout_ms);
void __wrap_bus_client_send(struct bus_client *c, uint64_t ticket, const void *bytes, size_t length,
                            int64_t timeout_ms);

/* Its messages never leave. */
void __wrap_bus_client_send(struct bus_client *c, uint64_t ticket, const void *bytes, size_t length,
                            int64_t timeout_ms) {
    if (!IS("mute")) __real_bus_client_send(c, ticket, bytes, length, timeout_ms);
}

void __real_adopt_examine(const char *data, const char *node_id, const char *nonce,
                          struct adopt_result *out);
void __wrap_adopt_examine(const char *data, const char *node_id, const char *nonce,
                          struct adopt_result *out);

/* It takes no node for its own. */
void __wrap_adopt_examine(const char *data, const char *node_id, const char *nonce,
                          struct adopt_result *out) {
    if (!IS("estranged")) {
        __real_adopt_examine(data, node_id, nonce, out);
        return;
    }
    *out = (struct adopt_result){.pidfd = -1, .verdict = ADOPT_FOREIGN};
    snprintf(out->reason, sizeof out->reason, "test fault: every node is a stranger");
}
