#include "master/downloads.h"

#include "lib/encode.h"
#include "lib/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KIND "gd_"

enum { MAC_SIZE = 32, MAC_HEX_SIZE = 2 * MAC_SIZE + 1 };

/* A signature that is made for nothing else and never leaves this function is as secret as the key
 * it was made with. */
void downloads_key_make(const struct sign_secret *master, struct downloads_key *out) {
    unsigned char signature[SIGN_SIGNATURE_SIZE];
    sign_message(master, "grid download key 1", "", 0, signature);
    secret_mac(signature, signature, sizeof signature, out->bytes, sizeof out->bytes);
    secret_wipe(signature, sizeof signature);
}

static void make_mac(const struct downloads_key *key, int64_t until_s,
                     const struct download_right *right, char out[MAC_HEX_SIZE]) {
    char words[WIRE_DOWNLOAD_TOKEN_SIZE];
    unsigned char mac[MAC_SIZE];
    int length =
        snprintf(words, sizeof words, "%" PRId64 " %s %s", until_s, right->sha256, right->agent_id);
    secret_mac(key->bytes, words, (size_t)length, mac, sizeof mac);
    encode_hex(mac, sizeof mac, out);
}

void downloads_grant(const struct downloads_key *key, const char *agent_id, const char *sha256,
                     int64_t now_wall_ms, char out[WIRE_DOWNLOAD_TOKEN_SIZE]) {
    struct download_right right;
    char mac[MAC_HEX_SIZE];
    int64_t until_s = now_wall_ms / 1000 + DOWNLOADS_LIFE_S;
    snprintf(right.agent_id, sizeof right.agent_id, "%s", agent_id);
    snprintf(right.sha256, sizeof right.sha256, "%s", sha256);
    make_mac(key, until_s, &right, mac);
    snprintf(out, WIRE_DOWNLOAD_TOKEN_SIZE, KIND "%" PRId64 ".%s.%s.%s", until_s, right.sha256, mac,
             right.agent_id);
}

bool downloads_is_grant(const char *text) {
    return strncmp(text, KIND, sizeof KIND - 1) == 0;
}

/* Up to the next dot; NULL when there is none or it does not fit. */
static const char *take_part(const char *text, char *out, size_t size) {
    size_t length = strcspn(text, ".");
    if (text[length] != '.' || length >= size) return NULL;
    memcpy(out, text, length);
    out[length] = '\0';
    return text + length + 1;
}

static bool parse(const char *text, int64_t *until_s, char mac[MAC_HEX_SIZE],
                  struct download_right *out) {
    char until[16];
    const char *at = downloads_is_grant(text) ? text + sizeof KIND - 1 : NULL;
    if (at != NULL) at = take_part(at, until, sizeof until);
    if (at != NULL) at = take_part(at, out->sha256, sizeof out->sha256);
    if (at != NULL) at = take_part(at, mac, MAC_HEX_SIZE);
    if (at == NULL || until[strspn(until, "0123456789")] != '\0') return false;
    *until_s = strtoll(until, NULL, 10);
    return text_copy(out->agent_id, sizeof out->agent_id, at);
}

enum download_proof downloads_prove(const struct downloads_key *key, const char *text,
                                    int64_t now_wall_ms, struct download_right *out) {
    char given[MAC_HEX_SIZE], right[MAC_HEX_SIZE];
    int64_t until_s = 0;
    if (!parse(text, &until_s, given, out)) return DOWNLOAD_FORGED;
    make_mac(key, until_s, out, right);
    if (!secret_equal(given, right)) return DOWNLOAD_FORGED;
    return until_s > now_wall_ms / 1000 ? DOWNLOAD_PROVEN : DOWNLOAD_EXPIRED;
}
