/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include "actors.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/time.h"
#include "chance.h"
#include "config/document.h"
#include "engine/graph.h"
#include "engine/scheduler.h"
#include "ledger.h"
#include "refusals.h"
#include "spans.h"
#include "story.h"
#include "virtual_loop.h"

#include <string.h>

enum { STEPS_MAX = 200000, STEPS_AFTER_DEADLINE = 2000, PATIENCE_S = 600, CHAOS_MAX = 200 };

static struct {
    struct loop *loop;
    struct config_document *document;
    struct loop_timer *chaos, *end;
    size_t n_chaos;
    size_t n_drained, n_finished, n_failed;
    size_t n_steps_after_deadline;
    enum drain_state drain; /* after the last step */
    bool is_draining, is_to_be_freed, is_freed;
} run;

static void on_finished(void *argument)
{
    (void)argument;
    act_look_for_losses(NULL, NULL);
    story_tell("all have finished");
    for (size_t i = 0; i < stage.plan.n_nodes; i++)
        RULE(stage.actors[i].plan->role != ROLE_RECEIVER || stage.actors[i].is_finished,
             "finished, and n%zu is not", i);
    RULE(visits_are_settled(), "finished, and something is under way");
    RULE(++run.n_finished == 1 && !run.is_draining, "finished twice, or while it drains");
    loop_timer_start(run.end, 0);
}

static void end(void);

static void on_failed(void *argument, const char *node, const char *reason)
{
    (void)argument;
    act_look_for_losses(NULL, NULL);
    story_tell("%s failed: %s", node, reason);
    act_check_failure();
    RULE(++run.n_failed == 1, "failed twice");
    const uint64_t what = chance(4);
    if (what == 0)
        run.is_to_be_freed = true;
    else if (what == 1)
        end(); /* callbacks may free the graph */
    else if (what == 2)
        loop_timer_start(run.end, 0);
}

static void on_drained(void *argument)
{
    (void)argument;
    act_look_for_losses(NULL, NULL);
    story_tell("drained");
    RULE(++run.n_drained == 1, "drained twice");
    if (chance_one_in(4))
        end();
}

static void drain(void)
{
    run.is_draining = stage.has_drained = true;
    story_tell("drain within %llu us",
               (unsigned long long)(stage.plan.timeout_ns / FTRI_NS_PER_US));
    stage.deadline_ns = ftri_time_monotonic_ns() + stage.plan.timeout_ns;
    act_look_for_losses(NULL, NULL);
    graph_drain(stage.graph, stage.plan.timeout_ns);
    if (stage.graph->drain == DRAIN_FORCED) {
        RULE(stage.may_lose, "forced at once");
        act_force();
    }
}

static void on_end(void *argument)
{
    (void)argument;
    if (run.is_draining)
        graph_drain(stage.graph, 0); /* it does so already: nothing changes */
    else if (stage.plan.ending == ENDING_FREE)
        run.is_to_be_freed = true;
    else
        drain();
}

static void set_chaos(void)
{
    loop_timer_start(run.chaos, 1 + chance(stage.plan.chaos_ns));
}

/* What comes from outside: messages to all, wake-ups, answers, short memory. */
static void on_chaos(void *argument)
{
    (void)argument;
    static const enum control_kind kinds[] = {CONTROL_CONFIG, CONTROL_COLLECT_TELEMETRY,
                                              CONTROL_MEMORY_PRESSURE_CHANGED};
    act_look_for_losses(NULL, NULL);
    struct actor *const actor = &stage.actors[chance(stage.plan.n_nodes)];
    switch (chance(5)) {
    case 0:
        node_wakeup(actor->node);
        break;
    case 1:
        for (size_t i = 0; i < stage.plan.n_nodes; i++)
            scheduler_control(stage.actors[i].node, kinds[chance(FTRI_COUNT(kinds))]);
        break;
    case 2:
        actor_poke(actor);
        break;
    case 3:
        if (actor->plan->role != ROLE_RECEIVER)
            actor_set_accepting(actor, chance_one_in(2));
        break;
    default:
        act_fail_memory(chance_one_in(2) ? 4 : 40);
        break;
    }
    if (run.n_chaos++ < CHAOS_MAX)
        set_chaos();
}

static void stage_set(void)
{
    memset(&stage, 0, sizeof stage);
    memset(&run, 0, sizeof run);
    stage.plan = plan_make();
    for (size_t i = 0; i < stage.plan.n_nodes; i++) {
        stage.actors[i].plan = &stage.plan.nodes[i];
        stage.actors[i].index = i;
    }
    model_begin(&stage.plan);
}

/* The edges as the engine knows them, in the order of the plan. */
static void name_edges(void)
{
    for (size_t i = 0; i < stage.plan.n_nodes; i++)
        for (size_t port = 0; port < stage.plan.nodes[i].n_ports; port++)
            for (size_t k = 0; k < stage.plan.nodes[i].n_edges[port]; k++)
                model_add_edge(stage.actors[i].node->ports[port].edges[k], i, port,
                               stage.plan.nodes[i].edges[port][k]);
}

static void build(void)
{
    run.loop = virtual_loop_new();
    refusals_check(&stage.plan, run.loop);
    const char *text = plan_text(&stage.plan);
    story_graph(text);
    struct ftri_error error = {{0}};
    int r = config_parse(ftr_str_from(text), "graph", &run.document, &error);
    RULE(r == 0, "%s", error.text);
    const struct config_value *root = config_root(run.document);
    const struct graph_options options = {
        .classes = actor_classes,
        .nodes = config_get(root, "nodes"),
        .connections = config_get(root, "connections"),
        .pipeline = "sim",
        .channel_capacity = stage.plan.capacity,
        .on_finished = on_finished,
        .on_failed = on_failed,
        .on_drained = on_drained,
    };
    r = graph_new(run.loop, &options, &stage.graph, &error);
    if (r == 0)
        r = graph_start(stage.graph, &error);
    RULE(r == 0, "%s", error.text);
    name_edges();
    run.chaos = loop_timer_new(run.loop, on_chaos, NULL);
    run.end = loop_timer_new(run.loop, on_end, NULL);
    set_chaos();
    const uint64_t patience_ns = PATIENCE_S * FTRI_NS_PER_S;
    loop_timer_start(run.end,
                     stage.plan.ending == ENDING_FINISH ? patience_ns : stage.plan.ending_ns);
}

/* What a node still has waits for what is below; a receiver has drained, or had its time. */
static bool has_emptied(struct actor *self)
{
    if (model_n_arriving(self->index) || model_node(self->index)->n_waiting)
        return false;
    const uint64_t half_ns = stage.deadline_ns - stage.plan.timeout_ns / 2;
    if (self->plan->role == ROLE_RECEIVER)
        return self->is_drained || self->is_finished || ftri_time_monotonic_ns() >= half_ns;
    for (struct held *i = hand_first(self); i; i = hand_next(self, i))
        if (!visit_is_waited_for(i->visit))
            return false;
    return self->n_told[CONTROL_SHUTDOWN] > 0;
}

/* The shutdown is sent to a node when all above it have emptied, and it has taken all in but what
 * it does not accept. */
static void check_shutdowns(void)
{
    for (size_t i = 0; i < stage.plan.n_nodes; i++) {
        struct actor *const self = &stage.actors[i];
        if (self->is_shut_down || !self->node->is_shut_down)
            continue;
        self->is_shut_down = true;
        RULE(model_n_arriving(i) == 0 || !self->is_accepting,
             "n%zu is shut down, and batches wait for it", i);
        for (size_t j = 0; j < model_n_edges(); j++)
            RULE(model_edge(j)->to != i || has_emptied(&stage.actors[model_edge(j)->from]),
                 "n%zu is shut down, and n%zu above it has not emptied", i, model_edge(j)->from);
    }
}

/* Receivers have half of the time. */
static void check_halves(void)
{
    const enum drain_state before = run.drain;
    run.drain = stage.graph->drain;
    RULE(before != DRAIN_INGRESS || run.drain != DRAIN_FORCED || stage.may_lose ||
             stage.plan.timeout_ns < 100 * FTRI_NS_PER_MS,
         "receivers had all of the time");
}

/* When no turn is due, nothing that could go on is left. */
static void check_progress(void)
{
    if (stage.graph->is_turn_armed)
        return;
    for (size_t i = 0; i < stage.plan.n_nodes; i++)
        RULE(!model_n_arriving(i) || !stage.actors[i].is_accepting || model_node(i)->n_waiting,
             "n%zu could be given a batch, and is not", i);
    RULE(visits_unanswered() == NO_INDEX, "nobody hears what became of %d", visits_unanswered());
}

static void check_step(void)
{
    if (stage.graph->drain == DRAIN_FORCED && !stage.is_forced) {
        RULE(ftri_time_monotonic_ns() >= stage.deadline_ns, "forced before the deadline");
        act_force();
    }
    act_look_for_losses(NULL, NULL);
    ledger_check(stage.graph);
    check_shutdowns();
    check_halves();
    check_progress();
    act_check_failure();
    if (run.is_draining && ftri_time_monotonic_ns() >= stage.deadline_ns)
        RULE(run.n_steps_after_deadline++ < STEPS_AFTER_DEADLINE,
             "the deadline of the drain has passed, and it goes on");
    RULE(story_n_lines() < STEPS_MAX, "it goes on for ever");
}

/* Until it is drained, or to be freed in the midst. */
static uint64_t live(void)
{
    uint64_t n_steps = 0;
    while (!run.n_drained && !run.is_to_be_freed && !run.is_freed) {
        RULE(virtual_loop_step(run.loop), "nothing is due, and it is not drained");
        n_steps++;
        if (!run.is_freed)
            check_step();
    }
    return n_steps;
}

/* Everything came to its end, was answered, and is counted. */
static void check_drained(void)
{
    RULE(visits_are_settled(), "drained, and something is under way");
    RULE(stage.graph->n_live == 0, "drained, and %zu frames live", stage.graph->n_live);
    for (size_t i = 0; i < visits_count(); i++)
        RULE(!visit_at((int)i)->is_watched || visit_at((int)i)->is_answered,
             "drained, and nobody heard what became of %zu", i);
    for (size_t i = 0; i < stage.plan.n_nodes; i++) {
        const struct actor *const actor = &stage.actors[i];
        RULE(model_node(i)->account.held == 0, "drained, and n%zu holds items", i);
        RULE(stage.is_forced || actor->n_hands == 0, "drained, and n%zu holds batches", i);
        RULE(stage.is_forced || actor->plan->role == ROLE_RECEIVER ||
                 actor->n_consumed == actor->n_consumed_at_shutdown,
             "drained, and n%zu was not told after its last batch", i);
        RULE(stage.is_forced || actor->n_told[CONTROL_SHUTDOWN] ||
                 actor->n_told[CONTROL_DRAIN_INGRESS],
             "drained, and n%zu was not told", i);
    }
    RULE(!stage.plan.is_kind || !stage.is_forced, "nothing hangs, and the drain had to be forced");
    RULE(!stage.plan.is_kind || run.n_finished || stage.plan.ending == ENDING_DRAIN,
         "nothing hangs, and it did not finish");
}

static void count(struct run_totals *totals, uint64_t n_steps)
{
    totals->n_steps += n_steps;
    totals->n_visits += visits_count();
    totals->n_forced += stage.is_forced;
    totals->n_failed += run.n_failed;
    for (size_t i = 0; i < model_n_edges(); i++)
        totals->n_lost += model_edge(i)->account.n_sent_batches > 0 && model_edge(i)->account.lost;
}

/* Looks at all of it for the last time, and frees it. */
static void end(void)
{
    stage.is_over = true;
    ftri_mem_fail_at(0);
    if (run.n_drained)
        check_drained();
    else
        act_force();
    /* What was taken back may still be given up. */
    for (size_t i = 0; i < stage.plan.n_nodes; i++)
        if (run.n_drained && chance_one_in(2))
            actor_poke(&stage.actors[i]);
    if (run.n_drained)
        check_step();
    graph_free(stage.graph);
    run.is_freed = true;
    RULE(stage.n_stopped == stage.plan.n_nodes, "%zu nodes were stopped", stage.n_stopped);
}

static void clear(void)
{
    loop_timer_free(run.chaos);
    loop_timer_free(run.end);
    loop_free(run.loop);
    config_free(run.document);
}

uint64_t run_seed(uint64_t seed, const char *program, struct run_totals *totals)
{
    story_begin(seed, program);
    chance_begin(seed);
    stage_set();
    if (stage.plan.is_recording)
        spans_begin();
    build();
    const uint64_t n_steps = live();
    if (!run.is_freed)
        end();
    clear();
    ftri_time_real();
    if (stage.plan.is_recording)
        totals->n_spans += spans_check();
    count(totals, n_steps);
    return story_hash();
}
