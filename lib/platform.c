#include "lib/platform.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>

struct alias {
    const char *name;
    const char *canonical;
};

static const struct alias platforms[] = {
    {"linux",   "linux"  },
    {"darwin",  "darwin" },
    {"macos",   "darwin" },
    {"macosx",  "darwin" },
    {"osx",     "darwin" },
    {"mac",     "darwin" },
    {"windows", "windows"},
    {"win",     "windows"},
    {"win32",   "windows"},
    {"win64",   "windows"},
    {"any",     "any"    },
    {"all",     "any"    },
    {NULL,      NULL     },
};

static const struct alias architectures[] = {
    {"x86_64",  "x86_64" },
    {"x86-64",  "x86_64" },
    {"amd64",   "x86_64" },
    {"x64",     "x86_64" },
    {"aarch64", "aarch64"},
    {"arm64",   "aarch64"},
    {"armv8",   "aarch64"},
    {"arm",     "arm"    },
    {"armhf",   "arm"    },
    {"armel",   "arm"    },
    {"armv6",   "arm"    },
    {"armv6l",  "arm"    },
    {"armv7",   "arm"    },
    {"armv7l",  "arm"    },
    {"armv8l",  "arm"    },
    {"x86",     "x86"    },
    {"i386",    "x86"    },
    {"i486",    "x86"    },
    {"i586",    "x86"    },
    {"i686",    "x86"    },
    {"ia32",    "x86"    },
    {"any",     "any"    },
    {"all",     "any"    },
    {"noarch",  "any"    },
    {NULL,      NULL     },
};

static const char *find(const struct alias *alias, const char *name) {
    for (; alias->name != NULL; alias++)
        if (strcasecmp(alias->name, name) == 0) return alias->canonical;
    return NULL;
}

const char *platform_canonical(const char *platform) {
    return find(platforms, platform);
}

const char *platform_arch_canonical(const char *arch) {
    return find(architectures, arch);
}

const char *platform_names(void) {
    return "linux, darwin, windows or any";
}

const char *platform_arch_names(void) {
    return "x86_64, aarch64, arm, x86 or any";
}

const char *platform_here(void) {
    struct utsname self;
    const char *canonical = uname(&self) == 0 ? platform_canonical(self.sysname) : NULL;
    return canonical != NULL ? canonical : "unknown";
}

const char *platform_arch_here(void) {
    struct utsname self;
    const char *canonical = uname(&self) == 0 ? platform_arch_canonical(self.machine) : NULL;
    return canonical != NULL ? canonical : "unknown";
}

static bool part_fits(const char *artifact, const char *machine) {
    return strcmp(artifact, "any") == 0 || strcmp(artifact, machine) == 0;
}

bool platform_fits(const char *artifact_platform, const char *artifact_arch,
                   const char *machine_platform, const char *machine_arch) {
    return part_fits(artifact_platform, machine_platform) && part_fits(artifact_arch, machine_arch);
}
