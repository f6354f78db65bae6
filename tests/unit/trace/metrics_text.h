/* SPDX-License-Identifier: Apache-2.0
 *
 * The session's metrics as text, of the last time that they were read. */
#pragma once

#include <flowtrace/flowtrace.h>
#include <flowtrace/metrics.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static char metrics_text[1 << 16];

static bool keep_text(void *argument, const char *piece, size_t len)
{
    (void)argument;
    assert_true(len < sizeof metrics_text);
    memcpy(metrics_text, piece, len);
    metrics_text[len] = '\0';
    return true;
}

static const char *read_text(ftr_metrics_format format)
{
    metrics_text[0] = '\0';
    assert_int_equal(ftr_metrics_text(format, keep_text, NULL), FTR_OK);
    return metrics_text;
}
