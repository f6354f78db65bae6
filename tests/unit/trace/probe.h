/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of sessions share: an exporter that hangs while its gate is held and counts what
 * it was given, and short forms of starting, recording and counting. */
#pragma once

#include <flowtrace/flowtrace.h>

#include <setjmp.h>
#include <stdarg.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)
#define MS UINT64_C(1000000)

/* An exporter under the test's control. */
struct probe {
    pthread_mutex_t gate; /* held: exports hang */
    _Atomic size_t n_spans;
    _Atomic size_t n_batches;
    _Atomic bool is_in_export;
    _Atomic bool is_closed;
    char otlp[4096];
    _Atomic size_t otlp_len;
};

static inline void probe_export(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                                ftr_export_result *ret_result)
{
    (void)deadline_ns;
    struct probe *probe = instance;
    atomic_store(&probe->is_in_export, true);
    pthread_mutex_lock(&probe->gate);
    pthread_mutex_unlock(&probe->gate);
    if (batch->otlp_len <= sizeof probe->otlp) {
        memcpy(probe->otlp, batch->otlp, batch->otlp_len);
        atomic_store(&probe->otlp_len, batch->otlp_len);
    }
    atomic_fetch_add(&probe->n_spans, batch->n_spans);
    atomic_fetch_add(&probe->n_batches, 1);
    ret_result->n_delivered = batch->n_spans;
}

static inline void probe_close(void *instance)
{
    struct probe *probe = instance;
    atomic_store(&probe->is_closed, true);
}

static const ftr_exporter_class probe_class = {
    .size = sizeof probe_class,
    .name = "probe",
    .form = FTR_EXPORT_OTLP,
    .export_batch = probe_export,
    .close = probe_close,
};

static inline struct probe *new_probe(void)
{
    struct probe *probe = calloc(1, sizeof *probe);
    pthread_mutex_init(&probe->gate, NULL);
    return probe;
}

static inline void start_with(ftr_config *config, struct probe *probe)
{
    ftr_exporter *exporter = ftr_exporter_new(&probe_class, probe);
    config->exporters = &exporter;
    config->n_exporters = 1;
    ftr_error error = {FTR_OK, ""};
    if (ftr_init(config, &error) != FTR_OK)
        fail_msg("%s", error.text);
}

static inline void record(int n)
{
    for (int i = 0; i < n; i++)
        ftr_span_end(ftr_span_start(FTR_STR("s"), FTR_KIND_INTERNAL, NULL));
}

static inline ftr_statistics counts(void)
{
    ftr_statistics statistics = {.size = sizeof statistics};
    ftr_get_statistics(&statistics);
    return statistics;
}
