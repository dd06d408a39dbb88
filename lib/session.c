#include "lib/session.h"

#include "lib/secret.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define WINDOW 64
#define MAC_SIZE 32
#define SIGNED_HEADER_SIZE (1 + SIGN_SIGNATURE_SIZE)
#define SESSION_AUTHENTICATED_SIZE (1 + SESSION_ID_SIZE + 8 + 8)
#define SESSION_HEADER_SIZE (SESSION_AUTHENTICATED_SIZE + MAC_SIZE)

static const char kinds[] = {[FRAME_PLAIN] = 'P', [FRAME_SIGNED] = 'K', [FRAME_SESSION] = 'S'};

static uint64_t read_number(const unsigned char *bytes) {
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--) number = number << 8 | bytes[i];
    return number;
}

static void write_number(unsigned char *out, uint64_t number) {
    for (int i = 0; i < 8; i++) out[i] = (unsigned char)(number >> 8 * i);
}

static bool parse_kind(unsigned char byte, enum frame_kind *kind) {
    for (size_t i = 0; i < sizeof kinds; i++) {
        if (byte != (unsigned char)kinds[i]) continue;
        *kind = (enum frame_kind)i;
        return true;
    }
    return false;
}

bool frame_parse(const void *bytes, size_t length, struct frame *out, struct err *e) {
    static const size_t headers[] = {[FRAME_PLAIN] = 1,
                                     [FRAME_SIGNED] = SIGNED_HEADER_SIZE,
                                     [FRAME_SESSION] = SESSION_HEADER_SIZE};
    *out = (struct frame){.bytes = bytes, .length = length};
    if (length == 0 || !parse_kind(out->bytes[0], &out->kind))
        return err_set(e, ERR_INVALID, "this is no message of the grid");
    assert((size_t)out->kind < sizeof headers / sizeof headers[0]);
    size_t header = headers[out->kind];
    if (length <= header)
        return err_set(e, ERR_INVALID, "a message of the grid was cut off after %zu bytes", length);
    out->json = (const char *)out->bytes + header;
    out->json_length = length - header;
    if (out->kind == FRAME_SIGNED) out->authenticator = out->bytes + 1;
    if (out->kind != FRAME_SESSION) return true;
    const unsigned char *field = out->bytes + 1;
    memcpy(out->session, field, SESSION_ID_SIZE);
    out->sequence = read_number(field + SESSION_ID_SIZE);
    out->answers = read_number(field + SESSION_ID_SIZE + 8);
    out->authenticator = out->bytes + SESSION_AUTHENTICATED_SIZE;
    return true;
}

void frame_plain(const char *json, size_t length, struct text *out) {
    text_add_bytes(out, &kinds[FRAME_PLAIN], 1);
    text_add_bytes(out, json, length);
}

void frame_signed(const struct sign_secret *s, const char *purpose, const char *json, size_t length,
                  struct text *out) {
    unsigned char signature[SIGN_SIGNATURE_SIZE];
    sign_message(s, purpose, json, length, signature);
    text_add_bytes(out, &kinds[FRAME_SIGNED], 1);
    text_add_bytes(out, signature, sizeof signature);
    text_add_bytes(out, json, length);
}

bool frame_signed_valid(const struct frame *f, const struct sign_public *by, const char *purpose) {
    return f->kind == FRAME_SIGNED &&
           sign_message_valid(by, purpose, f->json, f->json_length, f->authenticator);
}

void session_exchange_new(struct session_exchange *x) {
    int failed = crypto_box_keypair(x->public_key, x->secret_key);
    assert(failed == 0);
}

/* One direction's key: keyed hash of everything that both sides signed in their hellos. */
static void derive_key(unsigned char out[SESSION_KEY_SIZE],
                       const unsigned char shared[SESSION_KEY_SIZE], char direction,
                       const unsigned char nonce[SESSION_NONCE_SIZE],
                       const unsigned char agent_key[SESSION_KEY_SIZE],
                       const unsigned char master_key[SESSION_KEY_SIZE]) {
    static const char label[] = "grid session 1";
    crypto_generichash_state state;
    crypto_generichash_init(&state, shared, SESSION_KEY_SIZE, SESSION_KEY_SIZE);
    crypto_generichash_update(&state, (const unsigned char *)label, sizeof label - 1);
    crypto_generichash_update(&state, (const unsigned char *)&direction, 1);
    crypto_generichash_update(&state, nonce, SESSION_NONCE_SIZE);
    crypto_generichash_update(&state, agent_key, SESSION_KEY_SIZE);
    crypto_generichash_update(&state, master_key, SESSION_KEY_SIZE);
    crypto_generichash_final(&state, out, SESSION_KEY_SIZE);
    secret_wipe(&state, sizeof state);
}

bool session_begin(struct session *s, enum session_side side,
                   const unsigned char id[SESSION_ID_SIZE],
                   const unsigned char nonce[SESSION_NONCE_SIZE], struct session_exchange *mine,
                   const unsigned char peer_public[SESSION_KEY_SIZE], struct err *e) {
    unsigned char shared[SESSION_KEY_SIZE];
    bool is_agent = side == SESSION_AGENT;
    const unsigned char *agent_key = is_agent ? mine->public_key : peer_public;
    const unsigned char *master_key = is_agent ? peer_public : mine->public_key;
    *s = (struct session){0};
    memcpy(s->id, id, sizeof s->id);
    bool agreed = crypto_scalarmult(shared, mine->secret_key, peer_public) == 0;
    secret_wipe(mine->secret_key, sizeof mine->secret_key);
    if (!agreed)
        return err_set(e, ERR_UNTRUSTED,
                       "the other side's exchange key is degenerate: no secret "
                       "can be agreed on with it");
    derive_key(is_agent ? s->send_key : s->receive_key, shared, 'A', nonce, agent_key, master_key);
    derive_key(is_agent ? s->receive_key : s->send_key, shared, 'M', nonce, agent_key, master_key);
    secret_wipe(shared, sizeof shared);
    return true;
}

static void authenticate(const unsigned char key[SESSION_KEY_SIZE], const unsigned char *header,
                         const char *json, size_t length, unsigned char out[MAC_SIZE]) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, SESSION_KEY_SIZE, MAC_SIZE);
    crypto_generichash_update(&state, header, SESSION_AUTHENTICATED_SIZE);
    crypto_generichash_update(&state, (const unsigned char *)json, length);
    crypto_generichash_final(&state, out, MAC_SIZE);
}

void session_seal(struct session *s, uint64_t answers, const char *json, size_t length,
                  struct text *out) {
    unsigned char header[SESSION_AUTHENTICATED_SIZE], mac[MAC_SIZE];
    assert(s->sent < UINT64_MAX);
    s->sent++;
    header[0] = (unsigned char)kinds[FRAME_SESSION];
    memcpy(header + 1, s->id, sizeof s->id);
    write_number(header + 1 + SESSION_ID_SIZE, s->sent);
    write_number(header + 1 + SESSION_ID_SIZE + 8, answers);
    authenticate(s->send_key, header, json, length, mac);
    (void)text_room(out, SESSION_HEADER_SIZE + length); /* at once, not bit by bit */
    text_add_bytes(out, header, sizeof header);
    text_add_bytes(out, mac, sizeof mac);
    text_add_bytes(out, json, length);
}

/* Marks a sequence as taken. False when it was taken before, or is too old to know. */
static bool take_sequence(struct session *s, uint64_t sequence) {
    if (sequence == 0) return false;
    if (sequence > s->received) {
        uint64_t ahead = sequence - s->received;
        s->window = (ahead < WINDOW ? s->window << ahead : 0) | 1;
        s->received = sequence;
        return true;
    }
    uint64_t behind = s->received - sequence;
    if (behind >= WINDOW || (s->window >> behind & 1) != 0) return false;
    s->window |= (uint64_t)1 << behind;
    return true;
}

bool session_open(struct session *s, const struct frame *f, struct err *e) {
    unsigned char mac[MAC_SIZE];
    if (f->kind != FRAME_SESSION || sodium_memcmp(f->session, s->id, sizeof s->id) != 0)
        return err_set(e, ERR_UNTRUSTED, "the message does not belong to this session");
    authenticate(s->receive_key, f->bytes, f->json, f->json_length, mac);
    if (sodium_memcmp(mac, f->authenticator, sizeof mac) != 0)
        return err_set(e, ERR_UNTRUSTED, "the message was altered, or made by somebody else");
    return take_sequence(s, f->sequence) ||
           err_set(e, ERR_UNTRUSTED, "the message was taken before, or is too old");
}
