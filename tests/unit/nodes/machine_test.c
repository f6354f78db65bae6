/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory limits of control groups, as cgroups(7) says where they are. */
#include "folder.h"
#include "nodes/collector/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static uint64_t limit_of(const char *groups)
{
    char path[128];
    put("groups", groups);
    snprintf(path, sizeof path, "%s/groups", folder);
    return collector_group_bytes(path, folder);
}

static void test_the_unified_hierarchy(void **state)
{
    (void)state;
    make("system.slice");
    make("system.slice/a.service");
    put("system.slice/memory.max", "max\n");
    put("system.slice/a.service/memory.max", "536870912\n");
    assert_int_equal(limit_of("0::/system.slice/a.service\n"), 536870912);
    assert_true(limit_of("0::/system.slice\n") == UINT64_MAX);
    put("system.slice/memory.max", "1048576\n");
    assert_int_equal(limit_of("0::/system.slice/a.service\n"), 1048576);
}

/* The group that a container sees as the root. */
static void test_a_container(void **state)
{
    (void)state;
    put("memory.max", "2097152\n");
    assert_int_equal(limit_of("0::/\n"), 2097152);
    assert_int_equal(limit_of("0::/../../outside/of/it\n"), 2097152);
}

static void test_the_hierarchies_before(void **state)
{
    (void)state;
    make("memory");
    make("memory/a");
    put("memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("memory/a/memory.limit_in_bytes", "4194304\n");
    assert_int_equal(limit_of("8:pids:/x\n9:cpu,memory:/a\n0::/\n"), 4194304);
    assert_int_equal(limit_of("9:memory:/\n"), 9223372036854771712U);
    assert_true(limit_of("9:memoryless:/a\n7:name=memory-x:/a\n") == UINT64_MAX);
}

static void test_nothing_that_can_be_read(void **state)
{
    (void)state;
    assert_true(limit_of("") == UINT64_MAX);
    assert_true(limit_of("no colons\n0:one\n0::/absent\n") == UINT64_MAX);
    assert_true(collector_group_bytes("/none/groups", folder) == UINT64_MAX);
    assert_true(collector_memory_bytes() > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_unified_hierarchy, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_container, folder_set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_the_hierarchies_before, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_that_can_be_read, folder_set_up,
                                        folder_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
