#include "master/certificates_names.h"

#include "lib/text.h"
#include "master/certificates.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

#define HOST_NAME_SIZE 254

struct list {
    const char **names;
    size_t count;
};

static bool is_address(const char *name) {
    unsigned char address[16];
    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

bool certificates_name_valid(const char *name) {
    if (is_address(name)) return true;
    if (strncmp(name, "*.", 2) == 0) name += 2;
    size_t length = strlen(name);
    if (length == 0 || length >= HOST_NAME_SIZE) return false;
    size_t label = 0;
    for (size_t i = 0; i <= length; i++) {
        char c = name[i];
        if (c == '.' || c == '\0') {
            if (label == 0 || label > 63 || name[i - 1] == '-') return false;
            label = 0;
        } else if (isalnum((unsigned char)c) || c == '_' || (c == '-' && label > 0)) {
            label++;
        } else {
            return false;
        }
    }
    return true;
}

static void add(struct list *l, const char *name) {
    if (!certificates_name_valid(name) || l->count == CERTIFICATES_NAMES_MAX) return;
    char *copy = text_duplicate(name);
    for (char *at = copy; *at != '\0'; at++) *at = (char)tolower((unsigned char)*at);
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->names[i], copy) == 0) {
            free(copy);
            return;
        }
    l->names[l->count++] = copy;
}

/* Those of links are of no use: they say nothing without the name of an interface. */
static void add_address(struct list *l, const struct sockaddr *address) {
    char words[INET6_ADDRSTRLEN];
    if (address == NULL) return;
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *ipv4 = (const void *)address;
        if (inet_ntop(AF_INET, &ipv4->sin_addr, words, sizeof words) != NULL) add(l, words);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *ipv6 = (const void *)address;
        if (IN6_IS_ADDR_LINKLOCAL(&ipv6->sin6_addr)) return;
        if (inet_ntop(AF_INET6, &ipv6->sin6_addr, words, sizeof words) != NULL) add(l, words);
    }
}

static void add_machine(struct list *l) {
    char host[HOST_NAME_SIZE] = "";
    struct ifaddrs *all = NULL;
    if (gethostname(host, sizeof host - 1) == 0) add(l, host);
    if (getifaddrs(&all) != 0) return;
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next)
        add_address(l, one->ifa_addr);
    freeifaddrs(all);
}

const char **certificates_names(const char *const *added) {
    struct list l = {.names = memory_zeroed(CERTIFICATES_NAMES_MAX + 1, sizeof(char *))};
    for (; added != NULL && *added != NULL; added++) add(&l, *added);
    add(&l, CERTIFICATES_NAME);
    add(&l, "localhost");
    add(&l, "127.0.0.1");
    add(&l, "::1");
    add_machine(&l);
    return l.names;
}

void certificates_names_free(const char **names) {
    for (const char **name = names; names != NULL && *name != NULL; name++)
        free((void *)(uintptr_t)*name);
    free(names);
}
