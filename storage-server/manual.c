#include "storage-server/manual.h"

#include "storage-server/settings.h"

/* One row a line. */
/* clang-format off */
static const struct manual_row files[] = {
    {"DATA/data", "the chunks"},
    {"DATA/quarantine", "damaged chunks, kept aside"},
    {"DATA/lock", "held by the process that serves the directory; tells its pid, port and version"},
    {"DATA/scrub.json", "how far the proof in the background has come"},
};
static const struct manual_row examples[] = {
    {"storage-server --data ./data --port 7100", "serves the chunks of ./data on http://127.0.0.1:7100"},
};
/* clang-format on */

const struct manual node_manual = {
    .program = "storage-server",
    .section = 8,
    .summary = "keeps chunks in a directory and serves them over HTTP",
    .usage = "--data DIR [options]",
    .details =
        "A storage node; grid-agent starts, watches and restarts it. Each chunk is proven by "
        "CRC32C when it is written, when it is read, and in the background. A node whose disk is "
        "full or fails serves on for reading.\n\n"
        "SIGTERM and SIGINT let running requests finish; a second one ends it at once. What was "
        "acknowledged is on disk either way.",
    .options = &node_options,
    .files = MANUAL_ROWS(files),
    .examples = MANUAL_ROWS(examples),
    .see_also = {"gridctl-node(1)", "grid-agent(8)", "grid-master(8)"},
};
