#include "cli/retry.h"

#include "lib/secret.h"

#include <errno.h>
#include <time.h>

#define ATTEMPTS_MAX 5
#define FIRST_MS 1000
#define LONGEST_MS 30000
#define ASKED_LONGEST_S 120

bool retry_worthwhile(enum err_code code, int status) {
    if (status < 400) return code == ERR_UNREACHABLE || code == ERR_TIMEOUT;
    return status == 408 || status == 429 || status == 502 || status == 503 || status == 504;
}

int64_t retry_next(struct retry *r, int64_t retry_after_s) {
    if (r->attempts >= ATTEMPTS_MAX || retry_after_s > ASKED_LONGEST_S) return -1;
    int64_t ms = FIRST_MS << r->attempts++;
    if (ms > LONGEST_MS) ms = LONGEST_MS;
    ms = ms * 3 / 4 + (int64_t)random_below((unsigned)(ms / 2));
    return ms > retry_after_s * 1000 ? ms : retry_after_s * 1000;
}

void retry_wait(int64_t ms) {
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}
