/* SPDX-License-Identifier: Apache-2.0 */
#include "null_sink.h"

#include <flowtrace/exporter.h>

#include <stdatomic.h>

static _Atomic uint64_t n_arrived;

static void count_spans(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                        ftr_export_result *ret_result)
{
    (void)instance;
    (void)deadline_ns;
    atomic_fetch_add(&n_arrived, batch->n_spans);
    ret_result->n_delivered = batch->n_spans;
}

static const ftr_exporter_class null_sink_class = {
    .size = sizeof null_sink_class,
    .name = "null",
    .form = FTR_EXPORT_OTLP,
    .export_batch = count_spans,
};

ftr_exporter *null_sink_new(void)
{
    return ftr_exporter_new(&null_sink_class, NULL);
}

uint64_t null_sink_count(void)
{
    return atomic_load(&n_arrived);
}
