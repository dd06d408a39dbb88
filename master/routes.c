/* Every route of the master, in one table. docs/openapi.yaml says the same; a test compares them.
 */
#include "master/api_agents.h"
#include "master/api_audit.h"
#include "master/api_backup.h"
#include "master/api_binaries.h"
#include "master/api_channels.h"
#include "master/api_floors.h"
#include "master/api_held.h"
#include "master/api_install.h"
#include "master/api_keys.h"
#include "master/api_quarantine.h"
#include "master/api_rollouts.h"
#include "master/api_sessions.h"
#include "master/api_system.h"
#include "master/api_tokens.h"
#include "master/api_trust.h"
#include "master/api_tuf.h"
#include "master/api_users.h"
#include "master/master.h"

#define NO_BODY .body_max_bytes = 0
#define JSON_BODY .body_max_bytes = INT64_C(64) * 1024
#define TARGETS_BODY .body_max_bytes = INT64_C(17) << 20, .body_timeout_ms = INT64_C(120) * 1000
#define BINARY_BODY .body_max_bytes = INT64_C(4) << 30, .body_timeout_ms = INT64_C(3600) * 1000

/* One row a line, columns aligned. */
/* clang-format off */
const struct http_route master_routes[] = {
    {"GET",    "/",                                             HTTP_PUBLIC,    api_index,             NO_BODY},
    {"GET",    "/healthz",                                      HTTP_PUBLIC,    api_healthz,           NO_BODY},
    {"GET",    "/readyz",                                       HTTP_PUBLIC,    api_readyz,            NO_BODY},
    {"GET",    "/metrics",                                      HTTP_PUBLIC,    api_metrics,           NO_BODY},
    {"GET",    "/install.sh",                                   HTTP_PUBLIC,    api_install,           NO_BODY},
    {"GET",    "/api/ca.pem",                                   HTTP_PUBLIC,    api_ca,                NO_BODY},
    {"GET",    "/api/openapi.yaml",                             HTTP_PUBLIC,    api_openapi,           NO_BODY},
    {"GET",    "/api/summary",                                  HTTP_VIEWER,    api_summary,           NO_BODY},
    {"GET",    "/api/doctor",                                   HTTP_OPERATOR,  api_doctor,            NO_BODY},
    {"GET",    "/api/events",                                   HTTP_VIEWER,    api_events_list,       NO_BODY},
    {"WS",     "/api/events/ws",                                HTTP_VIEWER,    .socket = &events_socket},

    {"GET",    "/api/agents",                                   HTTP_VIEWER,    api_agents_list,       NO_BODY},
    {"GET",    "/api/agents/:id",                               HTTP_VIEWER,    api_agents_get,        NO_BODY},
    {"PATCH",  "/api/agents/:id",                               HTTP_OPERATOR,  api_agents_patch,      JSON_BODY},
    {"DELETE", "/api/agents/:id",                               HTTP_OPERATOR,  api_agents_delete,     NO_BODY},
    {"POST",   "/api/agents/:id/approve",                       HTTP_OPERATOR,  api_agents_approve,    NO_BODY},
    {"POST",   "/api/agents/:id/revoke",                        HTTP_OPERATOR,  api_agents_revoke,     NO_BODY},
    {"POST",   "/api/agents/:id/drain",                         HTTP_OPERATOR,  api_agents_drain,      NO_BODY},
    {"POST",   "/api/agents/:id/resume",                        HTTP_OPERATOR,  api_agents_resume,     NO_BODY},
    {"GET",    "/api/agents/:id/why",                           HTTP_VIEWER,    api_agents_why,        NO_BODY},
    {"GET",    "/api/agents/:id/logs",                          HTTP_VIEWER,    api_agents_logs,       NO_BODY},

    {"GET",    "/api/nodes",                                    HTTP_VIEWER,    api_nodes_list,        NO_BODY},
    {"GET",    "/api/nodes/:id",                                HTTP_VIEWER,    api_nodes_get,         NO_BODY},
    {"POST",   "/api/nodes/:id/restart",                        HTTP_OPERATOR,  api_nodes_restart,     NO_BODY},
    {"GET",    "/api/nodes/:id/logs",                           HTTP_VIEWER,    api_nodes_logs,        NO_BODY},

    {"GET",    "/api/tokens",                                   HTTP_ADMIN,     api_tokens_list,       NO_BODY},
    {"POST",   "/api/tokens",                                   HTTP_OPERATOR,  api_tokens_create,     JSON_BODY},
    {"DELETE", "/api/tokens/:id",                               HTTP_ADMIN,     api_tokens_revoke,     NO_BODY},

    {"POST",   "/api/setup",                                    HTTP_PUBLIC,    api_setup,             JSON_BODY},
    {"POST",   "/api/login",                                    HTTP_PUBLIC,    api_login,             JSON_BODY},
    {"POST",   "/api/logout",                                   HTTP_PUBLIC,    api_logout,            NO_BODY},
    {"GET",    "/api/me",                                       HTTP_VIEWER,    api_me,                NO_BODY},
    {"POST",   "/api/events/ticket",                            HTTP_VIEWER,    api_events_ticket,     NO_BODY},
    {"GET",    "/api/users",                                    HTTP_ADMIN,     api_users_list,        NO_BODY},
    {"POST",   "/api/users",                                    HTTP_ADMIN,     api_users_invite,      JSON_BODY},
    {"DELETE", "/api/users/:name",                              HTTP_ADMIN,     api_users_remove,      NO_BODY},

    {"GET",    "/binaries/:file",                               HTTP_PUBLIC,    api_binaries_download, NO_BODY},
    {"GET",    "/api/binaries",                                 HTTP_PUBLIC,    api_binaries_list,     NO_BODY},
    {"GET",    "/api/binaries/rejected",                        HTTP_VIEWER,    api_binaries_rejected, NO_BODY},
    {"GET",    "/api/binaries/held",                            HTTP_VIEWER,    api_held_list,         NO_BODY},
    {"POST",   "/api/binaries/held/:file/approve",              HTTP_PUBLISHER, api_held_approve,      NO_BODY},
    {"DELETE", "/api/binaries/held/:file",                      HTTP_PUBLISHER, api_held_discard,      NO_BODY},
    {"GET",    "/api/binaries/latest/:platform/:arch",          HTTP_PUBLIC,    api_binaries_latest,   NO_BODY},
    {"GET",    "/api/binaries/:version/:platform/:arch",        HTTP_PUBLIC,    api_binaries_get,      NO_BODY},
    {"HEAD",   "/api/binaries/:version/:platform/:arch",        HTTP_PUBLIC,    api_binaries_head,     NO_BODY},
    {"PUT",    "/api/binaries/:version/:platform/:arch",        HTTP_PUBLISHER, api_binaries_put,      BINARY_BODY},
    {"DELETE", "/api/binaries/:version/:platform/:arch",        HTTP_PUBLISHER, api_binaries_delete,   NO_BODY},
    {"POST",   "/api/binaries/:version/:platform/:arch/verify", HTTP_PUBLIC,    api_binaries_verify,   JSON_BODY},
    {"POST",   "/api/binaries/:version/:platform/:arch/yank",   HTTP_PUBLISHER, api_binaries_yank,     NO_BODY},

    {"GET",    "/tuf/metadata/:file",                           HTTP_PUBLIC,    api_tuf_metadata,      NO_BODY},
    {"GET",    "/tuf/targets/:file",                            HTTP_PUBLIC,    api_tuf_targets,       NO_BODY},
    {"GET",    "/api/trust",                                    HTTP_VIEWER,    api_trust_get,         NO_BODY},
    {"POST",   "/api/trust/root",                               HTTP_ADMIN,     api_trust_root,        TARGETS_BODY},
    {"POST",   "/api/trust/targets",                            HTTP_PUBLISHER, api_trust_targets,     TARGETS_BODY},
    {"POST",   "/api/trust/rotate",                             HTTP_ADMIN,     api_trust_rotate,      JSON_BODY},

    {"GET",    "/api/channels",                                 HTTP_VIEWER,    api_channels_list,     NO_BODY},
    {"PUT",    "/api/channels/:name",                           HTTP_OPERATOR,  api_channels_set,      JSON_BODY},

    {"GET",    "/api/rollouts",                                 HTTP_VIEWER,    api_rollouts_list,     NO_BODY},
    {"POST",   "/api/rollouts",                                 HTTP_OPERATOR,  api_rollouts_start,    JSON_BODY},
    {"POST",   "/api/rollouts/plan",                            HTTP_OPERATOR,  api_rollouts_plan,     JSON_BODY},
    {"GET",    "/api/rollouts/:id",                             HTTP_VIEWER,    api_rollouts_get,      NO_BODY},
    {"GET",    "/api/rollouts/:id/agents",                      HTTP_VIEWER,    api_rollouts_agents,   NO_BODY},
    {"POST",   "/api/rollouts/:id/pause",                       HTTP_OPERATOR,  api_rollouts_pause,    NO_BODY},
    {"POST",   "/api/rollouts/:id/resume",                      HTTP_OPERATOR,  api_rollouts_resume,   NO_BODY},
    {"POST",   "/api/rollouts/:id/promote",                     HTTP_OPERATOR,  api_rollouts_promote,  NO_BODY},
    {"POST",   "/api/rollouts/:id/stop",                        HTTP_OPERATOR,  api_rollouts_stop,     NO_BODY},
    {"POST",   "/api/rollouts/:id/rollback",                    HTTP_OPERATOR,  api_rollouts_rollback, NO_BODY},

    {"GET",    "/api/quarantine",                               HTTP_VIEWER,    api_quarantine_list,   NO_BODY},
    {"GET",    "/api/quarantine/:digest",                       HTTP_VIEWER,    api_quarantine_get,    NO_BODY},
    {"DELETE", "/api/quarantine/:digest",                       HTTP_OPERATOR,  api_quarantine_lift,   NO_BODY},
    {"GET",    "/api/floors",                                   HTTP_VIEWER,    api_floors_list,       NO_BODY},
    {"PUT",    "/api/floors/:name",                             HTTP_PUBLISHER, api_floors_set,        JSON_BODY},
    {"DELETE", "/api/floors/:name",                             HTTP_PUBLISHER, api_floors_remove,     NO_BODY},
    {"GET",    "/api/audit",                                    HTTP_ADMIN,     api_audit_list,        NO_BODY},
    {"GET",    "/api/audit/checkpoints",                        HTTP_ADMIN,     api_audit_points,      NO_BODY},

    {"GET",    "/api/keys/release",                             HTTP_PUBLIC,    api_keys_release,      NO_BODY},
    {"GET",    "/api/keys/master",                              HTTP_PUBLIC,    api_keys_master,       NO_BODY},
    {"GET",    "/api/keys",                                     HTTP_ADMIN,     api_keys_list,         NO_BODY},
    {"POST",   "/api/keys",                                     HTTP_ADMIN,     api_keys_trust,        JSON_BODY},
    {"DELETE", "/api/keys/:id",                                 HTTP_ADMIN,     api_keys_distrust,     NO_BODY},

    {"POST",   "/api/backup",                                   HTTP_ADMIN,     api_backup_create,     NO_BODY},
};
/* clang-format on */
const size_t master_route_count = sizeof master_routes / sizeof master_routes[0];
