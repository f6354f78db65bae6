/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include "otlp/view.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define DRAIN_NS UINT64_C(30000000000)

static _Atomic uint64_t n_counted;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

void session_fail(const char *what)
{
    fprintf(stderr, "bench-throughput: %s\n", what);
    exit(1);
}

void session_start(ftr_exporter *exporter, const ftr_config *config)
{
    ftr_config own = FTR_CONFIG_INIT;
    ftr_error error = {0};
    if (config)
        own = *config;
    own.exporters = &exporter;
    own.n_exporters = 1;
    if (!exporter || ftr_init(&own, &error) != FTR_OK)
        session_fail(exporter ? error.text : "no exporter");
}

void session_drain(void)
{
    if (ftr_flush(DRAIN_NS) != FTR_OK)
        session_fail("flush failed");
}

uint64_t session_n_lost(const ftr_statistics *counts)
{
    return counts->lost_journal_full + counts->no_slot + counts->exporters[0].lost_queue_full +
           counts->exporters[0].lost_export + counts->exporters[0].rejected;
}

ftr_statistics session_stop(void)
{
    ftr_statistics counts = {.size = sizeof counts};
    session_drain();
    ftr_get_statistics(&counts);
    const ftr_exporter_statistics *exporter = &counts.exporters[0];
    if (counts.started != counts.ended ||
        counts.ended != counts.recorded + counts.lost_journal_full ||
        counts.recorded != exporter->delivered + exporter->rejected + exporter->lost_queue_full +
                               exporter->lost_export)
        session_fail("the accounts do not add up");
    if (ftr_shutdown(DRAIN_NS) != FTR_OK)
        session_fail("shutdown failed");
    return counts;
}

static void count_spans(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                        ftr_export_result *ret_result)
{
    (void)instance;
    (void)deadline_ns;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    const size_t n = ftri_otlp_count_spans(ftri_view_of(batch->otlp, batch->otlp_len));
    if (n != batch->n_spans)
        session_fail("a batch has not the spans that it says");
    atomic_fetch_add(&n_counted, n);
    ret_result->n_delivered = n;
}

ftr_exporter *session_counter_new(void)
{
    static const ftr_exporter_class counter = {
        .size = sizeof counter,
        .name = "counter",
        .form = FTR_EXPORT_OTLP,
        .export_batch = count_spans,
    };
    atomic_store(&n_counted, 0);
    return ftr_exporter_new(&counter, NULL);
}

uint64_t session_counter_n(void)
{
    return atomic_load(&n_counted);
}

void session_counter_hold(void)
{
    pthread_mutex_lock(&gate);
}

void session_counter_release(void)
{
    pthread_mutex_unlock(&gate);
}
