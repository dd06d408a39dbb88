#include "cli/handlers.h"
#include "cli/listing.h"
#include "cli/peer.h"
#include "cli/terminal.h"
#include "lib/file.h"
#include "lib/secret.h"
#include "lib/text.h"

#include <stdio.h>
#include <string.h>

/* Keeps a line in DIRECTORY/NAME, readable by its owner only. */
static bool keep(const char *directory, const char *name, const char *line, struct err *e) {
    char path[PATH_MAX];
    OWN_TEXT struct text content = TEXT_SECRET;
    text_add_format(&content, "%s\n", line);
    return file_join(path, sizeof path, directory, name, e) &&
           file_write_durable(path, text_value(&content), content.length, 0600, e);
}

/* --token-file and GRID_TOKEN count; a token that some file of this machine holds does not. */
static bool read_token(struct api *api, struct err *e) {
    char line[DISCOVER_TOKEN_SIZE];
    bool named =
        api->settings->token_file[0] != '\0' || strcmp(api->at.token_from, "GRID_TOKEN") == 0;
    if (named) return true;
    if (terminal_present()) fprintf(stderr, "Token for %s. ", api->at.url);
    if (!terminal_secret("token", line, sizeof line, e)) return false;
    snprintf(api->at.token_from, sizeof api->at.token_from, "%s",
             terminal_present() ? "the terminal" : "stdin");
    bool good = discover_token_text(line, api->at.token, e);
    secret_wipe(line, sizeof line);
    return good;
}

/* A token is kept only after the master took it. */
bool login_run(struct invocation *call, struct err *e) {
    OWN_HTTP_ANSWER struct http_answer answer = {0};
    char directory[PATH_MAX];
    struct api *api = call->api;
    if (!discover_config_directory(directory))
        return err_set(e, ERR_INVALID, "HOME is not set, so there is no place to keep a token");
    if (!api_connect(api, e) || !read_token(api, e) || !api_get(api, "/api/summary", &answer, e))
        return false;
    if (!file_make_directory(directory, 0700, e)) return err_wrap(e, "keep the token");
    if (!keep(directory, "url", api->at.url, e) || !keep(directory, "token", api->at.token, e) ||
        !peer_keep(&api->at, directory, e))
        return err_wrap(e, "keep the token");
    if (strncmp(api->at.url, "http://", 7) == 0 && !discover_is_local(api->at.url))
        invocation_note(call, "warning: to %s the token travels unencrypted", api->at.url);
    if (!listing_line(e, "logged in to %s, kept in %s", api->at.url, directory)) return false;
    invocation_note(call, "Next: gridctl status");
    return true;
}
