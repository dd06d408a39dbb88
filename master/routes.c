/* Every route of the master, in one table. docs/openapi.yaml says the same; a test compares them.
 */
#include "master/api_agents.h"
#include "master/api_backup.h"
#include "master/api_binaries.h"
#include "master/api_channels.h"
#include "master/api_keys.h"
#include "master/api_system.h"
#include "master/api_tokens.h"
#include "master/master.h"

#define JSON_BODY .body_max_bytes = INT64_C(64) * 1024
#define BINARY_BODY .body_max_bytes = INT64_C(4) << 30, .body_timeout_ms = INT64_C(3600) * 1000

const struct http_route master_routes[] = {
    {"GET",      "/",               HTTP_PUBLIC,   api_index                         },
    {"GET",      "/healthz",        HTTP_PUBLIC,   api_healthz                       },
    {"GET",      "/readyz",         HTTP_PUBLIC,   api_readyz                        },
    {"GET",      "/metrics",        HTTP_PUBLIC,   api_metrics                       },
    {"GET",      "/api/summary",    HTTP_VIEWER,   api_summary                       },
    {"GET",      "/api/events",     HTTP_VIEWER,   api_events_list                   },
    {"WS",       "/api/events/ws",  HTTP_VIEWER,   .socket = &events_socket          },

    {"GET",      "/api/agents",     HTTP_VIEWER,   api_agents_list                   },
    {"GET",      "/api/agents/:id", HTTP_VIEWER,   api_agents_get                    },
    {"PATCH",    "/api/agents/:id", HTTP_OPERATOR, api_agents_patch,                   JSON_BODY},
    {"DELETE",          "/api/agents/:id",                    HTTP_OPERATOR,       api_agents_delete        },
    {"POST",          "/api/agents/:id/approve",                      HTTP_OPERATOR, api_agents_approve},
    {"POST",          "/api/agents/:id/revoke",                      HTTP_OPERATOR,  api_agents_revoke         },
    {"POST",          "/api/agents/:id/drain",                      HTTP_OPERATOR,   api_agents_drain},
    {"POST",          "/api/agents/:id/resume",                      HTTP_OPERATOR,  api_agents_resume        },
    {"GET",          "/api/agents/:id/why",                       HTTP_VIEWER,      api_agents_why},
    {"GET",          "/api/agents/:id/logs",                       HTTP_VIEWER,     api_agents_logs       },

    {"GET",          "/api/nodes",                       HTTP_VIEWER,               api_nodes_list        },
    {"GET",          "/api/nodes/:id",                       HTTP_VIEWER,           api_nodes_get   },
    {"POST",          "/api/nodes/:id/restart",                      HTTP_OPERATOR,  api_nodes_restart},
    {"GET",          "/api/nodes/:id/logs",                       HTTP_VIEWER,      api_nodes_logs        },

    {"GET",          "/api/tokens",                       HTTP_ADMIN,              api_tokens_list       },
    {"POST",          "/api/tokens",                      HTTP_OPERATOR,             api_tokens_create,      JSON_BODY},
    {"DELETE", "/api/tokens/:id",                  HTTP_ADMIN,                        api_tokens_revoke                                   },
};
const size_t master_route_count = sizeof master_routes / sizeof master_routes[0];
