/* What a scope means for each route. A test holds this against master_routes; a route that is not
 * here is closed to everybody who has a scope. */
#include "master/scope.h"

#include <string.h>

/* clang-format off */
static const struct {
    const char *method, *pattern;
    enum scope_rule rule;
} rules[] = {
    {"GET",    "/",                                             SCOPE_ALL},
    {"GET",    "/healthz",                                      SCOPE_ALL},
    {"GET",    "/readyz",                                       SCOPE_ALL},
    {"GET",    "/metrics",                                      SCOPE_ALL},
    {"GET",    "/install.sh",                                   SCOPE_ALL},
    {"GET",    "/api/ca.pem",                                   SCOPE_ALL},
    {"GET",    "/api/openapi.yaml",                             SCOPE_ALL},
    {"GET",    "/api/summary",                                  SCOPE_WITHIN},
    {"GET",    "/api/doctor",                                   SCOPE_WITHIN},
    {"GET",    "/api/events",                                   SCOPE_WITHIN},
    {"WS",     "/api/events/ws",                                SCOPE_WITHIN},
    {"GET",    "/api/agents",                                   SCOPE_WITHIN},
    {"GET",    "/api/agents/:id",                               SCOPE_AGENT},
    {"PATCH",  "/api/agents/:id",                               SCOPE_AGENT},
    {"DELETE", "/api/agents/:id",                               SCOPE_AGENT},
    {"POST",   "/api/agents/:id/approve",                       SCOPE_AGENT},
    {"POST",   "/api/agents/:id/revoke",                        SCOPE_AGENT},
    {"POST",   "/api/agents/:id/drain",                         SCOPE_AGENT},
    {"POST",   "/api/agents/:id/resume",                        SCOPE_AGENT},
    {"GET",    "/api/agents/:id/why",                           SCOPE_AGENT},
    {"GET",    "/api/agents/:id/logs",                          SCOPE_AGENT},
    {"GET",    "/api/nodes",                                    SCOPE_WITHIN},
    {"GET",    "/api/nodes/:id",                                SCOPE_NODE},
    {"POST",   "/api/nodes/:id/restart",                        SCOPE_NODE},
    {"GET",    "/api/nodes/:id/logs",                           SCOPE_NODE},
    {"GET",    "/api/tokens",                                   SCOPE_WITHIN},
    {"POST",   "/api/tokens",                                   SCOPE_WITHIN},
    {"DELETE", "/api/tokens/:id",                               SCOPE_GRID},
    {"POST",   "/api/setup",                                    SCOPE_ALL},
    {"POST",   "/api/login",                                    SCOPE_ALL},
    {"POST",   "/api/logout",                                   SCOPE_ALL},
    {"GET",    "/api/me",                                       SCOPE_ALL},
    {"POST",   "/api/events/ticket",                            SCOPE_ALL},
    {"GET",    "/api/users",                                    SCOPE_GRID},
    {"POST",   "/api/users",                                    SCOPE_GRID},
    {"DELETE", "/api/users/:name",                              SCOPE_GRID},
    {"GET",    "/binaries/:file",                               SCOPE_ALL},
    {"GET",    "/api/binaries",                                 SCOPE_ALL},
    {"GET",    "/api/binaries/rejected",                        SCOPE_ALL},
    {"GET",    "/api/binaries/held",                            SCOPE_ALL},
    {"POST",   "/api/binaries/held/:file/approve",              SCOPE_GRID},
    {"DELETE", "/api/binaries/held/:file",                      SCOPE_GRID},
    {"GET",    "/tuf/metadata/:file",                           SCOPE_ALL},
    {"GET",    "/tuf/targets/:file",                            SCOPE_ALL},
    {"GET",    "/api/trust",                                    SCOPE_WITHIN},
    {"POST",   "/api/trust/root",                               SCOPE_GRID},
    {"POST",   "/api/trust/targets",                            SCOPE_GRID},
    {"POST",   "/api/trust/rotate",                             SCOPE_GRID},
    {"GET",    "/api/binaries/latest/:platform/:arch",          SCOPE_ALL},
    {"GET",    "/api/binaries/:version/:platform/:arch",        SCOPE_ALL},
    {"HEAD",   "/api/binaries/:version/:platform/:arch",        SCOPE_ALL},
    {"PUT",    "/api/binaries/:version/:platform/:arch",        SCOPE_GRID},
    {"DELETE", "/api/binaries/:version/:platform/:arch",        SCOPE_GRID},
    {"POST",   "/api/binaries/:version/:platform/:arch/verify", SCOPE_ALL},
    {"POST",   "/api/binaries/:version/:platform/:arch/yank",   SCOPE_GRID},
    {"GET",    "/api/channels",                                 SCOPE_WITHIN},
    {"PUT",    "/api/channels/:name",                           SCOPE_GRID},
    {"GET",    "/api/rollouts",                                 SCOPE_WITHIN},
    {"POST",   "/api/rollouts",                                 SCOPE_WITHIN},
    {"POST",   "/api/rollouts/plan",                            SCOPE_WITHIN},
    {"GET",    "/api/rollouts/:id",                             SCOPE_ROLLOUT},
    {"GET",    "/api/rollouts/:id/agents",                      SCOPE_ROLLOUT},
    {"POST",   "/api/rollouts/:id/pause",                       SCOPE_ROLLOUT},
    {"POST",   "/api/rollouts/:id/resume",                      SCOPE_ROLLOUT},
    {"POST",   "/api/rollouts/:id/promote",                     SCOPE_ROLLOUT},
    {"POST",   "/api/rollouts/:id/stop",                        SCOPE_ROLLOUT},
    {"POST",   "/api/rollouts/:id/rollback",                    SCOPE_ROLLOUT},
    {"GET",    "/api/quarantine",                               SCOPE_WITHIN},
    {"GET",    "/api/quarantine/:digest",                       SCOPE_WITHIN},
    {"DELETE", "/api/quarantine/:digest",                       SCOPE_GRID},
    {"GET",    "/api/floors",                                   SCOPE_ALL},
    {"PUT",    "/api/floors/:name",                             SCOPE_GRID},
    {"DELETE", "/api/floors/:name",                             SCOPE_GRID},
    {"GET",    "/api/audit",                                    SCOPE_GRID},
    {"GET",    "/api/audit/checkpoints",                        SCOPE_GRID},
    {"GET",    "/api/keys/release",                             SCOPE_ALL},
    {"GET",    "/api/keys/master",                              SCOPE_ALL},
    {"GET",    "/api/keys",                                     SCOPE_GRID},
    {"POST",   "/api/keys",                                     SCOPE_GRID},
    {"DELETE", "/api/keys/:id",                                 SCOPE_GRID},
    {"POST",   "/api/backup",                                   SCOPE_GRID},
};
/* clang-format on */

enum scope_rule scope_of_route(const char *method, const char *pattern) {
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (strcmp(rules[i].method, method) == 0 && strcmp(rules[i].pattern, pattern) == 0)
            return rules[i].rule;
    return SCOPE_UNSAID;
}
