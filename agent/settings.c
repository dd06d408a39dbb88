#include "agent/settings.h"

#include "agent/state.h"
#include "lib/file.h"
#include "lib/join.h"
#include "lib/labels.h"
#include "lib/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
static const struct option_entry entries[] = {
    {.flag = "config", .environment = {"GRID_AGENT_CONFIG"}, .type = OPTION_STRING,
     OPTION(struct settings, config), .value_name = "FILE",
     .help = "configuration file"},
    {.flag = "id", .environment = {"GRID_AGENT_ID"}, .key = "agent.agent_id", .type = OPTION_STRING,
     OPTION(struct settings, agent_id), .value_name = "ID",
     .help = "name of this machine in the grid; default: its host name"},
    {.flag = "master", .environment = {"GRID_MASTER"}, .key = "agent.master_host", .type = OPTION_STRING,
     OPTION(struct settings, master), .value_name = "HOST:PORT",
     .help = "bus of the master; default: the join string's, the one enrolled with, localhost:7000"},
    {.environment = {"GRID_TOKEN"}, .key = "agent.join", .type = OPTION_STRING,
     OPTION(struct settings, token),
     .help = "join string grid://..., or a bare secret when the master is on this machine; used once"},
    {.flag = "token-file", .environment = {"GRID_TOKEN_FILE"}, .key = "agent.token_file", .type = OPTION_STRING,
     OPTION(struct settings, token_file), .value_name = "FILE|-",
     .help = "file that holds the join string or secret; - reads standard input"},
    {.flag = "state", .environment = {"GRID_AGENT_STATE", "GRID_STATE"}, .key = "agent.state", .type = OPTION_STRING,
     OPTION(struct settings, state), .initial = "./grid-agent-state", .value_name = "DIR",
     .help = "directory of this agent's identity, versions and nodes"},
    {.flag = "nodes", .environment = {"GRID_NODES"}, .key = "agent.nodes", .type = OPTION_INT,
     OPTION(struct settings, nodes), .initial = "1", .value_name = "N",
     .help = "storage nodes on this machine"},
    {.flag = "node-ports", .environment = {"GRID_NODE_PORTS"}, .key = "agent.node_ports", .type = OPTION_STRING,
     OPTION(struct settings, node_ports), .initial = "7100-7199", .value_name = "A-B",
     .help = "ports that nodes may take; each keeps the one it got"},
    {.flag = "label", .environment = {"GRID_LABELS"}, .key = "agent.labels", .type = OPTION_LIST,
     OPTION(struct settings, label_list), .value_name = "K=V",
     .help = "label of this machine; may be repeated, or k=v,k2=v2"},
    {.flag = "restart-hung-after", .environment = {"GRID_RESTART_HUNG_AFTER"}, .key = "agent.restart_hung_after",
     .type = OPTION_DURATION, OPTION(struct settings, restart_hung_ms), .initial = "30s", .value_name = "TIME",
     .help = "restart a node that has answered nothing for so long; 0s: never"},
    {.flag = "sandbox", .environment = {"GRID_SANDBOX"}, .key = "agent.sandbox", .type = OPTION_BOOL,
     OPTION(struct settings, sandbox), .initial = "on",
     .help = "fence nodes in by all that this machine offers: a user of their own, Landlock, seccomp, limits"},
    {.flag = "platform", .environment = {"GRID_AGENT_PLATFORM"}, .key = "agent.platform", .type = OPTION_STRING,
     OPTION(struct settings, platform), .initial = "process", .value_name = "process",
     .help = "how nodes are run"},
    {.flag = "auto-download-binary", .environment = {"GRID_AUTO_DOWNLOAD_BINARY"}, .key = "agent.auto_download_binary",
     .type = OPTION_BOOL, OPTION(struct settings, auto_download), .initial = "on",
     .help = "download the desired version from the master"},
    {.flag = "binary-path", .environment = {"GRID_BINARY_PATH"}, .key = "storage.binary_path", .type = OPTION_STRING,
     OPTION(struct settings, binary_path), .value_name = "FILE",
     .help = "run this file instead of the desired version; read when the agent starts"},
    {.flag = "master-binary-url", .environment = {"GRID_MASTER_BINARY_URL"}, .key = "storage.master_binary_url",
     .type = OPTION_STRING, OPTION(struct settings, master_binary_url), .value_name = "URL",
     .help = "where binaries/ is served, and tuf/metadata/ or else the master's are taken; default: the master's host and "
             "the HTTP port it announces"},
    {.flag = "stop-nodes", .environment = {"GRID_STOP_NODES"}, .key = "agent.stop_nodes", .type = OPTION_BOOL,
     OPTION(struct settings, stop_nodes), .initial = "off",
     .help = "stop the nodes when the agent is told to end; otherwise they live on"},
    {.flag = "enroll-within", .environment = {NULL}, .type = OPTION_DURATION, OPTION(struct settings, enroll_within_ms),
     .value_name = "TIME",
     .help = "become a member of the grid and end, giving up after this time; a member stays one, unless it was removed"},
    {.flag = "core-dumps", .environment = {"GRID_CORE_DUMPS"}, .key = "agent.core_dumps", .type = OPTION_BOOL,
     OPTION(struct settings, core_dumps),
     .help = "let a crash leave a core dump, and programs of the same user look inside: both reveal keys"},
    {.flag = "log-format", .environment = {"GRID_LOG_FORMAT"}, .key = "agent.log_format", .type = OPTION_STRING,
     OPTION(struct settings, log_format), .initial = "text", .value_name = "text|json",
     .help = "form of the log lines"},
    {.flag = "log-level", .environment = {"GRID_LOG_LEVEL"}, .key = "agent.log_level", .type = OPTION_STRING,
     OPTION(struct settings, log_level), .initial = "info", .value_name = "debug|info|warn|error",
     .help = "least important lines that are written"},
    {.flag = "help", .letter = 'h', .type = OPTION_BOOL, OPTION(struct settings, help), .help = "print this"},
    {.flag = "version", .letter = 'V', .type = OPTION_BOOL, OPTION(struct settings, version),
     .help = "print the version"},
};
/* clang-format on */

const struct options agent_options = {
    .entries = entries, .count = sizeof entries / sizeof entries[0], .config_flag = "config"};

static bool parse_port(const char *text, char **end, int *out) {
    long port = strtol(text, end, 10);
    if (*end == text || *text < '0' || *text > '9' || port < 1 || port > 65535) return false;
    *out = (int)port;
    return true;
}

bool settings_parse_ports(const char *text, int *first, int *last, struct err *e) {
    char *end = NULL;
    bool valid = parse_port(text, &end, first);
    *last = *first;
    if (valid && *end == '-') valid = parse_port(end + 1, &end, last);
    if (valid && *end == '\0' && *first <= *last) return true;
    return err_set(e, ERR_USAGE, "--node-ports %.24s: a range like 7100-7199 would do", text);
}

bool settings_default_id(char out[WIRE_AGENT_ID_SIZE], struct err *e) {
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0) return err_errno(e, errno, "read the host name");
    struct err why = {0};
    if (wire_agent_id_check(name, &why) && text_copy(out, WIRE_AGENT_ID_SIZE, name)) return true;
    err_set(e, ERR_INVALID, "the host name \"%.64s\" cannot be an agent id", name);
    return err_hint(e, "name this machine with --id");
}

static bool check_nodes(struct settings *s, struct err *e) {
    if (s->nodes < 1 || s->nodes > SETTINGS_NODES_MAX)
        return err_set(e, ERR_USAGE, "--nodes %lld: 1 to %d would do", (long long)s->nodes,
                       SETTINGS_NODES_MAX);
    if (!settings_parse_ports(s->node_ports, &s->first_port, &s->last_port, e)) return false;
    if (s->last_port - s->first_port + 1 >= s->nodes) return true;
    err_set(e, ERR_USAGE, "--node-ports %s: %d ports for %lld nodes", s->node_ports,
            s->last_port - s->first_port + 1, (long long)s->nodes);
    return err_hint(e, "widen --node-ports or lower --nodes");
}

static bool check_words(const struct settings *s, struct err *e) {
    if (strcmp(s->platform, "process") != 0)
        return err_set(e, ERR_USAGE, "platform %s: only \"process\" is known", s->platform);
    bool http = strncmp(s->master_binary_url, "http://", 7) == 0 ||
                strncmp(s->master_binary_url, "https://", 8) == 0;
    if (s->master_binary_url[0] != '\0' && !http)
        return err_set(e, ERR_USAGE,
                       "--master-binary-url %.80s: a URL like http://localhost:7001 would do",
                       s->master_binary_url);
    if (s->agent_id[0] != '\0' && !wire_agent_id_check(s->agent_id, e)) return err_wrap(e, "--id");
    char host[JOIN_HOST_SIZE];
    int port = 0;
    if (s->master[0] != '\0' && !join_parse_address(s->master, 7000, host, &port, e))
        return err_wrap(e, "--master");
    return true;
}

static bool make_labels(struct settings *s, struct err *e) {
    OWN_TEXT struct text canonical = TEXT_EMPTY;
    OWN_MEMORY char *list = text_duplicate(s->label_list != NULL ? s->label_list : "");
    for (char *at = list; *at != '\0'; at++)
        if (*at == '\n') *at = ',';
    if (!labels_parse(list, &canonical, e)) {
        if (e != NULL) e->code = ERR_USAGE;
        return err_wrap(e, "--label");
    }
    s->labels = text_take(&canonical);
    return true;
}

static bool read_standard_input(struct text *out) {
    char part[512];
    size_t length;
    while ((length = fread(part, 1, sizeof part, stdin)) > 0 && out->length < 4096)
        text_add_bytes(out, part, length);
    secret_wipe(part, sizeof part);
    return ferror(stdin) == 0;
}

/* The first line, without spaces around it. */
static bool keep_token(struct settings *s, struct text *content, struct err *e) {
    char *line = text_take(content);
    char *begin = line + strspn(line, " \t\r\n");
    begin[strcspn(begin, " \t\r\n")] = '\0';
    bool fits = *begin != '\0' && text_copy(s->token, sizeof s->token, begin);
    secret_wipe(line, strlen(line));
    free(line);
    return fits || err_set(e, ERR_USAGE, "--token-file %.128s holds no join string or secret",
                           s->token_file);
}

static bool read_token_file(struct settings *s, struct err *e) {
    OWN_TEXT struct text content = TEXT_SECRET;
    if (s->token_file[0] == '\0') return true;
    if (strcmp(s->token_file, "-") == 0) {
        if (!read_standard_input(&content))
            return err_set(e, ERR_IO, "--token-file -: cannot read");
    } else if (!file_read(s->token_file, 4096, &content, e)) {
        return err_wrap(e, "--token-file");
    }
    if (content.data == NULL) text_add(&content, "");
    return keep_token(s, &content, e);
}

/* Nodes and whoever reads our environment later must not find it. */
static void hide_token(void) {
    char *secret = getenv("GRID_TOKEN");
    if (secret != NULL) secret_wipe(secret, strlen(secret));
    unsetenv("GRID_TOKEN");
}

/* URLs are made by putting "/binaries/..." behind. */
static void drop_last_slash(char *url) {
    size_t length = strlen(url);
    if (length > 0 && url[length - 1] == '/') url[length - 1] = '\0';
}

bool settings_load(struct settings *s, int argc, char **argv, struct err *e) {
    int rest = 0;
    *s = (struct settings){.program_version = GRID_VERSION};
    state_pass_over_master();
    bool parsed = options_parse(&agent_options, argc, argv, s, &rest, e);
    if (parsed && (s->help || s->version)) return true;
    hide_token();
    if (!parsed) return false;
    if (rest < argc)
        return err_set(e, ERR_USAGE, "%.64s: grid-agent takes options only", argv[rest]);
    drop_last_slash(s->master_binary_url);
    return check_nodes(s, e) && check_words(s, e) && make_labels(s, e) && read_token_file(s, e);
}

void settings_clear(struct settings *s) {
    secret_wipe(s->token, sizeof s->token);
    free(s->labels);
    s->labels = NULL;
    options_clear(&agent_options, s);
}
