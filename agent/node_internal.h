/* What node.c (process, answers) and node_start.c share. */
#pragma once

#include "agent/node.h"

void node_set_trouble(struct node *n, enum err_code code, const char *text);
/* The process of n->record, which began age_ms ago. */
void node_become_running(struct node *n, pid_t pid, int pidfd, int64_t age_ms, int64_t now_ms);
void node_back_off(struct node *n, int64_t up_ms, int64_t now_ms);
