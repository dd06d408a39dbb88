#include "agent/ports.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TCP_LISTEN_STATE = 10 }; /* as /proc/net/tcp numbers it */

bool ports_free(int port) {
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((in_port_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0) return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
               sizeof on); /* as servers do: TIME_WAIT is no holder */
    bool free_now =
        bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0;
    close(fd);
    return free_now;
}

/* "  0: 0100007F:1BBC 00000000:0000 0A ...": local address, remote address, state, five more,
 * inode. 0 unless the line is of a socket that listens on the port. */
static unsigned long inode_of_listener(char *line, int port) {
    enum { LOCAL = 1, STATE = 3, INODE = 9, FIELDS };
    char *fields[FIELDS] = {NULL};
    char *rest = line;
    for (int i = 0; i < FIELDS; i++) {
        fields[i] = strtok_r(i == 0 ? line : NULL, " \n", &rest);
        if (fields[i] == NULL) return 0;
    }
    const char *colon = strrchr(fields[LOCAL], ':');
    bool listens = strtol(fields[STATE], NULL, 16) == TCP_LISTEN_STATE;
    if (!listens || colon == NULL || strtol(colon + 1, NULL, 16) != port) return 0;
    return strtoul(fields[INODE], NULL, 10);
}

/* The inode of the socket in one of the kernel's tables, 0 when nobody listens on the port there.
 */
static unsigned long inode_in(const char *table, int port) {
    char line[512];
    unsigned long found = 0;
    FILE *file = fopen(table, "re");
    if (file == NULL) return 0;
    while (found == 0 && fgets(line, sizeof line, file) != NULL)
        found = inode_of_listener(line, port);
    fclose(file);
    return found;
}

static bool process_has(const char *pid, const char *socket_name) {
    char path[300];
    char target[64];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *descriptors = opendir(path);
    if (descriptors == NULL) return false;
    for (const struct dirent *entry; !found && (entry = readdir(descriptors)) != NULL;) {
        ssize_t length = readlinkat(dirfd(descriptors), entry->d_name, target, sizeof target - 1);
        if (length <= 0) continue;
        target[length] = '\0';
        found = strcmp(target, socket_name) == 0;
    }
    closedir(descriptors);
    return found;
}

static void describe(const char *pid, char out[PORTS_HOLDER_SIZE]) {
    char path[300];
    char name[32] = "";
    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, name, sizeof name - 1) : -1;
    if (fd >= 0) close(fd);
    if (length > 0) name[strcspn(name, "\n")] = '\0';
    snprintf(out, PORTS_HOLDER_SIZE, "pid %.12s (%s)", pid, name);
}

char *ports_holder(int port, char out[PORTS_HOLDER_SIZE]) {
    char socket_name[40];
    snprintf(out, PORTS_HOLDER_SIZE, "another process");
    unsigned long inode = inode_in("/proc/net/tcp", port);
    if (inode == 0) inode = inode_in("/proc/net/tcp6", port);
    DIR *processes = inode != 0 ? opendir("/proc") : NULL;
    if (processes == NULL) return out;
    snprintf(socket_name, sizeof socket_name, "socket:[%lu]", inode);
    for (const struct dirent *entry; (entry = readdir(processes)) != NULL;) {
        if (strspn(entry->d_name, "0123456789") != strlen(entry->d_name)) continue;
        if (!process_has(entry->d_name, socket_name)) continue;
        describe(entry->d_name, out);
        break;
    }
    closedir(processes);
    return out;
}

static bool is_reserved(int port, const int *reserved, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (reserved[i] == port) return true;
    return false;
}

int ports_choose(int first, int last, const int *reserved, size_t count, int preferred,
                 unsigned offset) {
    unsigned size = (unsigned)(last - first + 1);
    bool wanted =
        preferred >= first && preferred <= last && !is_reserved(preferred, reserved, count);
    if (wanted && ports_free(preferred)) return preferred;
    for (unsigned i = 0; i < size; i++) {
        int port = first + (int)((offset + i) % size);
        if (!is_reserved(port, reserved, count) && ports_free(port)) return port;
    }
    return 0;
}
