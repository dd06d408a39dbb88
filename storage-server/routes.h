/* Everything a node answers. The context of the server is the struct node.
 *
 *   PUT    /v1/chunks/ID   201 durable and new, 200 durable and there already, 409 there with
 *                          other bytes. The body is the chunk, at most 64 MiB, its length
 *                          announced; X-Chunk-CRC32C (8 hex digits) is optional
 *   GET    /v1/chunks/ID   takes Range, If-Range, If-None-Match; ETag and X-Chunk-CRC32C tell the
 *                          CRC32C of the whole chunk
 *   HEAD   /v1/chunks/ID   the same without the bytes, which are not read
 *   DELETE /v1/chunks/ID   204 durably gone
 *   GET    /v1/chunks      ?prefix=&limit=&cursor= [{"id","size_bytes"}]: all of it, or limit of
 *                          them with X-Total-Count and Link; by directory, not by id
 *   GET    /v1/ok-to-stop  {"ok","reasons"}
 *   GET    /healthz        always 200; conditions.h tells what its "status" means
 *   GET    /metrics        measures.h
 */
#pragma once

#include "lib/http_server.h"

extern const struct http_route routes[];
extern const size_t route_count;

/* Only names and addresses of this machine are answered to: a web page must not reach a node
 * through a name of its own. */
bool routes_authorize(struct http_request *r, enum http_role role, struct err *e);
void routes_finished(void *context, const char *method, const char *route, int status,
                     double seconds, int64_t sent_bytes);
