/* SPDX-License-Identifier: Apache-2.0
 *
 * A text in the Collector's form, turned into ours. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "config/document.h"
#include "nodes/collector/form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct {
    struct config_document *document;
    const struct config_value *root;
    struct ftri_bytes text, warnings;
    struct ftri_error error;
} it;

static inline void warn(void *argument, const char *text)
{
    (void)argument;
    assert_int_equal(ftri_bytes_printf(&it.warnings, "%s\n", text), 0);
}

static inline int translate(const char *text)
{
    it.error = (struct ftri_error){{0}};
    ftri_bytes_init(&it.text, 1 << 20);
    ftri_bytes_init(&it.warnings, 1 << 20);
    if (config_parse(ftr_str_from(text), "c.yaml", &it.document, &it.error) < 0)
        fail_msg("%s", it.error.text);
    assert_true(collector_form_is(it.document));
    const struct collector_form form = {.document = it.document, .warn = warn};
    return collector_form_read(&form, &it.root, &it.error);
}

static inline void leave(void)
{
    config_free(it.document);
    ftri_bytes_deinit(&it.text);
    ftri_bytes_deinit(&it.warnings);
}

static inline void check_refusal(const char *text, const char *expected)
{
    if (translate(text) == 0)
        fail_msg("expected a refusal: %s", text);
    assert_string_equal(it.error.text, expected);
    leave();
}

#define OTLP "receivers: {otlp: {protocols: {grpc: }}}\n"
#define DEBUG "exporters: {debug: }\n"
#define SERVICE "service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}\n"
