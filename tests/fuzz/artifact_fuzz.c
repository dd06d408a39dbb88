/* Names of artifacts read back as they were written, and no file makes the check of ELF headers
 * stumble. The first byte chooses. */
#include "lib/artifact.h"
#include "tests/fuzz/fuzz.h"

static bool same(const struct artifact_name *a, const struct artifact_name *b) {
    return strcmp(a->name, b->name) == 0 && strcmp(a->version, b->version) == 0 &&
           strcmp(a->platform, b->platform) == 0 && strcmp(a->arch, b->arch) == 0;
}

/* The parts are sane by themselves, and their file name means them again. */
static void check_parts(const struct artifact_name *parts) {
    char file[ARTIFACT_FILE_SIZE];
    struct artifact_name again;
    struct err e;
    artifact_file_name(parts, file);
    assert(strlen(file) < sizeof file && strchr(file, '/') == NULL && file[0] != '.');
    assert(semver_valid(parts->version));
    assert(platform_canonical(parts->platform) != NULL);
    assert(platform_arch_canonical(parts->arch) != NULL);
    bool reads = artifact_name_parse(file, &again, &e);
    assert(reads && same(parts, &again));
    bool makes =
        artifact_name_make(parts->name, parts->version, parts->platform, parts->arch, &again, &e);
    assert(makes && same(parts, &again));
}

static void check_name(const uint8_t *data, size_t size) {
    struct artifact_name parts;
    struct err e;
    char file[ARTIFACT_FILE_SIZE];
    OWN_MEMORY char *name = fuzz_string(data, size);
    if (!artifact_name_parse(name, &parts, &e)) {
        assert(e.code == ERR_INVALID && e.text[0] != '\0');
        return;
    }
    assert(strcmp(artifact_file_name(&parts, file), name) == 0);
    check_parts(&parts);
}

static void check_make(const uint8_t *data, size_t size) {
    struct artifact_name parts;
    struct err e;
    OWN_MEMORY char *name = fuzz_part(&data, &size, '\n');
    OWN_MEMORY char *version = fuzz_part(&data, &size, '\n');
    OWN_MEMORY char *platform = fuzz_part(&data, &size, '\n');
    OWN_MEMORY char *arch = fuzz_part(&data, &size, '\n');
    if (artifact_name_make(name, version, platform, arch, &parts, &e)) check_parts(&parts);
}

static void check_machine(const uint8_t *data, size_t size) {
    static const char *const arches[] = {"x86_64", "aarch64", "arm", "x86", "any"};
    struct err e;
    int accepted = 0;
    OWN_FD int fd = fuzz_file(data, size);
    for (size_t i = 0; i < 4; i++)
        if (artifact_check_machine(fd, "linux", arches[i], &e))
            accepted++;
        else
            assert(e.code == ERR_UNTRUSTED && e.text[0] != '\0');
    bool script = size >= 2 && data[0] == '#' && data[1] == '!';
    assert(script ? accepted == 4 : accepted <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const checks[])(const uint8_t *, size_t) = {check_name, check_make,
                                                              check_machine};
    checks[fuzz_byte(&data, &size) % 3](data, size);
    return 0;
}
