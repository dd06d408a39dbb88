/* Frames of the bus. First byte even: any bytes as a frame. Odd: a script of what an enemy on the
 * wire may do with the frames of a real session, where every frame is taken at most once and only
 * unchanged. */
#include "lib/session.h"
#include "tests/fuzz/fuzz.h"

#define FRAMES 200
#define WINDOW 64

static struct session agent_at_start, master_at_start;
static struct sign_secret *key;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static const unsigned char id[SESSION_ID_SIZE] = "session";
    static const unsigned char nonce[SESSION_NONCE_SIZE] = "nonce";
    struct session_exchange a, m, a_again;
    struct err e;
    (void)argc;
    (void)argv;
    sign_setup();
    session_exchange_new(&a);
    session_exchange_new(&m);
    a_again = a;
    bool begun =
        session_begin(&agent_at_start, SESSION_AGENT, id, nonce, &a, m.public_key, &e) &&
        session_begin(&master_at_start, SESSION_MASTER, id, nonce, &m, a_again.public_key, &e) &&
        sign_generate(&key, &e);
    assert(begun);
    return 0;
}

static void check_bytes(const uint8_t *data, size_t size) {
    struct session master = master_at_start;
    struct frame f;
    struct err e;
    OWN_MEMORY char *bytes = fuzz_string(data, size);
    if (!frame_parse(bytes, size, &f, &e)) {
        assert(e.code == ERR_INVALID && e.text[0] != '\0');
        return;
    }
    assert(f.json >= bytes && f.json_length > 0 && f.json + f.json_length == bytes + size);
    assert(!frame_signed_valid(&f, sign_secret_public(key), "purpose"));
    bool opened = session_open(&master, &f, &e);
    assert(!opened && memcmp(&master, &master_at_start, sizeof master) == 0);
}

struct wire {
    struct session agent, master;
    struct text frames[FRAMES];
    bool taken[FRAMES];
    size_t count;
    size_t newest; /* highest sequence taken */
};

static void seal(struct wire *w, uint8_t length) {
    char json[256];
    if (w->count == FRAMES) return;
    memset(json, 'x', sizeof json);
    session_seal(&w->agent, 0, json, length + 1U, &w->frames[w->count++]);
}

static bool deliver(struct wire *w, const struct text *bytes) {
    struct frame f;
    struct err e;
    return frame_parse(bytes->data, bytes->length, &f, &e) && session_open(&w->master, &f, &e);
}

/* By the plain rule: unchanged, not before, and not 64 or more behind the newest. */
static void deliver_whole(struct wire *w, uint8_t which) {
    if (w->count == 0) return;
    size_t i = which % w->count;
    size_t sequence = i + 1;
    bool expected = !w->taken[i] && sequence + WINDOW > w->newest;
    bool taken = deliver(w, &w->frames[i]);
    assert(taken == expected);
    if (!taken) return;
    w->taken[i] = true;
    if (sequence > w->newest) w->newest = sequence;
}

static void deliver_changed(struct wire *w, uint8_t which, uint8_t where, uint8_t change) {
    if (w->count == 0 || change == 0) return;
    struct text *frame = &w->frames[which % w->count];
    struct session before = w->master;
    char *byte = &frame->data[where % frame->length];
    *byte = (char)(*byte ^ change);
    assert(!deliver(w, frame));
    *byte = (char)(*byte ^ change);
    assert(memcmp(&before, &w->master, sizeof before) == 0);
}

static void deliver_cut(struct wire *w, uint8_t which, uint8_t length) {
    if (w->count == 0) return;
    struct text cut = w->frames[which % w->count];
    cut.length = length % cut.length;
    assert(!deliver(w, &cut));
}

static void deliver_to_its_maker(struct wire *w, uint8_t which) {
    struct frame f;
    struct err e;
    if (w->count == 0) return;
    const struct text *frame = &w->frames[which % w->count];
    bool taken = frame_parse(frame->data, frame->length, &f, &e) && session_open(&w->agent, &f, &e);
    assert(!taken);
}

static void run_script(const uint8_t *data, size_t size) {
    static struct wire w;
    memset(&w, 0, sizeof w);
    w.agent = agent_at_start;
    w.master = master_at_start;
    while (size > 0) {
        uint8_t what = fuzz_byte(&data, &size);
        uint8_t which = fuzz_byte(&data, &size);
        if (what % 5 == 0) seal(&w, which);
        if (what % 5 == 1) deliver_whole(&w, which);
        if (what % 5 == 2)
            deliver_changed(&w, which, fuzz_byte(&data, &size), fuzz_byte(&data, &size));
        if (what % 5 == 3) deliver_cut(&w, which, fuzz_byte(&data, &size));
        if (what % 5 == 4) deliver_to_its_maker(&w, which);
    }
    for (size_t i = 0; i < w.count; i++) text_fini(&w.frames[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (fuzz_byte(&data, &size) % 2 == 0)
        check_bytes(data, size);
    else
        run_script(data, size);
    return 0;
}
