/* What the operator configured: flags, environment, configuration file (lib/options.h). Before
 * threads start. */
#pragma once

#include "lib/err.h"
#include "lib/options.h"
#include "lib/wire.h"

#include <limits.h>

#define SETTINGS_NODES_MAX 100

struct settings {
    char config[PATH_MAX];
    char agent_id[WIRE_AGENT_ID_SIZE]; /* "" : see settings_default_id */
    char master[320];                  /* HOST:PORT as given; "" when it was not */
    char token[2048];                  /* join string or bare secret; "" for none */
    char token_file[PATH_MAX];
    char state[PATH_MAX];
    int64_t nodes;
    char node_ports[32];
    char *label_list;        /* as given */
    int64_t restart_hung_ms; /* 0: never */
    bool sandbox;            /* nodes are fenced in */
    char platform[16];
    bool auto_download;
    char binary_path[256];
    char master_binary_url[512];
    bool stop_nodes;
    bool core_dumps;
    int64_t enroll_within_ms; /* 0: enroll, then run */
    char log_format[8];
    char log_level[8];
    bool help;
    bool version;
    const char *program_version; /* of the build; the program may set another one */
    /* made from the above */
    char *labels; /* canonical */
    int first_port;
    int last_port;
};

extern const struct options agent_options;

/* Reads every source and checks what can be checked without side effects; ERR_USAGE names the
 * option. The secret is taken out of the environment. After failure too, settings_clear. */
MUST_CHECK bool settings_load(struct settings *s, int argc, char **argv, struct err *e);
void settings_clear(struct settings *s); /* wipes the secret */

/* "7100-7199" or "7100". ERR_USAGE. */
MUST_CHECK bool settings_parse_ports(const char *text, int *first, int *last, struct err *e);

/* The host's name as an agent id; ERR_INVALID names --id when it cannot be one. */
MUST_CHECK bool settings_default_id(char out[WIRE_AGENT_ID_SIZE], struct err *e);
