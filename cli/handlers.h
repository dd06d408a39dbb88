/* Handlers of all commands; each lives in the file of its noun. See struct command. */
#pragma once

#include "cli/command.h"

command_handler agent_list, agent_show, agent_why, agent_label, agent_logs, agent_rm, agent_change,
    agent_join_command, agent_pin, agent_unpin;
command_handler node_list, node_show, node_restart, node_logs;
command_handler binary_list, binary_show, binary_push, binary_verify, binary_sign, binary_yank,
    binary_rm, binary_floor, binary_held, binary_approve, binary_discard;
command_handler channel_list, channel_set;
command_handler rollout_plan_show, rollout_begin, rollout_status, rollout_list, rollout_order;
command_handler quarantined_list, quarantine_show, quarantine_release;
command_handler key_list, key_show, key_generate, key_trust, key_rm, key_rotate, key_root,
    key_targets, key_sign, key_publish;
command_handler token_list, token_create, token_revoke;
command_handler event_tail;
command_handler user_list, user_invite, user_rm;
command_handler audit_show, audit_verify;
command_handler backup_create, backup_restore;
command_handler status_show, doctor_run, version_show, login_run, raw_call, completion_print;
