/* The master as one thing: what the HTTP handlers share. Filled by main.c before the server starts,
 * constant after. */
#pragma once

#include "lib/http_server.h"
#include "lib/rate.h"
#include "master/agents.h"
#include "master/catalog.h"
#include "master/certificates.h"
#include "master/channels.h"
#include "master/downloads.h"
#include "master/events.h"
#include "master/inbox.h"
#include "master/intake.h"
#include "master/keys.h"
#include "master/repo.h"
#include "master/rollouts.h"
#include "master/sessions.h"
#include "master/settings.h"
#include "master/store.h"
#include "master/tokens.h"
#include "master/uploads.h"

struct master {
    const struct settings *settings;
    struct db *db;
    struct keys *keys;
    struct downloads_key downloads;
    struct events *events;
    struct repo *repo;
    struct catalog *catalog;
    struct uploads *uploads;
    struct intake *intake;
    struct agents *agents;
    struct rollouts *rollouts;
    struct inbox *inbox;
    struct bus_server *bus;
    struct sessions *sessions;
    struct certificates *certificates;       /* NULL: HTTP and bus are plain */
    struct rate_limiter *request_limit;      /* per address and principal */
    struct rate_limiter *failed_login_limit; /* per address, failures only */
    char grid_id[33];
    int64_t started_at_ms; /* wall clock, for people */
    int64_t started_ms;    /* monotonic */
    int http_port;
    char http_url[320];
    char bus_address[320];
};

static inline struct master *master_of(const struct http_request *r) {
    return http_context(r);
}

/* Checks token, role and rate limits for every request: http_server_options.authorize. */
bool master_authorize(struct http_request *r, enum http_role role, struct err *e);

/* Whether the principal of r, who was authorized for less, has this role: where it depends on what
 * is asked. Counts as no further request. */
MUST_CHECK bool master_require_role(struct http_request *r, enum http_role role, struct err *e);

/* Whether r may have what the catalog keeps under this name, which everybody may unless downloads
 * are closed. Then viewers may, with a certificate where one is wanted, agents what they should run
 * or do run, and holders of an unused join token what a machine needs to join. sha256 "": not
 * looked up yet. */
MUST_CHECK bool master_may_download(struct http_request *r, const char *name, const char *sha256,
                                    struct err *e);

extern const struct http_route master_routes[];
extern const size_t master_route_count;
