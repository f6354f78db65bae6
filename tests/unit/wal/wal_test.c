/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <sys/wait.h>

static void test_what_is_appended_is_replayed_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct wal *wal = fixture_open(fixture);
    struct wal_record record;
    assert_int_equal(wal_replay(wal, &record), WAL_END);
    for (uint64_t i = 0; i < 200; i++)
        assert_int_equal(fixture_append_ok(wal, i), i);
    fixture_wait_synced(fixture, wal, 199);
    wal_close(wal);

    wal = fixture_open(fixture);
    assert_int_equal(fixture_replay(wal, 0, NULL, 0), 200);
    assert_int_equal(fixture_statistics(wal).n_replayed, 200);
    assert_int_equal(fixture_append_ok(wal, 200), 200);
    assert_int_equal(fixture_statistics(wal).n_torn_bytes, 0);
    assert_int_equal(fixture_statistics(wal).n_quarantined, 0);
    wal_close(wal);
}

static uint32_t bit_by_bit(uint32_t crc, const uint8_t *data, size_t len)
{
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

static uint64_t number_at(const uint8_t *at, int n_bytes)
{
    uint64_t value = 0;
    for (int i = n_bytes - 1; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

static uint8_t file_content[256];

static uint64_t read_one(int directory, const char *name)
{
    const int fd = openat(directory, name, O_RDONLY);
    assert_true(fd >= 0);
    const ssize_t n = read(fd, file_content, sizeof file_content);
    close(fd);
    assert_int_equal(strncmp(name, "0000000000000000-", 17), 0);
    assert_int_equal(strtoull(name + 17, NULL, 16), number_at(file_content + 24, 8));
    return (uint64_t)n;
}

/* Against the drawing in wal.c. */
static void test_the_file_is_what_the_drawing_says(void **state)
{
    struct fixture *fixture = *state;
    struct wal *wal = fixture_open(fixture);
    uint64_t position;
    assert_int_equal(wal_append(wal, 7, 0x1122334455667788, ftri_view_of("body", 4), &position), 0);
    wal_close(wal);
    assert_int_equal(fixture_files(fixture, ".wal", read_one), 32 + 36 + 4);
    const uint8_t *file = file_content;
    assert_memory_equal(file, "FTRWAL\r\n", 8);
    assert_int_equal(number_at(file + 8, 4), bit_by_bit(0, file + 12, 20));
    assert_int_equal(number_at(file + 12, 4), 1);
    assert_int_equal(number_at(file + 16, 8), 0);
    const uint8_t *record = file + 32;
    const uint32_t salted = bit_by_bit(0, file + 24, 8);
    assert_memory_equal(record, "\xf7Wr\xa5", 4);
    assert_int_equal(number_at(record + 4, 4), bit_by_bit(salted, record + 8, 28));
    assert_int_equal(number_at(record + 8, 4), bit_by_bit(salted, record + 12, 24 + 4));
    assert_int_equal(number_at(record + 12, 4), 4);
    assert_int_equal(number_at(record + 16, 4), 7);
    assert_int_equal(number_at(record + 20, 8), 0);
    assert_int_equal(number_at(record + 28, 8), 0x1122334455667788);
    assert_memory_equal(record + 36, "body", 4);
}

/* Deletion happens on the log's thread, which reports it by on_synced. */
static void wait_for_segments(struct fixture *fixture, struct wal *wal, uint64_t n)
{
    while (fixture_statistics(wal).n_segments != n)
        fixture_wait(fixture);
}

static uint64_t fill_segments(struct wal *wal, uint64_t n_segments)
{
    uint64_t n = 0;
    while (fixture_statistics(wal).n_segments < n_segments)
        fixture_append_ok(wal, n++);
    return n;
}

static void test_released_segments_are_deleted_in_any_order(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.segment_bytes = 4096;
    struct wal *wal = fixture_open(fixture);
    const uint64_t n = fill_segments(wal, 5);
    fixture_wait_synced(fixture, wal, n - 1);
    for (uint64_t i = n; i-- > 1;) /* newest first; record 0 stays */
        wal_release(wal, i);
    wal_release(wal, 5);
    wal_release(wal, n + 1000);
    assert_int_equal(fixture_statistics(wal).n_released, n - 1);
    wait_for_segments(fixture, wal, 2); /* the first; the newest, not half full */
    assert_int_equal(fixture_files(fixture, ".wal", fixture_count_one), 2);
    assert_int_equal(fixture_files(fixture, ".wal", fixture_size_one),
                     fixture_statistics(wal).n_bytes);
    wal_close(wal);
    assert_int_equal(fixture_files(fixture, ".wal", fixture_count_one), 1);

    wal = fixture_open(fixture);
    struct wal_record record;
    /* Only whole segments are forgotten: all of the first comes back, and nothing else. */
    uint64_t n_replayed = 0;
    while (wal_replay(wal, &record) == 0)
        assert_int_equal(record.position, n_replayed++);
    assert_true(n_replayed > 1 && n_replayed < n / 2);
    assert_int_equal(fixture_append_ok(wal, n), n);
    wal_close(wal);
}

static void test_what_was_released_before_close_is_not_replayed(void **state)
{
    struct fixture *fixture = *state;
    struct wal *wal = fixture_open(fixture);
    for (uint64_t i = 0; i < 10; i++)
        fixture_append_ok(wal, i);
    fixture_wait_synced(fixture, wal, 9);
    for (uint64_t i = 0; i < 6; i++)
        wal_release(wal, i);
    wal_close(wal);
    wal = fixture_open(fixture);
    bool seen[10] = {false};
    assert_int_equal(fixture_replay(wal, 0, seen, 10), 4);
    assert_false(seen[5]);
    assert_true(seen[6]);
    wal_close(wal);
}

static void test_positions_never_repeat_after_all_segments_are_gone(void **state)
{
    struct fixture *fixture = *state;
    for (uint64_t i = 0; i < 5; i++) {
        struct wal *wal = fixture_open(fixture);
        assert_int_equal(fixture_replay(wal, 0, NULL, 0), 0);
        assert_int_equal(fixture_append_ok(wal, 2 * i), 2 * i);
        assert_int_equal(fixture_append_ok(wal, 2 * i + 1), 2 * i + 1);
        wal_release(wal, 2 * i);
        wal_release(wal, 2 * i + 1);
        wal_close(wal);
        assert_int_equal(fixture_files(fixture, ".wal", fixture_count_one), 0);
    }
}

static void test_replayed_records_can_be_released_while_others_are_read(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.segment_bytes = 4096;
    struct wal *wal = fixture_open(fixture);
    const uint64_t n = fill_segments(wal, 4);
    wal_close(wal);
    wal = fixture_open(fixture);
    struct wal_record record;
    for (uint64_t i = 0; i < n; i++) {
        assert_int_equal(wal_replay(wal, &record), 0);
        assert_int_equal(record.position, i);
        fixture_check(&record);
        wal_release(wal, i);
    }
    assert_int_equal(wal_replay(wal, &record), WAL_END);
    wait_for_segments(fixture, wal, 0);
    wal_close(wal);
}

static void test_full_refuses_before_writing_and_recovers(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.limit_bytes = 32 * 1024;
    struct wal *wal = fixture_open(fixture);
    uint64_t n = 0, position = 0;
    int r;
    while ((r = fixture_append(wal, n, &position)) == 0)
        n++;
    assert_int_equal(r, WAL_FULL);
    assert_int_equal(position, n - 1);
    assert_true(fixture_files(fixture, ".wal", fixture_size_one) <= 32 * 1024);
    assert_true(fixture_files(fixture, ".wal", fixture_size_one) > 31 * 1024);
    fixture_wait_synced(fixture, wal, n - 1);
    for (uint64_t i = 0; i < n; i++)
        wal_release(wal, i);
    while ((r = fixture_append(wal, n, &position)) == WAL_FULL)
        fixture_wait(fixture);
    assert_int_equal(r, 0);
    assert_int_equal(position, n);
    wal_close(wal);
}

static void test_a_record_that_can_never_fit_is_refused_for_good(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.limit_bytes = 8192;
    struct wal *wal = fixture_open(fixture);
    static const uint8_t body[8192];
    uint64_t position;
    assert_int_equal(wal_append(wal, 0, 0, ftri_view_of(body, 8192 - 36 - 31), &position),
                     -EMSGSIZE);
    assert_int_equal(wal_append(wal, 0, 0, ftri_view_of(body, 8192 - 36 - 32), &position), 0);
    assert_int_equal(
        wal_append(wal, 0, 0, ftri_view_of(body, (UINT32_C(256) << 20) + 1), &position), -EMSGSIZE);
    wal_close(wal);
}

static void test_a_second_process_is_told_who_has_the_log(void **state)
{
    struct fixture *fixture = *state;
    struct wal *wal = fixture_open(fixture);
    const long holder = (long)getpid();
    const pid_t child = fork();
    if (child == 0) {
        struct wal *second = NULL;
        struct ftri_error error = {0};
        char expected[128];
        snprintf(expected, sizeof expected, "write-ahead log: %s is in use by process %ld",
                 fixture->directory, holder);
        const int r = wal_open(&fixture->options, &second, &error);
        _exit(r == -EBUSY && strcmp(error.text, expected) == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    wal_close(wal);
    wal_close(fixture_open(fixture));
}

static void test_group_commit_covers_many_records_with_one_sync(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.commit_delay_ms = 60 * 1000; /* ends by the amount, not by the clock */
    struct wal *wal = fixture_open(fixture);
    static uint8_t body[64 * 1024];
    uint64_t position = 0;
    for (int i = 0; i < 64; i++) /* 4 MiB and the heads */
        assert_int_equal(wal_append(wal, 0, 0, ftri_view_of(body, sizeof body), &position), 0);
    fixture_wait_synced(fixture, wal, position);
    /* One fdatasync a segment of 1 MiB. */
    assert_in_range(fixture_statistics(wal).n_syncs, 1, 6);
    assert_int_equal(fixture_statistics(wal).n_synced, 64);
    wal_close(wal);
}

static void check_promised_at_once(struct fixture *fixture, enum wal_sync sync)
{
    fixture->options.sync = sync;
    fixture->options.interval_ms = 3600 * 1000;
    fixture->options.segment_bytes = 4096;
    struct wal *wal = fixture_open(fixture);
    for (uint64_t i = 0; i < 300; i++) {
        int error = -1;
        fixture_append_ok(wal, i);
        fixture_wait(fixture);
        assert_int_equal(wal_synced(wal, &error), i + 1);
        assert_int_equal(error, 0);
    }
    assert_int_equal(fixture_statistics(wal).n_synced, 0);
    wal_close(wal);
    wal = fixture_open(fixture);
    assert_int_equal(fixture_replay(wal, 0, NULL, 0), 300);
    wal_close(wal);
}

static void test_interval_promises_at_once(void **state)
{
    check_promised_at_once(*state, WAL_SYNC_INTERVAL);
}

static void test_none_promises_at_once(void **state)
{
    check_promised_at_once(*state, WAL_SYNC_NONE);
}

static void test_interval_syncs_by_itself(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.sync = WAL_SYNC_INTERVAL;
    fixture->options.interval_ms = 1;
    struct wal *wal = fixture_open(fixture);
    fixture_append_ok(wal, 0);
    while (fixture_statistics(wal).n_synced < 1)
        fixture_wait(fixture);
    wal_close(wal);
}

static void test_a_missing_directory_is_made_and_a_file_in_its_place_is_told(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/a", fixture->directory);
    fixture->options.directory = path;
    struct wal *wal = fixture_open(fixture);
    wal_close(wal);
    char lock[160];
    snprintf(lock, sizeof lock, "%s/lock", path);
    fixture->options.directory = lock;
    struct ftri_error error = {0};
    assert_int_equal(wal_open(&fixture->options, &wal, &error), -ENOTDIR);
    assert_non_null(strstr(error.text, "Not a directory"));
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(rmdir(path), 0);
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
    fixture_deinit(*state);
    return 0;
}

#define WAL_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WAL_TEST(test_what_is_appended_is_replayed_in_order),
        WAL_TEST(test_the_file_is_what_the_drawing_says),
        WAL_TEST(test_released_segments_are_deleted_in_any_order),
        WAL_TEST(test_what_was_released_before_close_is_not_replayed),
        WAL_TEST(test_positions_never_repeat_after_all_segments_are_gone),
        WAL_TEST(test_replayed_records_can_be_released_while_others_are_read),
        WAL_TEST(test_full_refuses_before_writing_and_recovers),
        WAL_TEST(test_a_record_that_can_never_fit_is_refused_for_good),
        WAL_TEST(test_a_second_process_is_told_who_has_the_log),
        WAL_TEST(test_group_commit_covers_many_records_with_one_sync),
        WAL_TEST(test_interval_promises_at_once),
        WAL_TEST(test_none_promises_at_once),
        WAL_TEST(test_interval_syncs_by_itself),
        WAL_TEST(test_a_missing_directory_is_made_and_a_file_in_its_place_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
