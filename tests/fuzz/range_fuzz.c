/* Range, Content-Range and lists of ETags. The first byte says how large the file is, as a power
 * of two, the second how far from it. */
#include "lib/http_range.h"
#include "lib/http_route.h"
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <stdio.h>

static void check_range(const char *range, int64_t size) {
    int64_t first = -7, last = -7;
    int status = http_range_parse(range, size, &first, &last);
    assert(status == 200 || status == 206 || status == 416);
    if (status != 206) {
        assert(first == -7 && last == -7);
        return;
    }
    assert(first >= 0 && first <= last && last < size);
    char again[64];
    int64_t first_again = 0, last_again = 0;
    snprintf(again, sizeof again, "bytes=%" PRId64 "-%" PRId64, first, last);
    status = http_range_parse(again, size, &first_again, &last_again);
    assert(status == 206 && first == first_again && last == last_again);
}

static void check_content_range(const char *text) {
    int64_t first = 0, last = 0, total = 0;
    if (!http_content_range_parse(text, &first, &last, &total)) return;
    assert(first >= 0 && last < total && (first <= last || (first == total && last == total - 1)));
    if (first > last) return;
    char again[96];
    int64_t a = 0, b = 0, c = 0;
    snprintf(again, sizeof again, "bytes %" PRId64 "-%" PRId64 "/%" PRId64, first, last, total);
    bool taken = http_content_range_parse(again, &a, &b, &c);
    assert(taken && a == first && b == last && c == total);
}

/* What is listed strictly is listed; an ETag is found in a list of itself, whatever came before. */
static void check_etags(const char *list) {
    static const char etag[] = "0123abcd";
    bool strict = http_etag_listed(list, etag, false);
    bool weak = http_etag_listed(list, etag, true);
    assert(weak || !strict);
    if (strict) assert(strchr(list, '*') != NULL || strstr(list, "\"0123abcd\"") != NULL);
}

static void check_length(const char *text) {
    int64_t length = -1;
    if (http_length_parse(text, &length)) assert(length >= 0 && strlen(text) <= 18);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int64_t file_bytes = INT64_C(1) << fuzz_byte(&data, &size) % 62;
    file_bytes += fuzz_byte(&data, &size) - 1;
    OWN_MEMORY char *text = fuzz_string(data, size);
    check_range(text, file_bytes);
    check_content_range(text);
    check_etags(text);
    check_length(text);
    return 0;
}
