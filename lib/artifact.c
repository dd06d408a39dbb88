#include "lib/artifact.h"

#include "lib/file.h"
#include "lib/text.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_SIZE = 96 };

/* The name as an error text may show it: cut, and free of what a terminal or JSON could stumble on.
 */
static const char *shown(const char *name, char out[SHOWN_SIZE]) {
    size_t length = strnlen(name, SHOWN_SIZE);
    bool cut = length == SHOWN_SIZE;
    if (cut) length = SHOWN_SIZE - 4;
    for (size_t i = 0; i < length; i++) out[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
    memcpy(out + length, cut ? "..." : "", cut ? 4 : 1);
    return out;
}

static bool name_valid(const char *name) {
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
    return strspn(name, first) > 0 && strspn(name, rest) == strlen(name);
}

static bool check_name(const char *name, const char *subject, struct err *e) {
    char text[SHOWN_SIZE];
    if (*name == '\0') return err_set(e, ERR_INVALID, "%s: the name is empty", subject);
    if (!name_valid(name))
        return err_set(e, ERR_INVALID, "%s: name %s is not [a-z0-9] followed by any of [a-z0-9_.-]",
                       subject, shown(name, text));
    if (strlen(name) >= ARTIFACT_NAME_SIZE)
        return err_set(e, ERR_INVALID, "%s: the name is longer than %d characters", subject,
                       ARTIFACT_NAME_SIZE - 1);
    return true;
}

static bool check_version(const char *version, const char *subject, struct err *e) {
    char text[SHOWN_SIZE];
    if (semver_valid(version)) return true;
    if (*version == '\0') return err_set(e, ERR_INVALID, "%s: the version is empty", subject);
    shown(version, text);
    if (strlen(version) >= SEMVER_SIZE)
        return err_set(e, ERR_INVALID, "%s: version %s is longer than %d characters", subject, text,
                       SEMVER_SIZE - 1);
    if ((*version == 'v' || *version == 'V') && semver_valid(version + 1))
        return err_set(e, ERR_INVALID, "%s: version %s is written %s, without v", subject, text,
                       version + 1);
    return err_set(e, ERR_INVALID, "%s: version %s is not MAJOR.MINOR.PATCH[-pre][+build]", subject,
                   text);
}

/* One of the two parts with a fixed set of words: its kind, the words, and how it is made
 * canonical. */
struct word {
    const char *kind;
    const char *(*canonical)(const char *);
    const char *(*names)(void);
};
static const struct word platform_word = {"platform", platform_canonical, platform_names};
static const struct word arch_word = {"architecture", platform_arch_canonical, platform_arch_names};

/* Copies the canonical form of value to out; an alias is refused when only the canonical form will
 * do. */
static bool check_word(const struct word *word, const char *value, bool aliases,
                       const char *subject, char out[PLATFORM_SIZE], struct err *e) {
    char text[SHOWN_SIZE];
    const char *canonical = word->canonical(value);
    if (*value == '\0') return err_set(e, ERR_INVALID, "%s: the %s is empty", subject, word->kind);
    if (canonical == NULL)
        return err_set(e, ERR_INVALID, "%s: %s %s is not %s", subject, word->kind,
                       shown(value, text), word->names());
    if (!aliases && strcmp(canonical, value) != 0)
        return err_set(e, ERR_INVALID, "%s: %s %s is written %s in file names", subject, word->kind,
                       shown(value, text), canonical);
    return text_copy(out, PLATFORM_SIZE, canonical);
}

/* Cuts the last "-part" off and returns it, NULL when there is none. */
static char *cut_last_part(char *file_name) {
    char *dash = strrchr(file_name, '-');
    if (dash == NULL) return NULL;
    *dash = '\0';
    return dash + 1;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Where in "name-version" the version begins: the first "-digit" from which all is a valid version;
 * without one, what looks most like a version, so that the error can name it. NULL when nothing
 * does. */
static char *find_version(char *name_and_version) {
    char *likely = NULL;
    char *dash = name_and_version;
    for (; (dash = strchr(dash, '-')) != NULL; dash++) {
        if (semver_valid(dash + 1)) return dash + 1;
        bool prefixed = dash[1] == 'v' && is_digit(dash[2]);
        if (likely == NULL && (is_digit(dash[1]) || prefixed)) likely = dash + 1;
    }
    return likely;
}

static bool parse_parts(char *file_name, const char *subject, struct artifact_name *out,
                        struct err *e) {
    const char *arch = cut_last_part(file_name);
    const char *platform = arch != NULL ? cut_last_part(file_name) : NULL;
    if (platform == NULL)
        return err_set(e, ERR_INVALID, "%s: not {name}-{version}-{platform}-{arch}", subject);
    if (!check_word(&arch_word, arch, false, subject, out->arch, e) ||
        !check_word(&platform_word, platform, false, subject, out->platform, e))
        return false;
    char *version = find_version(file_name);
    if (version == NULL && semver_valid(file_name))
        return err_set(e, ERR_INVALID, "%s: there is no name before version %s", subject,
                       file_name);
    if (version == NULL)
        return err_set(e, ERR_INVALID, "%s: there is no version before platform %s", subject,
                       out->platform);
    version[-1] = '\0';
    if (!check_version(version, subject, e) || !check_name(file_name, subject, e)) return false;
    return text_copy(out->version, sizeof out->version, version) &&
           text_copy(out->name, sizeof out->name, file_name);
}

bool artifact_name_parse(const char *file_name, struct artifact_name *out, struct err *e) {
    char subject[SHOWN_SIZE];
    char parts[ARTIFACT_FILE_SIZE];
    *out = (struct artifact_name){0};
    shown(file_name, subject);
    if (!text_copy(parts, sizeof parts, file_name))
        return err_set(e, ERR_INVALID, "%s: longer than %d characters", subject,
                       ARTIFACT_FILE_SIZE - 1);
    if (parse_parts(parts, subject, out, e)) return true;
    *out = (struct artifact_name){0};
    return err_hint(e, "file names look like storage-server-1.0.0-linux-x86_64");
}

/* A file name must read back as the same four parts, or two artifacts would share it: name
 * "a-1.0.0" with version "2.0.0" is the file of name "a" with version "1.0.0-2.0.0". */
static bool check_unambiguous(const struct artifact_name *a, struct err *e) {
    char file_name[ARTIFACT_FILE_SIZE];
    struct artifact_name again;
    artifact_file_name(a, file_name);
    if (artifact_name_parse(file_name, &again, e) && strcmp(again.name, a->name) == 0) return true;
    return err_set(e, ERR_INVALID, "name %s: its end reads as the start of version %s", a->name,
                   again.version);
}

bool artifact_name_make(const char *name, const char *version, const char *platform,
                        const char *arch, struct artifact_name *out, struct err *e) {
    char subject[SHOWN_SIZE];
    struct artifact_name made = {0};
    *out = made;
    shown(name, subject);
    if (!check_name(name, *name != '\0' ? subject : "artifact", e) ||
        !check_version(version, subject, e) ||
        !check_word(&platform_word, platform, true, subject, made.platform, e) ||
        !check_word(&arch_word, arch, true, subject, made.arch, e))
        return false;
    if (!text_copy(made.name, sizeof made.name, name) ||
        !text_copy(made.version, sizeof made.version, version) || !check_unambiguous(&made, e))
        return false;
    *out = made;
    return true;
}

char *artifact_file_name(const struct artifact_name *a, char out[ARTIFACT_FILE_SIZE]) {
    snprintf(out, ARTIFACT_FILE_SIZE, "%s-%s-%s-%s", a->name, a->version, a->platform, a->arch);
    return out;
}

static const struct machine {
    uint16_t number; /* e_machine */
    unsigned char elf_class;
    const char *arch;
} machines[] = {
    {EM_X86_64,  ELFCLASS64, "x86_64" },
    {EM_AARCH64, ELFCLASS64, "aarch64"},
    {EM_ARM,     ELFCLASS32, "arm"    },
    {EM_386,     ELFCLASS32, "x86"    },
};

/* The architecture an ELF header is for, NULL when it is none of ours. All of ours are
 * little-endian. */
static const char *arch_of_elf(const unsigned char *header) {
    uint16_t number = (uint16_t)(header[18] | header[19] << 8);
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++)
        if (header[EI_DATA] == ELFDATA2LSB && machines[i].number == number &&
            machines[i].elf_class == header[EI_CLASS])
            return machines[i].arch;
    return NULL;
}

static bool check_elf(const unsigned char *header, const char *arch, struct err *e) {
    unsigned type = header[16] | (unsigned)header[17] << 8;
    unsigned number = header[18] | (unsigned)header[19] << 8;
    const char *found = arch_of_elf(header);
    if (found == NULL)
        return err_set(e, ERR_UNTRUSTED, "an ELF file for machine %u (class %u, data %u), not %s",
                       number, header[EI_CLASS], header[EI_DATA], arch);
    if (strcmp(found, arch) != 0)
        return err_set(e, ERR_UNTRUSTED, "an ELF file for %s, not %s", found, arch);
    if (type != ET_EXEC && type != ET_DYN)
        return err_set(e, ERR_UNTRUSTED, "an ELF file of type %u, not an executable", type);
    return true;
}

bool artifact_check_machine(int fd, const char *platform, const char *arch, struct err *e) {
    if (strcmp(platform, "linux") != 0 || strcmp(arch, "any") == 0) return true;
    unsigned char header[sizeof(Elf64_Ehdr)] = {0};
    ssize_t length = file_read_at(fd, header, sizeof header, 0);
    if (length < 0) return err_errno(e, errno, "read the header");
    if (length >= 2 && memcmp(header, "#!", 2) == 0) return true;
    if (length < SELFMAG || memcmp(header, ELFMAG, SELFMAG) != 0)
        return err_set(
            e, ERR_UNTRUSTED,
            "neither an ELF executable nor a script (%zd bytes read, %02x %02x %02x %02x)", length,
            header[0], header[1], header[2], header[3]);
    size_t needed = header[EI_CLASS] == ELFCLASS32 ? sizeof(Elf32_Ehdr) : sizeof(Elf64_Ehdr);
    if ((size_t)length < needed)
        return err_set(e, ERR_UNTRUSTED, "an ELF file cut after %zd bytes of its header", length);
    return check_elf(header, arch, e);
}
