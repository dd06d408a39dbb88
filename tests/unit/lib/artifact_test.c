#include "lib/artifact.h"

#include "tests/unit/lib/random.h"

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct {
    const char *file_name;
    struct artifact_name parts;
} good[] = {
    {"storage-server-1.0.0-linux-x86_64",   {"storage-server", "1.0.0", "linux", "x86_64"}  },
    {"a-0.0.0-any-any",                     {"a", "0.0.0", "any", "any"}                    },
    {"s-s-1.0.0-rc-1-linux-aarch64",        {"s-s", "1.0.0-rc-1", "linux", "aarch64"}       },
    {"s-1.0.0-rc.1+build-7-darwin-aarch64", {"s", "1.0.0-rc.1+build-7", "darwin", "aarch64"}},
    {"s3-2-1.0.0-linux-arm",                {"s3-2", "1.0.0", "linux", "arm"}               },
    {"a-1.0-2.0.0-linux-x86",               {"a-1.0", "2.0.0", "linux", "x86"}              },
    {"a-1.0.0-2.0.0-linux-x86",             {"a", "1.0.0-2.0.0", "linux", "x86"}            },
    {"a-1.0.0-linux-any-windows-any",       {"a", "1.0.0-linux-any", "windows", "any"}      },
    {"lib_x.y-9-10.20.30-windows-x86_64",   {"lib_x.y-9", "10.20.30", "windows", "x86_64"}  },
    {"0-0.0.1---linux-any",                 {"0", "0.0.1--", "linux", "any"}                },
    {"a--1.0.0-linux-any",                  {"a-", "1.0.0", "linux", "any"}                 },
    {"a-v1-1.0.0-linux-any",                {"a-v1", "1.0.0", "linux", "any"}               },
    {"a-01.0.0-1.0.0-linux-any",            {"a-01.0.0", "1.0.0", "linux", "any"}           },
};

static void assert_parts(const struct artifact_name *a, const struct artifact_name *expected) {
    assert_string_equal(a->name, expected->name);
    assert_string_equal(a->version, expected->version);
    assert_string_equal(a->platform, expected->platform);
    assert_string_equal(a->arch, expected->arch);
}

static void file_names_come_apart_and_together(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        const struct artifact_name *expected = &good[i].parts;
        struct artifact_name a;
        struct err e;
        char file_name[ARTIFACT_FILE_SIZE];
        if (!artifact_name_parse(good[i].file_name, &a, &e)) fail_msg("%s", e.text);
        assert_parts(&a, expected);
        assert_string_equal(artifact_file_name(&a, file_name), good[i].file_name);
        if (!artifact_name_make(expected->name, expected->version, expected->platform,
                                expected->arch, &a, &e))
            fail_msg("%s", e.text);
        assert_parts(&a, expected);
    }
}

static void wrong_file_names_are_refused_with_the_part_at_fault(void **state) {
    (void)state;
    static const struct {
        const char *file_name;
        const char *text;
    } cases[] = {
        {"storage-server-1.0-linux-x86_64",
         "storage-server-1.0-linux-x86_64: version 1.0 is not MAJOR.MINOR.PATCH[-pre][+build]"                 },
        {"s-1.0-2-linux-any",
         "s-1.0-2-linux-any: version 1.0-2 is not MAJOR.MINOR.PATCH[-pre][+build]"                             },
        {"s-v1.0.0-linux-any",              "s-v1.0.0-linux-any: version v1.0.0 is written 1.0.0, without v"   },
        {"s-01.0.0-linux-any",
         "s-01.0.0-linux-any: version 01.0.0 is not MAJOR.MINOR.PATCH[-pre][+build]"                           },
        {"s-1.0.0_1-linux-any",
         "s-1.0.0_1-linux-any: version 1.0.0_1 is not MAJOR.MINOR.PATCH[-pre][+build]"                         },
        {"s-1.0.0-linux-amd64",
         "s-1.0.0-linux-amd64: architecture amd64 is written x86_64 in file names"                             },
        {"s-1.0.0-Linux-any",               "s-1.0.0-Linux-any: platform Linux is written linux in file names" },
        {"s-1.0.0-macos-any",               "s-1.0.0-macos-any: platform macos is written darwin in file names"},
        {"s-1.0.0-linux-riscv64",
         "s-1.0.0-linux-riscv64: architecture riscv64 is not x86_64, aarch64, arm, x86 or any"                 },
        {"s-1.0.0-plan9-any",
         "s-1.0.0-plan9-any: platform plan9 is not linux, darwin, windows or any"                              },
        {"s-1.0.0-x86_64-linux",
         "s-1.0.0-x86_64-linux: architecture linux is not x86_64, aarch64, arm, x86 or any"                    },
        {"s-1.0.0-linux-x86_64.exe",        "s-1.0.0-linux-x86_64.exe: architecture x86_64.exe is not "
                                     "x86_64, aarch64, arm, x86 or any"    },
        {"1.0.0-linux-any",                 "1.0.0-linux-any: there is no name before version 1.0.0"           },
        {"-1.0.0-linux-any",                "-1.0.0-linux-any: the name is empty"                              },
        {"server-linux-any",                "server-linux-any: there is no version before platform linux"      },
        {"linux-any",                       "linux-any: not {name}-{version}-{platform}-{arch}"                },
        {"-linux-any",                      "-linux-any: there is no version before platform linux"            },
        {"Server-1.0.0-linux-any",
         "Server-1.0.0-linux-any: name Server is not [a-z0-9] followed by any of [a-z0-9_.-]"                  },
        {".s-1.0.0-linux-any",
         ".s-1.0.0-linux-any: name .s is not [a-z0-9] followed by any of [a-z0-9_.-]"                          },
        {"a b-1.0.0-linux-any",
         "a b-1.0.0-linux-any: name a b is not [a-z0-9] followed by any of [a-z0-9_.-]"                        },
        {"../s-1.0.0-linux-any",
         "../s-1.0.0-linux-any: name ../s is not [a-z0-9] followed by any of [a-z0-9_.-]"                      },
        {"s\x1b[1m\xff-1.0.0-linux-any",
         "s?[1m?-1.0.0-linux-any: name s?[1m? is not [a-z0-9] followed by any of [a-z0-9_.-]"                  },
        {"README.md",                       "README.md: not {name}-{version}-{platform}-{arch}"                },
        {"a-b",                             "a-b: not {name}-{version}-{platform}-{arch}"                      },
        {"a-any",                           "a-any: not {name}-{version}-{platform}-{arch}"                    },
        {"",                                ": not {name}-{version}-{platform}-{arch}"                         },
        {"s-1.0.0-linux-",                  "s-1.0.0-linux-: the architecture is empty"                        },
        {"s-1.0.0--any",                    "s-1.0.0--any: the platform is empty"                              },
        {"-",                               "-: not {name}-{version}-{platform}-{arch}"                        },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct artifact_name a;
        struct err e = {0};
        memset(&a, 'x', sizeof a);
        if (artifact_name_parse(cases[i].file_name, &a, &e)) fail_msg("%s", cases[i].file_name);
        assert_int_equal(e.code, ERR_INVALID);
        assert_string_equal(e.text, cases[i].text);
        assert_non_null(strstr(e.hint, "storage-server-1.0.0-linux-x86_64"));
        assert_string_equal(a.name, "");
        assert_string_equal(a.arch, "");
    }
}

static void fill(char *out, char with, size_t length) {
    memset(out, with, length);
    out[length] = '\0';
}

static void names_and_versions_may_be_just_so_long(void **state) {
    (void)state;
    char name[ARTIFACT_NAME_SIZE + 1];
    char version[SEMVER_SIZE + 1] = "1.0.0-";
    char file_name[2 * ARTIFACT_FILE_SIZE];
    struct artifact_name a;
    struct err e;
    fill(name, 'n', ARTIFACT_NAME_SIZE - 1);
    fill(version + 6, 'v', SEMVER_SIZE - 1 - 6);
    assert_true(artifact_name_make(name, version, "windows", "aarch64", &a, &e));
    assert_true(artifact_name_parse(artifact_file_name(&a, file_name), &a, &e));
    assert_string_equal(a.name, name);
    assert_string_equal(a.version, version);
    strcat(name, "n");
    assert_false(artifact_name_make(name, "1.0.0", "linux", "any", &a, &e));
    assert_non_null(strstr(e.text, "longer than 63 characters"));
    snprintf(file_name, sizeof file_name, "%s-1.0.0-linux-any", name);
    assert_false(artifact_name_parse(file_name, &a, &e));
    assert_non_null(strstr(e.text, "longer than 63 characters"));
    strcat(version, "v");
    assert_false(artifact_name_make("n", version, "linux", "any", &a, &e));
    assert_non_null(strstr(e.text, "longer than 63 characters"));
    fill(file_name, 'f', sizeof file_name - 1);
    assert_false(artifact_name_parse(file_name, &a, &e));
    assert_non_null(strstr(e.text, "fff...: longer than"));
}

static void make_takes_aliases(void **state) {
    (void)state;
    struct artifact_name a;
    struct err e;
    assert_true(artifact_name_make("s", "1.0.0", "macOS", "ARM64", &a, &e));
    assert_parts(&a, &(struct artifact_name){"s", "1.0.0", "darwin", "aarch64"});
}

static void make_names_the_part_at_fault(void **state) {
    (void)state;
    static const struct {
        struct {
            const char *name, *version, *platform, *arch;
        } in;
        const char *part;
    } cases[] = {
        {{"", "1.0.0", "linux", "any"},          "name is empty"        },
        {{"S", "1.0.0", "linux", "any"},         "name S"               },
        {{"a/b", "1.0.0", "linux", "any"},       "name a/b"             },
        {{"..", "1.0.0", "linux", "any"},        "name .."              },
        {{"s", "", "linux", "any"},              "version is empty"     },
        {{"s", "1.0.0", "", "any"},              "platform is empty"    },
        {{"s", "1.0.0", "any", ""},              "architecture is empty"},
        {{"s", "v1.0.0", "linux", "any"},        "without v"            },
        {{"s", "latest", "linux", "any"},        "version latest"       },
        {{"s", "1.0.0/..", "linux", "any"},      "version 1.0.0/.."     },
        {{"s", "1.0.0", "beos", "any"},          "platform beos"        },
        {{"s", "1.0.0", "linux", "m68k"},        "architecture m68k"    },
        {{"a-1.0.0", "2.0.0", "linux", "any"},   "name a-1.0.0"         },
        {{"a-1.0.0-b", "2.0.0", "linux", "any"}, "name a-1.0.0-b"       },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct artifact_name a;
        struct err e = {0};
        if (artifact_name_make(cases[i].in.name, cases[i].in.version, cases[i].in.platform,
                               cases[i].in.arch, &a, &e))
            fail_msg("taken: case %zu", i);
        assert_int_equal(e.code, ERR_INVALID);
        if (strstr(e.text, cases[i].part) == NULL) fail_msg("%s", e.text);
        assert_string_equal(a.name, "");
    }
}

static void make_text(char *out, int parts, const char *const *words, size_t count) {
    out[0] = '\0';
    for (int i = 0; i < parts; i++) strcat(out, words[random_below(count)]);
}

/* Whatever make accepts reads back from its file name: no two artifacts share one. */
static void made_names_read_back(void **state) {
    (void)state;
    static const char *const words[] = {"a",     "-",  "-",     "1",   "0", ".", "1.0.0",
                                        "2.1.0", "rc", "linux", "any", "_", "+"};
    static const char *const platforms[] = {"linux", "darwin", "windows", "any"};
    static const char *const arches[] = {"x86_64", "aarch64", "arm", "x86", "any"};
    int made = 0;
    int refused = 0;
    for (int round = 0; round < 200000; round++) {
        char name[64];
        char version[64];
        struct artifact_name a;
        struct artifact_name again;
        char file_name[ARTIFACT_FILE_SIZE];
        make_text(name, 1 + (int)random_below(5), words, COUNT(words));
        snprintf(version, sizeof version, "%s", random_below(2) == 0 ? "1.0.0-" : "1.0.0");
        if (version[5] == '-')
            make_text(version + 6, 1 + (int)random_below(4), words, COUNT(words));
        if (!artifact_name_make(name, version, platforms[random_below(4)], arches[random_below(5)],
                                &a, NULL)) {
            refused++;
            continue;
        }
        made++;
        if (!artifact_name_parse(artifact_file_name(&a, file_name), &again, NULL))
            fail_msg("%s", file_name);
        assert_parts(&again, &a);
    }
    assert_true(made > 1000 && refused > 1000);
}

static int file_of(const void *bytes, size_t length) {
    int fd = memfd_create("artifact", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
    return fd;
}

static bool runs(const void *bytes, size_t length, const char *platform, const char *arch,
                 struct err *e) {
    OWN_FD int fd = file_of(bytes, length);
    return artifact_check_machine(fd, platform, arch, e);
}

struct header {
    union {
        Elf64_Ehdr wide;
        Elf32_Ehdr narrow;
        unsigned char bytes[sizeof(Elf64_Ehdr)];
    };
    size_t size;
};

static struct header elf(unsigned char elf_class, uint16_t machine, uint16_t type) {
    struct header h = {0};
    memcpy(h.bytes, ELFMAG, SELFMAG);
    h.bytes[EI_CLASS] = elf_class;
    h.bytes[EI_DATA] = ELFDATA2LSB;
    h.wide.e_type = type; /* these two lie at the same place in both classes */
    h.wide.e_machine = machine;
    h.size = elf_class == ELFCLASS32 ? sizeof(Elf32_Ehdr) : sizeof(Elf64_Ehdr);
    return h;
}

static const struct {
    const char *arch;
    unsigned char elf_class;
    uint16_t machine;
} machines[] = {
    {"x86_64",  ELFCLASS64, EM_X86_64 },
    {"aarch64", ELFCLASS64, EM_AARCH64},
    {"arm",     ELFCLASS32, EM_ARM    },
    {"x86",     ELFCLASS32, EM_386    },
};

static void elf_files_run_on_their_own_machine_alone(void **state) {
    (void)state;
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++) {
            struct err e = {0};
            struct header h = elf(machines[i].elf_class, machines[i].machine, ET_DYN);
            assert_int_equal(runs(h.bytes, h.size, "linux", machines[k].arch, &e), i == k);
            if (i == k) continue;
            assert_int_equal(e.code, ERR_UNTRUSTED);
            assert_non_null(strstr(e.text, machines[i].arch));
            assert_non_null(strstr(e.text, machines[k].arch));
        }
}

static void elf_class_order_and_type_count(void **state) {
    (void)state;
    struct err e;
    struct header h = elf(ELFCLASS64, EM_X86_64, ET_EXEC);
    assert_true(runs(h.bytes, h.size, "linux", "x86_64", &e));
    h = elf(ELFCLASS32, EM_X86_64, ET_EXEC);
    assert_false(runs(h.bytes, h.size, "linux", "x86_64", &e));
    h = elf(ELFCLASS64, EM_X86_64, ET_REL);
    assert_false(runs(h.bytes, h.size, "linux", "x86_64", &e));
    assert_non_null(strstr(e.text, "not an executable"));
    h = elf(ELFCLASS64, EM_X86_64, ET_CORE);
    assert_false(runs(h.bytes, h.size, "linux", "x86_64", &e));
    h = elf(ELFCLASS64, EM_X86_64, ET_EXEC);
    h.bytes[EI_DATA] = ELFDATA2MSB;
    assert_false(runs(h.bytes, h.size, "linux", "x86_64", &e));
    h = elf(ELFCLASS64, EM_RISCV, ET_EXEC);
    assert_false(runs(h.bytes, h.size, "linux", "x86_64", &e));
    assert_non_null(strstr(e.text, "machine 243"));
}

static void cut_and_foreign_files_do_not_run(void **state) {
    (void)state;
    struct err e;
    struct header h = elf(ELFCLASS64, EM_X86_64, ET_EXEC);
    for (size_t length = 0; length < h.size; length++) {
        assert_false(runs(h.bytes, length, "linux", "x86_64", &e));
        assert_int_equal(e.code, ERR_UNTRUSTED);
    }
    assert_false(runs("MZ\x90\x00", 4, "linux", "x86_64", &e));
    assert_non_null(strstr(e.text, "4d 5a 90 00"));
    assert_false(runs("#", 1, "linux", "x86_64", &e));
}

static void scripts_run_everywhere_and_only_linux_is_checked(void **state) {
    (void)state;
    struct err e;
    struct header h = elf(ELFCLASS64, EM_AARCH64, ET_EXEC);
    assert_true(runs("#!/bin/sh\n", 10, "linux", "x86_64", &e));
    assert_true(runs("#!", 2, "linux", "arm", &e));
    assert_true(runs(h.bytes, h.size, "any", "x86_64", &e));
    assert_true(runs(h.bytes, h.size, "linux", "any", &e));
    assert_true(runs("anything", 8, "windows", "x86_64", &e));
    assert_true(runs("", 0, "darwin", "aarch64", &e));
}

static void a_real_program_is_known_and_its_descriptor_left_alone(void **state) {
    (void)state;
    struct err e = {0};
    OWN_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_true(lseek(fd, 5, SEEK_SET) == 5);
    if (!artifact_check_machine(fd, "linux", platform_arch_here(), &e)) fail_msg("%s", e.text);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 5);
    assert_false(artifact_check_machine(-1, "linux", "x86_64", &e));
    assert_int_equal(e.code, ERR_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_names_come_apart_and_together),
        cmocka_unit_test(wrong_file_names_are_refused_with_the_part_at_fault),
        cmocka_unit_test(names_and_versions_may_be_just_so_long),
        cmocka_unit_test(make_takes_aliases),
        cmocka_unit_test(make_names_the_part_at_fault),
        cmocka_unit_test(made_names_read_back),
        cmocka_unit_test(elf_files_run_on_their_own_machine_alone),
        cmocka_unit_test(elf_class_order_and_type_count),
        cmocka_unit_test(cut_and_foreign_files_do_not_run),
        cmocka_unit_test(scripts_run_everywhere_and_only_linux_is_checked),
        cmocka_unit_test(a_real_program_is_known_and_its_descriptor_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
