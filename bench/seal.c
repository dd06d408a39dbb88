/* What it costs to prove a heartbeat of LENGTH bytes, sealed and opened as a session frame, and
 * what a signature of each message by the agent's key would cost instead. Prints nanoseconds. */
#include "lib/clock.h"
#include "lib/session.h"
#include "lib/sign.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 5, SEALED = 100000, SIGNED = 5000, NS_PER_MS = 1000000 };

static void fail(const char *what) {
    fprintf(stderr, "seal: %s\n", what);
    exit(1);
}

static void begin(struct session *agent, struct session *master) {
    const unsigned char id[SESSION_ID_SIZE] = {1}, nonce[SESSION_NONCE_SIZE] = {2};
    struct session_exchange ours, theirs;
    session_exchange_new(&ours);
    session_exchange_new(&theirs);
    unsigned char our_public[SESSION_KEY_SIZE], their_public[SESSION_KEY_SIZE];
    memcpy(our_public, ours.public_key, sizeof our_public);
    memcpy(their_public, theirs.public_key, sizeof their_public);
    if (!session_begin(agent, SESSION_AGENT, id, nonce, &ours, their_public, NULL) ||
        !session_begin(master, SESSION_MASTER, id, nonce, &theirs, our_public, NULL))
        fail("no session");
}

static void seal_and_open(struct session *agent, struct session *master, const char *json,
                          size_t length) {
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    struct frame frame;
    session_seal(agent, 0, json, length, &bytes);
    if (!frame_parse(bytes.data, bytes.length, &frame, NULL) || !session_open(master, &frame, NULL))
        fail("a frame was refused");
}

static void sign_and_check(const struct sign_secret *key, const char *json, size_t length) {
    OWN_TEXT struct text bytes = TEXT_EMPTY;
    struct frame frame;
    frame_signed(key, "bench", json, length, &bytes);
    if (!frame_parse(bytes.data, bytes.length, &frame, NULL) ||
        !frame_signed_valid(&frame, sign_secret_public(key), "bench"))
        fail("a signature was refused");
}

int main(int argc, char **argv) {
    size_t length = argc > 1 ? strtoul(argv[1], NULL, 10) : 700;
    struct session agent, master;
    OWN(sign_secret) struct sign_secret *key = NULL;
    sign_setup();
    if (length == 0 || !sign_generate(&key, NULL)) fail("usage: seal [LENGTH]");
    begin(&agent, &master);
    OWN_MEMORY char *json = memory_zeroed(length, 1);
    memset(json, 'x', length);
    printf("%zu bytes: sealed and opened, signed and checked, ratio\n", length);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begun_ms = clock_monotonic_ms();
        for (int i = 0; i < SEALED; i++) seal_and_open(&agent, &master, json, length);
        int64_t sealed_ms = clock_monotonic_ms();
        for (int i = 0; i < SIGNED; i++) sign_and_check(key, json, length);
        int64_t sealing_ns = (sealed_ms - begun_ms) * NS_PER_MS / SEALED;
        int64_t signing_ns = (clock_monotonic_ms() - sealed_ms) * NS_PER_MS / SIGNED;
        printf("%6" PRId64 " ns  %6" PRId64 " ns  %.1f\n", sealing_ns, signing_ns,
               (double)signing_ns / (double)sealing_ns);
    }
    return 0;
}
