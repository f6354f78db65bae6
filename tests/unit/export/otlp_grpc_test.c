/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers of gRPC, good and bad, by grpc/doc/PROTOCOL-HTTP2.md. Whole calls against other people's
 * servers are in tests/interop/receivers. */
#include "export/otlp_grpc.h"

#include "base/time.h"
#include "codec/gzip.h"
#include "export/grpc_client.h"
#include "export/http_client.h"
#include "export/otlp_verdict.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { LIMIT = 1000 };

static const char *const success[] = {"content-type", "application/grpc", "grpc-status", "0", NULL};

static int judge(const char *const *head, int http_status, const char *body, size_t len,
                 struct ftri_otlp_verdict *ret_verdict)
{
    struct ftri_grpc_head found;
    ftri_grpc_head_init(&found);
    for (; *head; head += 2)
        ftri_grpc_head_take(&found, ftr_str_from(head[0]), ftr_str_from(head[1]));
    const struct ftri_http_answer answer = {.status = http_status, .body = ftri_view_of(body, len)};
    struct ftri_bytes unpacked;
    ftri_bytes_init(&unpacked, LIMIT);
    const int r = ftri_grpc_judge(&found, &answer, &unpacked, ret_verdict);
    ftri_bytes_deinit(&unpacked);
    return r;
}

static void assert_rejected(const char *body, size_t len, uint64_t n_rejected)
{
    struct ftri_otlp_verdict verdict;
    assert_int_equal(judge(success, 200, body, len, &verdict), 0);
    assert_int_equal(verdict.kind, FTRI_OTLP_ACCEPTED);
    assert_int_equal(verdict.answer.n_rejected, n_rejected);
}

static void test_a_message_is_framed(void **state)
{
    (void)state;
    assert_rejected("\0\0\0\0\4\x0a\x02\x08\x03", 9, 3);
    /* What cannot be read rejects nothing: the status has said it. */
    assert_rejected("", 0, 0);
    assert_rejected("\0\0\0\0", 4, 0);
    assert_rejected("\0\0\0\0\5\x0a\x02\x08\x03", 9, 0); /* says one byte more */
    assert_rejected("\0\0\0\0\3\x0a\x02\x08\x03", 9, 0); /* says one less */
    assert_rejected("\2\0\0\0\4\x0a\x02\x08\x03", 9, 0); /* no such flag */
    assert_rejected("\1\0\0\0\4\x0a\x02\x08\x03", 9, 0); /* compressed, nobody says how */
    assert_rejected("\0\xff\xff\xff\xff\x0a\x02\x08\x03", 9, 0);
}

static void test_a_compressed_message_is_bounded(void **state)
{
    (void)state;
    static const char *const head[] = {"content-type",
                                       "application/grpc+proto",
                                       "grpc-encoding",
                                       "gzip",
                                       "grpc-status",
                                       "0",
                                       NULL};
    static const size_t sizes[] = {LIMIT, LIMIT + 1};
    for (size_t i = 0; i < FTRI_COUNT(sizes); i++) {
        const uint8_t zeros[LIMIT + 1] = {0};
        struct ftri_bytes body;
        ftri_bytes_init(&body, 4096);
        assert_int_equal(ftri_bytes_append(&body, zeros, FTRI_GRPC_PREFIX_BYTES), 0);
        assert_int_equal(ftri_gzip(ftri_view_of(zeros, sizes[i]), 9, &body), 0);
        ftri_grpc_write_prefix(body.data, true, body.len - FTRI_GRPC_PREFIX_BYTES);
        struct ftri_otlp_verdict verdict;
        assert_int_equal(judge(head, 200, (const char *)body.data, body.len, &verdict),
                         sizes[i] > LIMIT ? -EMSGSIZE : 0);
        assert_int_equal(judge(head, 200, (const char *)body.data, body.len - 3, &verdict), 0);
        ftri_bytes_deinit(&body);
    }
}

static void test_failures(void **state)
{
    (void)state;
    static const struct {
        const char *head[9];
        int http_status;
        enum ftri_otlp_verdict_kind kind;
        const char *reason, *text;
    } rows[] = {
        {{"content-type", "application/grpc", "grpc-status", "14", "grpc-message", "caf%C3%A9%0a"},
         200,
         FTRI_OTLP_PASSING,
         "gRPC UNAVAILABLE",
         "caf\xc3\xa9 "},
        {{"content-type", "application/grpc", "grpc-status", "3", "grpc-message", "100%"},
         200,
         FTRI_OTLP_REFUSED,
         "gRPC INVALID_ARGUMENT",
         "100%"},
        {{"content-type", "application/grpc", "grpc-status", "99"},
         200,
         FTRI_OTLP_REFUSED,
         "gRPC UNKNOWN",
         ""},
        {{"content-type", "application/grpc", "grpc-status", "-1"},
         200,
         FTRI_OTLP_REFUSED,
         "gRPC UNKNOWN",
         ""},
        {{"content-type", "application/grpc"},
         200,
         FTRI_OTLP_PASSING,
         "",
         "the answer ended before its gRPC status"},
        {{"content-type", "application/grpc", "grpc-status", "8", "grpc-status-details-bin", "!"},
         200,
         FTRI_OTLP_REFUSED,
         "gRPC RESOURCE_EXHAUSTED",
         ""},
        /* grpc/doc/http-grpc-status-mapping.md */
        {{"content-type", "text/html"},
         200,
         FTRI_OTLP_REFUSED,
         "gRPC UNKNOWN",
         "HTTP 200, and no gRPC answer"},
        {{"content-type", "text/html"},
         503,
         FTRI_OTLP_PASSING,
         "gRPC UNAVAILABLE",
         "HTTP 503, and no gRPC answer"},
        {{"content-type", "application/grpcx", "grpc-status", "0"},
         404,
         FTRI_OTLP_REFUSED,
         "gRPC UNIMPLEMENTED",
         "HTTP 404, and no gRPC answer"},
        {{NULL}, 401, FTRI_OTLP_REFUSED, "gRPC UNAUTHENTICATED", "HTTP 401, and no gRPC answer"},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        struct ftri_otlp_verdict verdict;
        assert_int_equal(judge(rows[i].head, rows[i].http_status, "", 0, &verdict), 0);
        if (verdict.kind != rows[i].kind)
            fail_msg("row %zu", i);
        assert_string_equal(verdict.reason, rows[i].reason);
        assert_string_equal(verdict.answer.text, rows[i].text);
    }
}

/* base64 of code 8, details { RetryInfo { retry_delay: 2 s } }, padded and not */
static void test_retry_info(void **state)
{
    (void)state;
    static const char *const details[] = {
        "CAgaMAooidHlwZS4=",
        "CAgaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIAg==",
        "CAgaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIAg",
    };
    for (size_t i = 0; i < FTRI_COUNT(details); i++) {
        const char *const head[] = {"content-type",
                                    "application/grpc",
                                    "grpc-status",
                                    "8",
                                    "grpc-status-details-bin",
                                    details[i],
                                    NULL};
        struct ftri_otlp_verdict verdict;
        assert_int_equal(judge(head, 200, "", 0, &verdict), 0);
        assert_int_equal(verdict.kind, i == 0 ? FTRI_OTLP_REFUSED : FTRI_OTLP_PASSING);
        assert_int_equal(verdict.answer.retry_delay_ns, i == 0 ? 0 : 2 * FTRI_NS_PER_S);
    }
}

static void test_timeouts(void **state)
{
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } rows[] = {
        {0, "grpc-timeout: 1m"},
        {1500 * FTRI_NS_PER_MS, "grpc-timeout: 1500m"},
        {99999999 * FTRI_NS_PER_MS, "grpc-timeout: 99999999m"},
        {100000000 * FTRI_NS_PER_MS, "grpc-timeout: 100000S"},
        {UINT64_MAX, "grpc-timeout: 99999999S"},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        char text[32];
        ftri_grpc_format_timeout(rows[i].ns, text, sizeof text);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_is_framed),
        cmocka_unit_test(test_a_compressed_message_is_bounded),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_retry_info),
        cmocka_unit_test(test_timeouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
