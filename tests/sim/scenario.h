/* What kind of world a seed makes: every knob is drawn from the seed unless the line says it. */
#pragma once

#include "lib/err.h"

#include <stdbool.h>
#include <stdint.h>

struct scenario {
    /* from the line */
    int64_t seed, seeds, agents;
    int64_t failures;    /* that end the run */
    int64_t duration_ms; /* of trouble; then the world has to come to rest */
    int64_t settle_ms;
    int64_t max_events; /* 0: no limit */
    int64_t trace;      /* number of the agent whose events are printed; -1: none */
    bool help, quiet;
    bool crashes, reboots, partitions, loss, duplicates, reordering, master_crashes,
        database_faults;
    bool clock_jumps, flapping, disks, downloads, vetoes, orders, bad_versions, membership, pins;
    /* drawn */
    int64_t domains;     /* racks */
    int64_t interval_ms; /* of heartbeats */
    int64_t tick_ms;     /* of the master */
    int64_t delay_ms;    /* of a message, at most, when nothing holds it up */
    int64_t fault_every_ms;
    int64_t loss_ppm, duplicate_ppm, reorder_ppm;
};

/* ERR_USAGE for what the line says wrong. */
MUST_CHECK bool scenario_parse(struct scenario *s, int argc, char **argv, struct err *e);
void scenario_help(const struct scenario *s);

/* Fills what the seed decides. */
void scenario_draw(struct scenario *s);

/* The command that makes the same world again. */
void scenario_print_command(const struct scenario *s);
