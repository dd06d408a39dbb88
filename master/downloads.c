#include "master/downloads.h"

#include "lib/encode.h"
#include "lib/text.h"

#include <assert.h>
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

static void make_mac(const struct downloads_key *key, int64_t until_s, const char *agent_id,
                     char out[MAC_HEX_SIZE]) {
    char words[WIRE_DOWNLOAD_TOKEN_SIZE];
    unsigned char mac[MAC_SIZE];
    int length = snprintf(words, sizeof words, "%" PRId64 " %s", until_s, agent_id);
    assert(length > 0 && (size_t)length < sizeof words);
    secret_mac(key->bytes, words, (size_t)length, mac, sizeof mac);
    encode_hex(mac, sizeof mac, out);
}

void downloads_grant(const struct downloads_key *key, const char *agent_id, int64_t now_wall_ms,
                     char out[WIRE_DOWNLOAD_TOKEN_SIZE]) {
    char mac[MAC_HEX_SIZE];
    int64_t until_s = now_wall_ms / 1000 + DOWNLOADS_LIFE_S;
    make_mac(key, until_s, agent_id, mac);
    snprintf(out, WIRE_DOWNLOAD_TOKEN_SIZE, KIND "%" PRId64 ".%s.%s", until_s, mac, agent_id);
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
                  char agent_id[WIRE_AGENT_ID_SIZE]) {
    char until[16];
    const char *at = downloads_is_grant(text) ? text + sizeof KIND - 1 : NULL;
    if (at != NULL) at = take_part(at, until, sizeof until);
    if (at != NULL) at = take_part(at, mac, MAC_HEX_SIZE);
    if (at == NULL || until[strspn(until, "0123456789")] != '\0') return false;
    *until_s = strtoll(until, NULL, 10);
    return text_copy(agent_id, WIRE_AGENT_ID_SIZE, at);
}

enum download_proof downloads_prove(const struct downloads_key *key, const char *text,
                                    int64_t now_wall_ms, char agent_id[WIRE_AGENT_ID_SIZE]) {
    char given[MAC_HEX_SIZE], right[MAC_HEX_SIZE];
    int64_t until_s = 0;
    if (!parse(text, &until_s, given, agent_id)) return DOWNLOAD_FORGED;
    make_mac(key, until_s, agent_id, right);
    if (!secret_equal(given, right)) return DOWNLOAD_FORGED;
    return until_s > now_wall_ms / 1000 ? DOWNLOAD_PROVEN : DOWNLOAD_EXPIRED;
}
