/* SPDX-License-Identifier: Apache-2.0
 *
 * An exporter that keeps the OTLP bytes of its last batch, for tests that look into them. */
#pragma once

#include <flowtrace/flowtrace.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static char sent[4096];
static size_t sent_len;

static void keep_sent(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                      ftr_export_result *ret_result)
{
    (void)instance, (void)deadline_ns;
    sent_len = batch->otlp_len < sizeof sent ? batch->otlp_len : sizeof sent;
    memcpy(sent, batch->otlp, sent_len);
    ret_result->n_delivered = batch->n_spans;
}

static const ftr_exporter_class keeper = {
    .size = sizeof keeper,
    .name = "keeper",
    .form = FTR_EXPORT_OTLP,
    .export_batch = keep_sent,
};

static bool was_sent(const void *bytes, size_t len)
{
    return memmem(sent, sent_len, bytes, len) != NULL;
}
