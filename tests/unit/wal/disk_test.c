/* SPDX-License-Identifier: Apache-2.0
 *
 * A disk that fails: for every n, the n-th call of each kind fails once, or from then on, or writes
 * only a part. After each run the log opens on a good disk and holds every record that was reported
 * durable, as it was; a record whose append was refused, or whose sync failed on a disk that could
 * still cut, is not there. */
#include "fixture.h"

#include "base/mem.h"
#include "wal/disk.h"

#include <stdatomic.h>

enum call { OPEN, READ, WRITE, SYNC, SYNC_DIRECTORY, CUT, REMOVE, RENAME, N_CALLS };
enum mode { ONCE, FROM_THEN_ON, SHORT, N_MODES };

static struct {
    enum call call;
    _Atomic enum mode mode;
    int error;
    _Atomic int countdown; /* 0: nothing fails */
    _Atomic bool has_failed;
} plan;
static bool cuts_fail;

static bool is_to_fail(enum call call)
{
    if (call != plan.call || atomic_load(&plan.countdown) == 0)
        return false;
    if (atomic_load(&plan.countdown) > 1) {
        atomic_fetch_sub(&plan.countdown, 1);
        return false;
    }
    if (plan.mode != FROM_THEN_ON)
        atomic_store(&plan.countdown, 0);
    atomic_store(&plan.has_failed, true);
    errno = plan.error;
    return true;
}

static int bad_open(int directory, const char *name, int flags, mode_t mode)
{
    return is_to_fail(OPEN) ? -1 : wal_disk_system.open(directory, name, flags, mode);
}

static ssize_t bad_read(int fd, void *buffer, size_t n, off_t offset)
{
    return is_to_fail(READ) ? -1 : wal_disk_system.pread(fd, buffer, n, offset);
}

static ssize_t bad_write(int fd, const struct iovec *parts, int n_parts, off_t offset)
{
    if (!is_to_fail(WRITE))
        return wal_disk_system.pwritev(fd, parts, n_parts, offset);
    if (plan.mode != SHORT)
        return -1;
    /* Half of the first part; then the disk is full. */
    const struct iovec half = {parts[0].iov_base, parts[0].iov_len / 2};
    plan.mode = ONCE;
    atomic_store(&plan.countdown, 1);
    return wal_disk_system.pwritev(fd, &half, 1, offset);
}

static int bad_fdatasync(int fd)
{
    return is_to_fail(SYNC) ? -1 : wal_disk_system.fdatasync(fd);
}

static int bad_fsync(int fd)
{
    return is_to_fail(SYNC_DIRECTORY) ? -1 : wal_disk_system.fsync(fd);
}

static int bad_ftruncate(int fd, off_t size)
{
    if (cuts_fail) {
        errno = EIO;
        return -1;
    }
    return is_to_fail(CUT) ? -1 : wal_disk_system.ftruncate(fd, size);
}

static int bad_unlink(int directory, const char *name)
{
    return is_to_fail(REMOVE) ? -1 : wal_disk_system.unlink(directory, name);
}

static int bad_rename(int directory, const char *from, const char *to)
{
    return is_to_fail(RENAME) ? -1 : wal_disk_system.rename(directory, from, to);
}

static const struct wal_disk_calls bad_disk = {
    .open = bad_open,
    .pread = bad_read,
    .pwritev = bad_write,
    .fdatasync = bad_fdatasync,
    .fsync = bad_fsync,
    .ftruncate = bad_ftruncate,
    .unlink = bad_unlink,
    .rename = bad_rename,
};

static void fail_at(enum call call, enum mode mode, int error, int n)
{
    plan.call = call;
    plan.mode = mode;
    plan.error = error;
    atomic_store(&plan.has_failed, false);
    atomic_store(&plan.countdown, n);
}

/* ---- what the scenario knows ---- */

enum { N_NUMBERS = 400 };

enum fate { NEVER, REFUSED, WAITING, FAILED, DURABLE, RELEASED };

struct ledger {
    enum fate fates[N_NUMBERS];
    uint64_t positions[N_NUMBERS];
    uint64_t next_position; /* every position handed out is below */
    uint64_t number;        /* the next to append */
};

static void settle(struct ledger *ledger, uint64_t synced, int error)
{
    for (uint64_t i = 0; i < ledger->number; i++) {
        if (ledger->fates[i] != WAITING)
            continue;
        if (ledger->positions[i] < synced)
            ledger->fates[i] = DURABLE;
        else if (error < 0)
            ledger->fates[i] = FAILED;
    }
}

static bool has_waiting(const struct ledger *ledger)
{
    for (uint64_t i = 0; i < ledger->number; i++)
        if (ledger->fates[i] == WAITING)
            return true;
    return false;
}

static void append_some(struct wal *wal, struct ledger *ledger, int n)
{
    for (int i = 0; i < n; i++, ledger->number++) {
        uint64_t position = UINT64_MAX;
        const int r = fixture_append(wal, ledger->number, &position);
        if (r != 0) {
            ledger->fates[ledger->number] = REFUSED;
            continue;
        }
        assert_true(position >= ledger->next_position);
        ledger->next_position = position + 1;
        ledger->positions[ledger->number] = position;
        ledger->fates[ledger->number] = WAITING;
    }
}

/* Every record hears its fate, whatever the disk does. */
static void wait_for_fates(struct fixture *fixture, struct wal *wal, struct ledger *ledger)
{
    for (;;) {
        int error = 0;
        const uint64_t synced = wal_synced(wal, &error);
        settle(ledger, synced, error);
        if (!has_waiting(ledger))
            return;
        fixture_wait(fixture);
    }
}

/* Releases every second durable record, and every record of the first segments. */
static void release_some(struct wal *wal, struct ledger *ledger)
{
    for (uint64_t i = 0; i < ledger->number; i++) {
        if (ledger->fates[i] != DURABLE || (i % 2 && i > 120))
            continue;
        wal_release(wal, ledger->positions[i]);
        ledger->fates[i] = RELEASED;
    }
}

static void replay_into(struct wal *wal, struct ledger *ledger, bool seen[N_NUMBERS])
{
    struct wal_record record;
    while (wal_replay(wal, &record) == 0) {
        fixture_check(&record);
        const uint64_t number = record.received_ns;
        assert_true(number < ledger->number);
        assert_false(seen[number]);
        assert_int_equal(record.position, ledger->positions[number]);
        assert_int_not_equal(ledger->fates[number], REFUSED);
        seen[number] = true;
    }
}

/* One life of a log: replays, appends over several segments, releases. */
static void live(struct fixture *fixture, struct ledger *ledger)
{
    struct wal *wal = NULL;
    struct ftri_error error = {0};
    bool seen[N_NUMBERS] = {false};
    const int r = wal_open(&fixture->options, &wal, &error);
    if (r < 0) {
        assert_true(strlen(error.text) > 0);
        return;
    }
    replay_into(wal, ledger, seen);
    for (int round = 0; round < 3; round++) {
        append_some(wal, ledger, 60);
        wait_for_fates(fixture, wal, ledger);
        release_some(wal, ledger);
    }
    wal_close(wal);
}

static void check_on_good_disk(struct fixture *fixture, struct ledger *ledger, bool can_cut)
{
    struct wal *wal = fixture_open(fixture);
    bool seen[N_NUMBERS] = {false};
    replay_into(wal, ledger, seen);
    for (uint64_t i = 0; i < ledger->number; i++) {
        if (ledger->fates[i] == DURABLE)
            assert_true(seen[i]);
        if (ledger->fates[i] == FAILED && can_cut)
            assert_false(seen[i]);
    }
    const uint64_t number = ledger->number;
    ledger->next_position = 0;
    for (uint64_t i = 0; i < number; i++)
        if (ledger->fates[i] == DURABLE || ledger->fates[i] == RELEASED)
            ledger->next_position = ledger->positions[i] + 1;
    append_some(wal, ledger, 1);
    wait_for_fates(fixture, wal, ledger);
    assert_int_equal(ledger->fates[number], DURABLE);
    wal_close(wal);
}

/* False when the call was not made n times. */
static bool run_once(struct fixture *fixture, enum call call, enum mode mode, int error, int n)
{
    struct ledger ledger = {0};
    fixture_clear(fixture);
    fixture->options.segment_bytes = 4096;
    /* A first life on a good disk, so that there is something to recover. */
    struct wal *wal = fixture_open(fixture);
    append_some(wal, &ledger, 100);
    wait_for_fates(fixture, wal, &ledger);
    wal_close(wal);
    fail_at(call, mode, error, n);
    wal_disk_replace(&bad_disk);
    live(fixture, &ledger);
    wal_disk_replace(NULL);
    const bool has_failed = atomic_load(&plan.has_failed);
    check_on_good_disk(fixture, &ledger, call != CUT && !cuts_fail);
    return has_failed;
}

static void run_all(struct fixture *fixture, enum call call, enum mode mode, int error)
{
    int n = 1;
    while (run_once(fixture, call, mode, error, n))
        n++;
    assert_true(n > 1); /* the scenario makes this call */
}

static void test_every_write_fails_once(void **state)
{
    run_all(*state, WRITE, ONCE, ENOSPC);
}

static void test_every_write_fails_from_then_on(void **state)
{
    run_all(*state, WRITE, FROM_THEN_ON, EIO);
}

static void test_every_write_is_cut_short(void **state)
{
    run_all(*state, WRITE, SHORT, ENOSPC);
}

static void test_every_sync_fails(void **state)
{
    run_all(*state, SYNC, ONCE, EIO);
    run_all(*state, SYNC, FROM_THEN_ON, EIO);
    run_all(*state, SYNC_DIRECTORY, ONCE, EIO);
    run_all(*state, SYNC_DIRECTORY, FROM_THEN_ON, EIO);
}

static void test_every_open_fails(void **state)
{
    run_all(*state, OPEN, ONCE, EMFILE);
    run_all(*state, OPEN, FROM_THEN_ON, EMFILE);
}

static void test_every_removal_fails(void **state)
{
    run_all(*state, REMOVE, ONCE, EIO);
    run_all(*state, REMOVE, FROM_THEN_ON, EIO);
}

/* An unreadable place costs nothing for good: what it hides is there when it can be read again. */
static void test_every_read_fails(void **state)
{
    struct fixture *fixture = *state;
    for (int n = 1; n < 40; n++) {
        struct ledger ledger = {0};
        fixture_clear(fixture);
        fixture->options.segment_bytes = 4096;
        struct wal *wal = fixture_open(fixture);
        append_some(wal, &ledger, 100);
        wait_for_fates(fixture, wal, &ledger);
        wal_close(wal);
        /* Twice in a row: the whole, then its first sector. */
        for (int k = 0; k < 2; k++) {
            fail_at(READ, k ? FROM_THEN_ON : ONCE, EIO, n);
            wal_disk_replace(&bad_disk);
            if (wal_open(&fixture->options, &wal, NULL) == 0)
                wal_close(wal);
            wal_disk_replace(NULL);
        }
        wal = fixture_open(fixture);
        bool seen[N_NUMBERS] = {false};
        replay_into(wal, &ledger, seen);
        for (uint64_t i = 0; i < ledger.number; i++)
            assert_true(seen[i]);
        wal_close(wal);
    }
}

/* What a failed write left, and could not be taken back, is in nobody's way. */
static void test_every_short_write_that_cannot_be_cut_either(void **state)
{
    cuts_fail = true;
    run_all(*state, WRITE, SHORT, ENOSPC);
    cuts_fail = false;
}

static void test_a_full_disk_refuses_and_accepts_again(void **state)
{
    struct fixture *fixture = *state;
    struct wal *wal = fixture_open(fixture);
    assert_int_equal(fixture_append_ok(wal, 0), 0);
    const uint64_t size = fixture_files(fixture, ".wal", fixture_size_one);
    wal_disk_replace(&bad_disk);
    uint64_t position = UINT64_MAX;
    fail_at(WRITE, SHORT, ENOSPC, 1);
    assert_int_equal(fixture_append(wal, 1, &position), -ENOSPC);
    assert_int_equal(position, UINT64_MAX);
    assert_int_equal(fixture_files(fixture, ".wal", fixture_size_one), size);
    wal_disk_replace(NULL);
    assert_int_equal(fixture_append_ok(wal, 1), 1);
    fixture_wait_synced(fixture, wal, 1);
    wal_close(wal);
    wal = fixture_open(fixture);
    assert_int_equal(fixture_replay(wal, 0, NULL, 0), 2);
    wal_close(wal);
}

static void test_a_failed_sync_is_told_once_and_the_next_segment_works(void **state)
{
    struct fixture *fixture = *state;
    struct wal *wal = fixture_open(fixture);
    fixture_append_ok(wal, 0);
    fixture_wait_synced(fixture, wal, 0);
    wal_disk_replace(&bad_disk);
    fail_at(SYNC, ONCE, EIO, 1);
    fixture_append_ok(wal, 1);
    int error = 0;
    uint64_t synced, position;
    while ((synced = wal_synced(wal, &error), error) == 0)
        fixture_wait(fixture);
    assert_int_equal(error, -EIO);
    assert_int_equal(synced, 1);
    (void)wal_synced(wal, &error);
    assert_int_equal(error, 0);
    assert_int_equal(fixture_append_ok(wal, 2), 2);
    fixture_wait_synced(fixture, wal, 2);
    /* Until the failure was heard, nothing is accepted that could be taken for durable. */
    const uint64_t n_syncs = fixture_statistics(wal).n_syncs;
    fail_at(SYNC, ONCE, EIO, 1);
    fixture_append_ok(wal, 3);
    while (fixture_statistics(wal).n_syncs == n_syncs)
        fixture_wait(fixture);
    assert_int_equal(fixture_append(wal, 4, &position), -EIO);
    assert_int_equal(wal_synced(wal, &error), 3);
    assert_int_equal(error, -EIO);
    assert_int_equal(fixture_append_ok(wal, 4), 4);
    wal_disk_replace(NULL);
    wal_close(wal);

    wal = fixture_open(fixture);
    bool seen[5] = {false};
    assert_int_equal(fixture_replay(wal, 0, seen, 5), 3);
    assert_true(seen[0] && !seen[1] && seen[2] && !seen[3] && seen[4]);
    assert_int_equal(fixture_append_ok(wal, 5), 5);
    wal_close(wal);
}

/* Nobody will release them. */
static void test_records_of_a_failed_sync_do_not_keep_their_segment(void **state)
{
    struct fixture *fixture = *state;
    struct wal *wal = fixture_open(fixture);
    fixture_append_ok(wal, 0);
    fixture_wait_synced(fixture, wal, 0);
    wal_disk_replace(&bad_disk);
    fail_at(SYNC, ONCE, EIO, 1);
    fixture_append_ok(wal, 1);
    int error = 0;
    while (wal_synced(wal, &error), error == 0)
        fixture_wait(fixture);
    wal_disk_replace(NULL);
    wal_release(wal, 0);
    while (fixture_statistics(wal).n_segments > 0)
        fixture_wait(fixture);
    wal_close(wal);
}

static void test_positions_that_were_given_up_do_not_come_again(void **state)
{
    struct fixture *fixture = *state;
    struct wal *wal = fixture_open(fixture);
    wal_disk_replace(&bad_disk);
    fail_at(SYNC, ONCE, EIO, 1);
    assert_int_equal(fixture_append_ok(wal, 0), 0);
    int error = 0;
    while (wal_synced(wal, &error), error == 0)
        fixture_wait(fixture);
    wal_disk_replace(NULL);
    wal_close(wal);
    wal = fixture_open(fixture);
    assert_int_equal(fixture_replay(wal, 0, NULL, 0), 0);
    assert_int_equal(fixture_append_ok(wal, 1), 1);
    wal_close(wal);
}

static void test_every_allocation_fails(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.segment_bytes = 4096;
    bool is_reached = true;
    for (uint64_t n = 1; is_reached; n++) {
        struct ledger ledger = {0};
        fixture_clear(fixture);
        struct wal *wal = fixture_open(fixture);
        append_some(wal, &ledger, 100);
        wait_for_fates(fixture, wal, &ledger);
        wal_close(wal);
        ftri_mem_fail_at(n);
        live(fixture, &ledger);
        is_reached = ftri_mem_requests() >= n;
        ftri_mem_fail_at(0);
        check_on_good_disk(fixture, &ledger, true);
    }
}

static int setup(void **state)
{
    static struct fixture fixture;
    fixture_init(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    wal_disk_replace(NULL);
    fixture_deinit(*state);
    return 0;
}

#define WAL_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WAL_TEST(test_every_write_fails_once),
        WAL_TEST(test_every_write_fails_from_then_on),
        WAL_TEST(test_every_write_is_cut_short),
        WAL_TEST(test_every_short_write_that_cannot_be_cut_either),
        WAL_TEST(test_every_sync_fails),
        WAL_TEST(test_every_open_fails),
        WAL_TEST(test_every_removal_fails),
        WAL_TEST(test_every_read_fails),
        WAL_TEST(test_a_full_disk_refuses_and_accepts_again),
        WAL_TEST(test_a_failed_sync_is_told_once_and_the_next_segment_works),
        WAL_TEST(test_records_of_a_failed_sync_do_not_keep_their_segment),
        WAL_TEST(test_positions_that_were_given_up_do_not_come_again),
        WAL_TEST(test_every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
