/* What the link and the supervisor tell each other: the latest report one way, the latest desired
 * state the other way. Whole states, so that skipping one loses nothing. Any thread. */
#pragma once

#include "lib/text.h"
#include "lib/wire.h"

#include <stdbool.h>
#include <stdint.h>

struct exchange;

struct exchange *exchange_new(void);
void exchange_free(struct exchange *x);

/* Both are called without locks when there is something new for the side in question; set before
 * threads start. */
void exchange_on_report(struct exchange *x, void (*news)(void *argument),
                        void *argument); /* for the link */
void exchange_on_desired(struct exchange *x, void (*news)(void *argument),
                         void *argument); /* for the supervisor */

/* For the supervisor: the observed state as a heartbeat's JSON. news: worth telling the master at
 * once. log_request: the log answer that it holds, 0 for none. */
void exchange_report(struct exchange *x, const char *json, bool news, int64_t log_request);

struct exchange_desired {
    uint64_t number;              /* grows with each desired state that came in; 0: none yet */
    char *json;                   /* free() it */
    int64_t received_ms;          /* when that was, by clock_boot_ms */
    bool connected;               /* the master has answered lately */
    int http_port;                /* of the master, 0 while unknown */
    char http_pin[WIRE_PIN_SIZE]; /* of the key that its HTTPS shows; "": it speaks plain HTTP */
    int64_t log_told;             /* the master has this log answer: it need not be told again */
};
void exchange_get_desired(struct exchange *x, struct exchange_desired *out);

/* For the link: appends the latest report; false when there is none yet. */
bool exchange_get_report(struct exchange *x, struct text *json, int64_t *log_request);
void exchange_desired(struct exchange *x, const char *json, size_t length, int64_t log_told);
void exchange_connected(struct exchange *x, bool connected);
void exchange_http(struct exchange *x, int port, const char *pin); /* port 0: unchanged */
