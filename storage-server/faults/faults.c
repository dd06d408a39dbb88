#include "storage-server/faults/faults.h"

#include "storage-server/node.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/own.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 20
#define RULES_MAX_BYTES 4096
#define ROUTES_MAX 16
#define LEAK_MAX_MIB 256

enum fault { EXIT, SIGNAL, HANG, SLOW, UNHEALTHY, VETO, STUBBORN, LEAK, FAULT_COUNT };
static const char *const names[FAULT_COUNT] = {
    [EXIT] = "exit",           [SIGNAL] = "signal", [HANG] = "hang",         [SLOW] = "slow",
    [UNHEALTHY] = "unhealthy", [VETO] = "veto",     [STUBBORN] = "stubborn", [LEAK] = "leak",
};

static struct {
    const char *version;
    const char *id;
    char path[4096];
    long leaked_mib;
    atomic_int_fast64_t listening_ms; /* since when, monotonic; 0: it does not yet */
    atomic_uint told;                 /* bits of enum fault: what others ask for */
    struct http_route routes[ROUTES_MAX];
    http_handler *healthz;
    http_handler *ok_to_stop;
} faults;

static void sleep_ms(long ms) {
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* As the kernel ends a process that has taken all the memory. */
static void leak(long mib) {
    size_t size = (size_t)mib << 20;
    char *taken =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    faults.leaked_mib += mib;
    if (taken == MAP_FAILED || faults.leaked_mib >= LEAK_MAX_MIB) raise(SIGKILL);
}

static void end_by(int signal_number) {
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void play(enum fault fault, long number, bool at_start) {
    log_debug("fault.played", "fault=%s number=%ld", names[fault], number);
    if (fault == EXIT) {
        fprintf(stderr, "told to exit with %ld\n", number);
        _exit((int)number);
    }
    if (fault == SIGNAL) end_by((int)number);
    if (fault == HANG) raise(SIGSTOP);
    if (fault == SLOW && at_start) sleep_ms(number);
    if (fault == LEAK && !at_start) leak(number);
}

static enum fault parse_fault(const char *word) {
    enum fault fault = 0;
    while (fault < FAULT_COUNT && (word == NULL || strcmp(names[fault], word) != 0)) fault++;
    return fault;
}

static bool is_due(int64_t after_ms) {
    int64_t since_ms = atomic_load(&faults.listening_ms);
    return after_ms == 0 || (since_ms != 0 && clock_monotonic_ms() - since_ms >= after_ms);
}

/* True when the rule speaks of this process and its time has come. */
static bool applies(char *rule, enum fault *fault, long *number) {
    char *rest = NULL;
    const char *version = strtok_r(rule, " ", &rest);
    const char *id = strtok_r(NULL, " ", &rest);
    *fault = parse_fault(strtok_r(NULL, " ", &rest));
    const char *value = strtok_r(NULL, " ", &rest);
    const char *after = strtok_r(NULL, " ", &rest);
    if (version == NULL) return false;
    if (*fault == FAULT_COUNT) {
        log_error("fault.unknown", "rule=\"%s %s\" next=\"VERSION ID FAULT [NUMBER [AFTER_MS]]\"",
                  version, id != NULL ? id : "");
        _exit(2);
    }
    *number = value != NULL ? strtol(value, NULL, 10) : 0;
    int64_t after_ms = after != NULL ? strtol(after, NULL, 10) : 0;
    return fnmatch(version, faults.version, 0) == 0 && fnmatch(id, faults.id, 0) == 0 &&
           is_due(after_ms);
}

/* The rules are cut up. */
static unsigned play_rules(char *rules, bool at_start) {
    unsigned told = 0;
    char *rest = NULL;
    for (char *line = strtok_r(rules, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        enum fault fault;
        long number;
        if (!applies(line, &fault, &number)) continue;
        told |= 1U << fault;
        play(fault, number, at_start);
    }
    return told;
}

/* False when the machine was told nothing. */
static bool read_rules(char *out, size_t size) {
    OWN_FD int fd = open(faults.path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, out, size - 1) : -1;
    out[length > 0 ? length : 0] = '\0';
    return length > 0;
}

/* Without memory of the heap: this goes on while the process ends, and would be taken for a leak.
 */
static void look(bool at_start) {
    char built_in[] = GRID_TEST_FAULTS, rules[RULES_MAX_BYTES];
    unsigned told = play_rules(built_in, at_start);
    if (read_rules(rules, sizeof rules)) told |= play_rules(rules, at_start);
    atomic_store(&faults.told, told);
}

static void *look_on(void *argument) {
    (void)argument;
    while (true) {
        sleep_ms(LOOK_MS);
        look(false);
    }
    return NULL;
}

void faults_begin(const char *version, const char *id, const char *data) {
    pthread_t thread;
    faults.version = version;
    faults.id = id;
    snprintf(faults.path, sizeof faults.path, "%s/test-faults", data);
    look(true);
    if (pthread_create(&thread, NULL, look_on, NULL) == 0) pthread_detach(thread);
}

void faults_listening(void) {
    atomic_store(&faults.listening_ms, clock_monotonic_ms());
}

static bool is_told(enum fault fault) {
    return (atomic_load(&faults.told) & 1U << fault) != 0;
}

bool faults_stubborn(void) {
    return is_told(STUBBORN);
}

static void healthz(struct http_request *r) {
    OWN_TEXT struct text json = TEXT_EMPTY;
    const struct node *n = http_context(r);
    if (!is_told(UNHEALTHY)) {
        faults.healthz(r);
        return;
    }
    text_add_format(&json,
                    "{\"status\":\"failing\",\"reasons\":[\"told_to_be_unhealthy\"],"
                    "\"nonce\":\"%s\",\"version\":\"%s\",\"id\":\"%s\"}",
                    n->nonce, n->version, n->id);
    http_reply_json(r, 200, json.data, json.length);
}

static void ok_to_stop(struct http_request *r) {
    static const char no[] = "{\"ok\":false,\"reasons\":[\"told_to_veto\"]}";
    if (is_told(VETO))
        http_reply_json(r, 200, no, sizeof no - 1);
    else
        faults.ok_to_stop(r);
}

void faults_take_routes(struct http_server_options *options) {
    size_t count = options->route_count;
    if (count > ROUTES_MAX) abort();
    memcpy(faults.routes, options->routes, count * sizeof *options->routes);
    for (struct http_route *route = faults.routes; route < faults.routes + count; route++) {
        if (strcmp(route->pattern, "/healthz") == 0) {
            faults.healthz = route->handler;
            route->handler = healthz;
        } else if (strcmp(route->pattern, "/v1/ok-to-stop") == 0) {
            faults.ok_to_stop = route->handler;
            route->handler = ok_to_stop;
        }
    }
    options->routes = faults.routes;
}
