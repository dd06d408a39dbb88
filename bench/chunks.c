/* Moves chunks of 4 MiB and prints bytes per second: over HTTP to and from a storage-server, and
 * what disk, page cache and loopback do without one. */
#include "lib/clock.h"
#include "lib/text.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { CHUNK = 4 << 20, HEAD_MAX = 4096, MOST_WORKERS = 64 };

struct worker {
    const struct work *work;
    const char *place; /* port or directory */
    unsigned number, count;
    int fd;
    char *buffer;
};

struct work {
    const char *name;
    void (*open)(struct worker *w); /* before the clock runs; may be NULL */
    void (*move)(struct worker *w, unsigned i);
    void (*close)(struct worker *w); /* after it has stopped; may be NULL */
};

static void check(bool good, const char *what) {
    if (good) return;
    perror(what);
    exit(1);
}

static int dial(const char *port) {
    int one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void send_all(int fd, const char *bytes, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t sent = send(fd, bytes + done, length - done, MSG_NOSIGNAL);
        check(sent > 0, "send");
        done += (size_t)sent;
    }
}

static void receive_all(int fd, char *bytes, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t got = recv(fd, bytes + done, length - done, 0);
        check(got > 0, "receive");
        done += (size_t)got;
    }
}

/* Reads an answer, of which the buffer keeps the start. Its status must be one of 2xx. */
static void take_answer(int fd, char *buffer) {
    size_t length = 0;
    char *end = NULL;
    while (end == NULL) {
        ssize_t got = recv(fd, buffer + length, HEAD_MAX - 1 - length, 0);
        check(got > 0, "answer");
        length += (size_t)got;
        buffer[length] = '\0';
        end = strstr(buffer, "\r\n\r\n");
    }
    const char *announced = strcasestr(buffer, "\r\nContent-Length: ");
    if (strncmp(buffer, "HTTP/1.1 2", 10) != 0) check(false, buffer);
    size_t body = announced != NULL ? strtoul(announced + 18, NULL, 10) : 0;
    size_t have = length - (size_t)(end + 4 - buffer);
    receive_all(fd, buffer + HEAD_MAX, body - have);
}

static void ask(struct worker *w, const char *method, unsigned i, size_t body) {
    char head[256];
    int length = snprintf(head, sizeof head,
                          "%s /v1/chunks/bench-%u-%u HTTP/1.1\r\nHost: localhost\r\n"
                          "Content-Length: %zu\r\n\r\n",
                          method, w->number, i, body);
    send_all(w->fd, head, (size_t)length);
    if (body > 0) send_all(w->fd, w->buffer + HEAD_MAX, body);
    take_answer(w->fd, w->buffer);
}

static void http_open(struct worker *w) {
    w->fd = dial(w->place);
}

static void put_one(struct worker *w, unsigned i) {
    ask(w, "PUT", i, CHUNK);
}

static void delete_all(struct worker *w) {
    for (unsigned i = 0; i < w->count; i++) ask(w, "DELETE", i, 0);
    close(w->fd);
}

static void get_open(struct worker *w) {
    http_open(w);
    put_one(w, 0);
}

static void get_one(struct worker *w, unsigned i) {
    (void)i;
    ask(w, "GET", 0, 0);
}

static void get_close(struct worker *w) {
    ask(w, "DELETE", 0, 0);
    close(w->fd);
}

static void file_path(const struct worker *w, const char *kind, unsigned i, char out[4096]) {
    snprintf(out, 4096, "%s/bench-%s-%u-%u", w->place, kind, w->number, i);
}

static void write_one(struct worker *w, unsigned i) {
    char temporary[4096], path[4096];
    file_path(w, "new", i, temporary);
    file_path(w, "file", i, path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check(fd >= 0 && write(fd, w->buffer, CHUNK) == CHUNK && fdatasync(fd) == 0, "write");
    check(close(fd) == 0 && rename(temporary, path) == 0, "rename");
}

static void unlink_all(struct worker *w) {
    char path[4096];
    for (unsigned i = 0; i < w->count; i++) {
        file_path(w, "file", i, path);
        unlink(path);
    }
}

static void read_open(struct worker *w) {
    write_one(w, 0);
}

static void read_one(struct worker *w, unsigned i) {
    char path[4096];
    (void)i;
    file_path(w, "file", 0, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    check(fd >= 0 && read(fd, w->buffer, CHUNK) == CHUNK, "read");
    close(fd);
}

static void *sink(void *fd) {
    char *buffer = memory_zeroed(1, CHUNK);
    while (recv((int)(intptr_t)fd, buffer, CHUNK, 0) > 0) continue;
    close((int)(intptr_t)fd);
    free(buffer);
    return NULL;
}

static void loopback_open(struct worker *w) {
    pthread_t thread = 0;
    char port[16];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 1) == 0 &&
              getsockname(listener, (struct sockaddr *)&at, &size) == 0,
          "listen");
    snprintf(port, sizeof port, "%u", ntohs(at.sin_port));
    w->fd = dial(port);
    int end = accept(listener, NULL, NULL);
    check(end >= 0 && pthread_create(&thread, NULL, sink, (void *)(intptr_t)end) == 0, "accept");
    pthread_detach(thread);
    close(listener);
}

static void send_one(struct worker *w, unsigned i) {
    (void)i;
    send_all(w->fd, w->buffer, CHUNK);
}

static void loopback_close(struct worker *w) {
    close(w->fd);
}

static const struct work works[] = {
    {"put",   http_open,     put_one,   delete_all    },
    {"get",   get_open,      get_one,   get_close     },
    {"write", NULL,          write_one, unlink_all    },
    {"read",  read_open,     read_one,  unlink_all    },
    {"send",  loopback_open, send_one,  loopback_close},
};

static void *run(void *worker) {
    struct worker *w = worker;
    for (unsigned i = 0; i < w->count; i++) w->work->move(w, i);
    return NULL;
}

static int64_t measure(const struct work *work, const char *place, unsigned workers,
                       unsigned count) {
    struct worker all[MOST_WORKERS];
    pthread_t threads[MOST_WORKERS];
    for (unsigned i = 0; i < workers; i++) {
        all[i] = (struct worker){work, place, i, count, -1, memory_zeroed(1, HEAD_MAX + CHUNK)};
        memset(all[i].buffer, (int)i + 1, HEAD_MAX + CHUNK);
        if (work->open != NULL) work->open(&all[i]);
    }
    int64_t begun_ms = clock_monotonic_ms();
    for (unsigned i = 0; i < workers; i++)
        check(pthread_create(&threads[i], NULL, run, &all[i]) == 0, "thread");
    for (unsigned i = 0; i < workers; i++) pthread_join(threads[i], NULL);
    int64_t spent_ms = clock_monotonic_ms() - begun_ms;
    for (unsigned i = 0; i < workers; i++) {
        if (work->close != NULL) work->close(&all[i]);
        free(all[i].buffer);
    }
    return (int64_t)workers * count * CHUNK * 1000 / (spent_ms > 0 ? spent_ms : 1);
}

int main(int argc, char **argv) {
    unsigned workers = argc == 5 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    unsigned count = argc == 5 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;
    for (size_t i = 0; i < sizeof works / sizeof works[0] && workers > 0; i++) {
        if (strcmp(argv[1], works[i].name) != 0 || workers > MOST_WORKERS || count == 0) continue;
        printf("%" PRId64 "\n", measure(&works[i], argv[2], workers, count));
        return 0;
    }
    fprintf(stderr, "usage: chunks put|get PORT CONNECTIONS COUNT\n"
                    "       chunks write|read|send DIRECTORY CONNECTIONS COUNT\n");
    return 2;
}
