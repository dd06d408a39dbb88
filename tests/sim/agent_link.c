#include "tests/sim/agent_internal.h"

#include "tests/sim/network.h"

static void wake_at(struct world *w, uint32_t agent, int64_t at_ms) {
    struct machine *m = &w->machines[agent];
    if (at_ms == INT64_MAX || (m->link_wake_ms > w->now_ms && m->link_wake_ms <= at_ms)) return;
    m->link_wake_ms = at_ms;
    world_after(w, at_ms - w->now_ms,
                &(struct planned){.kind = SIM_LINK, .agent = agent, .life = m->life});
}

static void send(struct world *w, uint32_t agent, enum message_kind kind) {
    struct machine *m = &w->machines[agent];
    struct message message = {.kind = (uint8_t)kind, .session = m->session, .ticket = ++m->ticket};
    if (kind == MESSAGE_REPORT) {
        message.report = m->said;
        m->asked[m->asked[0] != 0] = m->ticket;
    }
    m->answer_by_ms = w->now_ms + w->scenario.interval_ms + SLACK_MS;
    network_send(w, agent, true, &message);
    wake_at(w, agent, m->answer_by_ms);
}

void agent_link_event(struct world *w, uint32_t agent, enum link_event event) {
    struct machine *m = &w->machines[agent];
    int64_t wake_ms = INT64_MAX;
    enum link_action action =
        link_next(&m->link, event, w->now_ms, (uint32_t)dice_next(&w->dice), &wake_ms);
    if (event == LINK_LOST || event == LINK_HELLO_ANSWERED) m->asked[0] = m->asked[1] = 0;
    if (event == LINK_LOST) {
        m->connected = false;
        m->answer_by_ms = INT64_MAX;
    }
    if (action == LINK_SEND_HELLO) send(w, agent, MESSAGE_HELLO);
    if (action == LINK_SEND_HEARTBEAT) send(w, agent, MESSAGE_REPORT);
    wake_at(w, agent, wake_ms);
}

void agent_link_look(struct world *w, uint32_t agent) {
    struct machine *m = &w->machines[agent];
    if (m->link.phase == LINK_DOWN) {
        agent_link_event(w, agent, LINK_TICK);
    } else if (w->now_ms >= m->answer_by_ms) {
        agent_link_event(w, agent, LINK_LOST);
        agent_wake(w, agent);
    } else {
        wake_at(w, agent, m->answer_by_ms);
    }
}

/* As agent/link.c and agent/wanted.c: an older generation is ignored, and of one generation what
 * was sealed before; and what cannot be written holds all the same until the process ends. True
 * when it says something new. */
static bool take_desired(struct world *w, uint32_t agent, const struct message *answer) {
    struct machine *m = &w->machines[agent];
    const struct sim_desired *d = &answer->desired;
    if (answer->sequence > m->received) m->received = answer->sequence;
    if (d->generation < m->wanted.generation) return false;
    if (d->generation == m->wanted.generation && answer->sequence < m->received) return false;
    m->lease_until_ms = d->rollout != 0 ? w->now_ms + d->lease_ms : INT64_MAX;
    if (desired_equal(d, &m->wanted)) return false;
    for (int i = 0; i < SIM_TRIES && d->generation != m->wanted.generation; i++)
        m->tries[i].version = 0;
    m->wanted = *d;
    if (agent_writes(w, agent)) m->disk.desired = *d;
    return true;
}

/* Each heartbeat is answered once. */
static bool expected(struct machine *m, uint32_t ticket) {
    for (int i = 0; i < 2; i++) {
        if (m->asked[i] != ticket) continue;
        if (i == 0) m->asked[0] = m->asked[1];
        m->asked[1] = 0;
        return true;
    }
    return false;
}

/* An answer that changes nothing for an agent that has nothing to do is not worth a decision. */
static void take_answer(struct world *w, uint32_t agent, const struct message *answer) {
    struct machine *m = &w->machines[agent];
    bool idle = m->connected && m->decision.update == UPDATE_IDLE;
    m->connected = true;
    m->answer_by_ms = w->now_ms + w->scenario.interval_ms + SLACK_MS;
    bool news = take_desired(w, agent, answer);
    if (!m->agent_up) return;
    agent_link_event(w, agent, LINK_ANSWERED);
    if (news || !idle) agent_wake(w, agent);
}

void agent_take(struct world *w, const struct planned *e, const struct message *message) {
    struct machine *m = &w->machines[e->agent];
    if (!m->agent_up) return;
    bool hello = m->link.phase == LINK_HELLO && message->kind == MESSAGE_WELCOME &&
                 message->ticket == m->ticket;
    bool ours = message->session == m->session && m->link.phase == LINK_LIVE;
    if (hello) {
        m->session = message->session;
        m->received = 0;
        agent_link_event(w, e->agent, LINK_HELLO_ANSWERED);
    } else if (message->kind == MESSAGE_REFUSED && ours) {
        agent_link_event(w, e->agent, LINK_LOST);
        agent_wake(w, e->agent);
    } else if (message->kind == MESSAGE_DESIRED && ours && expected(m, message->ticket)) {
        take_answer(w, e->agent, message);
    }
}
