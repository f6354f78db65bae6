/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver/file on a file that grows, rotates and is truncated, across restarts and refusals. */
#include "folder.h"
#include "rig.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64], rotated[64], positions[64];

static int set_up(void **state)
{
    if (folder_set_up(state) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(rotated, sizeof rotated, "%s/log.1", folder);
    snprintf(positions, sizeof positions, "%s/positions", folder);
    return 0;
}

static void append(const char *name, const char *text)
{
    FILE *file = fopen(name, "a");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void open_graph(const char *more, const char *sink)
{
    char text[1024];
    snprintf(text, sizeof text,
             "nodes:\n"
             "  in: {type: receiver/file, config: {paths: ['%s'], format: text, poll_interval: 2ms,"
             " checkpoint: '%s'%s}}\n"
             "  sink: {type: exporter/rig, config: {%s}}\n"
             "connections:\n"
             "  - {from: in, to: sink}\n",
             path, positions, more, sink);
    rig_open(text);
}

/* "a b": the lines that reached the sink and were not refused there. */
static char found[1024];
static const char *awaited;
static size_t n_refused;

static bool has_come(void)
{
    size_t len = 0;
    found[0] = '\0';
    for (size_t i = n_refused; i < rig.n_arrivals; i++)
        for (size_t j = 0; j < rig.arrivals[i].records->n_items; j++) {
            const ftr_str value = rig.arrivals[i].records->items[j].value;
            len += (size_t)snprintf(found + len, sizeof found - len, "%s%.*s", len ? " " : "",
                                    (int)value.len, value.data);
        }
    return strcmp(found, awaited) == 0;
}

static void wait_for(const char *lines)
{
    awaited = lines;
    rig_wait(has_come);
}

static void drain_and_close(void)
{
    rig_drain();
    rig_close();
}

static void test_lines_as_they_come(void **state)
{
    (void)state;
    n_refused = 0;
    open_graph("", "");
    append(path, "a\nb\nhalf");
    wait_for("a b");
    append(path, " and half\nc\n");
    wait_for("a b half and half c");
    assert_memory_equal(rig.arrivals[0].records->items[0].key.data, path, strlen(path));
    drain_and_close();
}

static void test_a_restart_goes_on(void **state)
{
    (void)state;
    n_refused = 0;
    append(path, "a\nb\nunfinished");
    open_graph("", "");
    wait_for("a b");
    drain_and_close();
    append(path, " now\nc\n");
    open_graph("", "");
    wait_for("unfinished now c");
    drain_and_close();
    open_graph("", "");
    append(path, "d\n");
    wait_for("d");
    drain_and_close();
}

/* What was sent and has no outcome when the program ends comes again. */
static void test_what_is_not_acknowledged_comes_again(void **state)
{
    (void)state;
    n_refused = 0;
    append(path, "a\nb\nc\n");
    open_graph(", max_items: 1", "hold: true");
    rig_wait(rig_is_held);
    node_ack(rig.holder, rig.held); /* the second is then held, or on its way */
    graph_drain(rig.graph, 20 * FTRI_NS_PER_MS);
    rig_wait(rig_is_drained);
    rig_close();
    open_graph("", "");
    wait_for("b c");
    drain_and_close();
}

static void test_a_refusal_is_read_again(void **state)
{
    (void)state;
    n_refused = 1;
    append(path, "a\nb\n");
    open_graph("", "refuse: 1, retry_after: 5ms");
    wait_for("a b");
    drain_and_close();
    n_refused = 0;
    open_graph("", "");
    append(path, "c\n");
    wait_for("c");
    drain_and_close();
}

static void test_a_permanent_refusal_is_passed_over(void **state)
{
    (void)state;
    n_refused = 1;
    append(path, "a\n");
    open_graph(", max_items: 1", "refuse: 1, permanent: true");
    append(path, "b\n");
    wait_for("b");
    drain_and_close();
}

static void test_renamed(void **state)
{
    (void)state;
    n_refused = 0;
    append(path, "a\n");
    open_graph("", "");
    wait_for("a");
    assert_int_equal(rename(path, rotated), 0);
    append(rotated, "late\nlast without end");
    append(path, "new\n");
    wait_for("a late last without end new");
    append(path, "more\n");
    wait_for("a late last without end new more");
    drain_and_close();
}

static void test_renamed_while_it_was_down(void **state)
{
    (void)state;
    n_refused = 0;
    append(path, "a\nb\n");
    open_graph("", "");
    wait_for("a b");
    drain_and_close();
    append(path, "c\n");
    assert_int_equal(rename(path, rotated), 0);
    append(path, "d\n");
    open_graph("", "");
    wait_for("c d");
    drain_and_close();
}

static void test_removed_while_it_was_down(void **state)
{
    (void)state;
    n_refused = 0;
    append(path, "a\nb\n");
    open_graph("", "");
    wait_for("a b");
    drain_and_close();
    append(rotated, "x\n"); /* takes a place of its own, so that the inode is not used again */
    assert_int_equal(rename(rotated, path), 0);
    open_graph("", "");
    wait_for("x");
    drain_and_close();
}

static void test_truncated(void **state)
{
    (void)state;
    n_refused = 0;
    append(path, "a long line\nb\n");
    open_graph("", "");
    wait_for("a long line b");
    assert_int_equal(truncate(path, 0), 0);
    append(path, "c\n");
    wait_for("a long line b c");
    drain_and_close();
}

static void test_truncated_while_it_was_down(void **state)
{
    (void)state;
    n_refused = 0;
    append(path, "a long line\n");
    open_graph("", "");
    wait_for("a long line");
    drain_and_close();
    assert_int_equal(truncate(path, 0), 0);
    append(path, "b\n");
    open_graph("", "");
    wait_for("b");
    drain_and_close();
}

static void test_from_the_end(void **state)
{
    (void)state;
    n_refused = 0;
    append(path, "old\n");
    open_graph(", from: end", "");
    append(path, "new\n");
    wait_for("new");
    drain_and_close();
}

static void test_a_file_that_is_not_followed(void **state)
{
    (void)state;
    n_refused = 0;
    append(path, "a\nb");
    memcpy(positions, "off", sizeof "off");
    open_graph(", follow: false", "");
    rig_wait(rig_is_finished);
    awaited = "a b";
    assert_true(has_come());
    assert_int_not_equal(access("in.positions", F_OK), 0);
    rig_close();
}

static void test_lines_that_are_too_long(void **state)
{
    (void)state;
    n_refused = 0;
    append(path, "a\n12345678901234567890\nb\n");
    open_graph(", max_line: 16", "");
    wait_for("a b");
    assert_int_equal(rig_account("in")->dropped[FTR_DROP_INVALID], 1);
    drain_and_close();
}

static bool sink_is_full(void)
{
    return rig.held != NULL && rig_account("in")->emitted == 4;
}

/* No more than max_in_flight batches are under way. */
static void test_a_full_channel(void **state)
{
    (void)state;
    n_refused = 0;
    for (size_t i = 0; i < 40; i++)
        append(path, "x\n");
    open_graph(", max_items: 2, max_in_flight: 2", "hold: true");
    rig_wait(sink_is_full);
    graph_drain(rig.graph, 10 * FTRI_NS_PER_MS);
    rig_wait(rig_is_drained);
    node_ack(rig.holder, rig.held);
    rig_close();
}

static void test_a_checkpoint_that_is_none(void **state)
{
    (void)state;
    struct ftri_error error = {{0}};
    char text[512];
    append(positions, "flowtrace-positions 1\n1 2 three /x\n");
    snprintf(text, sizeof text,
             "nodes:\n"
             "  in: {type: receiver/file, config: {paths: [/x], checkpoint: '%s'}}\n"
             "  sink: {type: exporter/rig}\n"
             "connections:\n"
             "  - {from: in, to: sink}\n",
             positions);
    assert_int_equal(rig_build(text, &error), 0);
    assert_int_equal(graph_start(rig.graph, &error), -EBADMSG);
    assert_non_null(strstr(error.text, "is no checkpoint"));
    rig_close();
}

/* Ids of the Collector's form have a slash: "receivers::filelog/app". */
static void test_positions_named_after_a_node_with_a_slash(void **state)
{
    (void)state;
    static const char text[] =
        "nodes:\n"
        "  in/a%b: {type: receiver/file, config: {paths: [log], format: text,"
        " poll_interval: 2ms}}\n"
        "  sink: {type: exporter/rig}\n"
        "connections:\n"
        "  - {from: in/a%b, to: sink}\n";
    char before[256];
    n_refused = 0;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    append("log", "a\n");
    rig_open(text);
    wait_for("a");
    drain_and_close();
    assert_int_equal(access("in%2Fa%25b.positions", F_OK), 0);
    append("log", "b\n");
    rig_open(text);
    wait_for("b");
    drain_and_close();
    assert_int_equal(chdir(before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines_as_they_come, set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_restart_goes_on, set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_acknowledged_comes_again, set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_refusal_is_read_again, set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_permanent_refusal_is_passed_over, set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_renamed, set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_renamed_while_it_was_down, set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_removed_while_it_was_down, set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_truncated, set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_truncated_while_it_was_down, set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_from_the_end, set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_not_followed, set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_lines_that_are_too_long, set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_channel, set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_checkpoint_that_is_none, set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_positions_named_after_a_node_with_a_slash, set_up,
                                        folder_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
