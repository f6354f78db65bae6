/* SPDX-License-Identifier: Apache-2.0
 *
 * Attributes that are set at once, and spans of call sites, say what those say that are set one by
 * one: mixed in any order, across limits, with keys and values that do not go the quick way. */
#include "spans.h"

#include "trace/intern.h"

#include <flowtrace/live.h>

#include <pthread.h>
#include <stdio.h>

static const ftr_str names[] = {{"first", 5}, {"second", 6}, {"third", 5}};
static ftr_keys three = {0, 3, names};

static ftr_span begin(void)
{
    return ftr_span_start(FTR_STR("span"), FTR_KIND_INTERNAL, NULL);
}

static void test_values_of_all_types(void **state)
{
    (void)state;
    static const ftr_str keys[] = {{"text", 4}, {"i64", 3},   {"f64", 3},   {"bool", 4},
                                   {"none", 4}, {"bytes", 5}, {"array", 5}, {"empty", 5}};
    static ftr_keys all = {0, 8, keys};
    const ftr_value items[] = {ftr_value_i64(1), ftr_value_str(FTR_STR("two"))};
    const ftr_value values[] = {ftr_value_str(FTR_STR("words")),
                                ftr_value_i64(INT64_MIN),
                                ftr_value_f64(-0.25),
                                ftr_value_bool(true),
                                {.type = FTR_VALUE_EMPTY},
                                ftr_value_bytes("\0\1", 2),
                                ftr_value_array(items, 2),
                                ftr_value_str(FTR_STR(""))};
    start_standard();
    for (uint32_t n = 4; n <= 8; n += 4) { /* the quick way, and one by one */
        const ftr_span span = begin();
        ftr_keys some = {0, n, keys};
        ftr_span_set_values(span, n == 8 ? &all : &some, values);
        ftr_span_end(span);
        const ftr_span_data data = flushed(n / 4 - 1);
        assert_int_equal(data.n_attributes, n);
        assert_text_attribute(&data, "text", "words");
        assert_i64_attribute(&data, "i64", INT64_MIN);
        assert_true(value_of(&data, "f64")->as.f64 == -0.25);
        assert_int_equal(value_of(&data, "bool")->type, FTR_VALUE_BOOL);
        assert_true(value_of(&data, "bool")->as.boolean);
    }
    const ftr_span_data data = flushed(1);
    assert_int_equal(value_of(&data, "none")->type, FTR_VALUE_EMPTY);
    assert_int_equal(value_of(&data, "bytes")->as.str.len, 2);
    assert_text(value_of(&data, "array")->as.array.items[1].as.str, "two");
    assert_text_attribute(&data, "empty", "");
    stop();
}

static void test_texts_of_every_length(void **state)
{
    (void)state;
    char text[80];
    char expected[80];
    start_standard();
    for (size_t len = 0; len < sizeof text; len++) {
        for (size_t i = 0; i < len; i++)
            text[i] = (char)('a' + (i + len) % 26);
        memcpy(expected, text, len);
        const ftr_value values[] = {ftr_value_str((ftr_str){text, len}), ftr_value_i64((int)len),
                                    ftr_value_str((ftr_str){text, len})};
        const ftr_span span = begin();
        ftr_span_set_values(span, &three, values);
        memset(text, '-', len); /* copied in */
        ftr_span_end(span);
        const ftr_span_data data = flushed(len);
        expected[len] = '\0';
        assert_int_equal(data.n_attributes, 3);
        assert_text_attribute(&data, "first", expected);
        assert_i64_attribute(&data, "second", (int64_t)len);
        assert_text_attribute(&data, "third", expected);
    }
    stop();
}

static void set_three(ftr_span span, int64_t a, int64_t b, int64_t c)
{
    const ftr_value values[] = {ftr_value_i64(a), ftr_value_i64(b), ftr_value_i64(c)};
    ftr_span_set_values(span, &three, values);
}

static void test_the_last_value_of_a_key_counts(void **state)
{
    (void)state;
    start_standard();
    const ftr_span span = begin();
    ftr_span_set_i64(span, FTR_STR("first"), 1);
    ftr_span_set_i64(span, FTR_STR("fourth"), 4);
    set_three(span, 10, 20, 30);
    ftr_span_set_i64(span, FTR_STR("second"), 200);
    set_three(span, 100, 201, 300);
    ftr_span_set_i64(span, FTR_STR("third"), 3000);
    ftr_span_end(span);
    const ftr_span_data data = flushed(0);
    assert_int_equal(data.n_attributes, 4);
    assert_i64_attribute(&data, "first", 100);
    assert_i64_attribute(&data, "second", 201);
    assert_i64_attribute(&data, "third", 3000);
    assert_i64_attribute(&data, "fourth", 4);
    stop();
}

/* With as many entries as attributes are allowed, values are unpacked and compared. */
static void test_values_at_the_limit_of_attributes(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    config.limits.attributes = 8;
    start(&config);
    const ftr_span span = begin();
    ftr_span_set_i64(span, FTR_STR("second"), 0);
    set_three(span, 1, 2, 3);                     /* 4 entries */
    ftr_span_set_i64(span, FTR_STR("first"), 11); /* 5 */
    set_three(span, 12, 22, 32);                  /* 8 */
    ftr_span_set_i64(span, FTR_STR("third"), 33); /* replaced: 3 keys */
    ftr_span_set_i64(span, FTR_STR("fourth"), 4); /* 4 keys */
    set_three(span, 13, 23, 34);                  /* replaced */
    char key[8];
    for (int i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "more%d", i);
        ftr_span_set_i64(span, ftr_str_from(key), i);
    }
    set_three(span, 14, 24, 35);
    ftr_span_end(span);
    const ftr_span_data data = flushed(0);
    assert_i64_attribute(&data, "first", 14);
    assert_i64_attribute(&data, "second", 24);
    assert_i64_attribute(&data, "third", 35);
    assert_i64_attribute(&data, "fourth", 4);
    assert_i64_attribute(&data, "more3", 3);
    assert_null(value_of(&data, "more4"));
    assert_int_equal(data.n_attributes, 8);
    assert_int_equal(data.n_dropped_attributes, 6);
    assert_int_equal(counts().dropped_attributes, 6);
    stop();
}

/* Values with an entry in between that says something later, at the limit. */
static void test_unpacking_keeps_the_order(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    config.limits.attributes = 7;
    start(&config);
    const ftr_span span = begin();
    set_three(span, 1, 2, 3);
    ftr_span_set_i64(span, FTR_STR("second"), 20);
    set_three(span, 10, 21, 30);
    ftr_span_set_i64(span, FTR_STR("fourth"), 4);
    ftr_span_end(span);
    const ftr_span_data data = flushed(0);
    assert_int_equal(data.n_attributes, 4);
    assert_i64_attribute(&data, "first", 10);
    assert_i64_attribute(&data, "second", 21);
    assert_i64_attribute(&data, "third", 30);
    assert_i64_attribute(&data, "fourth", 4);
    assert_int_equal(data.n_dropped_attributes, 0);
    stop();
}

static void test_the_limit_on_the_length_of_values(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    config.limits.value_length = 5;
    start(&config);
    const ftr_value values[] = {ftr_value_str(FTR_STR("12345")), ftr_value_str(FTR_STR("123456")),
                                ftr_value_str(FTR_STR("1234"))};
    const ftr_span span = begin();
    ftr_span_set_values(span, &three, values);
    ftr_span_end(span);
    const ftr_span_data data = flushed(0);
    assert_text_attribute(&data, "first", "12345");
    assert_text_attribute(&data, "second", "12345");
    assert_text_attribute(&data, "third", "1234");
    stop();
}

/* Around the lengths at which texts are copied in another way. */
static void test_limits_and_texts_of_every_length(void **state)
{
    (void)state;
    static const size_t limits[] = {15, 16, 17, 20, 31, 32, 33, 63, 64, 65};
    char text[70];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
        ftr_config config = FTR_CONFIG_INIT;
        config.limits.value_length = (uint32_t)limits[k];
        start(&config);
        for (size_t len = 0; len <= sizeof text; len++) {
            const ftr_value value = ftr_value_str((ftr_str){text, len});
            const ftr_value values[] = {value, ftr_value_i64(2), value};
            const ftr_span set = begin();
            ftr_span_set_values(set, &three, values);
            ftr_span_end(set);
            ftr_span_end_values(begin(), &three, values);
            for (size_t i = 0; i < 2; i++) {
                const ftr_span_data data = flushed(2 * len + i);
                const ftr_str kept = value_of(&data, "third")->as.str;
                assert_int_equal(kept.len, len < limits[k] ? len : limits[k]);
                assert_memory_equal(kept.data, text, kept.len);
            }
        }
        stop();
    }
}

/* Not enough room for any values of so many keys, but for these. */
static void test_as_many_keys_as_a_list_may_have(void **state)
{
    (void)state;
    char rooms[FTRI_INTERNED_TEXTS_MAX][8];
    ftr_str texts[FTRI_INTERNED_TEXTS_MAX];
    ftr_value values[FTRI_INTERNED_TEXTS_MAX];
    for (int i = 0; i < FTRI_INTERNED_TEXTS_MAX; i++) {
        snprintf(rooms[i], sizeof rooms[i], "key.%d", i);
        texts[i] = ftr_str_from(rooms[i]);
        values[i] = ftr_value_i64(i);
    }
    ftr_keys keys = {0, FTRI_INTERNED_TEXTS_MAX, texts};
    start_standard();
    for (size_t n_long = 0; n_long < 3; n_long++) {
        for (size_t i = 0; i < n_long * 8; i++)
            values[i] = ftr_value_str(FTR_STR("0123456789abcdef0123456789abcdef0123456789abcdef"));
        const ftr_span span = begin();
        ftr_span_set_values(span, &keys, values);
        ftr_span_end(span);
        const ftr_span_data data = flushed(n_long);
        assert_int_equal(data.n_attributes, FTRI_INTERNED_TEXTS_MAX);
        assert_i64_attribute(&data, "key.63", 63);
        if (n_long > 0)
            assert_int_equal(value_of(&data, "key.7")->as.str.len, 48);
        else
            assert_i64_attribute(&data, "key.0", 0);
    }
    stop();
}

static void test_more_than_a_slot_holds(void **state)
{
    (void)state;
    start_standard();
    const ftr_span span = begin();
    char text[61];
    for (int i = 0; i < 30; i++) {
        memset(text, 'a' + i % 26, 60);
        text[60] = '\0';
        const ftr_value values[] = {ftr_value_str(ftr_str_from(text)), ftr_value_i64(i),
                                    ftr_value_str(ftr_str_from(text))};
        ftr_span_set_values(span, &three, values);
    }
    ftr_span_end(span);
    const ftr_span_data data = flushed(0);
    assert_int_equal(data.n_attributes, 3);
    assert_text_attribute(&data, "first", text);
    assert_i64_attribute(&data, "second", 29);
    assert_int_equal(data.n_dropped_attributes, 0);
    stop();
}

/* Lists that have no number go one by one, and are judged as single keys are. */
static void test_keys_that_cannot_be_entered(void **state)
{
    (void)state;
    char text[100];
    memset(text, 'k', sizeof text);
    const ftr_str twice[] = {{"same", 4}, {"same", 4}, {"other", 5}};
    const ftr_str long_one[] = {{text, sizeof text}, {"short", 5}, {"other", 5}};
    const ftr_str missing[] = {{NULL, 0}, {"", 0}, {"other", 5}};
    const ftr_str *const lists[] = {twice, long_one, missing};
    const size_t n_kept[] = {2, 3, 1};
    start_standard();
    for (size_t i = 0; i < 3; i++) {
        ftr_keys keys = {0, 3, lists[i]};
        const ftr_span span = begin();
        const ftr_value values[] = {ftr_value_i64(1), ftr_value_i64(2), ftr_value_i64(3)};
        for (int turn = 0; turn < 2; turn++)
            ftr_span_set_values(span, &keys, values);
        ftr_span_end(span);
        const ftr_span_data data = flushed(i);
        assert_int_equal(data.n_attributes, n_kept[i]);
        assert_i64_attribute(&data, "other", 3);
        assert_int_equal(data.n_dropped_attributes, i == 2 ? 4 : 0);
    }
    stop();
}

/* A number that nobody gave, as in memory that was not initialised. */
static void test_keys_with_a_foreign_number(void **state)
{
    (void)state;
    start_standard();
    ftr_keys keys = {FTRI_INTERNED_LISTS_MAX - 1, 3, names};
    const ftr_value values[] = {ftr_value_i64(1), ftr_value_i64(2), ftr_value_i64(3)};
    ftr_span span = begin();
    ftr_span_set_values(span, &keys, values);
    keys.number = 1u << 30;
    ftr_span_set_values(span, &keys, values);
    ftr_span_end(span);
    const ftr_span_data data = flushed(0);
    assert_int_equal(data.n_attributes, 3);
    stop();
}

/* The same where values are taken apart, and of keys that are more than were entered. */
static void test_foreign_keys_at_the_limit_of_attributes(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    config.limits.attributes = 9;
    start(&config);
    const ftr_value values[] = {ftr_value_i64(1), ftr_value_i64(2), ftr_value_i64(3)};
    ftr_keys foreign = {FTRI_INTERNED_LISTS_MAX - 1, 3, names};
    ftr_keys grown = {0, 2, names};
    const ftr_span span = begin();
    ftr_span_set_values(span, &foreign, values);
    ftr_span_set_values(span, &grown, values);
    grown.n_keys = 3;
    ftr_span_set_values(span, &grown, values);
    ftr_span_set_i64(span, FTR_STR("one more"), 8);
    ftr_span_set_i64(span, FTR_STR("and one"), 9);
    ftr_span_end(span);
    const ftr_span_data data = flushed(0);
    assert_int_equal(data.n_attributes, 4);
    assert_i64_attribute(&data, "second", 2);
    assert_i64_attribute(&data, "and one", 9);
    stop();
}

static void test_a_call_site_with_a_foreign_number(void **state)
{
    (void)state;
    start_standard();
    const ftr_span root = ftr_span_start(FTR_STR("root"), FTR_KIND_INTERNAL, NULL);
    ftr_context context = ftr_span_context_of(root);
    ftr_call_site site = {FTRI_INTERNED_LISTS_MAX - 1, FTR_KIND_INTERNAL, FTR_STR("x"), "", "", 0};
    for (int i = 0; i < 2; i++) /* the second one in a slot that is there already */
        ftr_span_end(ftr_span_start_site(&site, &context));
    ftr_context_release(&context);
    assert_text(flushed(1).name, "");
    ftr_span_end(root);
    stop();
}

static void test_a_span_of_a_call_site(void **state)
{
    (void)state;
    static const char *const texts[] = {"x", "sixteen bytes 16", "a name that is longer than that"};
    start_standard();
    for (size_t i = 0; i < 3; i++) {
        ftr_call_site site = {0, FTR_KIND_CLIENT, ftr_str_from(texts[i]), "", "", 0};
        const ftr_span root = ftr_span_start_site(&site, NULL); /* enters it */
        ftr_context context = ftr_span_context_of(root);
        const ftr_span below = ftr_span_start_site(&site, &context);
        const ftr_attachment attachment = ftr_attach(&context);
        const ftr_span current = ftr_span_start_site(&site, NULL);
        ftr_detach(attachment);
        const ftr_span other_root = ftr_span_start_site(&site, NULL);
        const ftr_span all[] = {root, below, current, other_root};
        for (size_t k = 0; k < 4; k++) {
            set_three(all[k], 1, 2, 3);
            if (k == 3)
                ftr_span_set_name(all[k], FTR_STR("renamed"));
            ftr_span_end(all[k]);
        }
        const ftr_span_data data = flushed(4 * i);
        for (size_t k = 0; k < 4; k++) {
            const ftr_span_data one = flushed(4 * i + k);
            assert_text(one.name, k == 3 ? "renamed" : texts[i]);
            assert_int_equal(one.kind, FTR_KIND_CLIENT);
            assert_int_equal(one.n_attributes, 3);
            assert_int_equal(ftr_span_id_is_valid(&one.parent_span_id), k == 1 || k == 2);
            if (k == 1 || k == 2)
                assert_is_child(&one, &data);
        }
        ftr_context_release(&context);
    }
    assert_int_equal(counts().stale, 0);
    stop();
}

static void test_values_at_the_end(void **state)
{
    (void)state;
    static const char *const texts[] = {"x", "sixteen bytes 16", "a name that is longer than that"};
    ftr_config config = FTR_CONFIG_INIT;
    config.limits.attributes = 4;
    start(&config);
    size_t n = 0;
    for (size_t i = 0; i < 6; i++) {
        ftr_call_site site = {0, FTR_KIND_CLIENT, ftr_str_from(texts[i % 3]), "", "", 0};
        for (int64_t turn = 0; turn < 4; turn++, n++) {
            const ftr_span span = i < 3 ? ftr_span_start_site(&site, NULL)
                                        : ftr_span_start(site.name, site.kind, NULL);
            if (turn >= 2)
                ftr_span_set_i64(span, FTR_STR("zeroth"), turn);
            if (turn == 3)
                ftr_span_set_i64(span, FTR_STR("second"), turn);
            const ftr_value values[] = {ftr_value_str(FTR_STR("the first")), ftr_value_i64(turn),
                                        ftr_value_bool(true)};
            ftr_span_end_values(span, &three, values);
            ftr_span_end_values(span, &three, values); /* stale */
            const ftr_span_data data = flushed(n);
            assert_text(data.name, texts[i % 3]);
            assert_int_equal(data.kind, FTR_KIND_CLIENT);
            assert_int_equal(data.n_attributes, turn >= 2 ? 4 : 3);
            assert_text_attribute(&data, "first", "the first");
            assert_i64_attribute(&data, "second", turn);
            assert_true(value_of(&data, "third")->as.boolean);
            assert_true(data.end_time_ns >= data.start_time_ns);
        }
    }
    assert_int_equal(counts().stale, n);
    assert_int_equal(counts().ended, n);
    assert_int_equal(counts().dropped_attributes, 0);
    stop();
}

/* More values than are allowed, more bytes than are quick, no span at all. */
static void test_values_at_the_end_of_any_kind(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 't', sizeof text);
    ftr_config config = FTR_CONFIG_INIT;
    config.limits.attributes = 2;
    start(&config);
    const ftr_value values[] = {ftr_value_str((ftr_str){text, sizeof text}), ftr_value_i64(2),
                                ftr_value_i64(3)};
    ftr_span_end_values(begin(), &three, values);
    const ftr_span_data data = flushed(0);
    assert_int_equal(data.n_attributes, 2);
    assert_int_equal(data.n_dropped_attributes, 1);
    assert_int_equal(value_of(&data, "first")->as.str.len, sizeof text);
    ftr_span_end_values((ftr_span){0, 0}, &three, values);
    ftr_context unsampled = FTR_CONTEXT_NONE;
    unsampled.span.trace_id.bytes[0] = unsampled.span.span_id.bytes[0] = 1;
    ftr_span_end_values(ftr_span_start(FTR_STR("n"), FTR_KIND_INTERNAL, &unsampled), &three,
                        values);
    assert_int_equal(counts().ended, 1);
    assert_int_equal(counts().stale, 0);
    stop();
}

static bool look(void *argument, const ftr_span_data *span)
{
    *(size_t *)argument += span->n_attributes;
    assert_text(span->name, "a name that is longer than that");
    assert_i64_attribute(span, "second", 2);
    return true;
}

static void test_they_are_seen_while_they_last(void **state)
{
    (void)state;
    static ftr_call_site site = {
        0, FTR_KIND_INTERNAL, {"a name that is longer than that", 31}, "", "", 0};
    start_standard();
    ftr_span_end(ftr_span_start_site(&site, NULL));
    const ftr_span span = ftr_span_start_site(&site, NULL);
    set_three(span, 1, 2, 3);
    size_t n = 0;
    assert_int_equal(ftr_live_spans(look, &n), FTR_OK);
    assert_int_equal(n, 3);
    ftr_span_end(span);
    stop();
}

/* Eight threads enter the same lists and different ones; each list has one number. */
enum { THREADS = 8, LISTS = 64 };

static void *enter_lists(void *argument)
{
    uint32_t *numbers = argument;
    for (uint32_t i = 0; i < LISTS; i++) {
        char text[16];
        snprintf(text, sizeof text, "list%u", i);
        const ftr_str keys[] = {ftr_str_from(text), {"end", 3}};
        numbers[i] = ftri_intern(keys, 2);
    }
    return NULL;
}

static void test_lists_have_one_number(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    static uint32_t numbers[THREADS][LISTS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, enter_lists, numbers[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (uint32_t i = 0; i < LISTS; i++) {
        char text[16];
        snprintf(text, sizeof text, "list%u", i);
        for (size_t k = 0; k < THREADS; k++)
            assert_int_equal(numbers[k][i], numbers[0][i]);
        assert_true(ftri_is_interned(numbers[0][i]));
        assert_text(ftri_interned_str(ftri_interned(numbers[0][i]), 0), text);
    }
    assert_false(ftri_is_interned(0));
    assert_false(ftri_is_interned(FTRI_INTERNED_LISTS_MAX));
}

/* The last test: the table is full from then on, and sites and keys still work. */
static void test_a_full_table(void **state)
{
    (void)state;
    char text[16];
    ftr_str key = {text, 0};
    for (int i = 0; i < FTRI_INTERNED_LISTS_MAX + 10; i++) {
        key.len = (size_t)snprintf(text, sizeof text, "full%d", i);
        (void)ftri_intern(&key, 1);
    }
    assert_int_equal(ftri_intern(&(ftr_str){"one too many", 12}, 1), 0);
    assert_true(ftri_intern(&(ftr_str){"full7", 5}, 1) != 0);
    ftr_call_site site = {0, FTR_KIND_SERVER, {"unknown", 7}, "", "", 0};
    const ftr_str late[] = {{"late", 4}};
    ftr_keys keys = {0, 1, late};
    start_standard();
    for (size_t i = 0; i < 2; i++) {
        const ftr_span span = ftr_span_start_site(&site, NULL);
        const ftr_value value = ftr_value_i64(5);
        ftr_span_set_values(span, &keys, &value);
        ftr_span_end(span);
        const ftr_span_data data = flushed(i);
        assert_text(data.name, "unknown");
        assert_i64_attribute(&data, "late", 5);
    }
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_of_all_types),
        cmocka_unit_test(test_texts_of_every_length),
        cmocka_unit_test(test_the_last_value_of_a_key_counts),
        cmocka_unit_test(test_values_at_the_limit_of_attributes),
        cmocka_unit_test(test_unpacking_keeps_the_order),
        cmocka_unit_test(test_the_limit_on_the_length_of_values),
        cmocka_unit_test(test_limits_and_texts_of_every_length),
        cmocka_unit_test(test_as_many_keys_as_a_list_may_have),
        cmocka_unit_test(test_more_than_a_slot_holds),
        cmocka_unit_test(test_keys_that_cannot_be_entered),
        cmocka_unit_test(test_keys_with_a_foreign_number),
        cmocka_unit_test(test_foreign_keys_at_the_limit_of_attributes),
        cmocka_unit_test(test_a_call_site_with_a_foreign_number),
        cmocka_unit_test(test_a_span_of_a_call_site),
        cmocka_unit_test(test_values_at_the_end),
        cmocka_unit_test(test_values_at_the_end_of_any_kind),
        cmocka_unit_test(test_they_are_seen_while_they_last),
        cmocka_unit_test(test_lists_have_one_number),
        cmocka_unit_test(test_a_full_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
