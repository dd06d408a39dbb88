#include "agent/manual.h"

#include "agent/settings.h"

/* One row a line. */
/* clang-format off */
static const struct manual_row files[] = {
    {"STATE/identity", "the key this machine joined with and the keys it believes; without it the machine has to join anew"},
    {"STATE/store", "versions of programs, named by their SHA-256"},
    {"STATE/agent", "builds of the agent itself, where grid-launcher(8) started it; it updates itself there"},
    {"STATE/nodes", "one directory a node, with its data and its log"},
};
static const struct manual_row examples[] = {
    {"GRID_TOKEN='grid://...' grid-agent --id rack-b-1 --state /var/lib/grid-agent",
     "joins with the join string of gridctl agent join-command, then runs"},
    {"grid-agent --config agent.ini", "runs by a configuration file"},
    {"grid-agent --state ./trial --stop-nodes", "takes its nodes along when it ends"},
};
/* clang-format on */

const struct manual agent_manual = {
    .program = "grid-agent",
    .section = 8,
    .summary = "makes this machine run what the grid wants of it",
    .usage = "[options]",
    .details =
        "The agent joins once, with a join string; after that it knows the master by its key. It "
        "downloads the version that its channel points to, proves that the grid's publishers named "
        "exactly these bytes for this machine, starts its storage nodes from sealed memory, "
        "watches them, and starts them again "
        "when they end. A version that does not become healthy is given up for the one before.\n\n"
        "SIGTERM, SIGINT and SIGHUP end the agent. Its nodes live on and are found by its next "
        "start, unless --stop-nodes is given.",
    .options = &agent_options,
    .files = MANUAL_ROWS(files),
    .examples = MANUAL_ROWS(examples),
    .see_also = {"gridctl(1)", "grid-launcher(8)", "grid-master(8)", "storage-server(8)"},
};
