/* Frames of the bus: a small binary header that authenticates the one JSON object behind it. Pure
 * but for random bytes.
 *
 *   plain    'P' | JSON                    the first question of an enrollment, nothing else
 *   signed   'K' | signature[64] | JSON    enroll, hello, errors: Ed25519 over purpose NUL JSON
 *   session  'S' | session[16] | sequence u64 | answers u64 | mac[32] | JSON    everything else
 *
 * Integers are little-endian. mac = BLAKE2b-256 (RFC 7693, keyed) over everything before it and the
 * JSON. Each direction has a key of its own, derived from an X25519 exchange that both sides
 * signed: key = BLAKE2b-256(key: shared secret, "grid session 1" | direction | hello nonce |
 * exchange keys), where direction is 'A' from the agent and 'M' from the master, and the agent's
 * exchange key comes before the master's. A frame is taken once: sequences at or below the highest
 * seen are checked against a window of 64. */
#pragma once

#include "lib/err.h"
#include "lib/sign.h"
#include "lib/text.h"

#include <stddef.h>
#include <stdint.h>

#define SESSION_ID_SIZE 16
#define SESSION_ID_HEX_SIZE 33
#define SESSION_KEY_SIZE 32
#define SESSION_NONCE_SIZE 32

enum frame_kind { FRAME_PLAIN, FRAME_SIGNED, FRAME_SESSION };

struct frame {
    enum frame_kind kind;
    unsigned char session[SESSION_ID_SIZE]; /* session frames: which, not yet proven */
    uint64_t sequence;
    uint64_t answers; /* sequence of the request that this answers, 0 in a request */
    const char *json; /* points into the input, not NUL-terminated */
    size_t json_length;
    const unsigned char *authenticator; /* into the input */
    const unsigned char *bytes;
    size_t length;
};

/* Takes a frame apart without believing it. ERR_INVALID for anything malformed. */
MUST_CHECK bool frame_parse(const void *bytes, size_t length, struct frame *out, struct err *e);

void frame_plain(const char *json, size_t length, struct text *out);
void frame_signed(const struct sign_secret *s, const char *purpose, const char *json, size_t length,
                  struct text *out);
bool frame_signed_valid(const struct frame *f, const struct sign_public *by, const char *purpose);

/* An ephemeral key pair of one hello. */
struct session_exchange {
    unsigned char public_key[SESSION_KEY_SIZE];
    unsigned char secret_key[SESSION_KEY_SIZE];
};
void session_exchange_new(struct session_exchange *x);

struct session {
    unsigned char id[SESSION_ID_SIZE];
    unsigned char send_key[SESSION_KEY_SIZE];
    unsigned char receive_key[SESSION_KEY_SIZE];
    uint64_t sent;     /* highest sequence sent */
    uint64_t received; /* highest sequence taken */
    uint64_t window;   /* bit n: received - n was taken */
};

enum session_side { SESSION_AGENT, SESSION_MASTER };

/* Derives both keys. ERR_UNTRUSTED for a degenerate peer key. The exchange's secret is wiped. */
MUST_CHECK bool session_begin(struct session *s, enum session_side side,
                              const unsigned char id[SESSION_ID_SIZE],
                              const unsigned char nonce[SESSION_NONCE_SIZE],
                              struct session_exchange *mine,
                              const unsigned char peer_public[SESSION_KEY_SIZE], struct err *e);

/* Appends the sealed frame; the sequence it used is s->sent afterwards. */
void session_seal(struct session *s, uint64_t answers, const char *json, size_t length,
                  struct text *out);

/* Proves that the frame is of this session and was not seen before, and marks it as taken.
 * ERR_UNTRUSTED; a frame that is refused leaves no trace. */
MUST_CHECK bool session_open(struct session *s, const struct frame *f, struct err *e);
