/* grid-sim: rollouts of a whole grid under a virtual clock, with faults, from a seed. */
#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdio.h>

static void tell(const struct world *w) {
    int started = 0;
    printf("seed %" PRId64 ": %.0f s, %" PRId64 " events, rollouts:", w->scenario.seed,
           (double)w->now_ms / 1000, w->events);
    for (int i = 0; i < SIM_ROLLOUTS_MAX; i++) {
        const struct sim_rollout *r = &w->master.rollouts[i];
        if (r->number == 0) continue;
        started++;
        printf(" %s", rollout_state_name(r->live.state));
    }
    printf("%s\n", started == 0 ? " none" : "");
}

int main(int argc, char **argv) {
    struct scenario s = {0};
    struct err e = {0};
    int64_t failures = 0;
    if (!scenario_parse(&s, argc, argv, &e)) return err_report("grid-sim", &e);
    if (s.help) {
        scenario_help(&s);
        return 0;
    }
    int64_t last = s.seed + s.seeds;
    for (; s.seed < last && failures < s.failures; s.seed++) {
        struct world w;
        world_init(&w, &s);
        failures += !world_run(&w);
        if (!s.quiet) tell(&w);
        world_fini(&w);
        fflush(stdout);
    }
    printf("%" PRId64 " of %" PRId64 " seeds broke a rule\n", failures, s.seeds);
    return failures > 0 ? 1 : 0;
}
