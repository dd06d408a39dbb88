#include "agent/launcher/manual.h"

#include "agent/launcher/settings.h"

/* One row a line. */
/* clang-format off */
static const struct manual_row files[] = {
    {"STATE/agent/VERSION-SHA256/grid-agent", "a build of the agent; it is started only while it holds what its name promises"},
    {"STATE/agent/current", "link to the build to start"},
    {"STATE/agent/previous", "link to the one to go back to"},
    {"STATE/agent/starts", "how often the current build was started in vain, and whether it is proven"},
    {"STATE/agent/trial/build", "the build that is on trial; the agent removes it when the build is proven"},
    {"STATE/agent/trial/log", "what that build says; the launcher passes it on"},
    {"STATE/agent/log", "where install.sh sends what both say, if there is no systemd; log.1 is the part before"},
    {"STATE/agent/failed", "the build given up last, when and why"},
};
static const struct manual_row examples[] = {
    {"grid-launcher --state /var/lib/grid-agent -- --config /etc/grid/agent.ini", "what the unit grid-agent.service runs"},
};
/* clang-format on */

const struct manual launcher_manual = {
    .program = "grid-launcher",
    .section = 8,
    .summary = "keeps the agent running, and goes back to the build before when a new one fails",
    .usage = "[options] [-- options of grid-agent]",
    .details =
        "The agent may update itself; the launcher, which it never updates, is there when that "
        "goes wrong. A build that ends three times before it ran long enough makes way for the one "
        "before. A build that once did is proven: after that only crashes count, for a wrong "
        "option or a full disk would end the build before as well. When the agent ends by itself "
        "it is started again, with a pause that grows. While an update of the agent is on trial "
        "every end counts, until the new agent has reached the master.\n\n"
        "An agent that hangs is noticed by the signs of life that it stops giving; it is ended by "
        "SIGABRT, then SIGKILL, which counts as a crash. Agents of versions that give none are "
        "left alone.\n\n"
        "SIGTERM, SIGINT, SIGHUP and SIGQUIT are handed on to the agent; the launcher ends with "
        "its exit code. Storage nodes live on.",
    .options = &launcher_options,
    .files = MANUAL_ROWS(files),
    .examples = MANUAL_ROWS(examples),
    .see_also = {"grid-agent(8)"},
};
