/* SPDX-License-Identifier: Apache-2.0
 *
 * Graphs of any shape under any fate: whatever happens, the accounts hold after every step, every
 * batch that was taken in gets exactly one answer, and nothing is left over. */
#include "base/bytes.h"
#include "lab.h"

enum { NODES = 10, STEPS = 80, SEEDS = 400 };

static uint64_t seed;

/* xorshift64*: the same graphs on every machine. */
static uint64_t pick(uint64_t n)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (seed * UINT64_C(2685821657736338717)) % n;
}

static const char *const processors[] = {"pass",  "hold",    "split", "drop",
                                         "merge", "custody", "retry"};
static const char *const exporters[] = {"test", "refuse", "hold"};

static struct {
    struct ftri_bytes yaml;
    bool is_split[NODES];
    bool is_connected[NODES][2][NODES];
} plan;

static void connect(size_t from, size_t port, size_t to)
{
    if (plan.is_connected[from][port][to])
        return;
    plan.is_connected[from][port][to] = true;
    const char *name = !plan.is_split[from] ? "out" : port == 0 ? "a" : "b";
    assert_int_equal(
        ftri_bytes_printf(&plan.yaml, "  - {from: 'n%zu[\"%s\"]', to: n%zu}\n", from, name, to), 0);
}

/* n0 is the receiver, the last three are exporters; edges lead from lower to higher numbers. */
static void plan_graph(void)
{
    const size_t n_inner = NODES - 3;
    memset(plan.is_split, 0, sizeof plan.is_split);
    memset(plan.is_connected, 0, sizeof plan.is_connected);
    ftri_bytes_init(&plan.yaml, 1 << 16);
    int r = ftri_bytes_printf(&plan.yaml, "nodes:\n  n0: {type: receiver/test}\n");
    for (size_t i = 1; i < n_inner; i++) {
        const char *type = processors[pick(FTRI_COUNT(processors))];
        plan.is_split[i] = strcmp(type, "split") == 0;
        r |= ftri_bytes_printf(&plan.yaml, "  n%zu: {type: processor/%s, config: {n: %d}}\n", i,
                               type, (int)pick(4) + 1);
    }
    for (size_t i = n_inner; i < NODES; i++)
        r |= ftri_bytes_printf(&plan.yaml, "  n%zu: {type: exporter/%s}\n", i,
                               exporters[pick(FTRI_COUNT(exporters))]);
    r |= ftri_bytes_printf(&plan.yaml, "connections:\n");
    assert_int_equal(r, 0);
    for (size_t i = 1; i < NODES; i++) {
        const size_t above = pick(i < n_inner ? i : n_inner);
        connect(above, plan.is_split[above] ? pick(2) : 0, i);
    }
    for (size_t i = 0; i < n_inner; i++)
        for (size_t port = 0; port < (plan.is_split[i] ? 2U : 1U); port++)
            connect(i, port, i + 1 + pick(NODES - 1 - i));
    assert_int_equal(ftri_bytes_append(&plan.yaml, "", 1), 0);
}

/* Something happens to one of the batches in hand. */
static void release_one(void)
{
    const size_t i = pick(lab.n_held);
    struct node *const node = (struct node *)(uintptr_t)lab.holders[i];
    struct pdata *const pdata = lab.held[i];
    lab.n_held--;
    lab.held[i] = lab.held[lab.n_held];
    lab.holders[i] = lab.holders[lab.n_held];
    const struct result refusal = {.is_permanent = pick(2), .reason = "by chance"};
    const uint64_t fate = pick(node_n_ports(node) ? 6 : 2);
    struct pdata *child = NULL;
    if (fate == 5 && (child = node_derive(node, pdata, 0, 2)) != NULL)
        node_send(node, 0, child);
    switch (fate) {
    case 0:
        node_ack(node, pdata);
        break;
    case 1:
        node_nack(node, pdata, &refusal);
        break;
    case 2:
        node_drop(node, pdata, FTR_DROP_LATE);
        break;
    case 3:
        pdata->n_items = pick(20);
        node_send(node, 0, pdata);
        break;
    default:
        node_send(node, 0, pdata);
        break;
    }
}

static void live(size_t *n_taken)
{
    for (size_t step = 0; step < STEPS; step++) {
        const uint64_t what = pick(10);
        if (what < 4)
            *n_taken += lab_ingest("n0", pick(10), step);
        else if (what < 7 && lab.n_held)
            release_one();
        else if (what == 7)
            node_set_accepting(lab.nodes[pick(lab.n_nodes)], pick(2));
        else if (what == 8)
            ftri_mem_fail_at(1 + pick(30)); /* some request to come fails */
        else
            lab_settle();
        lab_check();
        for (size_t i = 0; i < lab.n_nodes; i++)
            assert_true(lab.nodes[i]->n_data <= lab.graph->capacity);
    }
}

static void end(bool is_patient)
{
    ftri_mem_fail_at(0);
    for (size_t i = 0; i < lab.n_nodes; i++)
        node_set_accepting(lab.nodes[i], true);
    graph_drain(lab.graph, is_patient ? 3600 * FTRI_NS_PER_S : 0);
    lab_settle();
    while (lab.n_drained == 0) {
        if (lab.n_held && is_patient)
            release_one();
        lab_settle();
        lab_check();
    }
    while (lab.n_held)
        release_one(); /* of what was taken back at the deadline */
}

static void test_graphs_of_any_shape(void **state)
{
    for (uint64_t i = 1; i <= SEEDS; i++) {
        seed = i * UINT64_C(0x9e3779b97f4a7c15);
        assert_int_equal(lab_close(state), 0);
        assert_int_equal(lab_open(state), 0);
        plan_graph();
        lab_run((const char *)plan.yaml.data, 1 + pick(4));
        ftri_bytes_deinit(&plan.yaml);
        size_t n_taken = 0;
        live(&n_taken);
        end(i % 2);
        lab_check();
        assert_int_equal(lab.n_answers, n_taken);
        assert_int_equal(lab.graph->n_live, 0);
        if (lab.n_failed)
            fail_msg("seed %u: %s: %s", (unsigned)i, lab.failed_node, lab.failure);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB(test_graphs_of_any_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
