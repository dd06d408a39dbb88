/* What node.c (process, answers) and node_start.c share. */
#pragma once

#include "agent/node.h"

void node_set_trouble(struct node *n, enum err_code code, const char *text);
void node_become_running(struct node *n, pid_t pid, int pidfd,
                         int64_t now_ms); /* the process of n->record */
void node_back_off(struct node *n, int64_t up_ms, int64_t now_ms);
