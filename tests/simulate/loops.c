/* SPDX-License-Identifier: Apache-2.0
 *
 * All loops of a run are one virtual loop: what is due at the same moment on several of them comes
 * in an order by chance, as threads would take turns. */
#include "loops.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/time.h"
#include "chance.h"
#include "config/document.h"
#include "engine/crossing.h"
#include "engine/graph.h"
#include "engine/instance.h"
#include "engine/instances.h"
#include "loops_nodes.h"
#include "story.h"
#include "virtual_loop.h"

#include <stdio.h>
#include <string.h>

enum { STEPS_MAX = 400000, STEPS_AFTER_DEADLINE = 4000, CHAOS_MAX = 150 };
enum ending { ENDING_DRAIN, ENDING_FINISH, ENDING_FREE };

static struct {
    struct loop *loop;
    struct config_document *document;
    struct instances *instances;
    struct graph *graphs[SPREAD_LOOPS_MAX];
    struct loop_timer *chaos, *end;
    enum ending ending;
    uint64_t timeout_ns;
    size_t n_chaos, n_steps, n_after_deadline;
    size_t n_finished, n_failed, n_drained, n_collected;
    bool is_freed;
} run;

/* -- the graph -- */

static enum node_state_of some_state(void)
{
    return (enum node_state_of)chance(3);
}

static void connect(size_t from, size_t to)
{
    struct spread_node *const node = &spread.nodes[from];
    for (size_t i = 0; i < node->n_edges; i++)
        if (node->edges[i] == to)
            return;
    node->edges[node->n_edges++] = to;
}

/* Receivers, then what is between, then exporters; everything is reached and leads somewhere. */
static void make_graph(void)
{
    const size_t n_receivers = 1 + chance(2), n_inner = 1 + chance(4), n_exporters = 1 + chance(2);
    const size_t end = n_receivers + n_inner;
    spread.n_nodes = end + n_exporters;
    spread.is_strict = true;
    for (size_t i = 0; i < spread.n_nodes; i++) {
        struct spread_node *const node = &spread.nodes[i];
        node->role = i < n_receivers ? SPREAD_RECEIVER
                     : i < end       ? (enum spread_role)(SPREAD_PASS + chance(5))
                                     : SPREAD_EXPORTER;
        node->state =
            i < n_receivers ? (chance_one_in(2) ? STATE_OF_GRAPH : STATE_OF_BATCH) : some_state();
        node->is_hanging = !spread.is_kind && node->role != SPREAD_PASS && chance_one_in(5);
        spread.is_strict &= node->role != SPREAD_CUSTODY && node->role != SPREAD_RETRY;
    }
    /* What is above one that never gives anything up comes to a stop. */
    if (!spread.is_kind && chance_one_in(2))
        spread.nodes[end + chance(n_exporters)].is_hanging = true;
    for (size_t i = n_receivers; i < spread.n_nodes; i++)
        connect(chance(i < end ? i : end), i);
    for (size_t i = 0; i < end; i++)
        while (spread.nodes[i].n_edges == 0 || chance_one_in(4)) {
            const size_t first = i + 1 > n_receivers ? i + 1 : n_receivers;
            connect(i, first + chance(spread.n_nodes - first));
        }
}

static void make_plan(void)
{
    static const uint64_t timeouts[] = {0, FTRI_NS_PER_MS, 100 * FTRI_NS_PER_MS,
                                        3600 * FTRI_NS_PER_S};
    spread.is_kind = chance_one_in(3);
    spread.n_loops = 2 + chance(SPREAD_LOOPS_MAX - 1);
    spread.capacity = chance_one_in(4) ? 128 : 1 + chance(3);
    spread.n_batches_each = 1 + chance(150);
    make_graph();
    for (size_t i = 0; i < spread.n_nodes; i++)
        for (size_t loop = 0; loop < spread.n_loops; loop++)
            spread.actors[i][loop] =
                (struct spread_actor){.plan = &spread.nodes[i], .index = i, .loop = loop};
    run.ending = spread.is_kind ? (enum ending)chance(2) : (enum ending)chance(3);
    run.timeout_ns = timeouts[spread.is_kind ? 3 : chance(4)];
}

static const char *graph_text(void)
{
    static char text[4096];
    static const char *const states[] = {"batch", "trace", "graph"};
    size_t n = (size_t)snprintf(text, sizeof text, "nodes: # %zu loops, capacity %zu\n",
                                spread.n_loops, spread.capacity);
    for (size_t i = 0; i < spread.n_nodes; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "  n%zu: {type: %s, config: {index: %zu, state: %d}} # %s%s\n", i,
                              spread_type(spread.nodes[i].role), i, (int)spread.nodes[i].state,
                              states[spread.nodes[i].state],
                              spread.nodes[i].is_hanging ? ", hangs" : "");
    n += (size_t)snprintf(text + n, sizeof text - n, "connections:\n");
    for (size_t i = 0; i < spread.n_nodes; i++)
        for (size_t j = 0; j < spread.nodes[i].n_edges; j++)
            n += (size_t)snprintf(text + n, sizeof text - n, "  - {from: n%zu, to: n%zu}\n", i,
                                  spread.nodes[i].edges[j]);
    return text;
}

/* -- what must hold -- */

static bool is_quiet(void)
{
    for (size_t i = 0; i < spread.n_loops; i++)
        if (run.graphs[i]->is_turn_armed || atomic_load(&run.graphs[i]->woken) ||
            atomic_load(&run.graphs[i]->instance->is_woken))
            return false;
    return true;
}

static void check_edge(size_t i)
{
    uint64_t sent = 0, received = 0;
    size_t from = 0, to = 0;
    for (size_t loop = 0; loop < spread.n_loops; loop++) {
        const struct edge *const edge = run.graphs[loop]->edges[i];
        (void)sscanf(edge->from->id, "n%zu", &from);
        (void)sscanf(edge->to->id, "n%zu", &to);
        sent += edge->account.sent;
        received += edge->account.received;
    }
    RULE(sent == spread.sent[from][to], "n%zu -> n%zu: %llu sent, and %llu are counted", from, to,
         (unsigned long long)spread.sent[from][to], (unsigned long long)sent);
    RULE(received == spread.received[from][to], "n%zu -> n%zu: %llu came, and %llu are counted",
         from, to, (unsigned long long)spread.received[from][to], (unsigned long long)received);
}

static size_t ring_len(const struct ftri_ring *ring)
{
    return atomic_load(&ring->n_put) - atomic_load(&ring->n_taken);
}

/* What can go on has gone on, when nobody is about to do anything. */
static void check_node(const struct node *node, bool is_quiet_now)
{
    const bool has_room = node->n_data < spread.capacity;
    RULE(node->n_data <= spread.capacity, "%s: its channel is too full", node->id);
    for (size_t i = 0; i < node->n_inlets; i++) {
        struct lane *const lane = node->inlets[i].lane;
        const size_t len = ring_len(&lane->ring);
        RULE(len <= spread.capacity, "%s: a ring is too full", node->id);
        RULE(!is_quiet_now || !has_room || len == 0, "%s: something could be taken from a ring",
             node->id);
        RULE(!is_quiet_now || len == spread.capacity || ftri_list_is_empty(&lane->waiting),
             "%s: something could be put into a ring", node->id);
    }
    RULE(!is_quiet_now || !node->n_data || !node->is_accepting || node->n_waiting ||
             node->is_stopped,
         "%s: it could be given a batch, and is not", node->id);
}

static void check_accounts(void)
{
    struct ftri_error error = {{0}};
    RULE(instances_check_accounts(run.instances, &error) == 0, "%s", error.text);
    for (size_t i = 0; i < run.graphs[0]->n_edges; i++)
        check_edge(i);
}

static bool is_any_forced(void)
{
    bool is_forced = false;
    for (size_t i = 0; i < spread.n_loops; i++)
        is_forced |= run.graphs[i]->drain == DRAIN_FORCED;
    return is_forced;
}

static void check_step(void)
{
    const bool is_quiet_now = is_quiet();
    if (is_any_forced() && !spread.is_forced) {
        RULE(spread.may_lose || ftri_time_monotonic_ns() >= spread.deadline_ns,
             "forced before the deadline");
        spread.is_forced = true;
    }
    check_accounts();
    for (size_t i = 0; i < spread.n_loops; i++)
        for (size_t j = 0; j < run.graphs[i]->n_nodes; j++)
            check_node(run.graphs[i]->nodes[j], is_quiet_now);
    if (spread.is_draining && ftri_time_monotonic_ns() >= spread.deadline_ns)
        RULE(run.n_after_deadline++ < STEPS_AFTER_DEADLINE,
             "the deadline of the drain has passed, and it goes on");
    RULE(run.n_steps < STEPS_MAX, "it goes on for ever");
}

static void check_actor(const struct spread_actor *self)
{
    if (!self->node || spread.is_forced)
        return;
    RULE(self->n_hands == 0, "drained, and n%zu/%zu holds batches", self->index, self->loop);
    RULE(self->n_told[CONTROL_SHUTDOWN] || self->n_told[CONTROL_DRAIN_INGRESS],
         "drained, and n%zu/%zu was not told", self->index, self->loop);
    RULE(self->n_consumed == self->n_consumed_at_shutdown,
         "drained, and n%zu/%zu was not told after its last batch", self->index, self->loop);
}

static void check_drained(void)
{
    for (size_t i = 0; i < spread.n_loops; i++)
        RULE(run.graphs[i]->n_live == 0, "drained, and frames live on loop %zu", i);
    for (size_t i = 0; i < spread.n_batches; i++)
        RULE(!spread.batches[i].is_watched || spread.batches[i].is_answered,
             "drained, and nobody heard what became of %zu", i);
    RULE(spread.n_copies == 0, "drained, and %zu copies have no answer", spread.n_copies);
    for (size_t i = 0; i < spread.n_nodes; i++)
        for (size_t loop = 0; loop < spread.n_loops; loop++)
            check_actor(&spread.actors[i][loop]);
    RULE(!spread.is_kind || !spread.is_forced, "nothing hangs, and the drain had to be forced");
    RULE(!spread.is_kind || run.n_finished || run.ending != ENDING_FINISH,
         "nothing hangs, and it did not finish");
}

/* -- life and end -- */

static void end(void)
{
    ftri_mem_fail_at(0);
    if (run.n_drained) {
        check_drained();
        check_accounts();
    }
    instances_free(run.instances);
    run.is_freed = true;
}

static void drain(void)
{
    if (spread.is_draining)
        return;
    spread.is_draining = true;
    story_tell("drain within %llu us", (unsigned long long)(run.timeout_ns / FTRI_NS_PER_US));
    spread.deadline_ns = ftri_time_monotonic_ns() + run.timeout_ns;
    instances_drain(run.instances, run.timeout_ns);
}

static void on_end(void *argument)
{
    (void)argument;
    if (run.ending == ENDING_FREE)
        end();
    else
        drain();
}

static void on_finished(void *argument)
{
    (void)argument;
    story_tell("all have finished");
    RULE(++run.n_finished == 1 && !spread.is_draining, "finished twice, or while it drains");
    for (size_t i = 0; i < spread.n_batches; i++)
        RULE(!spread.batches[i].is_watched || spread.batches[i].is_answered,
             "finished, and nobody heard what became of %zu", i);
    for (size_t i = 0; i < spread.n_loops; i++)
        RULE(run.graphs[i]->n_live == 0, "finished, and frames live on loop %zu", i);
    RULE(spread.n_copies == 0, "finished, and %zu copies have no answer", spread.n_copies);
    loop_timer_start(run.end, 0);
}

static void on_failed(void *argument, const char *node, const char *reason)
{
    (void)argument;
    size_t index = 0;
    (void)sscanf(node, "n%zu", &index);
    RULE(++run.n_failed == 1 && index == spread.failed_node, "%s failed: %s", node, reason);
    drain();
}

static void on_drained(void *argument)
{
    (void)argument;
    story_tell("drained");
    RULE(++run.n_drained == 1, "drained twice");
    if (chance_one_in(4))
        end();
}

/* Sums of one moment: each end of an edge tells the same, and so do edges and nodes. */
static void on_collected(void *argument)
{
    (void)argument;
    struct graph_edge_view edge;
    struct graph_node_view node;
    uint64_t sent = 0, emitted = 0;
    run.n_collected++;
    for (size_t i = 0; graph_edge_view(run.graphs[0], i, &edge); i++) {
        const struct edge_account *const sum = edge.account;
        sent += sum->sent;
        RULE(sum->handed >= sum->taken, "%s -> %s: taken before it was handed over", edge.from,
             edge.to);
        RULE(sum->sent == sum->received + sum->queued + sum->lost && sum->queued <= sum->sent,
             "%s -> %s: the sums do not agree (sent %llu, received %llu, queued %llu)", edge.from,
             edge.to, (unsigned long long)sum->sent, (unsigned long long)sum->received,
             (unsigned long long)sum->queued);
    }
    for (size_t i = 0; graph_node_view(run.graphs[0], i, &node); i++)
        emitted += node.account->emitted;
    RULE(sent == emitted, "the sums of nodes and edges do not agree");
}

static void on_chaos(void *argument)
{
    (void)argument;
    struct spread_actor *const actor =
        &spread.actors[chance(spread.n_nodes)][chance(spread.n_loops)];
    const uint64_t what = chance(40);
    if (what < 10)
        instances_collect(run.instances, on_collected, NULL);
    else if (what < 14 && !spread.is_kind) {
        spread.may_lose = true;
        story_tell("memory will be short");
        ftri_mem_fail_at(1 + chance(40));
    } else if (!actor->node)
        ;
    else if (what < 22)
        node_wakeup(actor->node);
    else if (what < 30)
        spread_poke(actor);
    else if (what < 38 && actor->plan->role != SPREAD_RECEIVER)
        spread_set_accepting(actor, chance_one_in(2));
    else if (what == 38 && !spread.is_kind && spread.failed_node == SPREAD_NODES_MAX)
        spread_fail(actor);
    if (run.n_chaos++ < CHAOS_MAX)
        loop_timer_start(run.chaos, 1 + chance(FTRI_NS_PER_MS));
}

static void build(void)
{
    struct loop *loops[SPREAD_LOOPS_MAX];
    const char *const text = graph_text();
    struct ftri_error error = {{0}};
    story_graph(text);
    run.loop = virtual_loop_new();
    for (size_t i = 0; i < spread.n_loops; i++)
        loops[i] = run.loop;
    int r = config_parse(ftr_str_from(text), "graph", &run.document, &error);
    RULE(r == 0, "%s", error.text);
    const struct config_value *root = config_root(run.document);
    const struct graph_options options = {
        .classes = spread_classes,
        .nodes = config_get(root, "nodes"),
        .connections = config_get(root, "connections"),
        .channel_capacity = spread.capacity,
        .on_finished = on_finished,
        .on_failed = on_failed,
        .on_drained = on_drained,
    };
    r = instances_new(loops, spread.n_loops, &options, &run.instances, &error);
    if (r == 0)
        r = instances_start(run.instances, &error);
    RULE(r == 0, "%s", error.text);
    run.graphs[0] = instances_graph(run.instances);
    for (size_t i = 1; i < spread.n_loops; i++)
        run.graphs[i] = instance_at(run.graphs[0]->instance, i)->graph;
    run.chaos = loop_timer_new(run.loop, on_chaos, NULL);
    run.end = loop_timer_new(run.loop, on_end, NULL);
    if (!chance_one_in(4))
        loop_timer_start(run.chaos, 1 + chance(FTRI_NS_PER_MS));
    loop_timer_start(run.end, run.ending == ENDING_FINISH ? 600 * FTRI_NS_PER_S
                                                          : chance(100 * FTRI_NS_PER_MS));
}

static void live(void)
{
    while (!run.n_drained && !run.is_freed) {
        RULE(virtual_loop_step(run.loop), "nothing is due, and it is not drained");
        run.n_steps++;
        if (!run.is_freed)
            check_step();
    }
}

static void count(struct loops_totals *totals)
{
    totals->n_steps += run.n_steps;
    totals->n_batches += spread.n_batches;
    totals->n_forced += spread.is_forced;
}

uint64_t loops_seed(uint64_t seed, const char *program, struct loops_totals *totals)
{
    story_begin(seed, program);
    chance_begin(seed);
    memset(&run, 0, sizeof run);
    spread_begin();
    make_plan();
    build();
    live();
    if (!run.is_freed) {
        for (size_t i = 0; i < run.graphs[0]->n_edges; i++)
            for (size_t loop = 0; loop < spread.n_loops; loop++)
                totals->n_crossed += run.graphs[loop]->edges[i]->account.handed;
        end();
    }
    loop_timer_free(run.chaos);
    loop_timer_free(run.end);
    loop_free(run.loop);
    config_free(run.document);
    ftri_time_real();
    count(totals);
    return story_hash();
}
