#include "cli/join_command.h"

#include "cli/answers.h"
#include "cli/format.h"
#include "cli/handlers.h"
#include "cli/listing.h"
#include "cli/token_request.h"
#include "lib/join.h"

#include <string.h>

bool join_command_line(const char *join, const char sha256[SHA256_HEX_SIZE], struct text *out,
                       struct err *e) {
    struct join parts;
    if (!join_parse(join, &parts, e)) return false;
    bool v6 = strchr(parts.host, ':') != NULL;
    OWN_TEXT struct text url = TEXT_EMPTY;
    /* The digest proves the script, whoever sent it: no certificate needs to. */
    bool tls = parts.ca_sha256[0] != '\0';
    text_add_format(&url, "http%s://%s%s%s:%d/install.sh", tls ? "s" : "", v6 ? "[" : "",
                    parts.host, v6 ? "]" : "", parts.http_port);
    secret_wipe(&parts, sizeof parts);
    text_add_format(out,
                    "(trap 'rm -f \"$f\"' EXIT; f=$(mktemp) && "
                    "(curl -fsS%s '%s' || wget -qO- %s'%s'%s) >\"$f\" && "
                    "echo \"%s  $f\" | sha256sum -c && "
                    "$(command -v sudo) sh \"$f\" '%s')",
                    tls ? "k" : "", url.data, tls ? "--no-check-certificate " : "", url.data,
                    tls ? " || { echo install curl or GNU wget first >&2; false; }" : "", sha256,
                    join);
    return true;
}

static bool is_offered(const struct answer_binary *b) {
    return !b->yanked && !answer_binary_left_out(b);
}

static bool published(const struct answer_binary *list, size_t count, const char *name,
                      const struct answer_binary *where) {
    for (size_t i = 0; i < count; i++)
        if (is_offered(&list[i]) && strcmp(format_or(list[i].name, ""), name) == 0 &&
            strcmp(format_or(list[i].platform, ""), format_or(where->platform, "")) == 0 &&
            strcmp(format_or(list[i].arch, ""), format_or(where->arch, "")) == 0)
            return true;
    return false;
}

bool join_command_platforms(const char *binaries_json, size_t length, struct text *out,
                            struct err *e) {
    void *items = NULL;
    size_t count = 0;
    if (!json_decode_list(&answer_binary_schema, binaries_json, length, &items, &count, e))
        return false;
    const struct answer_binary *list = items;
    for (size_t i = 0; i < count; i++) {
        bool told = published(list, i, format_or(list[i].name, ""), &list[i]);
        if (told || !is_offered(&list[i]) ||
            strcmp(format_or(list[i].name, ""), "grid-launcher") != 0 ||
            !published(list, count, "grid-agent", &list[i]))
            continue;
        text_add_format(out, "%s%s/%s", out->length > 0 ? ", " : "", list[i].platform,
                        list[i].arch);
    }
    json_clear_list(&answer_binary_schema, items, count);
    return true;
}

/* Asked before the token is made: without them there is nothing to paste. */
static bool ask_master(struct invocation *call, char sha256[SHA256_HEX_SIZE],
                       struct text *platforms, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer script = {0};
    OWN_HTTP_ANSWER struct http_answer binaries = {0};
    OWN(sha256) struct sha256 *hash = sha256_begin();
    if (!api_get(call->api, "/install.sh", &script, e)) return err_wrap(e, "install.sh");
    sha256_add(hash, text_value(&script.body), script.body.length);
    sha256_hex(hash, sha256);
    return api_get(call->api, "/api/binaries", &binaries, e) &&
           join_command_platforms(text_value(&binaries.body), binaries.body.length, platforms, e);
}

static void say_how_for_others(const struct invocation *call) {
    const char *url = call->api->at.url, *port = strrchr(url, ':');
    invocation_note(
        call,
        "The master was asked on loopback, so this works on its own machine only. For others, by "
        "an address of this\nmachine that they reach: gridctl --url %.*s://ADDRESS%s agent "
        "join-command",
        (int)strcspn(url, ":"), url, port != NULL && strchr(port, '/') == NULL ? port : "");
}

static void say_what_follows(const struct invocation *call, const char *join,
                             const struct text *platforms) {
    invocation_note(
        call,
        "\nIt downloads install.sh, compares its SHA-256, and runs it: that installs "
        "grid-agent and starts it.\n"
        "FAILED means that a newer agent was published since, or that somebody altered the "
        "script: make a new line.\n"
        "Options of install.sh go behind sh \"$f\": --id NAME, --label K=V, --dry-run, --help.");
    if (platforms->length > 0)
        invocation_note(call, "This master can install on %s.", platforms->data);
    else
        invocation_note(call, "This master serves no grid-agent yet, so install.sh would refuse. "
                              "First: gridctl binary push\n"
                              "grid-agent-VERSION-linux-ARCH and grid-launcher-VERSION-linux-ARCH "
                              "(ci/release makes them),\nthen make a new line.");
    if (discover_is_local(join)) say_how_for_others(call);
    invocation_note(call, "Next: gridctl agent list");
}

static bool print(struct invocation *call, const struct answer_created_token *token,
                  const char sha256[SHA256_HEX_SIZE], const struct text *platforms, struct err *e) {
    OWN_TEXT struct text line = TEXT_EMPTY;
    OWN_TEXT struct text limits = TEXT_EMPTY;
    const char *join = format_or(token->join, "");
    if (!join_command_line(join, sha256, &line, e)) return false;
    token_request_limits(call->settings, &limits);
    invocation_note(call, "On the machine that shall join (token %s: %s), paste:\n", token->id,
                    text_value(&limits));
    if (!listing_line(e, "%s", line.data)) return false;
    say_what_follows(call, join, platforms);
    return true;
}

bool agent_join_command(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    OWN_TEXT struct text platforms = TEXT_EMPTY;
    char sha256[SHA256_HEX_SIZE] = "";
    struct answer_created_token token;
    bool people = invocation_for_people(call);
    if (people && !ask_master(call, sha256, &platforms, e)) return false;
    if (!token_request_send(call, &answer, &token, e)) return false;
    bool done = call->format == OUTPUT_JSON ? listing_json(&answer, e)
                : !people                   ? listing_line(e, "%s", format_or(token.join, ""))
                                            : print(call, &token, sha256, &platforms, e);
    json_clear(&answer_created_token_schema, &token);
    return done;
}
