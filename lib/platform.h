/* Platforms and architectures: canonical names, their common aliases, what this machine is. Pure,
 * but for detection. */
#pragma once

#include "lib/err.h"

#define PLATFORM_SIZE 16

/* Canonical platforms: linux darwin windows any; architectures: x86_64 aarch64 arm x86 any.
 * Aliases (amd64, x64, arm64, armv7l, armhf, i386, i686, macos, osx, win, ...) in any case give the
 * canonical static string; NULL when unknown. */
const char *platform_canonical(const char *platform);
const char *platform_arch_canonical(const char *arch);

/* "linux, darwin, windows or any", for error texts. */
const char *platform_names(void);
const char *platform_arch_names(void);

/* This machine as the kernel tells it (uname), "unknown" for one that has no canonical name: only
 * "any" fits it. Static strings. */
const char *platform_here(void);
const char *platform_arch_here(void);

/* Whether an artifact for (platform, arch) runs on a machine: equal, or "any". */
bool platform_fits(const char *artifact_platform, const char *artifact_arch,
                   const char *machine_platform, const char *machine_arch);
