/* SPDX-License-Identifier: Apache-2.0
 *
 * kill -9 of a process that appends: at random moments, and at every named fault point. The child
 * (this program again) reports on a pipe what it was told is durable and, before it does so, what
 * it releases. After each death the log must hold what was reported durable and not as released. */
#include "fixture.h"

#include "base/random.h"

#include <signal.h>
#include <sys/wait.h>

enum { NUMBERS_A_ROUND = 20000, MOST_ROUNDS = 1000, KILLS = 25, IN_FLIGHT = 16, KEPT = 40 };

struct report {
    uint64_t number;
    uint64_t is_released;
};

/* ---- the child ---- */

struct child {
    struct fixture fixture;
    struct wal *wal;
    uint64_t positions[NUMBERS_A_ROUND];
    uint64_t first; /* its first number */
    uint64_t n_appended, n_synced, n_released;
};

static void report(uint64_t number, bool is_released)
{
    const struct report message = {number, is_released};
    if (write(STDOUT_FILENO, &message, sizeof message) != sizeof message)
        _exit(2);
}

static void release_replayed(struct child *child)
{
    struct wal_record record;
    while (wal_replay(child->wal, &record) == 0) {
        report(record.received_ns, true);
        wal_release(child->wal, record.position);
    }
}

static void hear_synced(struct child *child)
{
    int error = 0;
    const uint64_t synced = wal_synced(child->wal, &error);
    while (child->n_synced < child->n_appended && child->positions[child->n_synced] < synced)
        report(child->first + child->n_synced++, false);
    for (; child->n_released + KEPT < child->n_synced; child->n_released++) {
        report(child->first + child->n_released, true);
        wal_release(child->wal, child->positions[child->n_released]);
    }
}

static int run_child(const char *directory, uint64_t first)
{
    static struct child child;
    child.first = first;
    fixture_init(&child.fixture);
    rmdir(child.fixture.directory);
    child.fixture.options.directory = directory;
    child.fixture.options.segment_bytes = 4096;
    child.wal = fixture_open(&child.fixture);
    release_replayed(&child);
    while (child.n_appended < NUMBERS_A_ROUND) {
        child.positions[child.n_appended] = fixture_append_ok(child.wal, first + child.n_appended);
        child.n_appended++;
        while (child.n_appended - child.n_synced > IN_FLIGHT) {
            fixture_wait(&child.fixture);
            hear_synced(&child);
        }
    }
    return 3; /* nobody killed it */
}

/* ---- the parent ---- */

enum { IS_DURABLE = 1, IS_RELEASED = 2, IS_SEEN = 4 };

static uint8_t fates[(size_t)NUMBERS_A_ROUND * MOST_ROUNDS]; /* by number */

static pid_t start_child(const struct fixture *fixture, uint64_t first, const char *fault,
                         int *ret_pipe)
{
    int ends[2];
    char number[32];
    snprintf(number, sizeof number, "%llu", (unsigned long long)first);
    assert_int_equal(pipe(ends), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (fault)
            setenv("FTR_FAULT", fault, 1);
        execl("/proc/self/exe", "crash_test", fixture->directory, number, (char *)NULL);
        _exit(4);
    }
    close(ends[1]);
    *ret_pipe = ends[0];
    return pid;
}

/* Kills after so many reports; 0: the child does it itself. Reads what had been said. */
static void hear_until_death(pid_t pid, int pipe_end, uint64_t n_reports)
{
    struct report message;
    uint64_t n = 0;
    while (read(pipe_end, &message, sizeof message) == sizeof message) {
        assert_true(message.number < sizeof fates);
        fates[message.number] |= message.is_released ? IS_RELEASED : IS_DURABLE;
        if (++n == n_reports)
            kill(pid, SIGKILL);
    }
    close(pipe_end);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static uint64_t check_log(struct fixture *fixture, size_t n_numbers)
{
    struct wal *wal = fixture_open(fixture);
    struct wal_record record;
    uint64_t n_durable = 0;
    for (size_t i = 0; i < n_numbers; i++)
        fates[i] &= (uint8_t)~IS_SEEN;
    while (wal_replay(wal, &record) == 0) {
        fixture_check(&record);
        assert_true(record.received_ns < n_numbers);
        assert_false(fates[record.received_ns] & IS_SEEN);
        fates[record.received_ns] |= IS_SEEN;
    }
    for (size_t i = 0; i < n_numbers; i++) {
        if ((fates[i] & (IS_DURABLE | IS_RELEASED)) != IS_DURABLE)
            continue;
        n_durable++;
        if (!(fates[i] & IS_SEEN))
            fail_msg("record %zu was durable and is gone", i);
    }
    assert_int_equal(fixture_statistics(wal).n_quarantined, 0);
    wal_close(wal);
    return n_durable;
}

/* The number of records that had to be there, and were. */
static uint64_t run_round(struct fixture *fixture, uint64_t round, const char *fault,
                          uint64_t n_reports)
{
    int pipe_end = -1;
    const pid_t pid = start_child(fixture, round * NUMBERS_A_ROUND, fault, &pipe_end);
    hear_until_death(pid, pipe_end, n_reports);
    return check_log(fixture, (round + 1) * NUMBERS_A_ROUND);
}

static void test_kill_at_random_moments(void **state)
{
    struct fixture *fixture = *state;
    memset(fates, 0, sizeof fates);
    const char *setting = getenv("FTR_WAL_KILLS");
    const uint64_t n = setting ? strtoull(setting, NULL, 10) : KILLS;
    uint64_t n_durable = 0;
    for (uint64_t round = 0; round < n && round < MOST_ROUNDS; round++)
        n_durable += run_round(fixture, round, NULL, 1 + ftri_random_u64() % 2000);
    /* Of a round that ends while what was left is released, none: the last ones may be such. */
    assert_true(n_durable > n * KEPT / 4);
}

#ifdef FTR_FAULTS
static void test_kill_at_every_fault_point(void **state)
{
    struct fixture *fixture = *state;
    static const char *const points[] = {
        "wal.before_append",   "wal.after_append",   "wal.after_sync",
        "wal.before_truncate", "wal.after_truncate",
    };
    static const int passings[] = {1, 2, 7, 40};
    memset(fates, 0, sizeof fates);
    uint64_t round = 0;
    for (size_t i = 0; i < FTRI_COUNT(points); i++)
        for (size_t k = 0; k < FTRI_COUNT(passings); k++) {
            char fault[64];
            snprintf(fault, sizeof fault, "%s:%d", points[i], passings[k]);
            (void)run_round(fixture, round++, fault, 0);
        }
}
#endif

static int setup(void **state)
{
    static struct fixture fixture;
    fixture_init(&fixture);
    fixture.options.segment_bytes = 4096;
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_deinit(*state);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return run_child(argv[1], strtoull(argv[2], NULL, 10));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill_at_random_moments, setup, teardown),
#ifdef FTR_FAULTS
        cmocka_unit_test_setup_teardown(test_kill_at_every_fault_point, setup, teardown),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
