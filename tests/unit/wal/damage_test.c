/* SPDX-License-Identifier: Apache-2.0
 *
 * A log of 64 records is written once; then its segment is cut and broken in every way, and after
 * each the log must open, give back every record whose bytes were not touched, and go on. Where
 * records lie is computed here from the format, not asked of the log. */
#include "fixture.h"

#include "base/random.h"

enum { N_RECORDS = 64, FILE_BYTES = 64 * 1024, FLIPS = 2000 };

struct image {
    char name[64]; /* of the segment */
    uint8_t bytes[FILE_BYTES];
    size_t size;
    size_t starts[N_RECORDS + 1]; /* of each record; the last is the size */
};

static struct image image;

static uint64_t load_one(int directory, const char *name)
{
    const int fd = openat(directory, name, O_RDONLY);
    const ssize_t n = read(fd, image.bytes, sizeof image.bytes);
    assert_true(n > 0);
    image.size = (size_t)n;
    close(fd);
    snprintf(image.name, sizeof image.name, "%.60s", name);
    return 1;
}

static void make_image(struct fixture *fixture)
{
    struct wal *wal = fixture_open(fixture);
    for (uint64_t i = 0; i < N_RECORDS; i++)
        fixture_append_ok(wal, i);
    wal_close(wal);
    assert_int_equal(fixture_files(fixture, ".wal", load_one), 1);
    size_t offset = 32;
    for (uint64_t i = 0; i < N_RECORDS; i++) {
        uint8_t body[FIXTURE_BODY_BYTES];
        image.starts[i] = offset;
        offset += 36 + fixture_body(i, body);
    }
    image.starts[N_RECORDS] = offset;
    assert_int_equal(offset, image.size);
}

static void put_file(const struct fixture *fixture, const char *name, const uint8_t *bytes,
                     size_t size)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", fixture->directory, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static void put_image(const struct fixture *fixture, const uint8_t *bytes, size_t size)
{
    fixture_clear(fixture);
    put_file(fixture, image.name, bytes, size);
}

/* Opens, replays into seen, appends one, opens again: the same and the one. */
static struct wal_statistics check_opens(struct fixture *fixture, bool seen[N_RECORDS])
{
    memset(seen, 0, N_RECORDS * sizeof *seen);
    struct wal *wal = fixture_open(fixture);
    const uint64_t n = fixture_replay(wal, 0, seen, N_RECORDS);
    const struct wal_statistics statistics = fixture_statistics(wal);
    uint64_t highest = 0;
    for (uint64_t i = 0; i < N_RECORDS; i++)
        highest = seen[i] ? i + 1 : highest;
    const uint64_t next = fixture_append_ok(wal, highest);
    assert_int_equal(next, highest);
    wal_close(wal);

    wal = fixture_open(fixture);
    assert_int_equal(fixture_replay(wal, 0, NULL, 0), n + 1);
    /* Nothing is counted or copied twice. */
    assert_int_equal(fixture_statistics(wal).n_torn_bytes, 0);
    assert_int_equal(fixture_statistics(wal).n_quarantined, 0);
    assert_int_equal(fixture_files(fixture, ".quarantine", fixture_size_one),
                     statistics.n_quarantined_bytes);
    wal_close(wal);
    return statistics;
}

static void test_truncation_at_every_byte(void **state)
{
    struct fixture *fixture = *state;
    make_image(fixture);
    for (size_t size = 0; size <= image.size; size++) {
        bool seen[N_RECORDS];
        put_image(fixture, image.bytes, size);
        const struct wal_statistics statistics = check_opens(fixture, seen);
        size_t whole = size < 32 ? 0 : 32;
        for (size_t i = 0; i < N_RECORDS; i++) {
            assert_int_equal(seen[i], image.starts[i + 1] <= size);
            if (seen[i])
                whole = image.starts[i + 1];
        }
        assert_int_equal(statistics.n_torn_bytes, size - whole);
        assert_int_equal(statistics.n_quarantined, 0);
    }
}

static void test_a_tail_of_zeros_or_noise_is_torn_at_every_record(void **state)
{
    struct fixture *fixture = *state;
    make_image(fixture);
    for (size_t i = 0; i < N_RECORDS; i++) {
        for (uint8_t fill = 0; fill < 2; fill++) {
            static uint8_t bytes[FILE_BYTES];
            bool seen[N_RECORDS];
            const size_t cut = image.starts[i] + i % 40;
            memcpy(bytes, image.bytes, cut);
            memset(bytes + cut, fill * 0xA5, 5000);
            put_image(fixture, bytes, cut + 5000);
            const struct wal_statistics statistics = check_opens(fixture, seen);
            for (size_t k = 0; k < N_RECORDS; k++)
                assert_int_equal(seen[k], image.starts[k + 1] <= cut);
            assert_int_equal(statistics.n_quarantined, 0);
            assert_true(statistics.n_torn_bytes >= 5000);
        }
    }
}

/* Which record holds the byte; N_RECORDS: the head of the segment. */
static size_t record_of(size_t byte)
{
    for (size_t i = 0; i < N_RECORDS; i++)
        if (byte >= image.starts[i] && byte < image.starts[i + 1])
            return i;
    return N_RECORDS;
}

static void check_flip(struct fixture *fixture, size_t bit)
{
    static uint8_t bytes[FILE_BYTES];
    bool seen[N_RECORDS];
    memcpy(bytes, image.bytes, image.size);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    put_image(fixture, bytes, image.size);
    const struct wal_statistics statistics = check_opens(fixture, seen);
    const size_t hit = record_of(bit / 8);
    for (size_t i = 0; i < N_RECORDS; i++)
        assert_int_equal(seen[i], i != hit);
    const bool is_last = hit == N_RECORDS - 1;
    const size_t length = hit == N_RECORDS ? 32 : image.starts[hit + 1] - image.starts[hit];
    assert_int_equal(statistics.n_quarantined, is_last ? 0 : 1);
    assert_int_equal(statistics.n_quarantined_bytes, is_last ? 0 : length);
    assert_int_equal(statistics.n_torn_bytes, is_last ? length : 0);
}

static void test_random_bit_flips_cost_the_record_they_hit(void **state)
{
    struct fixture *fixture = *state;
    make_image(fixture);
    const char *setting = getenv("FTR_WAL_FLIPS");
    const long n = setting ? strtol(setting, NULL, 10) : FLIPS;
    for (long i = 0; i < n; i++)
        check_flip(fixture, ftri_random_u64() % (image.size * 8));
}

static uint64_t check_quarantine_one(int directory, const char *name)
{
    char expected[128];
    snprintf(expected, sizeof expected, "%s-%zx.quarantine", image.name, image.starts[10]);
    assert_string_equal(name, expected);
    const int fd = openat(directory, name, O_RDONLY);
    static uint8_t bytes[FILE_BYTES];
    const size_t length = image.starts[13] - image.starts[10];
    assert_int_equal(read(fd, bytes, sizeof bytes), length);
    close(fd);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(bytes[i], 0xEE);
    return 1;
}

static void test_the_quarantine_file_holds_the_damaged_bytes(void **state)
{
    struct fixture *fixture = *state;
    make_image(fixture);
    static uint8_t bytes[FILE_BYTES];
    bool seen[N_RECORDS];
    memcpy(bytes, image.bytes, image.size);
    memset(bytes + image.starts[10], 0xEE, image.starts[13] - image.starts[10]);
    put_image(fixture, bytes, image.size);
    assert_int_equal(check_opens(fixture, seen).n_quarantined, 1);
    for (size_t i = 0; i < N_RECORDS; i++)
        assert_int_equal(seen[i], i < 10 || i >= 13);
    assert_int_equal(fixture_files(fixture, ".quarantine", check_quarantine_one), 1);
}

/* A stretch that is not there any more: the records behind it lie elsewhere. */
static void test_missing_bytes_in_the_middle_cost_the_records_they_were_in(void **state)
{
    struct fixture *fixture = *state;
    make_image(fixture);
    for (size_t n = 1; n < 200; n += 7) {
        static uint8_t bytes[FILE_BYTES];
        bool seen[N_RECORDS];
        const size_t from = image.starts[20] + 5, to = from + n;
        memcpy(bytes, image.bytes, from);
        memcpy(bytes + from, image.bytes + to, image.size - to);
        put_image(fixture, bytes, image.size - n);
        (void)check_opens(fixture, seen);
        for (size_t i = 0; i < 20; i++)
            assert_true(seen[i]);
        /* A record that is intact but stands where its position cannot be would be suspect; here
         * bodies make room enough. */
        for (size_t i = record_of(to) + 1; i < N_RECORDS; i++)
            assert_true(seen[i]);
    }
}

/* Who sends bodies may know the format but not the salt. */
static void test_a_record_inside_a_body_is_not_replayed(void **state)
{
    struct fixture *fixture = *state;
    make_image(fixture);
    fixture_clear(fixture);
    struct wal *wal = fixture_open(fixture);
    uint64_t position;
    assert_int_equal(wal_append(wal, 0, 0, ftri_view_of(image.bytes, image.size), &position), 0);
    assert_int_equal(wal_append(wal, 0, 0, ftri_view_of("last", 4), &position), 0);
    wal_close(wal);
    assert_int_equal(fixture_files(fixture, ".wal", load_one), 1);
    image.bytes[32] ^= 1; /* the outer record's magic */
    put_image(fixture, image.bytes, image.size);
    wal = fixture_open(fixture);
    struct wal_record record;
    assert_int_equal(wal_replay(wal, &record), 0);
    assert_int_equal(record.position, 1);
    assert_memory_equal(record.body.data, "last", 4);
    assert_int_equal(wal_replay(wal, &record), WAL_END);
    wal_close(wal);
}

static uint64_t break_record_0(int directory, const char *name)
{
    if (strncmp(name, "0000000000000000-", 17) != 0)
        return 0;
    const int fd = openat(directory, name, O_WRONLY);
    assert_int_equal(pwrite(fd, "x", 1, 32 + 6), 1);
    close(fd);
    return 1;
}

/* 16 MiB of the record's magic behind a damaged head. A scan that read a window of 256 KiB for each
 * would read a terabyte. */
static void test_a_body_full_of_magic_is_scanned_in_linear_time(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.limit_bytes = 0;
    enum { BODY_BYTES = 16 << 20 };
    uint8_t *body = test_malloc(BODY_BYTES);
    for (size_t i = 0; i < BODY_BYTES; i += 4)
        memcpy(body + i, "\xf7Wr\xa5", 4);
    struct wal *wal = fixture_open(fixture);
    uint64_t position;
    assert_int_equal(wal_append(wal, 0, 0, ftri_view_of(body, BODY_BYTES), &position), 0);
    assert_int_equal(wal_append(wal, 0, 0, ftri_view_of("last", 4), &position), 0);
    wal_close(wal);
    test_free(body);
    assert_int_equal(fixture_files(fixture, ".wal", break_record_0), 1);
    wal = fixture_open(fixture);
    assert_int_equal(fixture_statistics(wal).n_quarantined_bytes, BODY_BYTES + 36);
    struct wal_record record;
    assert_int_equal(wal_replay(wal, &record), 0);
    assert_int_equal(record.position, 1);
    wal_close(wal);
}

static void test_damage_at_the_end_of_an_older_segment_is_kept(void **state)
{
    struct fixture *fixture = *state;
    make_image(fixture);
    put_image(fixture, image.bytes, image.size - 3);
    /* An empty file of a later segment makes it an older one. */
    put_file(fixture, "0000000000000040-0000000000000001.wal", (const uint8_t *)"", 0);
    struct wal *wal = fixture_open(fixture);
    bool seen[N_RECORDS] = {false};
    assert_int_equal(fixture_replay(wal, 0, seen, N_RECORDS), N_RECORDS - 1);
    assert_int_equal(fixture_statistics(wal).n_quarantined, 1);
    assert_int_equal(fixture_statistics(wal).n_torn_bytes, 0);
    /* The later name says that 64 positions were handed out. */
    assert_int_equal(fixture_append_ok(wal, 64), 64);
    wal_close(wal);
}

static void test_records_that_the_next_segment_overrules_are_not_replayed(void **state)
{
    struct fixture *fixture = *state;
    make_image(fixture);
    put_image(fixture, image.bytes, image.size);
    put_file(fixture, "000000000000003c-0000000000000001.wal", (const uint8_t *)"", 0);
    struct wal *wal = fixture_open(fixture);
    assert_int_equal(fixture_replay(wal, 0, NULL, 0), 60);
    wal_close(wal);
}

static void test_foreign_files_and_versions_do_not_stop_the_log(void **state)
{
    struct fixture *fixture = *state;
    make_image(fixture);
    put_image(fixture, image.bytes, image.size);
    put_file(fixture, "readme.wal", (const uint8_t *)"x", 1);
    put_file(fixture, "0000000000000001-000000000000000G.wal", (const uint8_t *)"x", 1);
    put_file(fixture, "ffffffffffffffff-0000000000000001.wal", (const uint8_t *)"x", 1);
    put_file(fixture, "released", (const uint8_t *)"FTRMARK\n", 8);
    /* Version 2, base 64, salt 1; the checksum by another implementation. */
    static const uint8_t version_2[32] = {
        'F', 'T', 'R', 'W', 'A', 'L', '\r', '\n', 0x9f, 0x66, 0xe6, 0xc3, 2, 0, 0, 0,
        64,  0,   0,   0,   0,   0,   0,    0,    1,    0,    0,    0,    0, 0, 0, 0,
    };
    put_file(fixture, "0000000000000040-0000000000000001.wal", version_2, sizeof version_2);
    struct wal *wal = fixture_open(fixture);
    assert_int_equal(fixture_replay(wal, 0, NULL, 0), N_RECORDS);
    assert_int_equal(fixture_statistics(wal).n_quarantined, 1);
    assert_int_equal(fixture_statistics(wal).n_quarantined_bytes, 32);
    wal_close(wal);
    assert_int_equal(fixture_files(fixture, "0000001.wal.quarantine", fixture_size_one), 32);
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
        WAL_TEST(test_truncation_at_every_byte),
        WAL_TEST(test_a_tail_of_zeros_or_noise_is_torn_at_every_record),
        WAL_TEST(test_random_bit_flips_cost_the_record_they_hit),
        WAL_TEST(test_the_quarantine_file_holds_the_damaged_bytes),
        WAL_TEST(test_missing_bytes_in_the_middle_cost_the_records_they_were_in),
        WAL_TEST(test_a_record_inside_a_body_is_not_replayed),
        WAL_TEST(test_a_body_full_of_magic_is_scanned_in_linear_time),
        WAL_TEST(test_damage_at_the_end_of_an_older_segment_is_kept),
        WAL_TEST(test_records_that_the_next_segment_overrules_are_not_replayed),
        WAL_TEST(test_foreign_files_and_versions_do_not_stop_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
