/* REST handlers about the master itself: summary, events, health, metrics. On the HTTP server's
 * threads. */
#pragma once

#include "lib/http_server.h"

void api_summary(struct http_request *r);
void api_doctor(struct http_request *r);
void api_events_list(struct http_request *r);
void api_healthz(struct http_request *r);
void api_ca(struct http_request *r); /* the CA that HTTPS and bus stand on, as PEM */
void api_readyz(struct http_request *r);
void api_metrics(struct http_request *r);
void api_openapi(struct http_request *r);
void api_index(struct http_request *r);
