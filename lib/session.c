#include "lib/session.h"

#include "lib/secret.h"

#include <sodium.h>
#include <string.h>

#define SIGNED_HEADER (1 + SIGN_SIGNATURE_SIZE)
#define MAC_OFFSET (1 + SESSION_ID_SIZE + 8 + 8)
#define SESSION_HEADER (MAC_OFFSET + SESSION_KEY_SIZE)
#define WINDOW 64

static void put_u64(unsigned char *out, uint64_t value) {
    for (int byte = 0; byte < 8; byte++) out[byte] = (unsigned char)(value >> (8 * byte));
}

static uint64_t get_u64(const unsigned char *bytes) {
    uint64_t value = 0;
    for (int byte = 7; byte >= 0; byte--) value = value << 8 | bytes[byte];
    return value;
}

static size_t header_size(unsigned char kind) {
    if (kind == 'P') return 1;
    if (kind == 'K') return SIGNED_HEADER;
    return kind == 'S' ? SESSION_HEADER : 0;
}

bool frame_parse(const void *bytes, size_t length, struct frame *out, struct err *e) {
    const unsigned char *b = bytes;
    size_t header = length > 0 ? header_size(b[0]) : 0;
    if (header == 0) return err_set(e, ERR_INVALID, "frame: unknown kind");
    if (length <= header) return err_set(e, ERR_INVALID, "frame: too short");
    *out = (struct frame){.kind = b[0] == 'P'   ? FRAME_PLAIN
                                  : b[0] == 'K' ? FRAME_SIGNED
                                                : FRAME_SESSION,
                          .json = (const char *)b + header,
                          .json_length = length - header,
                          .bytes = b,
                          .length = length};
    if (out->kind == FRAME_SIGNED) out->authenticator = b + 1;
    if (out->kind != FRAME_SESSION) return true;
    memcpy(out->session, b + 1, SESSION_ID_SIZE);
    out->sequence = get_u64(b + 1 + SESSION_ID_SIZE);
    out->answers = get_u64(b + 1 + SESSION_ID_SIZE + 8);
    out->authenticator = b + MAC_OFFSET;
    return true;
}

void frame_plain(const char *json, size_t length, struct text *out) {
    text_add(out, "P");
    text_add_bytes(out, json, length);
}

void frame_signed(const struct sign_secret *s, const char *purpose, const char *json, size_t length,
                  struct text *out) {
    unsigned char signature[SIGN_SIGNATURE_SIZE];
    sign_message(s, purpose, json, length, signature);
    text_add(out, "K");
    text_add_bytes(out, signature, sizeof signature);
    text_add_bytes(out, json, length);
}

bool frame_signed_valid(const struct frame *f, const struct sign_public *by, const char *purpose) {
    return f->kind == FRAME_SIGNED &&
           sign_message_valid(by, purpose, f->json, f->json_length, f->authenticator);
}

void session_exchange_new(struct session_exchange *x) {
    crypto_box_keypair(x->public_key, x->secret_key);
}

struct derivation {
    const unsigned char *shared, *nonce, *agent_public, *master_public;
};

static void derive(const struct derivation *d, const char *direction,
                   unsigned char out[SESSION_KEY_SIZE]) {
    static const char context[] = "grid session 1";
    crypto_generichash_state state;
    crypto_generichash_init(&state, d->shared, crypto_scalarmult_BYTES, SESSION_KEY_SIZE);
    crypto_generichash_update(&state, (const unsigned char *)context, sizeof context);
    crypto_generichash_update(&state, (const unsigned char *)direction, strlen(direction) + 1);
    crypto_generichash_update(&state, d->nonce, SESSION_NONCE_SIZE);
    crypto_generichash_update(&state, d->agent_public, SESSION_KEY_SIZE);
    crypto_generichash_update(&state, d->master_public, SESSION_KEY_SIZE);
    crypto_generichash_final(&state, out, SESSION_KEY_SIZE);
    secret_wipe(&state, sizeof state);
}

bool session_begin(struct session *s, enum session_side side,
                   const unsigned char id[SESSION_ID_SIZE],
                   const unsigned char nonce[SESSION_NONCE_SIZE], struct session_exchange *mine,
                   const unsigned char peer_public[SESSION_KEY_SIZE], struct err *e) {
    unsigned char shared[crypto_scalarmult_BYTES];
    bool agent = side == SESSION_AGENT;
    *s = (struct session){.sent = 0};
    memcpy(s->id, id, SESSION_ID_SIZE);
    bool good = crypto_scalarmult(shared, mine->secret_key, peer_public) == 0;
    if (good) {
        const struct derivation d = {.shared = shared,
                                     .nonce = nonce,
                                     .agent_public = agent ? mine->public_key : peer_public,
                                     .master_public = agent ? peer_public : mine->public_key};
        derive(&d, "to master", agent ? s->send_key : s->receive_key);
        derive(&d, "to agent", agent ? s->receive_key : s->send_key);
    }
    secret_wipe(shared, sizeof shared);
    secret_wipe(mine->secret_key, sizeof mine->secret_key);
    return good || err_set(e, ERR_UNTRUSTED, "session: the peer's exchange key is degenerate");
}

static void authenticate(const unsigned char key[SESSION_KEY_SIZE], const unsigned char *header,
                         const char *json, size_t length, unsigned char mac[SESSION_KEY_SIZE]) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, SESSION_KEY_SIZE, SESSION_KEY_SIZE);
    crypto_generichash_update(&state, header, MAC_OFFSET);
    crypto_generichash_update(&state, (const unsigned char *)json, length);
    crypto_generichash_final(&state, mac, SESSION_KEY_SIZE);
}

void session_seal(struct session *s, uint64_t answers, const char *json, size_t length,
                  struct text *out) {
    unsigned char header[SESSION_HEADER] = {'S'};
    memcpy(header + 1, s->id, SESSION_ID_SIZE);
    put_u64(header + 1 + SESSION_ID_SIZE, ++s->sent);
    put_u64(header + 1 + SESSION_ID_SIZE + 8, answers);
    authenticate(s->send_key, header, json, length, header + MAC_OFFSET);
    text_add_bytes(out, header, sizeof header);
    text_add_bytes(out, json, length);
}

/* Whether the window has room for this sequence, without taking it. */
static bool is_new(const struct session *s, uint64_t sequence) {
    if (sequence == 0) return false;
    if (sequence > s->received) return true;
    uint64_t behind = s->received - sequence;
    return behind < WINDOW && (s->window & (UINT64_C(1) << behind)) == 0;
}

static void take(struct session *s, uint64_t sequence) {
    if (sequence > s->received) {
        uint64_t ahead = sequence - s->received;
        s->window = ahead < WINDOW ? s->window << ahead : 0;
        s->received = sequence;
    }
    s->window |= UINT64_C(1) << (s->received - sequence);
}

bool session_open(struct session *s, const struct frame *f, struct err *e) {
    unsigned char mac[SESSION_KEY_SIZE];
    if (f->kind != FRAME_SESSION || memcmp(f->session, s->id, SESSION_ID_SIZE) != 0)
        return err_set(e, ERR_UNTRUSTED, "session: the frame is of another session");
    authenticate(s->receive_key, f->bytes, f->json, f->json_length, mac);
    if (sodium_memcmp(mac, f->authenticator, sizeof mac) != 0)
        return err_set(e, ERR_UNTRUSTED, "session: the frame was not made by the peer");
    if (!is_new(s, f->sequence))
        return err_set(e, ERR_UNTRUSTED, "session: the frame was seen before");
    take(s, f->sequence);
    return true;
}
