/* SPDX-License-Identifier: Apache-2.0
 *
 * What only a store on a disk can do: come back after a close, meet damage, a full disk, a file of
 * another program or of a later version, a directory that it cannot use. Damage is done through
 * SQLite itself; a full disk by replacing its system calls for writing. */
#include "fixture.h"

#include <errno.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_BLOCKS = 3, BLOCK_TRACES = 5 };

static void database_path(const struct fixture *f, char path[128])
{
    snprintf(path, 128, "%s/flowtrace.db", f->directory);
}

/* Runs SQL on the closed store's file. */
static void run_sql(const struct fixture *f, const char *sql)
{
    char path[128];
    sqlite3 *connection;
    char *message = NULL;
    database_path(f, path);
    assert_int_equal(sqlite3_open(path, &connection), SQLITE_OK);
    if (sqlite3_exec(connection, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(connection);
}

/* Block b holds the traces b * 10 + 1 and following, of service "s<b>". */
static struct sample sample_of(uint64_t block, uint64_t i)
{
    static const char *const services[N_BLOCKS] = {"s0", "s1", "s2"};
    const uint64_t trace = block * 10 + i + 1;
    return (struct sample){trace, 1, 0, services[block], "n", trace, trace + 1, 1, false, 0};
}

static void append_blocks(struct fixture *f)
{
    for (uint64_t block = 0; block < N_BLOCKS; block++) {
        for (uint64_t i = 0; i < BLOCK_TRACES; i++) {
            const struct sample sample = sample_of(block, i);
            fixture_append(f, &sample, 1, block);
        }
        fixture_settle(f);
    }
    assert_int_equal(fixture_statistics(f).n_blocks, N_BLOCKS);
}

static void check_block(struct fixture *f, uint64_t block, bool is_there)
{
    for (uint64_t i = 0; i < BLOCK_TRACES; i++) {
        const struct sample sample = sample_of(block, i);
        fixture_check_trace(f, block * 10 + i + 1, &sample, is_there ? 1 : 0);
    }
}

static size_t count_matches(struct fixture *f)
{
    const struct store_query query = {.limit = 1000};
    struct store_match *matches = NULL;
    size_t n = 0;
    assert_int_equal(store_search(f->store, &query, &matches, &n), 0);
    free(matches);
    return n;
}

static void test_everything_is_there_after_a_reopen(void **state)
{
    struct fixture *f = *state;
    append_blocks(f);
    /* Gathered only: closing writes it. */
    const struct sample late = {77, 1, 0, "late", "n", 5, 9, 0, false, 0};
    fixture_append(f, &late, 1, 9);
    const struct store_statistics before = fixture_statistics(f);
    for (int i = 0; i < 3; i++) {
        fixture_close(f);
        fixture_open(f);
        for (uint64_t block = 0; block < N_BLOCKS; block++)
            check_block(f, block, true);
        fixture_check_trace(f, 77, &late, 1);
        fixture_check_names(f, "", "late\ns0\ns1\ns2\n");
        assert_int_equal(count_matches(f), N_BLOCKS * BLOCK_TRACES + 1);
    }
    const struct store_statistics after = fixture_statistics(f);
    assert_int_equal(after.n_blocks, before.n_blocks + 1);
    assert_int_equal(after.n_block_spans, before.n_block_spans + 1);
    assert_true(after.n_bytes >= before.n_bytes);
}

static void test_the_order_of_appends_outlives_a_reopen(void **state)
{
    struct fixture *f = *state;
    const struct sample first = {1, 1, 0, "s", "n", 5, 9, 0, false, 1};
    const struct sample second = {1, 1, 0, "s", "n", 5, 8, 0, false, 2};
    fixture_append(f, &first, 1, 3);
    fixture_settle(f);
    fixture_close(f);
    fixture_open(f);
    fixture_append(f, &second, 1, 3);
    fixture_check_trace(f, 1, &second, 1);
    fixture_settle(f);
    fixture_check_trace(f, 1, &second, 1);
}

/* A log that is replayed after a crash brings what is there already, and older versions with it. */
static void test_appending_again_changes_nothing(void **state)
{
    struct fixture *f = *state;
    const struct sample first = {1, 1, 0, "s", "n", 5, 9, 0, false, 1};
    const struct sample second = {1, 1, 0, "s", "n", 5, 8, 0, false, 2};
    fixture_append(f, &first, 1, 3);
    fixture_append(f, &second, 1, 4);
    fixture_settle(f);
    fixture_append(f, &first, 1, 3);
    fixture_check_trace(f, 1, &second, 1);
    fixture_settle(f);
    fixture_check_trace(f, 1, &second, 1);
}

/* Flips one byte of a piece of the second block, somewhere from its start to its end. */
static void flip(const struct fixture *f, const char *table, const char *piece, int percent)
{
    char path[128], sql[200];
    sqlite3 *connection;
    sqlite3_blob *blob;
    sqlite3_stmt *statement;
    database_path(f, path);
    assert_int_equal(sqlite3_open(path, &connection), SQLITE_OK);
    snprintf(sql, sizeof sql, "SELECT id FROM %s ORDER BY id LIMIT 1 OFFSET 1", table);
    assert_int_equal(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const sqlite3_int64 id = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    assert_int_equal(sqlite3_blob_open(connection, "main", table, piece, id, 1, &blob), SQLITE_OK);
    const int at = (sqlite3_blob_bytes(blob) - 1) * percent / 100;
    unsigned char byte;
    assert_int_equal(sqlite3_blob_read(blob, &byte, 1, at), SQLITE_OK);
    byte ^= 0x55;
    assert_int_equal(sqlite3_blob_write(blob, &byte, 1, at), SQLITE_OK);
    sqlite3_blob_close(blob);
    sqlite3_close(connection);
}

static const struct {
    const char *table, *piece;
} pieces[] = {
    {"blocks", "names"}, {"blocks", "hashes"}, {"pieces", "columns"}, {"pieces", "bodies"}};

static void check_damaged(struct fixture *f)
{
    check_block(f, 0, true);
    check_block(f, 2, true);
    check_block(f, 1, false);
    assert_true(count_matches(f) >= 2 * BLOCK_TRACES);
    assert_true(fixture_statistics(f).n_corrupt_blocks > 0);
}

static void test_a_damaged_block_is_counted_and_passed_over(void **state)
{
    struct fixture *f = *state;
    append_blocks(f);
    for (size_t i = 0; i < FTRI_COUNT(pieces); i++) {
        for (int percent = 0; percent <= 100; percent += 10) {
            fixture_close(f);
            flip(f, pieces[i].table, pieces[i].piece, percent);
            fixture_open(f);
            check_damaged(f);
            fixture_close(f);
            flip(f, pieces[i].table, pieces[i].piece, percent); /* back */
            fixture_open(f);
            check_block(f, 1, true);
            assert_int_equal(fixture_statistics(f).n_corrupt_blocks, 0);
        }
    }
    assert_int_equal(count_matches(f), N_BLOCKS * BLOCK_TRACES);
}

static void test_a_missing_piece_is_passed_over(void **state)
{
    struct fixture *f = *state;
    append_blocks(f);
    fixture_close(f);
    run_sql(f, "DELETE FROM pieces WHERE id = (SELECT min(id) + 1 FROM pieces)");
    fixture_open(f);
    check_block(f, 0, true);
    check_block(f, 1, false);
    check_block(f, 2, true);
}

static void check_refused(struct fixture *f, const char *expected)
{
    struct ftri_error error = {0};
    struct store *store = NULL;
    assert_true(store_open(&f->options, &store, &error) < 0);
    if (!strstr(error.text, expected))
        fail_msg("expected '%s' in: %s", expected, error.text);
    assert_non_null(strstr(error.text, f->directory));
}

static void test_a_later_schema_is_refused(void **state)
{
    struct fixture *f = *state;
    append_blocks(f);
    fixture_close(f);
    run_sql(f, "PRAGMA user_version = 99");
    check_refused(f, "version 99");
    run_sql(f, "PRAGMA user_version = 3");
    fixture_open(f);
    check_block(f, 1, true);
}

static void test_a_file_without_a_ledger_is_taken_over(void **state)
{
    struct fixture *f = *state;
    append_blocks(f);
    fixture_close(f);
    run_sql(f, "DROP TABLE ledger; PRAGMA user_version = 2");
    fixture_open(f);
    check_block(f, 1, true);
    fixture_close(f);
    run_sql(f, "SELECT key, \"end\", received, value FROM ledger");
    fixture_open(f);
}

static void test_a_file_that_is_no_database_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[128];
    fixture_close(f);
    database_path(f, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database\n", file);
    fclose(file);
    check_refused(f, "not a database");
}

static void test_a_database_of_another_program_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[128];
    fixture_close(f);
    database_path(f, path);
    unlink(path);
    run_sql(f, "CREATE TABLE blocks (height INTEGER)");
    check_refused(f, "flowtrace.db");
}

static void test_a_directory_that_cannot_be_used_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[160];
    fixture_close(f);
    snprintf(path, sizeof path, "%s/flowtrace.db/below", f->directory); /* a file is in the way */
    f->options.directory = path;
    check_refused(f, "flowtrace.db/below");
    f->options.directory = f->directory;
    if (geteuid() == 0)
        return; /* to root, no directory is closed */
    assert_int_equal(chmod(f->directory, 0500), 0);
    snprintf(path, sizeof path, "%s/sub", f->directory);
    f->options.directory = path;
    check_refused(f, "ermission denied");
    f->options.directory = f->directory;
    assert_int_equal(chmod(f->directory, 0700), 0);
}

/* --- a full disk --------------------------------------------------------------------------- */

static _Atomic bool is_disk_full;
static _Atomic uint64_t n_refused;

static ssize_t full_pwrite(int fd, const void *data, size_t n, off_t offset)
{
    if (atomic_load(&is_disk_full)) {
        atomic_fetch_add(&n_refused, 1);
        errno = ENOSPC;
        return -1;
    }
    return pwrite(fd, data, n, offset);
}

static void replace_writes(sqlite3_syscall_ptr replacement)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    (void)vfs->xSetSystemCall(vfs, "pwrite", replacement);
    (void)vfs->xSetSystemCall(vfs, "pwrite64", replacement);
}

static void test_a_full_disk_loses_nothing(void **state)
{
    struct fixture *f = *state;
    append_blocks(f);
    replace_writes((sqlite3_syscall_ptr)full_pwrite);
    atomic_store(&is_disk_full, true);
    const uint64_t n_settled = f->n_settled;
    for (uint64_t i = 0; i < 20; i++) {
        const struct sample sample = {1000 + i, 1, 0, "s", "n", 1000 + i, 2000 + i, 0, false, 0};
        fixture_append(f, &sample, 1, i);
    }
    const uint64_t n_refused_before = atomic_load(&n_refused);
    store_flush(f->store);
    while (fixture_statistics(f).n_errors == 0)
        sched_yield();
    assert_true(atomic_load(&n_refused) > n_refused_before);
    fixture_collect(f);
    assert_int_equal(f->n_settled, n_settled);
    for (uint64_t i = 0; i < 20; i++) {
        const struct sample sample = {1000 + i, 1, 0, "s", "n", 1000 + i, 2000 + i, 0, false, 0};
        fixture_check_trace(f, 1000 + i, &sample, 1);
    }
    check_block(f, 1, true);
    atomic_store(&is_disk_full, false);
    fixture_settle(f);
    replace_writes(NULL);
    assert_int_equal(count_matches(f), N_BLOCKS * BLOCK_TRACES + 20);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(count_matches(f), N_BLOCKS * BLOCK_TRACES + 20);
    assert_int_equal(fixture_statistics(f).n_block_spans, N_BLOCKS * BLOCK_TRACES + 20);
}

/* Somebody else holds the database: nothing is lost, and all is well when they let go. */
static void test_a_database_locked_by_another_loses_nothing(void **state)
{
    struct fixture *f = *state;
    sqlite3 *other = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/flowtrace.db", f->directory);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    const struct sample sample = {1, 1, 0, "s", "n", 1000, 2000, 0, false, 0};
    fixture_append(f, &sample, 1, 1);
    store_flush(f->store);
    while (fixture_statistics(f).n_errors == 0)
        sched_yield();
    fixture_collect(f);
    assert_int_equal(f->n_settled, 0);
    fixture_check_trace(f, 1, &sample, 1);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    fixture_settle(f);
    assert_int_equal(fixture_statistics(f).n_block_spans, 1);
    fixture_check_trace(f, 1, &sample, 1);
}

static void test_the_store_is_busy_while_the_disk_is_full(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    f->options.block_spans = 10;
    fixture_open(f);
    replace_writes((sqlite3_syscall_ptr)full_pwrite);
    atomic_store(&is_disk_full, true);
    uint64_t n = 0;
    int r = 0;
    while (n < 10000 && r == 0) {
        const struct sample sample = {n + 1, 1, 0, "s", "n", 1, 2, 0, false, 0};
        struct ftri_payload *payload = sample_payload(&sample, 1);
        r = store_append(f->store, payload, n, n);
        ftri_payload_unref(payload);
        n += r == 0;
    }
    assert_int_equal(r, STORE_BUSY);
    assert_in_range(n, 10, 1000);
    f->next_token = n;
    atomic_store(&is_disk_full, false);
    fixture_settle(f);
    replace_writes(NULL);
    assert_int_equal(count_matches(f), n);
}

static off_t file_size(const struct fixture *f)
{
    char path[128];
    struct stat status;
    database_path(f, path);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

static void append_noise(struct fixture *f, uint64_t *seed)
{
    enum { N = 500 };
    static struct sample samples[N];
    for (size_t i = 0; i < N; i++)
        samples[i] = (struct sample){sample_random(seed),          1, 0, "s", "n", 1, 2, 0, false,
                                     (uint32_t)sample_random(seed)};
    fixture_append(f, samples, N, *seed);
    fixture_settle(f);
}

static void test_the_file_stays_near_its_limit_and_shrinks_to_a_lower_one(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 1;
    fixture_close(f);
    f->options.retention_bytes = 2 << 20;
    fixture_open(f);
    for (int i = 0; i < 300; i++)
        append_noise(f, &seed);
    fixture_close(f);
    const off_t full = file_size(f);
    assert_true(full > 1 << 20 && full < 4 << 20);
    f->options.retention_bytes = 100 << 10;
    fixture_open(f);
    for (int i = 0; i < 4; i++)
        append_noise(f, &seed);
    fixture_close(f);
    assert_true(file_size(f) < full / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_everything_is_there_after_a_reopen, "sqlite"),
        FIXTURE_TEST(test_the_order_of_appends_outlives_a_reopen, "sqlite"),
        FIXTURE_TEST(test_appending_again_changes_nothing, "sqlite"),
        FIXTURE_TEST(test_a_damaged_block_is_counted_and_passed_over, "sqlite"),
        FIXTURE_TEST(test_a_missing_piece_is_passed_over, "sqlite"),
        FIXTURE_TEST(test_a_later_schema_is_refused, "sqlite"),
        FIXTURE_TEST(test_a_file_without_a_ledger_is_taken_over, "sqlite"),
        FIXTURE_TEST(test_a_file_that_is_no_database_is_refused, "sqlite"),
        FIXTURE_TEST(test_a_database_of_another_program_is_refused, "sqlite"),
        FIXTURE_TEST(test_a_directory_that_cannot_be_used_is_refused, "sqlite"),
        FIXTURE_TEST(test_a_full_disk_loses_nothing, "sqlite"),
        FIXTURE_TEST(test_a_database_locked_by_another_loses_nothing, "sqlite"),
        FIXTURE_TEST(test_the_store_is_busy_while_the_disk_is_full, "sqlite"),
        FIXTURE_TEST(test_the_file_stays_near_its_limit_and_shrinks_to_a_lower_one, "sqlite"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
