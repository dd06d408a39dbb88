/* A whole bus server on a socket, behind it a thread that answers with what was asked: any bytes
 * get frames that are whole, or the end, and nothing stays parked. The first byte says whether the
 * greeting comes before the input. */
#include "lib/bus.h"
#include "tests/fuzz/wire_socket.h"

#include <pthread.h>

static struct bus_server *server;
static const uint8_t requester[] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
static const uint8_t replier[] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};

static void *answer_all(void *argument) {
    (void)argument;
    for (struct bus_request *r; (r = bus_server_next(server, -1)) != NULL;) {
        size_t length = 0;
        const char *bytes = bus_request_bytes(r, &length);
        if (length % 16 == 15)
            bus_discard(r);
        else
            bus_reply(r, bytes, length);
    }
    return NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    struct err e;
    pthread_t thread;
    (void)argc;
    (void)argv;
    const struct bus_server_options options = {.address = "127.0.0.1", .max_parked = 16};
    bool opened = bus_server_open(&server, &options, &e);
    assert(opened);
    int failed = pthread_create(&thread, NULL, answer_all, NULL);
    assert(!failed);
    return 0;
}

static size_t frame_length(const unsigned char *bytes) {
    size_t length = 0;
    for (int i = 0; i < 8; i++) length = length << 8 | bytes[i];
    return length;
}

/* The greeting, then frames; the last may be cut by the end of the connection. */
static void check_answer(const struct text *answer, size_t sent) {
    const unsigned char *at = (const unsigned char *)text_value(answer);
    size_t left = answer->length;
    if (left < sizeof replier) return;
    assert(memcmp(at, replier, sizeof replier) == 0);
    at += sizeof replier;
    left -= sizeof replier;
    while (left >= 8) {
        size_t length = frame_length(at);
        assert(length >= 4 && length <= sent);
        if (left - 8 < length) return;
        at += 8 + length;
        left -= 8 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    OWN_TEXT struct text sent = TEXT_EMPTY;
    OWN_TEXT struct text answer = TEXT_EMPTY;
    if (fuzz_byte(&data, &size) % 4 != 0) text_add_bytes(&sent, requester, sizeof requester);
    text_add_bytes(&sent, data, size);
    fuzz_exchange(bus_server_port(server), (const uint8_t *)text_value(&sent), sent.length,
                  &answer);
    check_answer(&answer, sent.length);
    assert(bus_server_parked(server) <= 16);
    return 0;
}
