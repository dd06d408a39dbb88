#include "lib/encode.h"

#include <sodium.h>
#include <string.h>

/* libsodium's converters run in constant time, so keys and secrets may pass through here too. */

bool decode_hex(const char *hex, void *out, size_t length) {
    size_t decoded = 0;
    return strlen(hex) == 2 * length &&
           sodium_hex2bin(out, length, hex, 2 * length, NULL, &decoded, NULL) == 0 &&
           decoded == length;
}

/* libsodium 1.0.18 takes bytes above 127 for the last digit of base64. */
static bool is_ascii(const char *text, size_t length) {
    unsigned char bits = 0;
    for (size_t i = 0; i < length; i++) bits |= (unsigned char)text[i];
    return bits < 0x80;
}

static bool decode_variant(const char *text, size_t text_length, void *out, size_t size,
                           size_t *length, int variant) {
    *length = 0;
    return is_ascii(text, text_length) &&
           sodium_base642bin(out, size, text, text_length, NULL, length, NULL, variant) == 0;
}

char *encode_base64(const void *bytes, size_t length, char *out) {
    return sodium_bin2base64(out, ENCODE_BASE64_SIZE(length), bytes, length,
                             sodium_base64_VARIANT_ORIGINAL);
}

bool decode_base64(const char *text, void *out, size_t size, size_t *length) {
    return decode_base64_part(text, strlen(text), out, size, length);
}

bool decode_base64_part(const char *text, size_t text_length, void *out, size_t size,
                        size_t *length) {
    return decode_variant(text, text_length, out, size, length, sodium_base64_VARIANT_ORIGINAL);
}

char *encode_base64url(const void *bytes, size_t length, char *out) {
    return sodium_bin2base64(out, ENCODE_BASE64_SIZE(length), bytes, length,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool decode_base64url(const char *text, void *out, size_t size, size_t *length) {
    return decode_variant(text, strlen(text), out, size, length,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static bool unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void encode_url(struct text *out, const char *value) {
    for (; *value != '\0'; value++) {
        if (unreserved(*value))
            text_add_bytes(out, value, 1);
        else
            text_add_format(out, "%%%02X", (unsigned)(unsigned char)*value);
    }
}

bool decode_url(char *value) {
    char *target = value;
    while (*value != '\0') {
        if (*value != '%') {
            *target++ = *value++;
            continue;
        }
        char digits[3] = {value[1], value[1] != '\0' ? value[2] : '\0', '\0'};
        unsigned char byte = 0;
        if (!decode_hex(digits, &byte, 1) || byte == 0) return false;
        *target++ = (char)byte;
        value += 3;
    }
    *target = '\0';
    return true;
}
