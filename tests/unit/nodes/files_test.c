/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver/files over a tree with everything in it that a file system can hold. */
#include "folder.h"
#include "rig.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A path below the folder; a few at a time. */
static const char *at(const char *name)
{
    static char paths[4][256];
    static size_t next;
    char *path = paths[next++ % FTRI_COUNT(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *content)
{
    const int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    assert_int_equal(close(fd), 0);
}

/* sink: "hold" or nothing. */
static void open_graph(const char *paths, const char *more, const char *sink)
{
    static char text[4096]; /* the document may point into it */
    snprintf(text, sizeof text,
             "nodes:\n"
             "  read: {type: receiver/files, config: {paths: [%s]%s}}\n"
             "  sink: {type: exporter/rig, config: {%s}}\n"
             "connections:\n"
             "  - {from: read, to: sink}\n",
             paths, more, sink);
    rig_open(text);
}

/* The record of a file, wherever it arrived; NULL: it did not. Twice is a failure. */
static const struct record *find(const char *name)
{
    const struct record *found = NULL;
    const char *path = at(name);
    for (size_t i = 0; i < rig.n_arrivals; i++) {
        const struct records *records = rig.arrivals[i].records;
        for (size_t j = 0; j < records->n_items; j++) {
            const ftr_str key = records->items[j].key;
            if (key.len != strlen(path) || memcmp(key.data, path, key.len) != 0)
                continue;
            assert_null(found);
            found = &records->items[j];
        }
    }
    return found;
}

static void check_content(const char *name, const char *expected)
{
    const struct record *record = find(name);
    assert_non_null(record);
    assert_int_equal(record->value.len, strlen(expected));
    assert_memory_equal(record->value.data, expected, strlen(expected));
}

static size_t n_records(void)
{
    size_t n = 0;
    for (size_t i = 0; i < rig.n_arrivals; i++)
        n += rig.arrivals[i].records->n_items;
    return n;
}

static void test_every_regular_file_once(void **state)
{
    (void)state;
    assert_int_equal(mkdir(at("sub"), 0755), 0);
    assert_int_equal(mkdir(at("sub/deeper"), 0755), 0);
    assert_int_equal(mkdir(at("empty"), 0755), 0);
    write_file("a", "one");
    write_file("nothing", "");
    write_file("sub/b", "two");
    write_file("sub/deeper/c", "three");
    assert_int_equal(symlink("..", at("sub/loop")), 0);
    assert_int_equal(symlink("../a", at("sub/link")), 0);
    assert_int_equal(symlink("nowhere", at("sub/dangling")), 0);
    assert_int_equal(mkfifo(at("fifo"), 0644), 0);
    const struct timespec times[2] = {{1000, 5}, {1000, 5}};
    assert_int_equal(utimensat(AT_FDCWD, at("a"), times, 0), 0);
    open_graph(folder, "", "");
    rig_wait(rig_is_finished);
    check_content("a", "one");
    check_content("nothing", "");
    check_content("sub/b", "two");
    check_content("sub/deeper/c", "three");
    assert_int_equal(n_records(), 4);
    assert_int_equal(find("a")->event_time_ns, UINT64_C(1000000000005));
    /* A batch is of one directory. */
    for (size_t i = 0; i < rig.n_arrivals; i++)
        assert_true(rig.arrivals[i].n_items <= 2);
    rig_close();
}

static void test_single_files_links_and_what_is_not_there(void **state)
{
    (void)state;
    char paths[1024];
    assert_int_equal(mkdir(at("real"), 0755), 0);
    write_file("real/a", "one");
    write_file("b", "two");
    assert_int_equal(symlink("real", at("link")), 0);
    snprintf(paths, sizeof paths, "%s/none, %s/link, %s/b", folder, folder, folder);
    open_graph(paths, "", "");
    rig_wait(rig_is_finished);
    check_content("link/a", "one"); /* a given path is followed */
    check_content("b", "two");
    assert_int_equal(n_records(), 2);
    rig_close();
}

static void test_a_time_before_1970_is_unknown(void **state)
{
    (void)state;
    write_file("old", "x");
    const struct timespec times[2] = {{-5, 0}, {-5, 0}};
    assert_int_equal(utimensat(AT_FDCWD, at("old"), times, 0), 0);
    open_graph(folder, "", "");
    rig_wait(rig_is_finished);
    assert_int_equal(find("old")->event_time_ns, 0);
    rig_close();
}

static void test_a_directory_that_cannot_be_read(void **state)
{
    (void)state;
    if (geteuid() == 0) /* for whom every directory can be read: as somebody else */
        assert_int_equal(seteuid(65534), 0);
    char other[] = "/tmp/ftr-files-XXXXXX";
    assert_non_null(mkdtemp(other));
    char closed[64], paths[256];
    snprintf(closed, sizeof closed, "%s/closed", other);
    assert_int_equal(mkdir(closed, 0000), 0);
    snprintf(paths, sizeof paths, "%s, /etc/hostname", other);
    open_graph(paths, "", "");
    rig_wait(rig_is_finished);
    assert_int_equal(n_records(), 1); /* the walk went on */
    rig_close();
    assert_int_equal(rmdir(closed), 0);
    assert_int_equal(rmdir(other), 0);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
}

static void test_batches_have_their_limits(void **state)
{
    (void)state;
    for (char name[2] = "a"; name[0] <= 'e'; name[0]++)
        write_file(name, "12345");
    open_graph(folder, ", max_files: 2", "");
    rig_wait(rig_is_finished);
    assert_int_equal(n_records(), 5);
    assert_int_equal(rig.n_arrivals, 3);
    rig_close();
    open_graph(folder, ", max_bytes: 1", "");
    rig_wait(rig_is_finished);
    assert_int_equal(rig.n_arrivals, 5);
    rig_close();
}

static void test_a_file_that_is_too_large(void **state)
{
    (void)state;
    write_file("fits", "1234567890");
    write_file("large", "12345678901");
    open_graph(folder, ", max_file: 10", "");
    rig_wait(rig_is_finished);
    check_content("fits", "1234567890");
    assert_null(find("large"));
    rig_close();
}

/* Each batch is one file, the first is with the sink, and the channel has room for few. */
static void test_a_file_that_vanishes(void **state)
{
    (void)state;
    enum { FILES = 200 };
    char name[16];
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "%03d", i);
        write_file(name, "x");
    }
    open_graph(folder, ", max_files: 1", "hold: true");
    rig_wait(rig_is_held);
    const size_t n_read = (size_t)rig_account("read")->emitted;
    assert_true(n_read < FILES);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "%03d", i);
        assert_int_equal(unlink(at(name)), 0);
    }
    graph_drain(rig.graph, 50 * FTRI_NS_PER_MS); /* nothing more is read, and nothing breaks */
    rig_wait(rig_is_drained);
    rig_close();
}

static bool has_read_all(void)
{
    return rig.is_finished || rig_account("read")->emitted > 1;
}

static void test_a_walk_over_vanished_files_goes_on(void **state)
{
    (void)state;
    write_file("a", "x");
    open_graph(folder, "", "");
    assert_int_equal(unlink(at("a")), 0); /* before the first turn of the loop */
    rig_wait(has_read_all);
    assert_true(rig.is_finished);
    assert_int_equal(n_records(), 0);
    rig_close();
}

static void test_a_drain_in_the_middle(void **state)
{
    (void)state;
    for (char name[2] = "a"; name[0] <= 'z'; name[0]++)
        write_file(name, "x");
    open_graph(folder, ", max_files: 1", "");
    rig_drain();
    assert_true(n_records() <= 26);
    rig_close();
}

#define PATHS(paths)                                                                               \
    "nodes:\n"                                                                                     \
    "  read: {type: receiver/files, config: {paths: " paths "}}\n"                                 \
    "  sink: {type: exporter/rig}\n"                                                               \
    "connections: [{from: read, to: sink}]\n"

/* Found in review: the walk crashed. */
static void test_no_paths(void **state)
{
    (void)state;
    rig_refuse(PATHS("[]"), "graph:2:", "at least one path");
    rig_refuse(PATHS("[/etc, '']"), "graph:2:", "empty path");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_regular_file_once, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_single_files_links_and_what_is_not_there,
                                        folder_set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_time_before_1970_is_unknown, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_directory_that_cannot_be_read, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_batches_have_their_limits, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_too_large, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_vanishes, folder_set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_walk_over_vanished_files_goes_on, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_drain_in_the_middle, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test(test_no_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
