/* What man pages, --help and the reference say of this program. */
#pragma once

#include "lib/manual.h"

extern const struct manual launcher_manual;
