/* Who has to go when few workers are left. A connection takes a worker for as long as it lasts, so
 * whoever gives it nothing to do stands in the way of those who would. */
#include "lib/clock.h"
#include "lib/http_server_internal.h"

#include <assert.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

/* Bytes have come that the worker has not read yet. A client that is gone leaves only an end. */
static bool has_bytes(const struct http_worker *worker) {
    char byte;
    return recv(worker->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static bool waits_longer(const struct http_worker *a, const struct http_worker *than) {
    return than == NULL || a->waiting_since_ms < than->waiting_since_ms;
}

/* Several clients are sent away at once: until one is gone takes a while when there is much to do.
 */
static bool is_crowded(const struct http_server *s) {
    assert(s->leaving_count <= s->connected_count);
    size_t workers = s->lacks_workers ? s->workers_begun : s->worker_count;
    size_t spare = workers < 8 ? 1 : workers / 8;
    return s->connected_count - s->leaving_count + spare > workers;
}

/* Of those without a request; NULL when there is none. */
static struct http_worker *longest_waiting(struct http_server *s,
                                           const struct http_worker *newest) {
    struct http_worker *longest = NULL;
    struct http_worker *longest_silent = NULL;
    for (struct http_worker *w = s->workers; w < s->workers + s->worker_count; w++) {
        bool waits = w->socket >= 0 && !w->busy && !w->leaving && w->web_socket == NULL;
        if (!waits || w == newest) continue;
        if (waits_longer(w, longest)) longest = w;
        if (waits_longer(w, longest_silent) && !has_bytes(w)) longest_silent = w;
    }
    return longest_silent != NULL ? longest_silent : longest;
}

/* Of those with a request that wait for their client; NULL when all clients are quick enough. */
static struct http_worker *slowest(struct http_server *s, int64_t now_ms) {
    struct http_worker *found = NULL;
    int64_t least_bps = INT64_MAX;
    for (struct http_worker *w = s->workers; w < s->workers + s->worker_count; w++) {
        int64_t bps = 0;
        if (w->socket < 0 || !w->busy || w->leaving) continue;
        if (!http_pace_is_slow(&w->pace, now_ms, &bps) || bps >= least_bps) continue;
        found = w;
        least_bps = bps;
    }
    return found;
}

static void send_away(struct http_server *s, struct http_worker *worker) {
    assert(worker->socket >= 0 && !worker->leaving);
    worker->leaving = true;
    s->leaving_count++;
    shutdown(worker->socket, SHUT_RDWR);
}

void http_make_room(struct http_server *s, const struct http_worker *newest) {
    if (!is_crowded(s)) return;
    struct http_worker *chosen = longest_waiting(s, newest);
    if (chosen == NULL) chosen = slowest(s, clock_monotonic_ms());
    if (chosen != NULL) send_away(s, chosen);
}

/* What the client has taken, or given: what is in the kernel's buffers for it is not taken yet. */
static bool moved_bytes(int socket, short awaited, int64_t *out) {
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_segs_out))
        return false; /* a kernel that does not count them: nobody is judged */
    *out = (int64_t)(awaited == POLLOUT ? info.tcpi_bytes_acked : info.tcpi_bytes_received);
    return true;
}

void http_watch_pace(struct http_worker *worker, short awaited) {
    struct http_server *s = worker->server;
    int64_t now_ms = clock_monotonic_ms();
    int64_t bytes = 0;
    if (!http_pace_is_due(&worker->pace, now_ms) || !moved_bytes(worker->socket, awaited, &bytes))
        return;
    pthread_mutex_lock(&s->lock);
    http_pace_note(&worker->pace, awaited, bytes, now_ms);
    for (struct http_worker *slow; is_crowded(s) && (slow = slowest(s, now_ms)) != NULL;)
        send_away(s, slow);
    pthread_mutex_unlock(&s->lock);
}

/* Nobody sends a WebSocket away. Without a worker left for the next connection none would try again
 * to begin more of them. */
bool http_may_hold_worker(struct http_server *s) {
    pthread_mutex_lock(&s->lock);
    bool may = !s->lacks_workers || !is_crowded(s);
    pthread_mutex_unlock(&s->lock);
    return may;
}

bool http_is_crowded(struct http_server *s) {
    pthread_mutex_lock(&s->lock);
    bool crowded = is_crowded(s);
    pthread_mutex_unlock(&s->lock);
    return crowded;
}
