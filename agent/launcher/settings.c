#include "agent/launcher/settings.h"

/* clang-format off */
static const struct option_entry entries[] = {
    {.flag = "state", .environment = {"GRID_AGENT_STATE", "GRID_STATE"}, .type = OPTION_STRING,
     OPTION(struct settings, state), .initial = "./grid-agent-state", .value_name = "DIR",
     .help = "state directory of the agent; its builds are in agent/ there"},
    {.flag = "proven-after", .environment = {"GRID_PROVEN_AFTER"}, .type = OPTION_DURATION,
     OPTION(struct settings, proven_after_ms), .initial = "60s", .value_name = "TIME",
     .help = "an agent that ran this long came up well"},
    {.flag = "restart-pause", .environment = {"GRID_RESTART_PAUSE"}, .type = OPTION_DURATION,
     OPTION(struct settings, pause_ms), .initial = "1s", .value_name = "TIME",
     .help = "pause before the agent is started again, doubled up to 60 times as long"},
    {.flag = "hung-after", .environment = {"GRID_HUNG_AFTER"}, .type = OPTION_DURATION,
     OPTION(struct settings, hung_after_ms), .initial = "120s", .value_name = "TIME",
     .help = "an agent that gave no sign of life for this long is killed and started again; 0: never"},
    {.flag = "use", .type = OPTION_STRING, OPTION(struct settings, use), .value_name = "VERSION-SHA256",
     .help = "make this build of STATE/agent the current one, and end; a running launcher takes it when its agent ends"},
    {.flag = "log-format", .environment = {"GRID_LOG_FORMAT"}, .type = OPTION_STRING,
     OPTION(struct settings, log_format), .initial = "text", .value_name = "text|json",
     .help = "form of the log lines"},
    {.flag = "log-level", .environment = {"GRID_LOG_LEVEL"}, .type = OPTION_STRING,
     OPTION(struct settings, log_level), .initial = "info", .value_name = "debug|info|warn|error",
     .help = "least important lines that are written"},
    {.flag = "help", .letter = 'h', .type = OPTION_BOOL, OPTION(struct settings, help), .help = "print this"},
    {.flag = "version", .letter = 'V', .type = OPTION_BOOL, OPTION(struct settings, version),
     .help = "print the version"},
};
/* clang-format on */

const struct options launcher_options = {.entries = entries,
                                         .count = sizeof entries / sizeof entries[0]};
