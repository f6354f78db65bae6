/* SPDX-License-Identifier: Apache-2.0
 *
 * Routings: what they may say, the ready form, the table's room, and the settings they go by.
 * Headers: RFC 9110, 5.5. JSON strings: RFC 8259, 7, and its example of U+1D11E. */
#include "users.h"

#include "base/mem.h"
#include "trace/routing.h"
#include "trace/user.h"

#include <stdio.h>

/* ---- what a routing says ---- */

struct any {
    ftr_str key;
    ftr_str text;
};

static size_t copy(ftr_str text, char *ret_text, size_t room)
{
    if (text.len > 0 && text.len <= room)
        memcpy(ret_text, text.data, text.len);
    return text.len;
}

static size_t any_key(const void *instance, char *ret_text, size_t room)
{
    return copy(((const struct any *)instance)->key, ret_text, room);
}

static size_t any_text(const void *instance, char *ret_text, size_t room)
{
    return copy(((const struct any *)instance)->text, ret_text, room);
}

static const ftr_routing_class any_class = {sizeof any_class, any_key, any_text};

static const char *ask(const void *key, size_t key_len, const char *text, size_t len)
{
    static struct ftri_routing_room room;
    const struct any any = {{key, key_len}, {text, len}};
    const ftr_routing routing = {&any_class, &any};
    return ftri_routing_ask(&routing, &room);
}

static void test_what_a_header_may_not_have_is_refused(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const char text[] = {'a', (char)byte, 'b'};
        const bool is_fine = byte == '\t' || (byte >= 0x20 && byte <= 0x7e);
        const char *wrong = ask("k", 1, text, sizeof text);
        assert_true(is_fine == (wrong == NULL));
        if (wrong)
            assert_string_equal(wrong, "the routing's text has a byte that a header may not have");
    }
    assert_string_equal(ask("k", 1, "", 0), "the routing's text is empty");
    assert_null(ask("", 0, "a", 1));
    assert_null(ask("\r\n\0", 3, "a", 1)); /* a key goes nowhere */
}

static void test_long_ones_are_refused(void **state)
{
    (void)state;
    static char text[FTR_ROUTING_VALUE_MAX + 1];
    memset(text, 'x', sizeof text);
    assert_null(ask(text, FTR_ROUTING_KEY_MAX, text, FTR_ROUTING_VALUE_MAX));
    assert_string_equal(ask("k", 1, text, sizeof text),
                        "the routing's text is longer than 4096 bytes");
    assert_string_equal(ask(text, FTR_ROUTING_KEY_MAX + 1, "a", 1),
                        "the routing's group key is longer than 4096 bytes");
    static struct ftri_routing_room room;
    const ftr_routing none = {NULL, NULL};
    assert_string_equal(ftri_routing_ask(NULL, &room), "it has no routing");
    assert_string_equal(ftri_routing_ask(&none, &room), "it has no routing");
}

/* ---- JSON ---- */

static void assert_json(const ftr_json_routing *json, const char *expected)
{
    static struct ftri_routing_room room;
    const ftr_routing routing = ftr_json_routing_of(json);
    assert_null(ftri_routing_ask(&routing, &room));
    assert_text(room.texts.value, expected);
}

static void test_the_ready_form_has_the_keys_of_the_conventions(void **state)
{
    (void)state;
    static const ftr_str destinations[] = {{"otlp", 4}, {"logs", 4}};
    const ftr_json_routing full = {
        .size = sizeof full,
        .zone_id = UINT64_MAX,
        .account_id = 42,
        .workspace_id = FTR_STR("ws-1"),
        .account_tag = FTR_STR("0123456789abcdef0123456789abcdef"),
        .destinations = destinations,
        .n_destinations = 2,
        .is_managed = true,
        .is_persisted = true,
    };
    const ftr_json_routing least = {.size = sizeof least, .zone_id = 7};
    assert_json(&full, "{\"zoneId\":18446744073709551615,\"accountId\":42,\"workspaceId\":\"ws-1\","
                       "\"destinations\":[\"otlp\",\"logs\"],\"managed\":true}");
    assert_json(&least, "{\"zoneId\":7,\"accountId\":0,\"workspaceId\":\"\",\"destinations\":[],"
                        "\"managed\":false}");
    ftr_config config = FTR_CONFIG_INIT;
    config.conventions = FTR_STR("foundations-5.8");
    start(&config);
    assert_json(&full, "{\"zoneId\":18446744073709551615,\"accountId\":42,\"accountTag\":"
                       "\"0123456789abcdef0123456789abcdef\",\"destinations\":[\"otlp\",\"logs\"],"
                       "\"persist\":true}");
    assert_json(&least, "{\"zoneId\":7,\"accountId\":0,\"accountTag\":\"\",\"destinations\":[],"
                        "\"persist\":false}");
    stop();
    start_standard();
    stop();
}

static void test_its_texts_are_a_headers(void **state)
{
    (void)state;
    ftr_json_routing json = {.size = sizeof json};
    static const struct {
        const char *text;
        const char *json;
    } texts[] = {
        {"a\"b\\c/d", "a\\\"b\\\\c/d"},
        {"\r\n\t\x01\x7f", "\\u000d\\u000a\\u0009\\u0001\\u007f"},
        {"caf\xc3\xa9", "caf\\u00e9"},
        {"\xe2\x82\xac", "\\u20ac"},
        {"\xf0\x9d\x84\x9e", "\\ud834\\udd1e"},
        {"\xff", "\\ufffd"},
        {"\xc3", "\\ufffd"},
        {"\xc0\xaf", "\\ufffd\\ufffd"},
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char expected[200];
        json.workspace_id = ftr_str_from(texts[i].text);
        snprintf(expected, sizeof expected,
                 "{\"zoneId\":0,\"accountId\":0,\"workspaceId\":\"%s\",\"destinations\":[],"
                 "\"managed\":false}",
                 texts[i].json);
        assert_json(&json, expected);
    }
}

/* ---- the table ---- */

static struct ftri_routing_texts texts_of(const char *key, const char *value)
{
    return (struct ftri_routing_texts){ftr_str_from(key), ftr_str_from(value)};
}

static uint32_t enter(const char *key, const char *value, uint64_t now_ns)
{
    const struct ftri_routing_texts texts = texts_of(key, value);
    return ftri_routing_enter(&texts, now_ns);
}

static void test_key_and_text_together_are_a_routing(void **state)
{
    (void)state;
    const uint32_t one = enter("k", "v", 1);
    assert_int_not_equal(one, 0);
    assert_int_equal(enter("k", "v", 2), one);
    assert_int_not_equal(enter("k", "w", 2), one); /* encoded differently */
    assert_int_not_equal(enter("l", "v", 2), one);
    assert_int_not_equal(enter("kv", "", 2), one);
    assert_int_equal(ftri_routings_count(), 4);
    assert_true(ftri_routing_hold(one, 3));
    assert_text(ftri_routing_texts_of(one).value, "v");
    ftri_routing_let_go(one, 1);
    ftri_routings_reset();
    assert_int_equal(ftri_routings_count(), 0);
    assert_false(ftri_routing_hold(one, 4));
    const uint32_t again = enter("k", "v", 5);
    assert_int_not_equal(again, one); /* a number names one routing for ever */
    assert_true(ftri_routing_hold(again, 6));
    ftri_routings_reset(); /* an exporter was left behind with it */
    assert_text(ftri_routing_texts_of(again).value, "v");
    assert_int_equal(enter("k", "v", 7), again);
    ftri_routing_let_go(again, 1);
    ftri_routings_reset();
    assert_int_equal(ftri_routings_count(), 0);
}

static uint32_t enter_nth(uint32_t i, uint64_t now_ns)
{
    char text[16];
    snprintf(text, sizeof text, "%u", i);
    return enter(text, text, now_ns);
}

static void test_who_is_idle_makes_room(void **state)
{
    (void)state;
    const uint64_t start_ns = 1000;
    uint32_t *numbers = calloc(FTRI_ROUTINGS_MAX, sizeof *numbers);
    for (uint32_t i = 0; i < FTRI_ROUTINGS_MAX; i++) {
        numbers[i] = enter_nth(i, start_ns);
        assert_int_not_equal(numbers[i], 0);
    }
    assert_int_equal(ftri_routings_count(), FTRI_ROUTINGS_MAX);
    /* None is idle yet. */
    assert_int_equal(enter_nth(FTRI_ROUTINGS_MAX, start_ns + FTRI_ROUTING_IDLE_NS - 1), 0);
    assert_int_equal(enter_nth(FTRI_ROUTINGS_MAX, start_ns - 1), 0); /* its clock was read before */
    assert_int_equal(enter_nth(5, start_ns + 1), numbers[5]);
    /* All but those that are held, and those just used. */
    const uint64_t later_ns = start_ns + FTRI_ROUTING_IDLE_NS;
    for (uint32_t i = 0; i < FTRI_ROUTINGS_MAX; i++)
        if (i % 2 == 0)
            assert_true(ftri_routing_hold(numbers[i], start_ns));
    assert_int_equal(enter_nth(7, later_ns), numbers[7]);
    uint32_t n = 0;
    while (n < FTRI_ROUTINGS_MAX && enter_nth(FTRI_ROUTINGS_MAX + n, later_ns) != 0)
        n++;
    assert_in_range(n, 1, FTRI_ROUTINGS_MAX / 2 - 2);
    for (uint32_t i = 0; i < FTRI_ROUTINGS_MAX; i += 2)
        assert_int_equal(enter_nth(i, later_ns), numbers[i]);
    assert_int_equal(enter_nth(7, later_ns), numbers[7]);
    assert_int_equal(ftri_routings_count(), FTRI_ROUTINGS_MAX);
    for (uint32_t i = 0; i < FTRI_ROUTINGS_MAX; i += 2)
        ftri_routing_let_go(numbers[i], 1);
    ftri_routings_reset();
    free(numbers);
}

static void test_the_texts_have_a_bound_of_bytes(void **state)
{
    (void)state;
    static char large[FTR_ROUTING_VALUE_MAX];
    memset(large, 'x', sizeof large);
    uint32_t n = 0;
    for (uint32_t number = 1; number != 0; n++) {
        char key[16];
        snprintf(key, sizeof key, "%u", n);
        const struct ftri_routing_texts texts = {ftr_str_from(key), {large, sizeof large}};
        number = ftri_routing_enter(&texts, 1000);
    }
    assert_in_range(n, 16000, FTRI_ROUTING_BYTES_MAX / sizeof large);
    ftri_routings_reset();
    assert_int_not_equal(enter("k", "v", 1), 0);
    ftri_routings_reset();
}

/* ---- refused roots, and settings ---- */

static char diagnosis[512];

static void note(void *argument, const char *text)
{
    (void)argument;
    snprintf(diagnosis, sizeof diagnosis, "%s", text);
}

static void test_a_root_that_is_refused_is_counted_and_said(void **state)
{
    (void)state;
    ftr_config config = FTR_CONFIG_INIT;
    ftr_user_config user = FTR_USER_CONFIG_INIT;
    config.on_diagnostic = note;
    start_users(&config, &user);
    assert_int_equal(root_of("root", "a\nb").generation, 0);
    assert_int_equal(root_of("root", "").generation, 0);
    assert_int_equal(ftr_user_trace_start(FTR_STR("root"), NULL, NULL).generation, 0);
    assert_int_equal(user_counts().roots_dropped, 3);
    assert_int_equal(user_counts().started, 0);
    assert_string_equal(diagnosis, "a user trace is not recorded: the routing's text has a byte "
                                   "that a header may not have");
    stop_both();
}

static ftr_exporter *no_exporter(const ftr_user_config *config, ftr_error *error)
{
    (void)config;
    *error = (ftr_error){FTR_ERR_INVALID, "socket_path: no"};
    return NULL;
}

static void assert_refused(const ftr_user_config *user, ftr_status status, const char *text)
{
    ftr_config config = FTR_CONFIG_INIT;
    ftr_error error = {FTR_OK, ""};
    config.user = user;
    assert_int_equal(ftr_init(&config, &error), status);
    assert_string_equal(error.text, text);
}

static void test_settings_are_checked_by_name(void **state)
{
    (void)state;
    ftr_user_config user = FTR_USER_CONFIG_INIT;
    assert_false(user.is_enabled);
    assert_text(user.routing_header, "cf-trace-config");
    assert_int_equal(user.queue_spans, 1000000);
    user.is_enabled = true;
    assert_refused(&user, FTR_ERR_INVALID,
                   "user.socket_path: missing; it is the one thing to choose");
    user.socket_path = FTR_STR("/run/otlp.sock");
    assert_refused(&user, FTR_ERR_UNAVAILABLE,
                   "user.otlp_exporter: set it to ftr_otlp_user_exporter_new (library "
                   "flowtrace-export)");
    user.otlp_exporter = no_exporter;
    assert_refused(&user, FTR_ERR_INVALID, "user.socket_path: no");
    user.routing_header = FTR_STR("");
    assert_refused(&user, FTR_ERR_INVALID,
                   "user.routing_header: empty; FTR_USER_CONFIG_INIT sets cf-trace-config");
    user.routing_header = FTR_STR("a:b");
    assert_refused(&user, FTR_ERR_INVALID, "user.routing_header: not a header's name");
    user.size = 0;
    assert_refused(&user, FTR_ERR_INVALID, "user: size is not set, or of a later version");
    user.size = sizeof user;
    user.is_enabled = false; /* and nothing is looked at */
    ftr_config config = FTR_CONFIG_INIT;
    config.user = &user;
    start(&config);
    assert_int_equal(root_of("root", "c1").generation, 0);
    stop();
}

/* ---- short memory ---- */

/* Four spans, each with the customer's name. */
static void record_of(const char *customer)
{
    const ftr_span root = root_of(customer, customer);
    ftr_context context = ftr_span_context_of(root);
    for (int i = 0; i < 3; i++)
        ftr_span_end(ftr_user_span_start(ftr_str_from(customer), FTR_KIND_INTERNAL, &context));
    ftr_context_release(&context);
    ftr_span_end(root);
}

static void assert_none_is_with_another_customer(void)
{
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(user_spans, i, &span); i++) {
        const ftr_str routing = ftr_memory_spans_routing(user_spans, i);
        assert_int_equal(routing.len, span.name.len);
        assert_memory_equal(routing.data, span.name.data, routing.len);
    }
}

static void assert_user_accounts(void)
{
    const ftr_statistics s = user_counts();
    const ftr_exporter_statistics *e = &s.exporters[0];
    assert_int_equal(s.started, s.ended + s.open);
    assert_int_equal(s.ended, s.recorded + s.lost_journal_full);
    assert_int_equal(s.recorded, e->delivered + e->rejected + e->lost_queue_full + e->lost_export +
                                     e->queued + s.lost_no_routing);
}

/* Each span is delivered, or lost and counted. */
static void test_any_allocation_may_fail(void **state)
{
    (void)state;
    uint64_t n_requests;
    uint64_t n = 0;
    do {
        start_both();
        ftri_mem_fail_at(++n);
        for (int i = 0; i < 40; i++)
            record_of(i % 3 ? "c1" : "c2");
        (void)ftr_flush(10 * SECOND);
        n_requests = ftri_mem_requests();
        ftri_mem_fail_at(0);
        record_of("c3");
        assert_int_equal(ftr_flush(10 * SECOND), FTR_OK);
        assert_user_accounts();
        assert_true(ftr_memory_spans_count(user_spans) >= 4);
        assert_none_is_with_another_customer();
        stop_both();
        assert_user_accounts();
        assert_int_equal(user_counts().exporters[0].queued, 0);
        assert_int_equal(ftri_routings_count(), 0);
    } while (n_requests >= n);
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_header_may_not_have_is_refused),
        cmocka_unit_test(test_long_ones_are_refused),
        cmocka_unit_test(test_the_ready_form_has_the_keys_of_the_conventions),
        cmocka_unit_test(test_its_texts_are_a_headers),
        cmocka_unit_test(test_key_and_text_together_are_a_routing),
        cmocka_unit_test(test_who_is_idle_makes_room),
        cmocka_unit_test(test_the_texts_have_a_bound_of_bytes),
        cmocka_unit_test(test_a_root_that_is_refused_is_counted_and_said),
        cmocka_unit_test(test_settings_are_checked_by_name),
        cmocka_unit_test(test_any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
