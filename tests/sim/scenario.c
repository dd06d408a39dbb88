#include "tests/sim/scenario.h"

#include "lib/options.h"
#include "tests/sim/dice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NUMBER(flag_, field_, initial_, help_)                                                     \
    {                                                                                              \
        .flag = flag_, .type = OPTION_INT, OPTION(struct scenario, field_), .initial = initial_,   \
        .value_name = "N", .help = help_                                                           \
    }
#define DURATION(flag_, field_, initial_, help_)                                                   \
    {                                                                                              \
        .flag = flag_, .type = OPTION_DURATION, OPTION(struct scenario, field_),                   \
        .initial = initial_, .value_name = "TIME", .help = help_                                   \
    }
#define SWITCH(flag_, field_, initial_, help_)                                                     \
    {                                                                                              \
        .flag = flag_, .type = OPTION_BOOL, OPTION(struct scenario, field_), .initial = initial_,  \
        .help = help_                                                                              \
    }

static const struct option_entry entries[] = {
    NUMBER("seed", seed, "1", "first seed"),
    NUMBER("seeds", seeds, "1", "so many seeds, one after another"),
    NUMBER("agents", agents, "200", "machines, up to 100000"),
    DURATION("duration", duration_ms, "10m", "virtual time with faults"),
    DURATION("settle", settle_ms, "60m", "virtual time, at most, to come to rest afterwards"),
    NUMBER("failures", failures, "5", "end when so many seeds broke a rule"),
    NUMBER("max-events", max_events, "0", "end after so many events without judging the rest"),
    NUMBER("trace", trace, "-1", "print what happens to this agent"),
    SWITCH("quiet", quiet, "off", "print failures only"),
    SWITCH("help", help, "off", "print this"),
    SWITCH("crashes", crashes, "on", "agents die"),
    SWITCH("reboots", reboots, "on", "machines restart or lose power for a while"),
    SWITCH("partitions", partitions, "on", "networks split, also one way"),
    SWITCH("loss", loss, "on", "messages vanish"),
    SWITCH("duplicates", duplicates, "on", "messages arrive twice"),
    SWITCH("reordering", reordering, "on", "messages overtake each other"),
    SWITCH("master-crashes", master_crashes, "on", "the master dies and starts again"),
    SWITCH("database-faults", database_faults, "on", "the master cannot write for a while"),
    SWITCH("clock-jumps", clock_jumps, "on", "the master's wall clock jumps"),
    SWITCH("flapping", flapping, "on", "working nodes fall ill and recover"),
    SWITCH("disks", disks, "on", "disks fill up, turn read-only or die"),
    SWITCH("downloads", downloads, "on", "downloads are slow and fail"),
    SWITCH("vetoes", vetoes, "on", "nodes refuse to stop for a while"),
    SWITCH("orders", orders, "on", "operators give orders at random"),
    SWITCH("bad-versions", bad_versions, "on", "versions exit, hang or fall ill"),
    SWITCH("membership", membership, "on", "machines join and are removed"),
    SWITCH("pins", pins, "on", "machines are pinned and drained"),
};
static const struct options options = {entries, sizeof entries / sizeof entries[0], NULL};

bool scenario_parse(struct scenario *s, int argc, char **argv, struct err *e) {
    int rest = 0;
    if (!options_parse(&options, argc, argv, s, &rest, e)) return false;
    if (rest < argc) return err_set(e, ERR_USAGE, "what is %s? See grid-sim --help", argv[rest]);
    if (s->agents < 1 || s->agents > 100000)
        return err_set(e, ERR_USAGE, "--agents %" PRId64 ": from 1 to 100000", s->agents);
    if (s->seeds < 1) return err_set(e, ERR_USAGE, "--seeds %" PRId64 ": at least 1", s->seeds);
    return true;
}

void scenario_help(const struct scenario *s) {
    OWN_TEXT struct text words = TEXT_EMPTY;
    options_help(&options, s, &words);
    printf("grid-sim: rollouts of a whole grid under a virtual clock, with faults.\n"
           "Exit code 1 when a rule was broken; the command to repeat it is printed.\n\n%s",
           text_value(&words));
}

/* A stream of its own, so that a knob set by hand changes nothing else that is drawn. */
void scenario_draw(struct scenario *s) {
    struct dice d = dice_of((uint64_t)s->seed ^ 0x5CE2A210U);
    bool large = s->agents > 5000;
    s->domains = dice_between(&d, 1, large ? 5 : 6);
    s->interval_ms = large ? 20000 : dice_between(&d, 1, 3) * 5000;
    s->tick_ms = large ? 1000 : dice_between(&d, 1, 5) * 100;
    s->delay_ms = dice_between(&d, 1, 400);
    s->fault_every_ms = dice_between(&d, 200, 10000);
    s->loss_ppm = dice_chance(&d, 500000) ? dice_below(&d, 50000) : 0;
    s->duplicate_ppm = dice_chance(&d, 500000) ? dice_below(&d, 50000) : 0;
    s->reorder_ppm = dice_chance(&d, 500000) ? dice_below(&d, 50000) : 0;
    if (!s->loss) s->loss_ppm = 0;
    if (!s->duplicates) s->duplicate_ppm = 0;
    if (!s->reordering) s->reorder_ppm = 0;
}

void scenario_print_command(const struct scenario *s) {
    const struct scenario *usual = s;
    printf("grid-sim --seed %" PRId64 " --agents %" PRId64, s->seed, s->agents);
    for (size_t i = 0; i < options.count; i++) {
        const struct option_entry *entry = &entries[i];
        bool off = entry->type == OPTION_BOOL && strcmp(entry->initial, "on") == 0 &&
                   !*(const bool *)((const char *)usual + entry->offset);
        if (off) printf(" --no-%s", entry->flag);
    }
    if (s->duration_ms != 600000) printf(" --duration %" PRId64 "s", s->duration_ms / 1000);
    if (s->max_events > 0) printf(" --max-events %" PRId64, s->max_events);
    printf("\n");
}
