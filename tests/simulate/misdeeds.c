/* SPDX-License-Identifier: Apache-2.0 */
#include "misdeeds.h"

#include "chance.h"
#include "story.h"

static void expect_failure(const struct actor *self, const char *text)
{
    if (stage.failure)
        return;
    stage.failure = text;
    stage.failed_node = self->index;
    story_tell("n%zu: breaks the rules, %s", self->index, text);
}

/* A batch that the node does not hold; whatever it does to that changes nothing. */
static void touch_wrongly(struct actor *self, struct pdata *pdata)
{
    const struct result refusal = act_refusal();
    expect_failure(self, "does not hold");
    switch (chance(7)) {
    case 0:
        node_ack(self->node, pdata);
        break;
    case 1:
        node_nack(self->node, pdata, &refusal);
        break;
    case 2:
        node_send(self->node, 0, pdata);
        break;
    case 3:
        node_drop(self->node, pdata, FTR_DROP_LATE);
        break;
    case 4:
        RULE(!node_derive(self->node, pdata, 0, 2), "derived from what it does not hold");
        break;
    case 5:
        RULE(!node_merge(self->node, &pdata, 1), "merged what it does not hold");
        break;
    default:
        node_drop_items(self->node, pdata, FTR_DROP_LATE, 1);
        break;
    }
}

static void answer_twice(struct actor *self, struct held *held)
{
    struct pdata *const pdata = held->pdata;
    if (self->plan->n_ports && chance_one_in(2))
        act_send(self, held, chance(self->plan->n_ports));
    else
        act_ack(self, held);
    touch_wrongly(self, pdata);
}

/* Takes what another node holds, if one does. */
static void answer_for_another(struct actor *self, struct held *held)
{
    for (size_t i = 0; i < stage.plan.n_nodes; i++) {
        const struct held *const other = hand_any(&stage.actors[i]);
        if (i != self->index && other && !other->is_revoked) {
            touch_wrongly(self, other->pdata);
            break;
        }
    }
    act_ack(self, held);
}

static void send_to_no_port(struct actor *self, struct held *held)
{
    static const struct result refusal = {.is_permanent = true, .reason = "sent to no port"};
    const struct held was = hand_free(self, held);
    expect_failure(self, "node_send to port");
    model_nack(was.visit, was.pdata->n_items, &refusal);
    node_send(self->node, self->plan->n_ports, was.pdata);
}

bool misdeeds_break_rules(struct actor *self, struct held *held)
{
    const struct plan *const plan = &stage.plan;
    if (plan->faulty_node != self->index || self->n_consumed <= plan->fault_after)
        return false;
    const enum role role = self->plan->role;
    if (plan->fault == FAULT_TWICE) {
        answer_twice(self, held);
    } else if (plan->fault == FAULT_OF_ANOTHER) {
        answer_for_another(self, held);
    } else if (plan->fault == FAULT_NO_PORT) {
        send_to_no_port(self, held);
    } else if (plan->fault == FAULT_GIVES_UP) {
        expect_failure(self, "cannot go on");
        node_failed(self->node, "cannot go on");
        act_ack(self, held);
    } else if (plan->fault == FAULT_LEAK && (role == ROLE_PASS || role == ROLE_CUSTODY)) {
        expect_failure(self, "leaked?");
    } else {
        return false;
    }
    return true;
}

void misdeeds_after_stop(void)
{
    struct actor *const self = &stage.actors[stage.plan.faulty_node];
    if (stage.plan.fault != FAULT_AFTER_STOP || !self->is_stopped)
        return;
    struct held *const held = hand_first(self);
    expect_failure(self, "after its stop");
    if (held)
        node_ack(self->node, hand_free(self, held).pdata);
    else
        RULE(!node_ingest(self->node, FTR_SIGNAL_LOGS, NULL, false, 0),
             "n%zu was stopped and takes something in", self->index);
    node_set_timer(self->node, 1);
    act_check_failure();
}
