/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include <errno.h>

static const struct {
    const char *yaml, *error;
} refusals[] = {
    {"x: 1", "there is no 'nodes'"},
    {"nodes: [a]", "g.yaml:1:8: nodes: expected a mapping of names to {type: ..., config: ...}"},
    {"nodes: {}", "g.yaml:1:8: nodes: expected a mapping of names to {type: ..., config: ...}"},
    {"nodes:\n  in: receiver/test", "g.yaml:2:7: node 'in': expected {type: ..., config: ...}"},
    {"nodes:\n  in: {config: {}}", "g.yaml:2:7: node 'in' has no type"},
    {"nodes:\n  in: {type: receiver/test, confg: {}}",
     "g.yaml:2:29: 'confg' is neither 'type' nor 'config'; did you mean 'config'?"},
    {"nodes:\n  in: {type: reciever/test}",
     "g.yaml:2:14: there is no node type 'reciever/test'; did you mean 'receiver/test'?"},
    {"nodes:\n  in: {type: kafka}", "g.yaml:2:14: there is no node type 'kafka'"},
    {"nodes:\n  'a[b': {type: receiver/test}", "g.yaml:2:4: 'a[b' is not a name for a node"},
    {"nodes:\n  in: {type: receiver/test, config: {m: 1}}",
     "g.yaml:2:38: receiver/test 'in': there is no option 'm'"},
    {"nodes:\n  in: {type: receiver/test, config: {n: 0}}",
     "g.yaml:2:41: receiver/test 'in': n: '0' is out of range: 1 to 100000"},
    {"nodes:\n  in: {type: receiver/test}\n", "g.yaml:2:3: in[\"out\"] is not connected"},
    {"nodes:\n  in: {type: receiver/test}\nconnections: {from: in}",
     "g.yaml:3:14: connections: expected a list of {from: ..., to: ...}"},
    {"nodes:\n  in: {type: receiver/test}\nconnections: [in]",
     "g.yaml:3:15: connections: expected {from: ..., to: ...}"},
    {"nodes:\n  in: {type: receiver/test}\nconnections: [{from: in}]",
     "g.yaml:3:15: connections: 'to' must name a node"},
    {"nodes:\n  in: {type: receiver/test}\nconnections: [{from: in, too: in}]",
     "g.yaml:3:26: 'too' is neither 'from' nor 'to'; did you mean 'to'?"},
    {"nodes:\n  in: {type: receiver/test}\n  store: {type: exporter/test}\n"
     "connections: [{from: in, to: sotre}]",
     "g.yaml:4:30: there is no node 'sotre'; did you mean 'store'?"},
    {"nodes:\n  in: {type: receiver/test}\n  store: {type: exporter/test}\n"
     "connections: [{from: in, to: store}, {from: in, to: store}]",
     "g.yaml:4:38: in[\"out\"] is connected to 'store' already"},
    {"nodes:\n  in: {type: receiver/test}\n  store: {type: exporter/test}\n"
     "connections: [{from: store, to: store}]",
     "g.yaml:4:22: exporter/test 'store' has no output"},
    {"nodes:\n  in: {type: receiver/test}\n  store: {type: exporter/test}\n"
     "connections: [{from: in, to: in}]",
     "g.yaml:4:30: receiver/test 'in' takes no input"},
    {"nodes:\n  in: {type: receiver/test}\n  s: {type: processor/split}\n"
     "connections: [{from: in, to: s}, {from: s, to: s}]",
     "g.yaml:4:41: 's' has 2 ports; name one, such as s[\"a\"]"},
    {"nodes:\n  in: {type: receiver/test}\n  s: {type: processor/split}\n"
     "connections: [{from: 's[a]', to: s}]",
     "g.yaml:4:23: 's[a]' is not a node, nor a node's port as in s[\"a\"]"},
    {"nodes:\n  in: {type: receiver/test}\n"
     "connections: [{from: 'in[\"outt\"]', to: in}]",
     "g.yaml:3:23: 'in' has no port 'outt'; did you mean 'out'?"},
    {"nodes:\n  in: {type: receiver/test}\n  s: {type: processor/split}\n  o: {type: "
     "exporter/test}\n"
     "connections: [{from: in, to: s}, {from: 's[\"a\"]', to: o}]",
     "g.yaml:3:3: s[\"b\"] is not connected"},
    {"nodes:\n  in: {type: receiver/test}\n  o: {type: exporter/test}\n  p: {type: exporter/test}\n"
     "connections: [{from: in, to: o}]",
     "g.yaml:4:3: no receiver reaches 'p'"},
    {"nodes:\n  in: {type: receiver/test}\n  a: {type: processor/pass}\n  b: {type: "
     "processor/pass}\n"
     "connections: [{from: in, to: a}, {from: a, to: b}, {from: b, to: a}]",
     "g.yaml:3:3: a cycle: a -> b -> a"},
    /* Named from the first in the file, whatever hangs on to it. */
    {"nodes:\n  z: {type: exporter/test}\n  c: {type: processor/pass}\n  in: {type: "
     "receiver/test}\n"
     "  a: {type: processor/pass}\n  b: {type: processor/pass}\n"
     "connections: [{from: in, to: a}, {from: a, to: b}, {from: b, to: c}, {from: c, to: a}, "
     "{from: c, to: z}]",
     "g.yaml:3:3: a cycle: c -> a -> b -> c"},
    {"nodes:\n  in: {type: receiver/test}\n  a: {type: processor/pass}\n"
     "connections: [{from: in, to: a}, {from: a, to: a}]",
     "g.yaml:3:3: a cycle: a -> a"},
};

static void test_refusals_name_place_reason_and_nearest(void **state)
{
    (void)state;
    for (size_t i = 0; i < FTRI_COUNT(refusals); i++) {
        struct ftri_error error = {{0}};
        assert_int_equal(lab_build(refusals[i].yaml, 0, &error), -EINVAL);
        assert_string_equal(error.text, refusals[i].error);
        assert_null(lab.graph);
        config_free(lab.document);
        lab.document = NULL;
    }
}

static void test_nodes_and_edges_stand_in_topological_order(void **state)
{
    (void)state;
    struct ftri_error error = {{0}};
    assert_int_equal(lab_build("nodes:\n  o: {type: exporter/test}\n  s: {type: processor/split}\n"
                               "  in: {type: receiver/test}\n"
                               "connections: [{from: 's[\"b\"]', to: o}, {from: in, to: s},\n"
                               "  {from: 's[\"a\"]', to: o}]",
                               0, &error),
                     0);
    const char *const nodes[] = {"in", "s", "o"}, *const ports[] = {"out", "a", "b"};
    struct graph_node_view node;
    struct graph_edge_view edge;
    for (size_t i = 0; i < 3; i++) {
        assert_true(graph_node_view(lab.graph, i, &node));
        assert_string_equal(node.id, nodes[i]);
        assert_true(graph_edge_view(lab.graph, i, &edge));
        assert_string_equal(edge.port, ports[i]);
    }
    assert_false(graph_node_view(lab.graph, 3, &node));
    assert_false(graph_edge_view(lab.graph, 3, &edge));
}

static void test_nodes_start_from_the_exporters_and_stop_when_one_fails(void **state)
{
    (void)state;
    struct ftri_error error = {{0}};
    assert_int_equal(
        lab_build("nodes:\n  in: {type: receiver/test}\n"
                  "  a: {type: processor/pass, config: {failing: true}}\n"
                  "  b: {type: processor/pass}\n  o: {type: exporter/test}\n"
                  "connections: [{from: in, to: a}, {from: a, to: b}, {from: b, to: o}]",
                  0, &error),
        0);
    assert_int_equal(graph_start(lab.graph, &error), -5);
    assert_string_equal(error.text, "processor/pass 'a': told to fail");
    assert_int_equal(lab.n_started, 2);
    assert_string_equal(lab.started[0], "o");
    assert_string_equal(lab.started[1], "b");
    assert_int_equal(lab.n_stopped, 2);
    assert_string_equal(lab.stopped[0], "b");
    assert_string_equal(lab.stopped[1], "o");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB(test_refusals_name_place_reason_and_nearest),
        LAB(test_nodes_and_edges_stand_in_topological_order),
        LAB(test_nodes_start_from_the_exporters_and_stop_when_one_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
