/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/metric_export.h"

#include "trace/clock.h"
#include "trace/diagnostics.h"
#include "trace/exporter.h"
#include "trace/metrics.h"

#define MESSAGE_LIMIT ((size_t)1 << 30)

void ftri_metric_export_init(struct ftri_metric_export *self)
{
    *self = (struct ftri_metric_export){.has_told = false};
    ftri_bytes_init(&self->message, MESSAGE_LIMIT);
}

void ftri_metric_export_deinit(struct ftri_metric_export *self)
{
    ftri_bytes_deinit(&self->message);
}

bool ftri_metric_export_is_taken(const struct ftr_exporter *exporter)
{
    const ftr_exporter_class *exporter_class = exporter->exporter_class;
    return exporter_class->size > offsetof(ftr_exporter_class, export_metrics) &&
           exporter_class->export_metrics;
}

/* The message's bytes hold them, in the exporter's form. */
static bool collect(struct ftri_metric_export *self, const struct ftr_exporter *exporter,
                    ftr_metrics_batch *ret_batch)
{
    const bool is_otlp = exporter->exporter_class->form == FTR_EXPORT_OTLP;
    struct ftri_bytes *out = &self->message;
    ftri_bytes_reset(out);
    const int rc = is_otlp ? ftri_metrics_encode(out, &ret_batch->n_points)
                           : ftri_metrics_print(out, &ret_batch->n_points);
    if (rc < 0)
        return false;
    if (is_otlp) {
        ret_batch->otlp = out->data;
        ret_batch->otlp_len = out->len;
    } else {
        ret_batch->text = (const char *)out->data;
        ret_batch->text_len = out->len;
    }
    return true;
}

/* The next export says it all again: a failure is told once, until there was a success. */
static void settle(struct ftri_metric_export *self, const struct ftr_exporter *exporter,
                   const struct ftri_teller *teller, size_t n_points,
                   const ftr_export_result *result)
{
    const bool is_whole = result->n_delivered == n_points;
    atomic_fetch_add(is_whole ? &self->n_exported : &self->n_failed, 1);
    if (!is_whole && !self->has_told && !self->is_implied)
        ftri_tell(teller, "exporter %.64s: metrics: %zu of %zu points not delivered%s%.*s",
                  exporter->exporter_class->name, n_points - result->n_delivered, n_points,
                  result->text[0] ? ": " : "", FTR_EXPORT_TEXT_BYTES - 1, result->text);
    self->has_told = !is_whole;
}

void ftri_metric_export_run(struct ftri_metric_export *self, const struct ftr_exporter *exporter,
                            const struct ftri_teller *teller, uint64_t deadline_ns,
                            _Atomic bool *is_busy)
{
    ftr_metrics_batch batch = {.size = sizeof batch};
    ftr_export_result result = {0};
    if (!collect(self, exporter, &batch)) {
        atomic_fetch_add(&self->n_failed, 1);
        return;
    }
    if (batch.n_points == 0)
        return;
    if (ftri_clock_monotonic_ns() < deadline_ns) {
        atomic_store(is_busy, true);
        exporter->exporter_class->export_metrics(exporter->instance, &batch, deadline_ns, &result);
        atomic_store(is_busy, false);
    }
    result.text[sizeof result.text - 1] = '\0';
    result.n_delivered = ftri_size_min(result.n_delivered, batch.n_points);
    settle(self, exporter, teller, batch.n_points, &result);
}

void ftri_metric_export_after_fork(struct ftri_metric_export *self)
{
    const bool is_implied = self->is_implied;
    ftri_metric_export_init(self);
    self->is_implied = is_implied;
}
