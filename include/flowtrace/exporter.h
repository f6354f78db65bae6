/* SPDX-License-Identifier: Apache-2.0
 *
 * Where finished spans go. An exporter is one const table of functions and an instance.
 *
 * The library calls an exporter from one thread of that exporter, never from a thread that records;
 * a slow exporter delays nobody but its own bounded queue (full: spans are dropped and counted).
 * Retrying inside `export` until the deadline is the exporter's business. Spans that it starts on
 * that thread are not recorded: they would come back to it without end. */
#ifndef FLOWTRACE_EXPORTER_H
#define FLOWTRACE_EXPORTER_H

#include <flowtrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ftr_event_data {
    uint64_t time_ns;
    ftr_str name;
    const ftr_attribute *attributes;
    size_t n_attributes;
    uint32_t n_dropped_attributes;
} ftr_event_data;

typedef struct ftr_link_data {
    ftr_span_context context;
    ftr_str tracestate;
    const ftr_attribute *attributes;
    size_t n_attributes;
    uint32_t n_dropped_attributes;
} ftr_link_data;

/* A finished span as exporters see it; borrowed for the call. */
typedef struct ftr_span_data {
    size_t size;
    ftr_span_context context;
    ftr_span_id parent_span_id;
    bool parent_is_remote;
    ftr_str tracestate;
    ftr_str name;
    ftr_span_kind kind;
    uint64_t start_time_ns; /* Unix epoch */
    uint64_t end_time_ns;
    const ftr_attribute *attributes;
    size_t n_attributes;
    const ftr_event_data *events;
    size_t n_events;
    const ftr_link_data *links;
    size_t n_links;
    uint32_t n_dropped_attributes;
    uint32_t n_dropped_events;
    uint32_t n_dropped_links;
    ftr_span_status status;
    ftr_str status_description;
} ftr_span_data;

/* One batch, in the form the exporter's class asks for. Borrowed for the call. */
typedef struct ftr_export_batch {
    size_t size;
    size_t n_spans;
    const uint8_t *otlp; /* an encoded opentelemetry.proto.trace.v1.TracesData, or NULL */
    size_t otlp_len;
    const ftr_span_data *spans; /* n_spans of them, or NULL */
    const ftr_attribute *resource;
    size_t n_resource;
    /* Of user spans (<flowtrace/user.h>), which are all of one routing: its group key and its
     * encoded text. Else empty. */
    ftr_str routing_key;
    ftr_str routing;
} ftr_export_batch;

enum { FTR_EXPORT_TEXT_BYTES = 512 };

typedef struct ftr_export_result {
    size_t n_delivered;
    size_t n_rejected; /* refused for good by the destination */
    size_t n_lost;     /* given up: deadline, unreachable, not retryable */
    /* Why not all were delivered, or what the destination warns of; for ftr_config's on_diagnostic.
     * Empty when there is nothing to say. */
    char text[FTR_EXPORT_TEXT_BYTES];
} ftr_export_result; /* the three numbers add up to n_spans */

/* Metrics as of now, cumulative; in the form the exporter's class asks for. Borrowed. */
typedef struct ftr_metrics_batch {
    size_t size;
    size_t n_points;
    const uint8_t *otlp; /* an encoded opentelemetry.proto.metrics.v1.MetricsData, or NULL */
    size_t otlp_len;
    const char *text; /* the same as Prometheus' text, or NULL */
    size_t text_len;
} ftr_metrics_batch;

typedef enum ftr_export_form {
    FTR_EXPORT_OTLP = 1, /* `otlp` is filled */
    FTR_EXPORT_SPANS = 2 /* `spans` is filled; of metrics, `text` */
} ftr_export_form;

typedef struct ftr_exporter ftr_exporter;

typedef struct ftr_exporter_class {
    size_t size;
    const char *name; /* for statistics and messages */
    ftr_export_form form;
    /* deadline_ns: CLOCK_MONOTONIC. */
    void (*export_batch)(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                         ftr_export_result *ret_result);
    /* Called once, after the last export; may be NULL. */
    void (*close)(void *instance);
    /* In the child after fork(), when the parent was inside export_batch: makes the instance usable
     * again. NULL: it is not used in such a child; what is recorded there counts as lost. */
    void (*after_fork)(void *instance);
    /* At each interval of <flowtrace/metrics.h>, at ftr_flush and at ftr_shutdown, on the same
     * thread as export_batch; the result's numbers are of points. NULL: takes no metrics. */
    void (*export_metrics)(void *instance, const ftr_metrics_batch *batch, uint64_t deadline_ns,
                           ftr_export_result *ret_result);
} ftr_exporter_class;

/* Takes ownership of instance (closed by the library); NULL when memory is short, instance then
 * stays the caller's. The class must outlive the exporter. */
FTR_API ftr_exporter *ftr_exporter_new(const ftr_exporter_class *exporter_class, void *instance);
/* Only for an exporter that was never given to ftr_init. NULL is fine. */
FTR_API void ftr_exporter_free(ftr_exporter *exporter);

/* One line of text per span on stderr, for local work. */
FTR_API ftr_exporter *ftr_stdio_exporter_new(void);

/* Keeps spans in memory for tests. The store is shared by the exporter and the caller. */
typedef struct ftr_memory_spans ftr_memory_spans;
FTR_API ftr_memory_spans *ftr_memory_spans_new(void);
FTR_API void ftr_memory_spans_unref(ftr_memory_spans *spans);
FTR_API ftr_exporter *ftr_memory_exporter_new(ftr_memory_spans *spans);
FTR_API size_t ftr_memory_spans_count(ftr_memory_spans *spans);
/* The i-th in order of arrival; borrowed until the next reset. False: no such span. */
FTR_API bool ftr_memory_spans_get(ftr_memory_spans *spans, size_t i, ftr_span_data *ret_span);
/* The encoded routing of the i-th, if it is a user span; else empty. Borrowed as above. */
FTR_API ftr_str ftr_memory_spans_routing(ftr_memory_spans *spans, size_t i);
FTR_API void ftr_memory_spans_reset(ftr_memory_spans *spans);

#ifdef __cplusplus
}
#endif

#endif
