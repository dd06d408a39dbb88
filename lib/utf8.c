#include "lib/utf8.h"

#include <assert.h>

/* Table 3-7 of the Unicode standard: which second bytes may follow which first bytes. */
static const struct {
    unsigned char first, last;
    unsigned char second_first, second_last;
    unsigned char length;
} forms[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2},
    {0xE0, 0xE0, 0xA0, 0xBF, 3},
    {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3},
    {0xEE, 0xEF, 0x80, 0xBF, 3},
    {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4},
    {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static size_t sequence_length(const unsigned char *at, size_t available) {
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (at[0] < forms[i].first || at[0] > forms[i].last) continue;
        if (available < forms[i].length || at[1] < forms[i].second_first ||
            at[1] > forms[i].second_last)
            return 0;
        for (size_t n = 2; n < forms[i].length; n++)
            if ((at[n] & 0xC0) != 0x80) return 0;
        return forms[i].length;
    }
    return 0;
}

size_t utf8_character(const char *bytes, size_t available) {
    const unsigned char *at = (const unsigned char *)bytes;
    if (available == 0) return 0;
    if (at[0] < 0x80) return 1;
    return sequence_length(at, available);
}

size_t utf8_encode(uint32_t code, char out[4]) {
    static const unsigned char leads[] = {0x00, 0xC0, 0xE0, 0xF0};
    assert(code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF));
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(leads[length - 1] | code);
    return length;
}
