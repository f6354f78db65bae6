/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest's packed strings: bytes by hand, round trips, damage, limits, memory short. */
#include "codec/manifest.h"

#include "base/mem.h"
#include "base/random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct ftri_manifest_id id_of(uint8_t trace, uint8_t span)
{
    struct ftri_manifest_id id;
    memset(&id.trace_id, trace, sizeof id.trace_id);
    memset(&id.span_id, span, sizeof id.span_id);
    return id;
}

static struct ftri_manifest_id random_id(void)
{
    struct ftri_manifest_id id;
    const uint64_t words[3] = {ftri_random_u64() | 1, ftri_random_u64(), ftri_random_u64() | 1};
    memcpy(&id.trace_id, words, 16);
    memcpy(&id.span_id, words + 2, 8);
    return id;
}

static struct ftri_view only_string(const struct ftri_manifest *manifest)
{
    const struct ftri_manifest_string *cursor = NULL;
    struct ftri_view packed;
    assert_true(ftri_manifest_next_string(manifest, &cursor, &packed));
    return packed;
}

/* Reads all strings and compares with the ids in order; returns how many strings there were. */
static size_t assert_decodes_to(const struct ftri_manifest *manifest,
                                const struct ftri_manifest_id *ids, size_t n_ids)
{
    const struct ftri_manifest_string *cursor = NULL;
    struct ftri_view packed;
    size_t n_strings = 0, n = 0;
    while (ftri_manifest_next_string(manifest, &cursor, &packed)) {
        assert_in_range(packed.len, FTRI_MANIFEST_HEAD_BYTES, FTRI_MANIFEST_STRING_BYTES);
        struct ftri_manifest_reader reader;
        assert_int_equal(ftri_manifest_open(&reader, packed), 0);
        struct ftri_manifest_id id;
        int rc;
        while ((rc = ftri_manifest_read(&reader, &id)) == 0) {
            assert_true(n < n_ids);
            assert_memory_equal(&id, &ids[n++], sizeof id);
        }
        assert_int_equal(rc, FTRI_MANIFEST_END);
        n_strings++;
    }
    assert_int_equal(n, n_ids);
    assert_int_equal(n_strings, manifest->n_strings);
    return n_strings;
}

/* Written down from the drawing in manifest.h. */
static void test_bytes_are_those_of_the_drawing(void **state)
{
    (void)state;
    struct ftri_manifest manifest;
    ftri_manifest_init(&manifest, FTRI_MANIFEST_VISIT_BYTES);
    const struct ftri_manifest_id first = id_of(0x11, 0x22);
    struct ftri_manifest_id second = first; /* same trace; the span differs in its last byte */
    second.span_id.bytes[7] = 0x99;
    ftri_manifest_add(&manifest, &first);
    ftri_manifest_add(&manifest, &second);
    const uint8_t expected[] = {
        0x01, 0x00, 0x00, 0x00, 0x02,                   /* version, two entries */
        0x00,                                           /* nothing in common with zeros */
        0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, /* trace id */
        0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, /* */
        0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, /* span id */
        0x97, 0x99,                                     /* 9 * 16 + 7, the one byte that differs */
    };
    const struct ftri_view packed = only_string(&manifest);
    assert_int_equal(packed.len, sizeof expected);
    assert_memory_equal(packed.data, expected, sizeof expected);
    assert_int_equal(manifest.n_bytes, sizeof expected);
    ftri_manifest_deinit(&manifest);
}

static void test_round_trip_over_several_strings(void **state)
{
    (void)state;
    enum { N = 11000 };
    static struct ftri_manifest_id ids[N];
    struct ftri_manifest manifest;
    ftri_manifest_init(&manifest, FTRI_MANIFEST_VISIT_BYTES);
    for (size_t i = 0; i < N; i++) {
        ids[i] = random_id();
        if (i % 3 == 0 && i > 0)
            ids[i].trace_id = ids[i - 1].trace_id;
        ftri_manifest_add(&manifest, &ids[i]);
    }
    assert_int_equal(manifest.n_entries, N);
    assert_int_equal(manifest.n_dropped, 0);
    /* 7,334 entries of 25 bytes and 3,666 of 9 (a few less by chance): 216,344 bytes. */
    assert_int_equal(assert_decodes_to(&manifest, ids, N), 4);
    ftri_manifest_deinit(&manifest);
    assert_null(manifest.first);
}

static int read_all(struct ftri_view packed)
{
    struct ftri_manifest_reader reader;
    int rc = ftri_manifest_open(&reader, packed);
    struct ftri_manifest_id id;
    while (rc == 0)
        rc = ftri_manifest_read(&reader, &id);
    return rc;
}

static void test_every_truncation_is_refused(void **state)
{
    (void)state;
    struct ftri_manifest manifest;
    ftri_manifest_init(&manifest, FTRI_MANIFEST_VISIT_BYTES);
    for (uint8_t i = 1; i <= 20; i++) {
        const struct ftri_manifest_id id = id_of((uint8_t)(i / 3 + 1), i);
        ftri_manifest_add(&manifest, &id);
    }
    const struct ftri_view whole = only_string(&manifest);
    assert_int_equal(read_all(whole), FTRI_MANIFEST_END);
    for (size_t len = 0; len < whole.len; len++) {
        uint8_t *const part = ftri_alloc(len); /* exactly as long: the sanitizer sees overruns */
        assert_non_null(part);
        memcpy(part, whole.data, len);
        assert_int_equal(read_all(ftri_view_of(part, len)), -EBADMSG);
        ftri_free(part);
    }
    ftri_manifest_deinit(&manifest);
}

static void test_damage_is_refused(void **state)
{
    (void)state;
    uint8_t packed[5 + 25 + 1] = {1, 0, 0, 0, 1, 0};
    memset(packed + 6, 0xAB, 24);
    assert_int_equal(read_all(ftri_view_of(packed, 30)), FTRI_MANIFEST_END);
    assert_int_equal(read_all(ftri_view_of(packed, 31)), -EBADMSG); /* a byte too many */
    packed[0] = 2;
    assert_int_equal(read_all(ftri_view_of(packed, 30)), -EBADMSG); /* version */
    packed[0] = 1;
    packed[1] = 0xFF;
    assert_int_equal(read_all(ftri_view_of(packed, 30)), -EBADMSG); /* 4 billion entries */
    packed[1] = 0;
    packed[5] = 153; /* one above 9 * 16 + 8 */
    assert_int_equal(read_all(ftri_view_of(packed, 30)), -EBADMSG);
    const uint8_t zeros[] = {1, 0, 0, 0, 1, 152}; /* everything as before the first: zeros */
    assert_int_equal(read_all(ftri_view_of(zeros, sizeof zeros)), -EBADMSG);
    const uint8_t empty[] = {1, 0, 0, 0, 0};
    assert_int_equal(read_all(ftri_view_of(empty, sizeof empty)), FTRI_MANIFEST_END);
    static const uint8_t large[FTRI_MANIFEST_STRING_BYTES + 1] = {1};
    assert_int_equal(read_all(ftri_view_of(large, sizeof large)), -EBADMSG);
}

static void test_random_bytes_end_without_a_crash(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint8_t noise[64];
        for (size_t i = 0; i < sizeof noise; i += 8) {
            const uint64_t word = ftri_random_u64();
            memcpy(noise + i, &word, 8);
        }
        noise[0] = FTRI_MANIFEST_VERSION;
        memset(noise + 1, 0, 3);
        noise[4] %= 8;
        const int rc = read_all(ftri_view_of(noise, ftri_random_u64() % sizeof noise));
        assert_true(rc == -EBADMSG || rc == FTRI_MANIFEST_END);
    }
}

static void test_limit_is_kept_and_the_rest_counted(void **state)
{
    (void)state;
    enum { N = 6000, LIMIT = 100 * 1024 };
    static struct ftri_manifest_id ids[N];
    struct ftri_manifest manifest;
    ftri_manifest_init(&manifest, LIMIT);
    for (size_t i = 0; i < N; i++) {
        ids[i] = random_id();
        ftri_manifest_add(&manifest, &ids[i]);
    }
    assert_true(manifest.n_bytes <= LIMIT);
    assert_true(manifest.n_bytes > LIMIT - 100);
    assert_int_equal(manifest.n_entries + manifest.n_dropped, N);
    assert_decodes_to(&manifest, ids, manifest.n_entries);
    ftri_manifest_deinit(&manifest);
}

static void test_memory_short_loses_one_and_goes_on(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 20; n++) {
        struct ftri_manifest manifest;
        ftri_manifest_init(&manifest, FTRI_MANIFEST_VISIT_BYTES);
        ftri_mem_fail_at(n);
        for (size_t i = 0; i < 3000; i++) {
            const struct ftri_manifest_id id = random_id();
            ftri_manifest_add(&manifest, &id);
        }
        const bool has_failed = ftri_mem_requests() >= n;
        ftri_mem_fail_at(0);
        assert_int_equal(manifest.n_dropped, has_failed ? 1 : 0);
        assert_int_equal(manifest.n_entries, has_failed ? 2999 : 3000);
        const struct ftri_manifest_string *cursor = NULL;
        struct ftri_view packed;
        while (ftri_manifest_next_string(&manifest, &cursor, &packed))
            assert_int_equal(read_all(packed), FTRI_MANIFEST_END);
        ftri_manifest_deinit(&manifest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_those_of_the_drawing),
        cmocka_unit_test(test_round_trip_over_several_strings),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_damage_is_refused),
        cmocka_unit_test(test_random_bytes_end_without_a_crash),
        cmocka_unit_test(test_limit_is_kept_and_the_rest_counted),
        cmocka_unit_test(test_memory_short_loses_one_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
