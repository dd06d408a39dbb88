/* Requests for chunks (routes.h). Each answers and returns true, or returns false with *e for the
 * caller to answer with. */
#pragma once

#include "lib/http_server.h"

struct node;

typedef bool chunk_work(struct http_request *r, struct node *n, struct err *e);
chunk_work chunk_put;
chunk_work chunk_get;
chunk_work chunk_head;
chunk_work chunk_delete;
chunk_work chunk_list;
