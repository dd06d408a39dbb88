/* grid-herd: many agents for a master under test. Driven by lines on stdin, answers each with one
 * JSON line. */
#include "bench/herd/herd.h"
#include "bench/herd/provision.h"
#include "lib/bus_openssl.h"
#include "lib/file.h"
#include "lib/join.h"
#include "lib/own.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "Usage: grid-herd provision STATE COUNT KEYS\n"
    "       grid-herd run HOST:PORT STATE COUNT KEYS\n"
    "provision writes COUNT agents into the database of a master that is stopped, and their keys\n"
    "into the file KEYS. run connects them, over TLS where STATE/tls/ca.pem is there, and obeys "
    "lines\n"
    "on stdin:\n"
    "  status          how they are\n"
    "  expect VERSION  count those that are told VERSION from now on\n"
    "  switch MS       each switch of a rollout takes so long from now on; -1: it never ends\n"
    "  change COUNT    let COUNT of them report a change and measure the answers\n";

#define TICK_MS 10

static struct herd *herd;
static struct sign_secret *keys;
static atomic_bool stopping;

static void *tick(void *argument) {
    (void)argument;
    while (!atomic_load(&stopping)) {
        herd_tick(herd);
        nanosleep(&(struct timespec){.tv_nsec = TICK_MS * 1000000L}, NULL);
    }
    return NULL;
}

static void print_status(void) {
    struct herd_status s;
    herd_status(herd, &s);
    printf("{\"live\":%zu,\"all_live_at_s\":%.6f,\"told\":%zu,\"last_told_at_s\":%.6f,"
           "\"halted\":%zu,\"last_halted_at_s\":%.6f,\"switched\":%zu,"
           "\"lost\":%llu,\"answers\":%llu,\"measured\":%zu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"longest_ms\":%.3f}\n",
           s.live, s.all_live_at_s, s.told, s.last_told_at_s, s.halted, s.last_halted_at_s,
           s.switched, (unsigned long long)s.lost, (unsigned long long)s.answers, s.measured,
           s.p50_ms, s.p99_ms, s.longest_ms);
}

static void obey(char *line) {
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "expect ", strlen("expect ")) == 0)
        herd_expect(herd, line + strlen("expect "));
    else if (strncmp(line, "switch ", strlen("switch ")) == 0)
        herd_switch(herd, strtol(line + strlen("switch "), NULL, 10));
    else if (strncmp(line, "change ", strlen("change ")) == 0)
        herd_change(herd, strtoul(line + strlen("change "), NULL, 10));
    print_status();
    fflush(stdout);
}

/* Empty where the master has none. */
static bool read_ca(const char *state, struct text *out, struct err *e) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/tls/ca.pem", state);
    return access(path, F_OK) != 0 || file_read(path, 64 * 1024, out, e);
}

static bool run(const char *address, const char *state, size_t count, const char *keys_path,
                struct err *e) {
    char host[JOIN_HOST_SIZE], line[256];
    struct sign_public master;
    int port = 0;
    pthread_t ticking;
    if (!join_parse_address(address, 0, host, &port, e) ||
        !provision_read_keys(keys_path, count, &keys, e) ||
        !provision_master_key(state, &master, e))
        return false;
    OWN_TEXT struct text ca = TEXT_EMPTY;
    if (!read_ca(state, &ca, e)) return false;
    const struct bus_trust trust = {ca.data, "grid-master"};
    const struct herd_options options = {host,    port, ca.length > 0 ? &trust : NULL,
                                         &master, keys, count};
    if (!herd_open(&herd, &options, e)) return false;
    if (pthread_create(&ticking, NULL, tick, NULL) != 0)
        return err_set(e, ERR_UNAVAILABLE, "no thread can be started");
    while (fgets(line, sizeof line, stdin) != NULL) obey(line);
    atomic_store(&stopping, true);
    pthread_join(ticking, NULL);
    return true;
}

int main(int argc, char **argv) {
    struct err e = {0};
    bool done = false;
    sign_setup();
    bus_openssl_use();
    if (argc == 5 && strcmp(argv[1], "provision") == 0) {
        done = provision(argv[2], strtoul(argv[3], NULL, 10), argv[4], &e);
    } else if (argc == 6 && strcmp(argv[1], "run") == 0) {
        done = run(argv[2], argv[3], strtoul(argv[4], NULL, 10), argv[5], &e);
    } else {
        fputs(usage, stderr);
        return 2;
    }
    if (!done) fprintf(stderr, "grid-herd: %s\n", e.text);
    return done ? 0 : 1;
}
