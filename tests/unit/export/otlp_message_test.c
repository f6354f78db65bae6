/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies, unpacked again by the codecs (which have tests of their own against others). */
#include "export/otlp_message.h"

#include "base/mem.h"
#include "codec/gzip.h"
#include "codec/zstd.h"
#include "export/otlp_settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* resource_spans 1 { scope_spans 2 { spans 2 { name 5: "abc" } } } */
#define OTLP                                                                                       \
    "\x0a\x09\x12\x07\x12\x05\x2a\x03"                                                             \
    "abc"
#define JSON "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{"

static struct ftri_otlp_settings settings_of(ftr_otlp_protocol protocol,
                                             ftr_otlp_compression compression)
{
    return (struct ftri_otlp_settings){.protocol = protocol, .compression = compression};
}

static void unpack(struct ftri_view body, ftr_otlp_compression compression, struct ftri_bytes *out)
{
    if (compression == FTR_OTLP_GZIP) {
        struct ftri_gunzip *gunzip = ftri_gunzip_new();
        assert_int_equal(ftri_gunzip_feed(gunzip, body, out), 0);
        assert_true(ftri_gunzip_is_complete(gunzip));
        ftri_gunzip_free(gunzip);
    } else if (compression == FTR_OTLP_ZSTD) {
        struct ftri_zstd *zstd = ftri_zstd_new(1);
        assert_int_equal(ftri_zstd_decompress(zstd, body, out), 0);
        ftri_zstd_free(zstd);
    } else {
        assert_int_equal(ftri_bytes_append(out, body.data, body.len), 0);
    }
}

static void assert_body(struct ftri_otlp_body body, ftr_otlp_protocol protocol,
                        ftr_otlp_compression compression)
{
    struct ftri_bytes plain;
    ftri_bytes_init(&plain, 1000);
    if (protocol == FTR_OTLP_GRPC) {
        const uint8_t prefix[] = {compression != FTR_OTLP_PLAIN, 0, 0, 0, (uint8_t)body.rest.len};
        assert_int_equal(body.head.len, sizeof prefix);
        assert_memory_equal(body.head.data, prefix, sizeof prefix);
    } else {
        assert_int_equal(body.head.len, 0);
    }
    unpack(body.rest, compression, &plain);
    if (protocol == FTR_OTLP_HTTP_JSON) {
        assert_true(plain.len > strlen(JSON));
        assert_memory_equal(plain.data, JSON, strlen(JSON));
    } else {
        assert_int_equal(plain.len, sizeof OTLP - 1);
        assert_memory_equal(plain.data, OTLP, plain.len);
    }
    ftri_bytes_deinit(&plain);
}

/* Each request for memory fails in turn: an error, and the next batch is written as if nothing had
 * been. */
static void test_every_form_also_when_memory_is_short(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++) {
        const struct ftri_otlp_settings settings =
            settings_of((ftr_otlp_protocol)(i / 3), (ftr_otlp_compression)(i % 3));
        struct ftri_otlp_message message;
        ftri_otlp_message_init(&message);
        struct ftri_otlp_body body;
        int r = -ENOMEM;
        for (uint64_t n = 1; r < 0; n++) {
            assert_true(n < 50);
            ftri_mem_fail_at(n);
            r = ftri_otlp_message_write(&message, &settings, ftri_view_of(OTLP, sizeof OTLP - 1),
                                        &body);
            ftri_mem_fail_at(0);
            assert_true(r == 0 || r == -ENOMEM);
        }
        assert_body(body, settings.protocol, settings.compression);
        ftri_otlp_message_deinit(&message);
    }
}

static void test_more_than_64_mib_is_refused(void **state)
{
    (void)state;
    static const ftr_otlp_protocol protocols[] = {FTR_OTLP_HTTP_PROTOBUF, FTR_OTLP_GRPC};
    for (size_t i = 0; i < FTRI_COUNT(protocols); i++) {
        const struct ftri_otlp_settings settings = settings_of(protocols[i], FTR_OTLP_PLAIN);
        struct ftri_otlp_message message;
        ftri_otlp_message_init(&message);
        struct ftri_otlp_body body;
        /* Not read. */
        const struct ftri_view huge = {(const uint8_t *)OTLP, ((size_t)64 << 20) + 1};
        assert_int_equal(ftri_otlp_message_write(&message, &settings, huge, &body), -EMSGSIZE);
        ftri_otlp_message_deinit(&message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_also_when_memory_is_short),
        cmocka_unit_test(test_more_than_64_mib_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
