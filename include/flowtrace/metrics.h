/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics of spans, counted before any sampling, and histograms of the program's own.
 *
 * While the library is initialised it counts every span that was recorded, whatever becomes of the
 * span afterwards: traces.span.metrics.calls, and their durations as a histogram,
 * traces.span.metrics.duration, by service.name, span.name, span.kind, status.code and the
 * attributes that the configuration chooses. Not counted are spans that never reached the library's
 * worker: ftr_statistics' lost_journal_full and no_slot say how many, and what a head sampler does
 * not record. The latter are estimated where it can be done: a span whose tracestate has a sampling
 * threshold (ot=th:...) stands for as many spans as its probability says. Series of such spans, and
 * all of a session whose sampler drops spans without leaving a threshold, have the attribute
 * sampling.estimated=true.
 *
 * They are read as text by whoever serves it to Prometheus, or sent by the exporters as OTLP. */
#ifndef FLOWTRACE_METRICS_H
#define FLOWTRACE_METRICS_H

#include <flowtrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ftr_metrics_unit {
    FTR_METRICS_MILLISECONDS = 0,
    FTR_METRICS_SECONDS = 1
} ftr_metrics_unit;

/* Which spans may stand beside a bucket as its example: OTEL_METRICS_EXEMPLAR_FILTER. */
typedef enum ftr_exemplar_filter {
    FTR_EXEMPLARS_BY_ENVIRONMENT = 0, /* else those of kept spans */
    FTR_EXEMPLARS_TRACE_BASED = 1,    /* spans that are kept: their traces can be found */
    FTR_EXEMPLARS_ALWAYS_ON = 2,      /* all that are counted */
    FTR_EXEMPLARS_ALWAYS_OFF = 3
} ftr_exemplar_filter;

enum { FTR_METRICS_DIMENSIONS_MAX = 16, FTR_METRICS_BOUNDS_MAX = 128 };

/* Zero and NULL mean the default. Read by ftr_init, which copies it. */
typedef struct ftr_metrics_config {
    size_t size;      /* sizeof(ftr_metrics_config) */
    bool is_off;      /* spans are not counted */
    bool is_exported; /* to the exporters of ftr_config that take metrics; where ftr_config names no
                         exporters, OTEL_METRICS_EXPORTER decides */
    bool is_exact; /* a head sampler's dropped spans shall be counted themselves: series are never
                      estimates of what a sampler left out */
    bool is_exponential; /* durations in an exponential histogram, at most 160 buckets */
    ftr_metrics_unit unit;
    ftr_exemplar_filter exemplar_filter;
    /* Attributes of spans, else of the resource, that make series of their own: text, booleans and
     * numbers. At most FTR_METRICS_DIMENSIONS_MAX; a span without one is in a series without. */
    const ftr_str *dimensions;
    size_t n_dimensions;
    /* At most so many series: 2000. What would need another is counted in one with the attribute
     * otel.metric.overflow=true. */
    uint32_t series_max;
    /* Upper bounds of the buckets in the unit, rising, at most FTR_METRICS_BOUNDS_MAX, rounded to
     * nanoseconds; else 2, 4, 6, 8, 10, 50, 100, 200, 400, 800 ms, 1, 1.4, 2, 5, 10 and 15 s. */
    const double *bounds;
    size_t n_bounds;
    uint32_t interval_ms; /* of exports: OTEL_METRIC_EXPORT_INTERVAL, else 60000 */
    uint32_t timeout_ms;  /* of one: OTEL_METRIC_EXPORT_TIMEOUT, else 30000 */
} ftr_metrics_config;

#ifdef __cplusplus
inline ftr_metrics_config ftr_metrics_config_initial()
{
    ftr_metrics_config config = ftr_metrics_config();
    config.size = sizeof(ftr_metrics_config);
    return config;
}
#define FTR_METRICS_CONFIG_INIT (ftr_metrics_config_initial())
#else
#define FTR_METRICS_CONFIG_INIT ((ftr_metrics_config){.size = sizeof(ftr_metrics_config)})
#endif

typedef enum ftr_metrics_format {
    FTR_METRICS_PROMETHEUS = 0, /* text/plain; version=0.0.4 */
    FTR_METRICS_OPENMETRICS = 1 /* application/openmetrics-text; version=1.0.0; with exemplars */
} ftr_metrics_format;

/* Takes the next piece of a text. False: stop. */
typedef bool ftr_metrics_sink(void *argument, const char *text, size_t len);

/* All metrics as of now: target_info (the resource), those of spans, the program's histograms, what
 * its sources write.
 * After ftr_shutdown those of the last session. Any thread, several at once; delays no thread that
 * records. FTR_ERR_MEMORY, with nothing given to the sink; FTR_ERR_IO: the sink stopped;
 * FTR_ERR_INVALID: no such format. */
FTR_API ftr_status ftr_metrics_text(ftr_metrics_format format, ftr_metrics_sink *sink,
                                    void *argument);

/* A histogram of the program's own with at most one label, such as the duration of calls by path.
 * It stands in the text and, while metrics are exported, in what the exporters send. It lives until
 * it is freed, whether or not the library is initialised. */
typedef struct ftr_histogram ftr_histogram;

typedef struct ftr_histogram_options {
    size_t size;
    ftr_str name;  /* letters, digits, _ . and :, the first no digit, at most 255; not taken yet */
    ftr_str help;  /* one sentence, UTF-8 */
    ftr_str unit;  /* of UCUM: "s", "ms", "By"; at the name's end in the text, unless it is there */
    ftr_str label; /* the label's key, as name without :; empty: there is one series */
    const double *bounds; /* upper bounds of the buckets, inclusive and rising; else 0.005, 0.01,
                             0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 */
    size_t n_bounds;
    uint32_t series_max; /* at most so many values of the label, 2000; the others share one series
                            otel.metric.overflow=true */
} ftr_histogram_options;

/* NULL: the error, which may be NULL, says why. */
FTR_API ftr_histogram *ftr_histogram_new(const ftr_histogram_options *options, ftr_error *error);
/* No thread may be recording. NULL is fine. */
FTR_API void ftr_histogram_free(ftr_histogram *histogram);
/* One observation. A negative value or one that is not finite is dropped and counted. Any thread;
 * no lock and no allocation but for a label's first. NULL is fine. */
FTR_API void ftr_histogram_record(ftr_histogram *histogram, ftr_str label, double value);
/* How many were dropped; in the text as flowtrace_observations_dropped_total. */
FTR_API uint64_t ftr_histogram_n_dropped(ftr_histogram *histogram);

/* What the program counts itself, an engine its nodes and channels: a source is asked whenever
 * metrics are read or sent, and writes families, each followed by its points. */
typedef struct ftr_metric_source ftr_metric_source;
typedef struct ftr_metric_writer ftr_metric_writer;

typedef enum ftr_metric_kind {
    FTR_METRIC_COUNTER = 0, /* since start_time_ns; only grows */
    FTR_METRIC_GAUGE = 1,
    FTR_METRIC_HISTOGRAM = 2
} ftr_metric_kind;

typedef struct ftr_metric_family {
    size_t size;
    ftr_str name; /* as a histogram's; different from all others' is for the program to see to */
    ftr_str help;
    ftr_str unit;
    ftr_metric_kind kind;
    bool is_fractional;   /* of counters and gauges: a point's value is its sum */
    const double *bounds; /* of histograms: upper bounds, inclusive, finite and rising */
    size_t n_bounds;
} ftr_metric_family;

typedef struct ftr_metric_point {
    size_t size;
    const ftr_attribute *attributes; /* no two points of a family have the same ones */
    size_t n_attributes;
    uint64_t start_time_ns; /* Unix: since when it counts */
    uint64_t count;         /* counters and gauges: the value; not of histograms */
    double sum;             /* histograms: of all observations */
    const uint64_t *counts; /* histograms: n_bounds + 1, the last above all bounds */
} ftr_metric_point;

/* Everything is borrowed; on whichever thread reads, one at a time, and with locks held: of this
 * library it calls the two functions below alone, and it does not wait for a thread that calls
 * others. */
typedef void ftr_metric_source_callback(void *argument, ftr_metric_writer *writer);

/* NULL: memory is short. It is asked until it is freed, whether or not the library is initialised;
 * not in a forked child. */
FTR_API ftr_metric_source *ftr_metric_source_new(ftr_metric_source_callback *write, void *argument);
/* Waits for a reading that is under way. NULL is fine. */
FTR_API void ftr_metric_source_free(ftr_metric_source *source);
/* False: not written, as it is invalid or the reading has failed; so are the points that follow a
 * family that is not. */
FTR_API bool ftr_metric_write_family(ftr_metric_writer *writer, const ftr_metric_family *family);
FTR_API bool ftr_metric_write_point(ftr_metric_writer *writer, const ftr_metric_point *point);

#ifdef __cplusplus
}
#endif

#endif
