/* SPDX-License-Identifier: Apache-2.0 */
#include "actors.h"

#include "base/time.h"
#include "chance.h"
#include "misdeeds.h"
#include "story.h"
#include "virtual_loop.h"

struct actor_options {
    uint64_t index, ports;
};

static const struct option rows[] = {
    {"index", OPTION_U64, offsetof(struct actor_options, index), "0", .max = NODES_MAX},
    {"ports", OPTION_U64, offsetof(struct actor_options, ports), "0", .max = PORTS_MAX},
};

static struct actor *actor_of(struct node *node)
{
    const struct actor_options *options = node_options(node);
    return &stage.actors[options->index];
}

static size_t list_ports(const void *options, const char **ret_names, size_t limit)
{
    static const char *const names[PORTS_MAX] = {"p0", "p1", "p2"};
    const uint64_t n = ((const struct actor_options *)options)->ports;
    for (size_t i = 0; i < n && i < limit; i++)
        ret_names[i] = names[i];
    return (size_t)n;
}

static void set_timer(struct actor *self)
{
    node_set_timer(self->node, 1 + chance(self->plan->delay_ns));
}

/* No more is begun than the model has room for. */
static bool is_enough(void)
{
    return visits_count() > VISITS_SOFT;
}

/* -- what may become of a batch -- */

static void answer(struct actor *self, struct held *held)
{
    const struct result refusal = act_refusal();
    if (chance(10) < self->plan->refusals_of_ten)
        act_nack(self, held, &refusal);
    else
        act_ack(self, held);
}

static void send_parts(struct actor *self, struct held *held)
{
    const uint32_t n = 2 + (uint32_t)chance(3);
    for (uint32_t i = 0; i + 1 < n; i++) {
        struct held *const part = act_derive(self, held, i, n);
        if (!part)
            continue;
        if (chance_one_in(3))
            part->pdata->n_items = chance(8);
        if (chance_one_in(8))
            act_drop(self, part, FTR_DROP_NO_ROUTE);
        else
            act_send(self, part, chance(self->plan->n_ports));
    }
}

static void give_up(struct actor *self, struct held *held)
{
    if (self->plan->n_ports == 0 || is_enough()) {
        if (chance_one_in(6))
            act_drop(self, held, FTR_DROP_REJECTED);
        else
            answer(self, held);
        return;
    }
    const uint64_t fate = chance(16);
    if (fate < 2)
        send_parts(self, held);
    if (fate == 3)
        act_drop_some(self, held);
    if (fate == 4)
        held->pdata->n_items = chance(20);
    if (fate == 5)
        act_drop(self, held, FTR_DROP_FILTERED);
    else if (fate == 6 || fate == 0)
        answer(self, held);
    else
        act_send(self, held, chance(self->plan->n_ports));
}

/* -- merge and retry -- */

static void merge_all(struct actor *self)
{
    struct held *inputs[HANDS_MAX];
    size_t n = 0;
    for (struct held *i = hand_first(self); i; i = hand_next(self, i))
        inputs[n++] = i;
    if (n == 0)
        return;
    struct held *const merged = act_merge(self, inputs, n);
    if (merged)
        give_up(self, merged);
    else
        for (size_t i = 0; i < n; i++)
            answer(self, inputs[i]);
}

static void merge_one(struct actor *self, struct held *held)
{
    if (chance_one_in(6))
        (void)act_derive(self, held, 0, 2);
    /* Or it answers for it, and merges a copy. */
    if (chance_one_in(6) && act_derive_watched(self, held))
        answer(self, held);
    if (self->n_hands >= self->plan->n_batches)
        merge_all(self);
    else if (!self->plan->is_hanging)
        set_timer(self);
}

static void try(struct actor *self, struct held *held)
{
    struct held *const copy = is_enough() ? NULL : act_derive_watched(self, held);
    if (!copy) {
        answer(self, held);
        return;
    }
    held->copy = copy->visit;
    copy->pdata->n_attempt = (uint32_t)held->n_attempts;
    if (held->n_attempts++)
        act_count_retry(self, held);
    if (chance_one_in(8))
        send_parts(self, copy);
    if (chance_one_in(4))
        copy->pdata->n_items = chance(12);
    act_send(self, copy, chance(self->plan->n_ports));
}

static void hear_of_copy(struct actor *self, int copy, const struct result *result)
{
    struct held *held = hand_first(self);
    while (held && held->copy != copy)
        held = hand_next(self, held);
    RULE(held, "n%zu hears of copy %d, whose original it does not hold", self->index, copy);
    held->copy = NO_INDEX;
    held->last = *result;
    if (result->is_ack)
        act_ack(self, held);
    else if (held->is_revoked || result->is_permanent || held->n_attempts > self->plan->n_batches)
        act_nack(self, held, result);
    else if (chance_one_in(2))
        try(self, held);
    else if (!self->plan->is_hanging)
        set_timer(self);
}

static void try_waiting(struct actor *self)
{
    for (struct held *i = hand_first(self); i; i = hand_next(self, i))
        if (i->copy == NO_INDEX && i->last.reason[0])
            try(self, i);
}

static void take_custody(struct actor *self, struct held *held)
{
    struct held *copy = act_derive_watched(self, held);
    if (!copy) {
        answer(self, held);
        return;
    }
    if (chance_one_in(4))
        copy->pdata->n_items = chance(12);
    if (chance_one_in(2)) {
        act_send(self, copy, chance(self->plan->n_ports));
        answer(self, held);
    } else {
        answer(self, held);
        if (chance_one_in(4))
            send_parts(self, copy);
        struct held *const second = chance_one_in(4) ? act_derive_watched(self, copy) : NULL;
        if (second) {
            answer(self, copy);
            copy = second;
        }
        act_send(self, copy, chance(self->plan->n_ports));
    }
}

/* -- receivers -- */

static void finish(struct actor *self)
{
    if (self->is_finished || self->plan->is_hanging)
        return;
    story_tell("n%zu: has finished", self->index);
    self->is_finished = true;
    node_finished(self->node);
}

static void say_drained(struct actor *self)
{
    if (!self->is_draining || self->is_drained || self->plan->is_hanging)
        return;
    self->is_drained = true;
    node_drained(self->node);
}

static void take_in(struct actor *self)
{
    for (uint64_t n = 1 + chance(stage.plan.is_busy ? 400 : 3);
         n > 0 && self->n_ingested < self->plan->n_batches; n--) {
        if (!chance_one_in(8) && !act_can_send(self)) {
            self->waits_for_room = true;
            return;
        }
        struct held *const held = act_ingest(self);
        if (!held)
            break;
        self->n_ingested++;
        if (stage.plan.is_kind || !chance_one_in(self->plan->is_hanging ? 3 : 10))
            give_up(self, held);
    }
    set_timer(self);
}

static void on_receiver_tick(struct actor *self)
{
    struct held *const kept = hand_first(self);
    if (kept && !self->plan->is_hanging && !stage.is_over)
        give_up(self, kept);
    if (self->is_draining || self->waits_for_room)
        return;
    if (self->n_ingested >= self->plan->n_batches || is_enough()) {
        if (self->n_hands == 0 || stage.is_forced)
            finish(self);
        else if (!self->plan->is_hanging)
            set_timer(self);
    } else {
        take_in(self);
    }
}

/* What it kept goes now, unless it hangs. */
static void on_drain_ingress(struct actor *self)
{
    if (self->plan->is_hanging)
        return; /* and goes on as if nothing had been said */
    self->is_draining = true;
    for (struct held *i = hand_first(self); i; i = hand_next(self, i))
        give_up(self, i);
    if (self->n_unanswered == 0 || chance_one_in(2))
        say_drained(self);
}

static void on_receiver_answer(struct actor *self)
{
    self->n_unanswered--;
    if (self->n_unanswered == 0)
        say_drained(self);
}

/* -- processors and exporters -- */

/* Some of what it holds goes; false: there is more. */
static bool give_up_some(struct actor *self)
{
    for (struct held *i = hand_first(self); i; i = hand_next(self, i)) {
        if (chance_one_in(4))
            return false;
        give_up(self, i);
    }
    return true;
}

static void on_tick(struct actor *self)
{
    if (!self->is_accepting)
        actor_set_accepting(self, true);
    if (self->plan->role == ROLE_RECEIVER)
        on_receiver_tick(self);
    else if (self->plan->role == ROLE_MERGE)
        merge_all(self);
    else if (self->plan->role == ROLE_RETRY)
        try_waiting(self);
    else if (!give_up_some(self) && !self->plan->is_hanging)
        set_timer(self);
}

static void on_shutdown(struct actor *self)
{
    if (self->plan->is_hanging)
        return;
    if (self->plan->role == ROLE_MERGE || chance_one_in(2))
        on_tick(self);
    else
        set_timer(self);
}

void actor_set_accepting(struct actor *self, bool is_accepting)
{
    self->is_accepting = is_accepting;
    story_tell("n%zu: %s", self->index, is_accepting ? "accepts" : "accepts nothing");
    node_set_accepting(self->node, is_accepting);
    if (!is_accepting && !self->plan->is_hanging)
        set_timer(self);
}

void actor_poke(struct actor *self)
{
    struct held *const held = hand_any(self);
    if (!held || self->plan->role == ROLE_RETRY || self->plan->is_hanging)
        return;
    if (chance_one_in(2))
        act_touch(self, held);
    else
        give_up(self, held);
}

static void consume(struct node *node, struct pdata *pdata)
{
    struct actor *const self = actor_of(node);
    act_look_for_losses(self, pdata);
    RULE(self->is_accepting, "n%zu was given a batch, and it does not accept", self->index);
    RULE(!self->is_stopped && !stage.is_forced, "n%zu was given a batch after the end",
         self->index);
    struct held *const held = act_arrive(self, pdata);
    self->n_consumed++;
    if (chance_one_in(3)) {
        const uint64_t ns = chance(100 * FTRI_NS_PER_US);
        virtual_loop_pass_time(ns);
        model_worked(held->visit, ns);
    }
    if (misdeeds_break_rules(self, held))
        return;
    const bool is_later = chance_one_in(2) || self->plan->is_hanging;
    if (self->plan->role == ROLE_MERGE)
        merge_one(self, held);
    else if (self->plan->role == ROLE_RETRY)
        try(self, held);
    else if (self->plan->role == ROLE_CUSTODY)
        take_custody(self, held);
    else if (self->plan->role == ROLE_PASS || !is_later)
        give_up(self, held);
    else if (!self->plan->is_hanging)
        set_timer(self);
    if (chance_one_in(30))
        actor_set_accepting(self, false);
}

/* Receivers hear of the drain first; a node hears of the shutdown after all above it. */
static void check_order(const struct actor *self, const struct control *message)
{
    RULE(message->deadline_ns == stage.deadline_ns, "n%zu: another deadline", self->index);
    const bool is_receiver = self->plan->role == ROLE_RECEIVER;
    RULE(is_receiver == (message->kind == CONTROL_DRAIN_INGRESS), "n%zu: %s", self->index,
         control_name(message->kind));
    for (size_t i = 0; i < model_n_edges(); i++) {
        const struct model_edge *const edge = model_edge(i);
        const struct actor *const above = &stage.actors[edge->from];
        if (edge->to != self->index)
            continue;
        const bool is_told =
            above->n_told[CONTROL_DRAIN_INGRESS] || above->n_told[CONTROL_SHUTDOWN];
        RULE(is_told, "n%zu was told of the shutdown before n%zu above it", self->index,
             above->index);
    }
}

static void on_answer(struct actor *self, const struct control *message)
{
    const int visit = (int)message->calldata;
    story_tell("n%zu: hears %s of %d: %s", self->index, control_name(message->kind), visit,
               message->result->reason);
    RULE(message->result->is_ack == (message->kind == CONTROL_ACK), "an ack that is none");
    RULE(visit_at(visit)->node == self->index, "n%zu hears of another's batch", self->index);
    visit_answer(visit, message->result);
    if (self->plan->role == ROLE_RECEIVER)
        on_receiver_answer(self);
    else if (self->plan->role == ROLE_RETRY)
        hear_of_copy(self, visit, message->result);
}

static void control(struct node *node, const struct control *message)
{
    struct actor *const self = actor_of(node);
    act_look_for_losses(NULL, NULL);
    RULE(!self->is_stopped, "n%zu: a message after its stop", self->index);
    self->n_told[message->kind]++;
    if (message->kind == CONTROL_SHUTDOWN)
        self->n_consumed_at_shutdown = self->n_consumed;
    if (message->kind == CONTROL_ACK || message->kind == CONTROL_NACK) {
        on_answer(self, message);
        return;
    }
    story_tell("n%zu: %s", self->index, control_name(message->kind));
    if (message->kind == CONTROL_TIMER_TICK) {
        on_tick(self);
    } else if (message->kind == CONTROL_RESUME_DATA) {
        self->waits_for_room = false;
        set_timer(self);
    } else if (message->kind == CONTROL_DRAIN_INGRESS) {
        check_order(self, message);
        on_drain_ingress(self);
    } else if (message->kind == CONTROL_SHUTDOWN) {
        check_order(self, message);
        on_shutdown(self);
    } else {
        actor_poke(self);
    }
}

static int start(struct node *node, struct ftri_error *error)
{
    (void)error;
    struct actor *const self = actor_of(node);
    self->node = node;
    self->is_started = self->is_accepting = true;
    if (self->plan->role == ROLE_RECEIVER)
        set_timer(self);
    return 0;
}

static void stop(struct node *node)
{
    struct actor *const self = actor_of(node);
    RULE(self->is_started && !self->is_stopped, "n%zu was stopped twice", self->index);
    for (size_t i = 0; i < model_n_edges(); i++)
        RULE(model_edge(i)->to != self->index || stage.actors[model_edge(i)->from].is_stopped,
             "n%zu was stopped before n%zu above it", self->index, model_edge(i)->from);
    misdeeds_after_stop();
    /* What was taken back may be given up to the last. */
    struct held *const held = hand_any(self);
    if (held && chance_one_in(3))
        answer(self, held);
    self->is_stopped = true;
    stage.n_stopped++;
}

#define ACTOR(name, type_, kind_, ...)                                                             \
    static const struct node_class name = {                                                        \
        .type = type_,                                                                             \
        .kind = kind_,                                                                             \
        .options = {rows, FTRI_COUNT(rows), sizeof(struct actor_options)},                         \
        .configured_ports = list_ports,                                                            \
        .start = start,                                                                            \
        .control = control,                                                                        \
        .stop = stop,                                                                              \
        __VA_ARGS__}

ACTOR(receiver, "receiver/sim", FTR_NODE_RECEIVER, .consume = NULL);
ACTOR(pass, "processor/pass", FTR_NODE_PROCESSOR, .consume = consume);
ACTOR(hold, "processor/hold", FTR_NODE_PROCESSOR, .consume = consume, .is_stateful = true);
ACTOR(merge, "processor/merge", FTR_NODE_PROCESSOR, .consume = consume, .is_stateful = true);
ACTOR(retry, "processor/retry", FTR_NODE_PROCESSOR, .consume = consume, .is_stateful = true);
ACTOR(custody, "processor/custody", FTR_NODE_PROCESSOR, .consume = consume);
ACTOR(exporter, "exporter/sim", FTR_NODE_EXPORTER, .consume = consume);

const struct node_class *const actor_classes[] = {&receiver, &pass,    &hold,     &merge,
                                                  &retry,    &custody, &exporter, NULL};
