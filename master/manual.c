#include "master/manual.h"

#include "master/settings.h"

/* One row a line. */
/* clang-format off */
static const struct manual_row files[] = {
    {"STATE/grid.db", "the database: agents, tokens, channels, events"},
    {"STATE/objects", "published files, named by their SHA-256"},
    {"STATE/keys", "the message key, the release key and those of TUF metadata, secret"},
    {"STATE/trusted-keys", "public keys of publishers"},
    {"STATE/admin.token", "a token of role admin; made anew when it is missing"},
    {"STATE/tls", "the CA, and the certificates that it signed; ca.key is secret"},
    {"STATE/url", "where HTTP is served, for gridctl on this machine"},
    {"STATE/uploads", "uploads that were cut and may go on"},
};
static const struct manual_row examples[] = {
    {"grid-master", "serves on loopback, with its state in ./grid-state and the drop box ./binaries"},
    {"grid-master --state /var/lib/grid --binaries /srv/binaries --http 0.0.0.0:7001 --bus 0.0.0.0:7000",
     "serves other machines, over TLS with a CA of its own"},
    {"grid-master --http 0 --bus 0", "picks free ports and prints them"},
};
/* clang-format on */

const struct manual master_manual = {
    .program = "grid-master",
    .section = 8,
    .summary = "serves verified binaries over HTTP and tells agents over the bus what to run",
    .usage = "[options]",
    .details =
        "The first start makes keys, a database and an admin token in the state directory, and "
        "prints what to type next. Files put into the drop box under the name "
        "NAME-VERSION-PLATFORM-ARCH are checked, signed and published; channels point to versions; "
        "agents that follow a channel download its version, prove it and run it.\n\n"
        "The addresses in use are printed as the lines \"http URL\" and \"bus ADDRESS\" as soon as "
        "both are served. SIGTERM and SIGINT end the master; agents and nodes go on without it.",
    .options = &master_options,
    .files = MANUAL_ROWS(files),
    .examples = MANUAL_ROWS(examples),
    .see_also = {"gridctl(1)", "grid-agent(8)", "storage-server(8)"},
};
