/* TUF metadata of every role: what is read is written so that it reads and writes the same, and
 * what can be signed verifies by that key alone. */
#include "lib/tuf_foreign.h"
#include "lib/tuf_metadata.h"
#include "tests/fuzz/fuzz.h"

static struct sign_secret *secret;
static struct tuf_key key;

/* One function per role: reads, and writes what was read. */
#define ROUND_TRIP(role, clear)                                                                    \
    static bool round_trip_##role(const char *bytes, size_t length, struct text *out) {            \
        struct tuf_##role read;                                                                    \
        struct err e;                                                                              \
        if (!tuf_##role##_parse(bytes, length, &read, &e)) {                                       \
            assert(e.code == ERR_INVALID && e.text[0] != '\0');                                    \
            return false;                                                                          \
        }                                                                                          \
        assert(read.heading.version >= 1 && read.heading.expires_ms >= 0);                         \
        tuf_##role##_write(&read, out);                                                            \
        clear;                                                                                     \
        return true;                                                                               \
    }
ROUND_TRIP(root, tuf_root_clear(&read))
ROUND_TRIP(timestamp, (void)read)
ROUND_TRIP(snapshot, tuf_snapshot_clear(&read))
ROUND_TRIP(targets, tuf_targets_clear(&read))

static bool (*const round_trips[])(const char *, size_t, struct text *) = {
    round_trip_root, round_trip_timestamp, round_trip_snapshot, round_trip_targets};

static void check_roles(const char *bytes, size_t length) {
    for (size_t i = 0; i < sizeof round_trips / sizeof round_trips[0]; i++) {
        OWN_TEXT struct text once = TEXT_EMPTY;
        OWN_TEXT struct text twice = TEXT_EMPTY;
        if (!round_trips[i](bytes, length, &once)) continue;
        bool again = round_trips[i](once.data, once.length, &twice);
        assert(again && strcmp(once.data, twice.data) == 0);
    }
}

static void check_signing(const char *bytes, size_t length) {
    struct err e;
    struct tuf_keys keys = {0};
    struct tuf_signers signers = {.threshold = 1};
    OWN_TEXT struct text file = TEXT_EMPTY;
    text_add_bytes(&file, bytes, length);
    tuf_keys_add(&keys, &key);
    tuf_signers_add(&signers, key.id);
    assert(tuf_count_signers(bytes, length, &keys, &signers, &tuf_foreign) == 0);
    if (tuf_sign(&file, secret, &e))
        assert(tuf_count_signers(file.data, file.length, &keys, &signers, NULL) == 1);
    tuf_key_clear(&keys.list[0]);
    free(keys.list);
    free(signers.key_ids);
}

/* Whoever a root names may have signed it; what counts is that counting ends well. */
static void check_own_signers(const char *bytes, size_t length) {
    struct err e;
    struct tuf_root root;
    if (!tuf_root_parse(bytes, length, &root, &e)) return;
    for (int role = 0; role < TUF_ROLE_COUNT; role++) {
        const struct tuf_signers *signers = &root.roles[role];
        size_t count = tuf_count_signers(bytes, length, &root.keys, signers, &tuf_foreign);
        bool enough = tuf_verify(bytes, length, "root", &root.keys, signers, &tuf_foreign, &e);
        assert(count <= signers->key_count && enough == (count >= (size_t)signers->threshold));
    }
    tuf_root_clear(&root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct err e;
    if (secret == NULL) {
        sign_setup();
        bool made = sign_generate(&secret, &e);
        assert(made);
        tuf_key_of(sign_secret_public(secret), &key);
    }
    OWN_MEMORY char *bytes = fuzz_string(data, size);
    check_roles(bytes, size);
    check_signing(bytes, size);
    check_own_signers(bytes, size);
    return 0;
}
