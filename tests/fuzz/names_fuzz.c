/* Versions, labels and selectors, platforms: orders are orders, canonical texts stay as they are.
 * The first byte chooses; parts are lines. */
#include "lib/labels.h"
#include "lib/platform.h"
#include "lib/semver.h"
#include "tests/fuzz/fuzz.h"

static int sign_of(int value) {
    return (value > 0) - (value < 0);
}

static void check_versions(const uint8_t *data, size_t size) {
    OWN_MEMORY char *a = fuzz_part(&data, &size, '\n');
    OWN_MEMORY char *b = fuzz_part(&data, &size, '\n');
    OWN_MEMORY char *c = fuzz_part(&data, &size, '\n');
    if (semver_valid(a)) assert(strlen(a) < SEMVER_SIZE && semver_compare(a, a) == 0);
    if (!semver_valid(a) || !semver_valid(b)) return;
    int ab = semver_compare(a, b);
    assert(sign_of(ab) == -sign_of(semver_compare(b, a)));
    assert((semver_order(a, b) == 0) == (strcmp(a, b) == 0));
    if (ab != 0) assert(sign_of(semver_order(a, b)) == sign_of(ab));
    if (!semver_valid(c)) return;
    int bc = semver_compare(b, c);
    if (ab <= 0 && bc <= 0) assert(semver_compare(a, c) <= 0);
    if (semver_order(a, b) <= 0 && semver_order(b, c) <= 0) assert(semver_order(a, c) <= 0);
}

static void check_each_label(const char *labels) {
    char key[LABEL_PART_SIZE], value[LABEL_PART_SIZE], found[LABEL_PART_SIZE];
    const char *cursor = labels;
    int count = 0;
    while (labels_next(&cursor, key, value)) {
        struct err e;
        OWN_TEXT struct text without = TEXT_EMPTY;
        bool there = labels_get(labels, key, found);
        assert(there && strcmp(found, value) == 0);
        bool removed = labels_with(labels, key, NULL, &without, &e);
        assert(removed && !labels_get(text_value(&without), key, found));
        count++;
    }
    assert(count <= LABELS_MAX);
}

static void check_labels(const uint8_t *data, size_t size) {
    struct err e;
    OWN_MEMORY char *words = fuzz_part(&data, &size, '\n');
    OWN_MEMORY char *selector = fuzz_part(&data, &size, '\n');
    OWN_TEXT struct text once = TEXT_EMPTY;
    OWN_TEXT struct text twice = TEXT_EMPTY;
    if (!labels_parse(words, &once, &e)) {
        assert(e.code == ERR_INVALID);
        return;
    }
    bool again = labels_parse(text_value(&once), &twice, &e);
    assert(again && strcmp(text_value(&once), text_value(&twice)) == 0);
    check_each_label(text_value(&once));
    bool selects_itself = labels_selector_check(text_value(&once), &e);
    if (selects_itself) assert(labels_match(text_value(&once), text_value(&once)));
    if (labels_selector_check(selector, &e)) (void)labels_match(text_value(&once), selector);
}

static void check_platforms(const uint8_t *data, size_t size) {
    OWN_MEMORY char *words = fuzz_string(data, size);
    const char *platform = platform_canonical(words);
    const char *arch = platform_arch_canonical(words);
    if (platform != NULL) assert(strcmp(platform_canonical(platform), platform) == 0);
    if (arch != NULL) assert(strcmp(platform_arch_canonical(arch), arch) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const checks[])(const uint8_t *, size_t) = {check_versions, check_labels,
                                                              check_platforms};
    checks[fuzz_byte(&data, &size) % 3](data, size);
    return 0;
}
