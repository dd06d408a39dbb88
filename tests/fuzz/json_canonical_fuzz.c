/* Canonical JSON: what has a form has one, which is its own form unless it holds control
 * characters, and members are found where they lie. */
#include "lib/json.h"
#include "lib/json_canonical.h"
#include "lib/json_scan.h"
#include "tests/fuzz/fuzz.h"

static bool canonical(const char *json, size_t length, struct text *out) {
    struct err e;
    if (json_canonical(json, length, out, &e)) return true;
    assert(e.code == ERR_INVALID && e.text[0] != '\0');
    return false;
}

static void check_form(const char *json, size_t size) {
    struct err e;
    OWN_TEXT struct text once = TEXT_EMPTY;
    OWN_TEXT struct text twice = TEXT_EMPTY;
    if (!canonical(json, size, &once)) return;
    bool strict = json_check(json, size, &e);
    assert(strict && once.length > 0);
    if (!json_scan(once.data, once.length, &e)) return;
    bool again = canonical(once.data, once.length, &twice);
    assert(again && strcmp(once.data, twice.data) == 0);
}

static void check_member(const char *json, size_t size) {
    struct err e;
    const char *value = NULL;
    size_t length = 0;
    if (!json_member(json, size, "signed", &value, &length, &e)) return;
    assert(value > json && value + length < json + size);
    bool valid = json_scan(value, length, &e);
    assert(valid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    OWN_MEMORY char *json = fuzz_string(data, size);
    check_form(json, size);
    check_member(json, size);
    return 0;
}
