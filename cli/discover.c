#include "cli/discover.h"

#include "cli/peer.h"
#include "cli/terminal.h"
#include "lib/file.h"
#include "lib/join.h"
#include "lib/secret.h"
#include "lib/text.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_URL "http://127.0.0.1:7001"
#define DEFAULT_STATE "./grid-state"

static bool copy(char *out, size_t size, const char *text, const char *what, struct err *e) {
    return text_copy(out, size, text) || err_set(e, ERR_USAGE, "the %s is too long", what);
}

bool discover_url(const char *text, char out[SETTINGS_URL_SIZE], struct err *e) {
    const char *scheme = strstr(text, "://");
    if (scheme == NULL) {
        if (snprintf(out, SETTINGS_URL_SIZE, "http://%s", text) >= SETTINGS_URL_SIZE)
            return err_set(e, ERR_USAGE, "the URL is too long");
    } else if (!copy(out, SETTINGS_URL_SIZE, text, "URL", e)) {
        return false;
    }
    size_t authority = strncmp(out, "http://", 7) == 0    ? 7
                       : strncmp(out, "https://", 8) == 0 ? 8
                                                          : 0;
    if (authority == 0)
        return err_set(e, ERR_USAGE, "\"%s\" is not an http:// or https:// URL", text);
    if (strcspn(out + authority, "@") < strcspn(out + authority, "/")) {
        err_set(e, ERR_USAGE, "a URL must not hold a user name or password");
        return err_hint(e, "put the token into GRID_TOKEN or --token-file");
    }
    if (strpbrk(out, "?# \t\r\n\"\\") != NULL || out[authority] == '\0' || out[authority] == '/')
        return err_set(e, ERR_USAGE, "\"%s\" is not the URL of a master, like %s", text,
                       DEFAULT_URL);
    for (size_t length = strlen(out); length > 0 && out[length - 1] == '/'; length--)
        out[length - 1] = '\0';
    return true;
}

static bool url_host(const char *url, char out[JOIN_HOST_SIZE]) {
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    bool bracket = *host == '[';
    size_t length = bracket ? strcspn(++host, "]") : strcspn(host, ":/");
    if (length == 0 || length >= JOIN_HOST_SIZE) return false;
    memcpy(out, host, length);
    out[length] = '\0';
    return true;
}

bool discover_is_local(const char *url) {
    char host[JOIN_HOST_SIZE];
    return url_host(url, host) && join_is_loopback(host);
}

static bool same_address(const struct sockaddr *address, const char *host) {
    char words[INET6_ADDRSTRLEN] = "";
    if (address != NULL && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, words,
                  sizeof words);
    else if (address != NULL && address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, words,
                  sizeof words);
    return strcmp(words, host) == 0;
}

/* By number: whom a name leads to is for others to say. */
static bool is_own_address(const char *url) {
    char host[JOIN_HOST_SIZE];
    struct ifaddrs *all = NULL;
    bool own = false;
    if (!url_host(url, host) || getifaddrs(&all) != 0) return false;
    for (const struct ifaddrs *one = all; one != NULL && !own; one = one->ifa_next)
        own = same_address(one->ifa_addr, host);
    freeifaddrs(all);
    return own;
}

bool discover_token_text(const char *text, char out[DISCOVER_TOKEN_SIZE], struct err *e) {
    text += strspn(text, " \t\r\n");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL) length--;
    if (length == 0) return err_set(e, ERR_INVALID, "the token is empty");
    if (length >= DISCOVER_TOKEN_SIZE) return err_set(e, ERR_INVALID, "the token is too long");
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] == 0x7f)
            return err_set(e, ERR_INVALID, "the token holds spaces or control characters");
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

bool discover_config_directory(char out[PATH_MAX]) {
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (base != NULL && base[0] == '/') return snprintf(out, PATH_MAX, "%s/grid", base) < PATH_MAX;
    return home != NULL && home[0] != '\0' &&
           snprintf(out, PATH_MAX, "%s/.config/grid", home) < PATH_MAX;
}

bool discover_line(const char *directory, const char *name, char *line, size_t size,
                   char from[DISCOVER_FROM_SIZE], struct err *e) {
    OWN_TEXT struct text content = TEXT_SECRET; /* may be a token */
    char path[PATH_MAX];
    e->code = ERR_NONE;
    if (!file_join(path, sizeof path, directory, name, e)) return false;
    if (!file_read(path, 64 * 1024, &content, e)) {
        if (e->code == ERR_NOT_FOUND) e->code = ERR_NONE;
        return false;
    }
    size_t length = strcspn(text_value(&content), "\r\n");
    if (length == 0 || length >= size)
        return err_set(e, ERR_INVALID, "%s holds no usable line", path);
    memcpy(line, content.data, length);
    line[length] = '\0';
    snprintf(from, DISCOVER_FROM_SIZE, "%s", path);
    return true;
}

const char *discover_state(const struct settings *s) {
    return s->state[0] != '\0' ? s->state : DEFAULT_STATE;
}

/* "rollout list --state paused" means a filter. What stands in the environment is a directory. */
static bool means_filter(const struct settings *s) {
    const char *around = getenv("GRID_STATE");
    return s->state[strspn(s->state, "abcdefghijklmnopqrstuvwxyz_")] == '\0' &&
           (around == NULL || strcmp(around, s->state) != 0);
}

/* A directory that somebody named and that is not there is a mistake; the default one may be
 * missing. */
static bool check_state(const struct settings *s, struct err *e) {
    if (s->state[0] == '\0' || access(s->state, F_OK) == 0) return true;
    err_set(e, ERR_NOT_FOUND, "the state directory %s does not exist", s->state);
    if (means_filter(s))
        return err_hint(e, "lists take --filter state=%s; --state is the directory of a master",
                        s->state);
    return err_hint(e,
                    "name the running master's directory with --state or GRID_STATE, or neither");
}

static bool find_url(const struct settings *s, struct discovery *out, struct err *e) {
    char line[SETTINGS_URL_SIZE], config[PATH_MAX];
    /* With an address the directory is not needed, but a filter must not be passed over. */
    if ((s->url[0] == '\0' || means_filter(s)) && !check_state(s, e)) return false;
    if (s->url[0] != '\0') {
        snprintf(out->url_from, sizeof out->url_from, "--url or GRID_URL");
        if (peer_is_join(s->url)) return peer_take_join(s->url, out, e);
        return discover_url(s->url, out->url, e);
    }
    if (discover_line(discover_state(s), "url", line, sizeof line, out->url_from, e))
        return discover_url(line, out->url, e);
    if (e->code != ERR_NONE) return false;
    if (discover_config_directory(config) &&
        discover_line(config, "url", line, sizeof line, out->url_from, e))
        return discover_url(line, out->url, e);
    if (e->code != ERR_NONE) return false;
    snprintf(out->url_from, sizeof out->url_from, "default");
    return discover_url(DEFAULT_URL, out->url, e);
}

static bool named_token(const struct settings *s, struct discovery *out, struct err *e) {
    char line[DISCOVER_TOKEN_SIZE];
    snprintf(out->token_from, sizeof out->token_from, "%s", s->token_file);
    if (strcmp(s->token_file, "-") == 0) {
        snprintf(out->token_from, sizeof out->token_from, "stdin");
        if (!terminal_secret("token", line, sizeof line, e)) return false;
        return discover_token_text(line, out->token, e);
    }
    OWN_TEXT struct text content = TEXT_SECRET;
    if (!file_read(s->token_file, 64 * 1024, &content, e)) return err_wrap(e, "token file");
    return discover_token_text(text_value(&content), out->token, e) ||
           err_wrap(e, "%s", s->token_file);
}

bool discover_belongs(const char *directory, const char *url, bool unsaid) {
    char line[SETTINGS_URL_SIZE], own[SETTINGS_URL_SIZE], from[DISCOVER_FROM_SIZE];
    struct err ignored;
    if (!discover_line(directory, "url", line, sizeof line, from, &ignored)) return unsaid;
    return discover_url(line, own, &ignored) && strcmp(own, url) == 0;
}

bool discover_same_place(const char *directory, const char *url) {
    char line[SETTINGS_URL_SIZE], from[DISCOVER_FROM_SIZE];
    struct err ignored;
    if (discover_belongs(directory, url, false)) return true;
    if (!discover_is_local(url) && !is_own_address(url)) return false;
    if (!discover_line(directory, "url", line, sizeof line, from, &ignored)) return false;
    const char *port = strrchr(line, ':'), *wanted = strrchr(url, ':');
    return strcmp(port != NULL ? port : "", wanted != NULL ? wanted : "") == 0;
}

static bool find_token(const struct settings *s, struct discovery *out, struct err *e) {
    char line[DISCOVER_TOKEN_SIZE], config[PATH_MAX];
    const char *environment = getenv("GRID_TOKEN");
    if (s->token_file[0] != '\0') return named_token(s, out, e);
    if (environment != NULL && environment[0] != '\0') {
        snprintf(out->token_from, sizeof out->token_from, "GRID_TOKEN");
        return discover_token_text(environment, out->token, e) || err_wrap(e, "GRID_TOKEN");
    }
    if (!check_state(s, e)) return false;
    const char *state = discover_state(s);
    bool local = discover_is_local(out->url);
    if (local || discover_same_place(state, out->url)) {
        if (discover_line(state, "admin.token", line, sizeof line, out->token_from, e))
            return discover_token_text(line, out->token, e) || err_wrap(e, "%s", out->token_from);
        if (e->code == ERR_DENIED)
            e->code = ERR_NONE; /* somebody else's master: reading needs no token */
        if (e->code != ERR_NONE) return false;
    }
    if (discover_config_directory(config) && discover_belongs(config, out->url, local)) {
        if (discover_line(config, "token", line, sizeof line, out->token_from, e))
            return discover_token_text(line, out->token, e) || err_wrap(e, "%s", out->token_from);
        if (e->code != ERR_NONE) return false;
    }
    out->token_from[0] = '\0';
    return true;
}

bool discover(const struct settings *s, struct discovery *out, struct err *e) {
    struct err local;
    *out = (struct discovery){0};
    if (e == NULL) e = &local;
    return find_url(s, out, e) && find_token(s, out, e) && peer_find(s, out, e);
}

void discovery_fini(struct discovery *d) {
    secret_wipe(d->token, sizeof d->token);
    free(d->ca_pem);
    d->ca_pem = NULL;
}
