/* Every command of gridctl. A new one is a row here and a handler in the file of its noun. */
#include "cli/command.h"
#include "cli/handlers.h"

#include <stddef.h>

/* clang-format off */
#define FLAG(flag_, field_, help_) \
    {.flag = (flag_), .type = OPTION_BOOL, OPTION(struct settings, field_), .help = (help_)}
#define VALUE(type_, flag_, field_, name_, initial_, help_) \
    {.flag = (flag_), .type = (type_), OPTION(struct settings, field_), .value_name = (name_), .initial = (initial_), .help = (help_)}

#define FILTER VALUE(OPTION_LIST, "filter", filters, "NAME=VALUE", NULL, "only what fits; again for more; label=SELECTOR for agents")
#define SORT VALUE(OPTION_STRING, "sort", sort, "FIELD", NULL, "order by this field, -FIELD for descending")
#define LIMIT VALUE(OPTION_INT, "limit", limit, "N", "0", "at most so many, 0 for all")
#define YES {.flag = "yes", .letter = 'y', .type = OPTION_BOOL, OPTION(struct settings, yes), .help = "do not ask"}
#define DRY_RUN FLAG("dry-run", dry_run, "say what would be done and do nothing")
#define LINES VALUE(OPTION_INT, "lines", lines, "N", "200", "so many of the last lines")
#define NAME VALUE(OPTION_STRING, "name", name, "NAME", NULL, "artifact name instead of the file name's")
#define VERSION VALUE(OPTION_STRING, "version", artifact_version, "SEMVER", NULL, "version instead of the file name's")
#define PLATFORM VALUE(OPTION_STRING, "platform", platform, "linux|darwin|windows|any", NULL, "platform instead of the file name's")
#define ARCH VALUE(OPTION_STRING, "arch", arch, "x86_64|aarch64|arm|x86|any", NULL, "architecture instead of the file name's")
#define SIGNATURE VALUE(OPTION_STRING, "signature", signature, "FILE", NULL, "signature instead of PATH.minisig")
#define SECRET_KEY VALUE(OPTION_LIST, "key", keys, "FILE", NULL, "secret key to sign with; its password from GRID_KEY_PASSWORD or the terminal")
#define SECRET_KEYS VALUE(OPTION_LIST, "key", keys, "FILE", NULL, "secret key to sign with, again for more; password from GRID_KEY_PASSWORD or the terminal")
#define METADATA VALUE(OPTION_LIST, "metadata", trust.metadata, "FILE", NULL, "root or targets in force, instead of asking the master; again for the other")
#define LIFE VALUE(OPTION_DURATION, "expires", trust.life_ms, "TIME", NULL, "good for so long; else two years (root), a year (targets)")
#define ABANDON FLAG("abandon", trust.abandon, "even when agents are left behind that trust no root yet")
#define SCOPE VALUE(OPTION_STRING, "scope", scope, "SELECTOR", NULL, "only for agents with these labels, as rack=b; else for all")
#define LABEL VALUE(OPTION_LIST, "label", labels, "KEY=VALUE", NULL, "label that the joining machine gets; again for more")
#define KIND_JOIN {.type = OPTION_STRING, OPTION(struct settings, kind), .initial = "join"}

static const struct option_entry global_options[] = {
    {.flag = "output", .letter = 'o', .type = OPTION_STRING, OPTION(struct settings, output), .initial = "table",
     .value_name = "table|wide|json|name", .help = "form of the answer; not every command has all four"},
    {.flag = "url", .environment = {"GRID_URL"}, .type = OPTION_STRING, OPTION(struct settings, url), .value_name = "URL",
     .help = "the master, or a join string; else STATE/url, what login kept, http://127.0.0.1:7001"},
    {.flag = "ca", .environment = {"GRID_CA"}, .type = OPTION_STRING, OPTION(struct settings, ca), .value_name = "FILE",
     .help = "the CA of an https master, as PEM; else STATE/tls/pin, what login kept, the system's CAs"},
    {.flag = "cert", .environment = {"GRID_CERT"}, .type = OPTION_STRING, OPTION(struct settings, cert), .value_name = "FILE",
     .help = "certificate and key, as PEM, for a master that asks clients for one"},
    {.flag = "token-file", .type = OPTION_STRING, OPTION(struct settings, token_file), .value_name = "FILE",
     .help = "holds the token, - for stdin; else GRID_TOKEN, STATE/admin.token, what login kept"},
    {.flag = "state", .environment = {"GRID_STATE"}, .type = OPTION_STRING, OPTION(struct settings, state),
     .value_name = "DIR", .help = "state directory of a local master; else ./grid-state"},
    VALUE(OPTION_DURATION, "timeout", timeout_ms, "TIME", NULL, "longest time for one answer; 0: 30s, no limit for files"),
    {.flag = "help", .letter = 'h', .type = OPTION_BOOL, OPTION(struct settings, help), .help = "this page"},
};
static const struct option_entry bare_options[] = {
    FLAG("version", version, "the version of gridctl"),
};

static const struct option_entry list_options[] = {FILTER, SORT, LIMIT};
static const struct option_entry list_limit_options[] = {LIMIT};
static const struct option_entry audit_list_options[] = {FILTER, LIMIT};
static const struct option_entry plain_change_options[] = {DRY_RUN};
static const struct option_entry asked_change_options[] = {YES, DRY_RUN};
static const struct option_entry agent_rm_options[] = {
    YES, DRY_RUN, FLAG("force", force, "even while it is up"),
};
static const struct option_entry agent_label_options[] = {
    DRY_RUN, VALUE(OPTION_STRING, "channel", channel, "CHANNEL", NULL, "follow this channel from now on"),
};
static const struct option_entry join_options[] = {
    VALUE(OPTION_DURATION, "expires", expires_ms, "TIME", "1h", "how long it may be used"),
    VALUE(OPTION_INT, "uses", uses, "N", "1", "how many machines may use it"),
    LABEL, KIND_JOIN,
};
static const struct option_entry log_options[] = {LINES};
static const struct option_entry binary_list_options[] = {
    FILTER, SORT, LIMIT, FLAG("rejected", rejected, "files of the drop box that were refused, with the reason"),
};
static const struct option_entry binary_push_options[] = {
    NAME, VERSION, PLATFORM, ARCH, SECRET_KEY, SIGNATURE,
    VALUE(OPTION_STRING, "notes", notes, "TEXT", NULL, "a line about it for people"),
    DRY_RUN,
};
static const struct option_entry binary_verify_options[] = {
    NAME, VERSION, PLATFORM, ARCH, SIGNATURE,
    VALUE(OPTION_STRING, "key-file", key_file, "FILE", NULL, "public key (.pub) that must have signed it"),
    VALUE(OPTION_STRING, "root", trust.root, "N.SHA256", NULL, "the root to believe, as root= of a join string; else the one of the first use"),
};
static const struct option_entry binary_sign_options[] = {NAME, VERSION, PLATFORM, ARCH, SECRET_KEYS, METADATA};
static const struct option_entry key_show_options[] = {
    VALUE(OPTION_STRING, "role", trust.roles, "root|targets", NULL, "the metadata of this role, as they are"),
    FLAG("release", trust.release, "the public key that signs downloads"), METADATA,
};
static const struct option_entry key_rotate_options[] = {
    VALUE(OPTION_STRING, "role", trust.roles, "ROLE,...", NULL, "of these roles; else snapshot,timestamp"),
    FLAG("offline", trust.offline, "give root and targets to keys that the master has not got"),
    VALUE(OPTION_LIST, "root-key", trust.root_keys, "FILE", NULL, "key of root: .key signs now, .pub later; again for more"),
    VALUE(OPTION_INT, "root-threshold", trust.root_threshold, "N", "1", "so many keys of root must sign"),
    VALUE(OPTION_LIST, "targets-key", trust.targets_keys, "FILE", NULL, "key of targets: .key signs now, .pub later; again for more"),
    VALUE(OPTION_INT, "targets-threshold", trust.targets_threshold, "N", "1", "so many keys of targets must sign"),
    VALUE(OPTION_LIST, "key", keys, "FILE", NULL, "secret key to sign with besides, such as one of root in force; again for more"),
    LIFE, ABANDON, YES, DRY_RUN,
};
static const struct option_entry key_root_options[] = {
    VALUE(OPTION_LIST, "add", trust.add, "ROLE=FILE", NULL, "this key (.pub or .key) may sign the role, too; again for more"),
    VALUE(OPTION_LIST, "remove", trust.remove, "ROLE=KEY", NULL, "this key, by id or file, signs the role no more; again for more"),
    VALUE(OPTION_LIST, "threshold", trust.thresholds, "ROLE=N", NULL, "so many keys must sign the role; again for more"),
    SECRET_KEYS, METADATA, LIFE, ABANDON, YES, DRY_RUN,
};
static const struct option_entry key_targets_options[] = {
    VALUE(OPTION_LIST, "yank", trust.yank, "BINARY", NULL, "agents begin this file no more; again for more"),
    VALUE(OPTION_LIST, "remove", trust.drop, "BINARY", NULL, "this file is published no more; again for more"),
    VALUE(OPTION_LIST, "floor", trust.floors, "ARTIFACT=VERSION", NULL, "agents begin nothing below; none for no floor; again for more"),
    SECRET_KEYS, METADATA, LIFE, YES, DRY_RUN,
};
static const struct option_entry key_sign_options[] = {SECRET_KEYS, METADATA, YES};
static const struct option_entry key_publish_options[] = {ABANDON, YES, DRY_RUN};
static const struct option_entry channel_set_options[] = {
    DRY_RUN, VALUE(OPTION_STRING, "artifact", artifact, "NAME", NULL, "artifact it points to; else storage-server"),
};
#define WHAT_AND_WHOM \
    VALUE(OPTION_STRING, "version", artifact_version, "VERSION", NULL, "move agents to this version"), \
    VALUE(OPTION_STRING, "name", name, "ARTIFACT", NULL, "artifact; else storage-server"), \
    VALUE(OPTION_STRING, "selector", rollout.selector, "SELECTOR", NULL, "agents whose labels fit, k=v,k!=v,k,!k; else all")
#define HOW \
    VALUE(OPTION_STRING, "canary", rollout.canary, "AMOUNT", NULL, "so many first, 2 or 10%, 0 for none; else 1"), \
    VALUE(OPTION_STRING, "max-parallel", rollout.max_parallel, "AMOUNT", NULL, "so many at once, 2 or 10%; else 5%"), \
    VALUE(OPTION_STRING, "max-failures", rollout.max_failures, "N", NULL, "so many may fail before all go back; else 5% rounded down"), \
    VALUE(OPTION_STRING, "min-healthy", rollout.min_healthy, "TIME", NULL, "healthy without a break for so long; else 30s"), \
    VALUE(OPTION_STRING, "probation", rollout.probation, "TIME", NULL, "each is watched for so long; else 2m"), \
    VALUE(OPTION_STRING, "auto-promote", rollout.auto_promote, "TIME", NULL, "from the canaries' proof to the others, or never; else 0s"), \
    VALUE(OPTION_STRING, "healthy-deadline", rollout.healthy_deadline, "TIME", NULL, "healthy within; else 5m"), \
    VALUE(OPTION_STRING, "progress-deadline", rollout.progress_deadline, "TIME", NULL, "pause when nothing moved for so long; else 10m"), \
    VALUE(OPTION_STRING, "topology", rollout.topology, "LABEL", NULL, "one value of it at a time, none for no such rule; else rack or zone"), \
    VALUE(OPTION_LIST, "window", rollout.windows, "WINDOW", NULL, "begin in these hours only, 'mon-fri 22:00-04:00 Europe/Berlin'; again for more"), \
    FLAG("supersede", rollout.supersede, "end other active rollouts of the same agents"), \
    FLAG("override-quarantine", rollout.override_quarantine, "even a build that failed before"), \
    FLAG("allow-unavailable", rollout.allow_unavailable, "do not ask nodes whether they may stop"), \
    {.flag = "auto-revert", .type = OPTION_BOOL, OPTION(struct settings, rollout.auto_revert), .initial = "on", \
     .help = "go back when the version is bad; --no-auto-revert pauses instead"}
#define WAIT FLAG("wait", rollout.wait, "watch until it has ended; --timeout is for all of it")
static const struct option_entry rollout_plan_options[] = {WHAT_AND_WHOM, HOW};
static const struct option_entry rollout_start_options[] = {
    WHAT_AND_WHOM, HOW, YES, DRY_RUN,
    {.flag = "wait", .type = OPTION_BOOL, OPTION(struct settings, rollout.wait), .initial = "on",
     .help = "watch until it has ended; --timeout is for all of it"},
};
static const struct option_entry rollout_status_options[] = {WAIT};
static const struct option_entry rollout_list_options[] = {
    FLAG("active", rollout.active, "only those that may still move agents"), FILTER, LIMIT,
};
static const struct option_entry rollout_order_options[] = {DRY_RUN, WAIT};
static const struct option_entry rollout_asked_options[] = {YES, DRY_RUN};
static const struct option_entry rollout_rollback_options[] = {YES, DRY_RUN, WAIT};
static const struct option_entry binary_floor_options[] = {
    FLAG("clear", clear, "remove the floor"), YES, DRY_RUN,
};
static const struct option_entry token_create_options[] = {
    VALUE(OPTION_STRING, "kind", kind, "api|join", "api", "for people and programs, or for machines that join"),
    VALUE(OPTION_STRING, "role", role, "viewer|operator|publisher|admin", "viewer", "what an api token allows"),
    VALUE(OPTION_DURATION, "expires", expires_ms, "TIME", "1h", "how long it is good, 0 for ever (api only)"),
    VALUE(OPTION_INT, "uses", uses, "N", "1", "of a join token: how many machines may use it"),
    LABEL,
    SCOPE,
};
static const struct option_entry user_invite_options[] = {
    VALUE(OPTION_STRING, "role", role, "viewer|operator|publisher|admin", "viewer", "what they may do"),
    SCOPE,
    VALUE(OPTION_DURATION, "expires", expires_ms, "TIME", "1d", "how long the link is good"),
};
static const struct option_entry event_tail_options[] = {
    VALUE(OPTION_INT, "since", since, "SEQ", "-1", "what came after this number; -1: the last ones"),
    {.flag = "follow", .letter = 'f', .type = OPTION_BOOL, OPTION(struct settings, follow), .help = "wait for more until Ctrl-C"},
    VALUE(OPTION_INT, "limit", limit, "N", "0", "at most so many before following; 0: 20, or all with --since"),
    VALUE(OPTION_STRING, "kind", kind, "KIND", NULL, "only this kind, such as agent.up"),
    VALUE(OPTION_STRING, "subject", subject, "NAME", NULL, "only about this agent, node, binary, ..."),
};
static const struct option_entry api_options[] = {
    VALUE(OPTION_LIST, "data", data, "JSON", NULL, "body: JSON, @FILE, or - for stdin"), DRY_RUN,
};

#define OPTIONS_OF(options_) .options = (options_), .option_count = sizeof(options_) / sizeof((options_)[0])

static const struct command commands[] = {
    {.noun = "status", .arguments = "", .summary = "the grid at a glance, and what to do next",
     .formats = COMMAND_TEXT | COMMAND_WIDE | COMMAND_JSON, .run = status_show},
    {.noun = "doctor", .arguments = "", .summary = "looks for what is wrong and says what to do about it",
     .details = "Checks address, token, ports, versions, clocks, descriptors, disks, keys, database, backups, binaries, channels,\n"
                "agents, updates and nodes. A token of role operator sees all of it.\n"
                "Exit code 1 when something failed, 6 when the master cannot be reached.",
     .formats = COMMAND_TEXT | COMMAND_WIDE | COMMAND_JSON, .run = doctor_run},
    {.noun = "version", .arguments = "", .summary = "versions of gridctl and, if it answers, the master",
     .formats = COMMAND_TEXT | COMMAND_WIDE | COMMAND_JSON, .run = version_show},
    {.noun = "login", .arguments = "", .summary = "checks a token and keeps it for this master",
     .details = "The token comes from the terminal, stdin, --token-file or GRID_TOKEN, never from the command line. It is kept with\n"
                "the URL, and the CA or pin of an https master, in ~/.config/grid, readable by you only.",
     .example = "gridctl login --url https://grid.example:7001 --ca ca.pem", .formats = COMMAND_TEXT, .run = login_run},
    {.noun = "completion", .arguments = "SHELL", .summary = "a script that completes lines of bash or zsh",
     .example = "source <(gridctl completion bash)", .formats = COMMAND_TEXT, .run = completion_print},
    {.noun = "api", .arguments = "METHOD PATH", .summary = "calls a REST route as it is",
     .example = "gridctl api GET '/api/agents?status=up'", .formats = COMMAND_TEXT | COMMAND_JSON,
     OPTIONS_OF(api_options), .run = raw_call},

    {.noun = "agent", .verb = "list", .arguments = "", .summary = "machines, what they run and should run",
     .details = "Filters: status, mode, version, platform, arch, channel, label (a selector: k=v,k!=v,k,!k).\n"
                "Sorts by id, last_seen_at, version.",
     .example = "gridctl agent list --filter label=rack=b -o wide", .formats = COMMAND_LIST, OPTIONS_OF(list_options), .run = agent_list},
    {.noun = "agent", .verb = "show", .arguments = "ID", .summary = "everything about one machine",
     .formats = COMMAND_SHOW, .run = agent_show},
    {.noun = "agent", .verb = "why", .arguments = "ID", .summary = "why it runs the version it runs",
     .formats = COMMAND_TEXT | COMMAND_JSON, .run = agent_why},
    {.noun = "agent", .verb = "join-command", .arguments = "", .summary = "one command to paste on a machine that shall join",
     .details = "Makes a join token and prints a line that downloads the master's install.sh, compares its SHA-256 and runs\n"
                "it. -o name prints the join string alone, for an agent that is installed already.",
     .example = "gridctl agent join-command --uses 10 --label rack=b", .formats = COMMAND_SHOW,
     OPTIONS_OF(join_options), .run = agent_join_command},
    {.noun = "agent", .verb = "approve", .arguments = "ID...", .summary = "admits machines that wait for it",
     .formats = COMMAND_SHOW, OPTIONS_OF(plain_change_options), .run = agent_change},
    {.noun = "agent", .verb = "revoke", .arguments = "ID...", .summary = "refuses machines from now on",
     .formats = COMMAND_SHOW, OPTIONS_OF(asked_change_options), .run = agent_change},
    {.noun = "agent", .verb = "label", .arguments = "ID [CHANGE...]", .summary = "sets and removes labels, or the channel",
     .details = "KEY=VALUE sets a label, KEY- removes it.",
     .example = "gridctl agent label agent-1 rack=b old-", .formats = COMMAND_SHOW, OPTIONS_OF(agent_label_options), .run = agent_label},
    {.noun = "agent", .verb = "pin", .arguments = "ID VERSION", .summary = "keeps one machine on this version, whatever else is said",
     .example = "gridctl agent pin agent-1 1.0.0", .formats = COMMAND_SHOW, OPTIONS_OF(plain_change_options), .run = agent_pin},
    {.noun = "agent", .verb = "unpin", .arguments = "ID...", .summary = "lets rollouts and channels move machines again",
     .formats = COMMAND_SHOW, OPTIONS_OF(plain_change_options), .run = agent_unpin},
    {.noun = "agent", .verb = "drain", .arguments = "ID...", .summary = "no new versions there; its nodes keep serving",
     .formats = COMMAND_SHOW, OPTIONS_OF(plain_change_options), .run = agent_change},
    {.noun = "agent", .verb = "resume", .arguments = "ID...", .summary = "ends a drain",
     .formats = COMMAND_SHOW, OPTIONS_OF(plain_change_options), .run = agent_change},
    {.noun = "agent", .verb = "rm", .arguments = "ID...", .summary = "forgets machines",
     .formats = COMMAND_SHOW, OPTIONS_OF(agent_rm_options), .run = agent_rm},
    {.noun = "agent", .verb = "logs", .arguments = "ID", .summary = "the last lines its agent wrote",
     .formats = COMMAND_TEXT, OPTIONS_OF(log_options), .run = agent_logs},

    {.noun = "node", .verb = "list", .arguments = "", .summary = "storage nodes and their health",
     .details = "Filters: state, agent, version.", .example = "gridctl node list --filter state=unhealthy",
     .formats = COMMAND_LIST, OPTIONS_OF(list_options), .run = node_list},
    {.noun = "node", .verb = "show", .arguments = "ID", .summary = "everything about one node",
     .example = "gridctl node show agent-1/0", .formats = COMMAND_SHOW, .run = node_show},
    {.noun = "node", .verb = "restart", .arguments = "ID...", .summary = "stops nodes gently and starts them again",
     .formats = COMMAND_SHOW, OPTIONS_OF(plain_change_options), .run = node_restart},
    {.noun = "node", .verb = "logs", .arguments = "ID", .summary = "the last lines it wrote",
     .formats = COMMAND_TEXT, OPTIONS_OF(log_options), .run = node_logs},

    {.noun = "binary", .verb = "push", .arguments = "FILE", .summary = "publishes a file, going on where a cut upload stopped",
     .details = "Name, version, platform and arch come from the file name NAME-VERSION-PLATFORM-ARCH or from options.\n"
                "FILE.minisig and FILE.targets.json beside it go along; --key signs on the way.",
     .example = "gridctl binary push storage-server-1.1.0-linux-x86_64", .formats = COMMAND_SHOW,
     OPTIONS_OF(binary_push_options), .run = binary_push},
    {.noun = "binary", .verb = "list", .arguments = "", .summary = "what is published, or what was refused",
     .details = "Filters: name, version, platform, arch.", .formats = COMMAND_LIST,
     OPTIONS_OF(binary_list_options), .run = binary_list},
    {.noun = "binary", .verb = "show", .arguments = "NAME", .summary = "everything about one of them",
     .example = "gridctl binary show storage-server-1.1.0-linux-x86_64", .formats = COMMAND_SHOW, .run = binary_show},
    {.noun = "binary", .verb = "verify", .arguments = "FILE", .summary = "compares a local file with the published one",
     .details = "Compares SHA-256 and size with the master's, and with the targets that a chain of roots proves, as agents do; names the\n"
                "keys behind both. --key-file checks the receipt, too: FILE.minisig, else the master's. Exit code 1: it is another file, or\n"
                "nobody vouches for it.",
     .formats = COMMAND_TEXT | COMMAND_JSON, OPTIONS_OF(binary_verify_options), .run = binary_verify},
    {.noun = "binary", .verb = "sign", .arguments = "FILE", .summary = "writes FILE.minisig and FILE.targets.json, for push to send along",
     .details = "The first is for people and for the master's intake, and binds the name, too. The second is what agents believe; it\n"
                "is made where the key is one of targets: of the targets that the master serves, or without network of --metadata.",
     .example = "gridctl binary sign storage-server-1.1.0-linux-x86_64 --key grid.key", .formats = COMMAND_TEXT,
     OPTIONS_OF(binary_sign_options), .run = binary_sign},
    {.noun = "binary", .verb = "held", .arguments = "", .summary = "what waits for an approval or a signature",
     .formats = COMMAND_LIST, OPTIONS_OF(list_limit_options), .run = binary_held},
    {.noun = "binary", .verb = "approve", .arguments = "FILE...", .summary = "publishes held files, where the master signs targets",
     .example = "gridctl binary approve storage-server-1.1.0-linux-x86_64", .formats = COMMAND_SHOW,
     OPTIONS_OF(asked_change_options), .run = binary_approve},
    {.noun = "binary", .verb = "discard", .arguments = "FILE...", .summary = "deletes held files",
     .formats = COMMAND_SHOW, OPTIONS_OF(asked_change_options), .run = binary_discard},
    {.noun = "binary", .verb = "yank", .arguments = "NAME...", .summary = "never offers them again",
     .formats = COMMAND_SHOW, OPTIONS_OF(asked_change_options), .run = binary_yank},
    {.noun = "binary", .verb = "rm", .arguments = "NAME...", .summary = "deletes what no machine holds or wants",
     .formats = COMMAND_SHOW, OPTIONS_OF(asked_change_options), .run = binary_rm},
    {.noun = "binary", .verb = "floor", .arguments = "[ARTIFACT] [VERSION]", .summary = "lowest versions that may be chosen: shows, sets, removes",
     .details = "With ARTIFACT and VERSION nothing below VERSION is chosen any more, by nobody: for a version that changes what lies\n"
                "on disk. Refused while an agent runs, or may go back to, something below.",
     .example = "gridctl binary floor storage-server 1.1.0", .formats = COMMAND_LIST,
     OPTIONS_OF(binary_floor_options), .run = binary_floor},

    {.noun = "channel", .verb = "list", .arguments = "", .summary = "channels, their versions and followers",
     .formats = COMMAND_LIST, .run = channel_list},
    {.noun = "channel", .verb = "set", .arguments = "NAME VERSION", .summary = "points a channel at a version; its agents move at once",
     .example = "gridctl channel set stable 1.1.0 --dry-run", .formats = COMMAND_SHOW,
     OPTIONS_OF(channel_set_options), .run = channel_set},

    {.noun = "rollout", .verb = "plan", .arguments = "", .summary = "whom a rollout would move, in which batches, at which risk",
     .details = "Nothing is started. Exit code 5 when start would be refused. -o wide shows every batch and every reason.",
     .example = "gridctl rollout plan --version 1.1.0 --selector rack=b", .formats = COMMAND_TEXT | COMMAND_WIDE | COMMAND_JSON,
     OPTIONS_OF(rollout_plan_options), .run = rollout_plan_show},
    {.noun = "rollout", .verb = "start", .arguments = "", .summary = "moves agents to a version, a few first, and back when it is bad",
     .details = "Shows the plan, asks, and watches until it has ended: exit code 0 when it completed, 7 when it was rolled back,\n"
                "stopped or superseded, 124 after --timeout. Ctrl-C leaves it running.",
     .example = "gridctl rollout start --version 1.1.0 --canary 1 --max-parallel 10%", .formats = COMMAND_SHOW | COMMAND_WIDE,
     OPTIONS_OF(rollout_start_options), .run = rollout_begin},
    {.noun = "rollout", .verb = "status", .arguments = "[ID]", .summary = "where a rollout stands, and what to do next; else the newest",
     .details = "Shows machines in flight and in trouble, with -o wide all of them. With --wait the exit codes of rollout start.",
     .example = "gridctl rollout status r-3 --wait", .formats = COMMAND_LIST, OPTIONS_OF(rollout_status_options), .run = rollout_status},
    {.noun = "rollout", .verb = "list", .arguments = "", .summary = "rollouts, newest first",
     .details = "Filters: state, name. (--state is no filter: it names a master's directory.)",
     .example = "gridctl rollout list --filter state=paused",
     .formats = COMMAND_LIST, OPTIONS_OF(rollout_list_options), .run = rollout_list},
    {.noun = "rollout", .verb = "pause", .arguments = "ID", .summary = "begins nothing more; what has begun is finished",
     .formats = COMMAND_SHOW, OPTIONS_OF(plain_change_options), .run = rollout_order},
    {.noun = "rollout", .verb = "resume", .arguments = "ID", .summary = "goes on where it was paused, with machines that were held",
     .formats = COMMAND_SHOW, OPTIONS_OF(rollout_order_options), .run = rollout_order},
    {.noun = "rollout", .verb = "promote", .arguments = "ID", .summary = "goes on from the canaries to the others",
     .formats = COMMAND_SHOW, OPTIONS_OF(rollout_order_options), .run = rollout_order},
    {.noun = "rollout", .verb = "stop", .arguments = "ID", .summary = "ends it and keeps the mix of versions",
     .formats = COMMAND_SHOW, OPTIONS_OF(rollout_asked_options), .run = rollout_order},
    {.noun = "rollout", .verb = "rollback", .arguments = "ID", .summary = "returns every agent that it moved to what that ran before",
     .details = "With --wait: exit code 0 when all are back, 7 when some cannot go back.",
     .example = "gridctl rollout rollback r-3 --wait", .formats = COMMAND_SHOW, OPTIONS_OF(rollout_rollback_options), .run = rollout_order},

    {.noun = "quarantine", .verb = "list", .arguments = "", .summary = "builds that failed and are chosen no more",
     .formats = COMMAND_LIST, OPTIONS_OF(list_limit_options), .run = quarantined_list},
    {.noun = "quarantine", .verb = "show", .arguments = "DIGEST", .summary = "one of them: where it failed, and why",
     .details = "The first 8 digits will do, as lists show them.", .example = "gridctl quarantine show e3b0c44298fc",
     .formats = COMMAND_SHOW, .run = quarantine_show},
    {.noun = "quarantine", .verb = "lift", .arguments = "DIGEST...", .summary = "lets them be chosen again",
     .formats = COMMAND_SHOW, OPTIONS_OF(asked_change_options), .run = quarantine_release},

    {.noun = "key", .verb = "generate", .arguments = "[NAME]", .summary = "makes NAME.key (secret) and NAME.pub for signing",
     .details = "Keys are minisign's; NAME is \"grid\" when not given. Files that exist are never replaced.",
     .formats = COMMAND_SHOW, .run = key_generate},
    {.noun = "key", .verb = "show", .arguments = "[FILE]", .summary = "who may sign what, or what a key or metadata file says",
     .details = "Without FILE: the four roles, whose signatures each needs, how many of their keys the master has, how long each is\n"
                "good. FILE is a .pub, a .key or a .json. --role prints metadata in force, to be carried to where --metadata takes it.",
     .example = "gridctl key show --role targets > targets.json", .formats = COMMAND_SHOW, OPTIONS_OF(key_show_options), .run = key_show},
    {.noun = "key", .verb = "trust", .arguments = "FILE", .summary = "accepts files signed by this publisher, unsigned ones no more",
     .formats = COMMAND_SHOW, OPTIONS_OF(plain_change_options), .run = key_trust},
    {.noun = "key", .verb = "list", .arguments = "", .summary = "keys of the grid and its publishers",
     .formats = COMMAND_LIST, .run = key_list},
    {.noun = "key", .verb = "rm", .arguments = "KEY...", .summary = "trusts publishers no more",
     .formats = COMMAND_SHOW, OPTIONS_OF(asked_change_options), .run = key_rm},
    {.noun = "key", .verb = "rotate", .arguments = "", .summary = "exchanges keys that the master has, or takes root and targets from it",
     .details = "The master makes new keys of its own, or with --offline root and targets go to the keys named, and to no others. What\n"
                "lacks signatures is written to N.root.json and N.targets.json: key sign adds them, anywhere, key publish sends both.",
     .example = "gridctl key rotate --offline --root-key a.pub --root-key b.pub --root-key c.pub --root-threshold 2 --targets-key build.pub",
     .formats = COMMAND_SHOW, OPTIONS_OF(key_rotate_options), .run = key_rotate},
    {.noun = "key", .verb = "root", .arguments = "", .summary = "makes the next root: other keys, other thresholds, a later end",
     .details = "A role is root, targets, snapshot or timestamp. Without changes the root in force is renewed. Published at once when no\n"
                "signature is missing, else written to N.root.json. A lost key: --remove and --add in one.",
     .example = "gridctl key root --remove root=5E1D0A44 --add root=anna2.pub --key ben.key",
     .formats = COMMAND_SHOW, OPTIONS_OF(key_root_options), .run = key_root},
    {.noun = "key", .verb = "targets", .arguments = "", .summary = "makes the next targets: yanks, removes, sets floors, where the master has no key",
     .details = "Without changes the targets in force are renewed. Published at once when no signature is missing, else written to\n"
                "N.targets.json.",
     .example = "gridctl key targets --yank storage-server-1.1.0-linux-x86_64 --key build.key",
     .formats = COMMAND_SHOW, OPTIONS_OF(key_targets_options), .run = key_targets},
    {.noun = "key", .verb = "sign", .arguments = "FILE...", .summary = "adds a signature to root or targets metadata, after showing what they say",
     .details = "Needs no network. With --metadata also what they change, and whose signatures are still missing.",
     .example = "gridctl key sign 2.root.json --key anna.key", .formats = COMMAND_TEXT | COMMAND_NAMES,
     OPTIONS_OF(key_sign_options), .run = key_sign},
    {.noun = "key", .verb = "publish", .arguments = "FILE...", .summary = "sends signed root or targets metadata to the master",
     .details = "A root that hands targets to other keys goes together with the targets that these have signed.",
     .example = "gridctl key publish 2.root.json 1790000000.targets.json", .formats = COMMAND_SHOW,
     OPTIONS_OF(key_publish_options), .run = key_publish},

    {.noun = "token", .verb = "create", .arguments = "", .summary = "makes a token; its secret is shown once",
     .details = "The secret alone goes to stdout.", .example = "GRID_TOKEN=$(gridctl token create --role operator --expires 8h)",
     .formats = COMMAND_SHOW, OPTIONS_OF(token_create_options), .run = token_create},
    {.noun = "token", .verb = "list", .arguments = "", .summary = "tokens by id, never their secrets",
     .formats = COMMAND_LIST, .run = token_list},
    {.noun = "token", .verb = "revoke", .arguments = "ID...", .summary = "refuses tokens from now on",
     .formats = COMMAND_SHOW, OPTIONS_OF(asked_change_options), .run = token_revoke},

    {.noun = "event", .verb = "tail", .arguments = "", .summary = "what happened, and with --follow what happens",
     .details = "-o json prints one object a line.", .example = "gridctl event tail --follow --subject agent-1",
     .formats = COMMAND_LIST, OPTIONS_OF(event_tail_options), .run = event_tail},

    {.noun = "user", .verb = "invite", .arguments = "NAME", .summary = "makes a one-use link with which somebody chooses a password",
     .details = "The link alone goes to stdout. Who forgot a password is removed and invited again.",
     .example = "gridctl user invite ada --role operator --scope rack=b", .formats = COMMAND_SHOW,
     OPTIONS_OF(user_invite_options), .run = user_invite},
    {.noun = "user", .verb = "list", .arguments = "", .summary = "people of the console, and who is invited",
     .formats = COMMAND_LIST, OPTIONS_OF(list_limit_options), .run = user_list},
    {.noun = "user", .verb = "rm", .arguments = "NAME...", .summary = "removes users, their sessions and invitations",
     .formats = COMMAND_SHOW, OPTIONS_OF(asked_change_options), .run = user_rm},

    {.noun = "audit", .verb = "list", .arguments = "", .summary = "who changed what, newest first",
     .details = "Filters: principal, action, subject.", .example = "gridctl audit list --filter action=token.create --limit 20",
     .formats = COMMAND_LIST, OPTIONS_OF(audit_list_options), .run = audit_show},
    {.noun = "audit", .verb = "verify", .arguments = "", .summary = "proves that no row was altered, taken out or cut off",
     .details = "Recomputes the chain of hashes, checks the checkpoints that the master signed, and remembers how far the trail went: what\n"
                "was seen once cannot be taken away unseen. The first master key seen is believed from then on. Exit code 1 when something\n"
                "is wrong.", .formats = COMMAND_TEXT | COMMAND_JSON, .run = audit_verify},

    {.noun = "backup", .verb = "create", .arguments = "[FILE]", .summary = "everything the master knows, in one file",
     .details = "The file is an SQLite archive (sqlite3 -A lists it). It holds secret keys.", .formats = COMMAND_TEXT | COMMAND_NAMES, .run = backup_create},
    {.noun = "backup", .verb = "restore", .arguments = "FILE", .summary = "makes the state directory of a stopped master from a backup",
     .details = "--state names the directory, which must be new or empty. Every file is checked before any is put in place.",
     .example = "gridctl backup restore grid-backup.sqlar --state ./grid-state", .formats = COMMAND_TEXT,
     OPTIONS_OF(plain_change_options), .run = backup_restore},
};

static const struct command_noun nouns[] = {
    {"agent", "lists, admits, labels and removes the machines of a grid"},
    {"node", "lists storage nodes, restarts them, reads their logs"},
    {"binary", "publishes, checks, signs and withdraws builds"},
    {"channel", "points channels at versions"},
    {"rollout", "moves agents to a version step by step, watches, and takes them back"},
    {"quarantine", "shows builds that failed, and lifts their quarantine"},
    {"key", "makes, shows, trusts and exchanges signing keys"},
    {"token", "makes and revokes tokens"},
    {"event", "shows what happened in a grid"},
    {"user", "invites people to the console, shows and removes them"},
    {"audit", "shows who changed what, and proves that the record is whole"},
    {"backup", "saves and restores what a master knows"},
};
static const struct manual_row environment[] = {
    {"GRID_TOKEN", "the token, unless --token-file names one"},
    {"GRID_KEY_PASSWORD", "password of a secret signing key; asked for on the terminal when it is not set"},
    {"NO_COLOR", "no colours when set to anything"},
    {"XDG_CONFIG_HOME", "where login keeps what it keeps, instead of ~/.config"},
};
static const struct manual_row files[] = {
    {"STATE/url", "where the local master serves HTTP"},
    {"STATE/admin.token", "its admin token, shown to that master alone"},
    {"~/.config/grid/url", "the master of the last login"},
    {"~/.local/state/grid/audit-*.json", "how far an audit trail went when it was checked"},
    {"~/.config/grid/token", "the token of the last login, shown to that master alone"},
    {"~/.config/grid/tuf/MASTER", "root and targets of that master as this account has proven them, for who signs the next ones"},
};
static const struct manual_row examples[] = {
    {"gridctl status", "the grid at a glance"},
    {"gridctl agent why agent-1", "why a machine runs what it runs"},
    {"gridctl binary push storage-server-1.1.0-linux-x86_64", "publishes a build"},
    {"gridctl channel set stable 1.1.0", "moves the machines that follow the channel"},
    {"gridctl event tail --follow", "watches them"},
    {"gridctl rollout start --version 1.1.0 --canary 1", "moves all machines, one first, and back when it is bad"},
};
/* clang-format on */
static const struct options own_options = {
    .entries = global_options, .count = sizeof global_options / sizeof global_options[0]};
static const struct manual manual = {
    .program = "gridctl",
    .section = 1,
    .summary = "asks and tells the master of a grid: what runs where, which version, and why",
    .usage = "NOUN [VERB] [options] [arguments]",
    .details = "Every command is one or a few REST calls. Data goes to stdout; remarks, progress "
               "and errors go to stderr, and errors end with the next thing to try. What cannot be "
               "undone is asked about first, unless --yes is given.",
    .options = &own_options,
    .environment = MANUAL_ROWS(environment),
    .files = MANUAL_ROWS(files),
    .examples = MANUAL_ROWS(examples),
    .many = true,
    .see_also = {"grid-agent(8)", "grid-master(8)", "storage-server(8)"},
};

const struct command_table command_table = {
    .manual = &manual,
    .nouns = nouns,
    .noun_count = sizeof nouns / sizeof nouns[0],
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
    .global = global_options,
    .global_count = sizeof global_options / sizeof global_options[0],
    .bare = bare_options,
    .bare_count = sizeof bare_options / sizeof bare_options[0],
};
