#include "tests/sim/world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"",   "v1", "v2", "v3", "v4",  "v5",
                                    "v6", "v7", "v8", "v9", "v10", "v11"};
_Static_assert(sizeof names / sizeof names[0] == SIM_VERSIONS, "a name for each version");

const char *version_name(int version) {
    assert(version >= 0 && version < SIM_VERSIONS);
    return names[version];
}

int version_number(const char *name) {
    return name[0] == 'v' ? (int)strtol(name + 1, NULL, 10) : 0;
}
