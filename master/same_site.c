#include "master/same_site.h"

#include "lib/join.h"
#include "lib/text.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static bool is_address(const char *host) {
    unsigned char parsed[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, parsed) == 1 || inet_pton(AF_INET6, host, parsed) == 1;
}

static bool is_listed(const char *names, const char *host) {
    size_t wanted = strlen(host);
    while (names != NULL && *names != '\0') {
        size_t length = strcspn(names, ", \n");
        if (length == wanted && strncasecmp(names, host, length) == 0) return true;
        names += length + (names[length] != '\0');
    }
    return false;
}

bool same_site_host(const char *host, const char *names, struct err *e) {
    char name[JOIN_HOST_SIZE] = "";
    int port = 0;
    struct err ignored;
    if (host != NULL && join_parse_address(host, 80, name, &port, &ignored) &&
        (is_address(name) || strcasecmp(name, "localhost") == 0 || is_listed(names, name)))
        return true;
    err_set(e, ERR_DENIED, "Host %.100s is no name that this master knows as its own",
            host != NULL ? host : "(none)");
    return err_hint(e, "use its address, or start it with --host-name NAME");
}

bool same_site_origin(const char *origin, const char *host) {
    size_t scheme = strncmp(origin, "http://", 7) == 0    ? 7
                    : strncmp(origin, "https://", 8) == 0 ? 8
                                                          : 0;
    return scheme > 0 && host != NULL && *host != '\0' && strcasecmp(origin + scheme, host) == 0;
}

bool same_site_cookie(const char *header, const char *name, char *out, size_t size) {
    size_t wanted = strlen(name), found = 0;
    for (const char *at = header; at != NULL && *at != '\0';) {
        at += strspn(at, " \t;");
        size_t length = strcspn(at, ";");
        if (length > wanted && strncmp(at, name, wanted) == 0 && at[wanted] == '=') {
            size_t value = length - wanted - 1;
            if (++found > 1 || value >= size) return false;
            memcpy(out, at + wanted + 1, value);
            out[value] = '\0';
        }
        at += length;
    }
    return found == 1;
}
