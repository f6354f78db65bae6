/* SPDX-License-Identifier: Apache-2.0
 *
 * Setting the library up, changing its mode, reading its accounts, shutting it down.
 * These are the only calls that can fail. Everything may be called from any thread. */
#ifndef FLOWTRACE_TRACING_H
#define FLOWTRACE_TRACING_H

#include <flowtrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ftr_exporter ftr_exporter; /* <flowtrace/exporter.h> */
struct ftr_span_data;                     /* the same */
struct ftr_sampler;                       /* <flowtrace/sampler.h> */
struct ftr_sampler_class;                 /* the same */
struct ftr_remote_sampler_options;        /* the same */
struct ftr_metrics_config;                /* <flowtrace/metrics.h> */
struct ftr_tail_config;                   /* <flowtrace/tail.h> */
struct ftr_user_config;                   /* <flowtrace/user.h> */

/* Zero and NULL mean: the environment's value, else the default (OpenTelemetry SDK variables). */
typedef struct ftr_limits {
    uint32_t attributes;           /* per span, 128 */
    uint32_t events;               /* per span, 128 */
    uint32_t links;                /* per span, 128 */
    uint32_t attributes_per_event; /* 128 */
    uint32_t attributes_per_link;  /* 128 */
    uint32_t value_length;         /* characters of a string value; 0: no limit */
} ftr_limits;

typedef struct ftr_config {
    size_t size;                   /* sizeof(ftr_config) */
    ftr_str service_name;          /* OTEL_SERVICE_NAME, else unknown_service:<process> */
    const ftr_attribute *resource; /* added to OTEL_RESOURCE_ATTRIBUTES, beats it */
    size_t n_resource;
    ftr_exporter *const *exporters; /* owned by the library once ftr_init succeeded */
    size_t n_exporters;             /* 0: what the environment names, else none */
    /* Builds the OTLP exporter that the environment asks for: pass
     * ftr_otlp_exporter_from_environment of <flowtrace/otlp.h> (library flowtrace-export). NULL:
     * such a wish is an error. */
    ftr_exporter *(*otlp_exporter)(ftr_error *error);
    bool is_off; /* start in FTR_MODE_OFF */
    ftr_limits limits;
    size_t queue_bytes;         /* per exporter: 16 MiB */
    size_t batch_bytes;         /* 512 KiB; at most half of queue_bytes */
    uint32_t batch_delay_ms;    /* 200 */
    uint32_t export_timeout_ms; /* 10000 */
    size_t journal_bytes;       /* per thread that ends spans: 8 MiB, rounded up to 2^n */
    uint32_t open_spans;        /* per thread that starts spans: 65536 */
    bool records_call_sites;    /* spans of scope macros get code.file.path, code.line.number and
                                   code.function.name */
    /* Called by ftr_shutdown, on its thread, for each span that is still open (as ftr_live_spans of
     * <flowtrace/live.h> does); NULL: they are only counted. Must not call set-up functions. */
    bool (*unfinished)(void *argument, const struct ftr_span_data *span);
    void *unfinished_argument;
    /* Not 0: spans that have been open for this long are exported as they are, and again at each
     * such interval, and at ftr_shutdown all that are open: with an end time of 0, without
     * tracestate and inherited fields. The finished span follows under the same id. In
     * FTR_MODE_TAIL only of flows that are kept already; at ftr_shutdown they follow their flow. */
    uint32_t pending_interval_ms;
    /* Which traces are recorded, decided at local roots (spans with no parent, or a remote one).
     * A name with its argument as in OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG, which count
     * only where sampler is empty; then parentbased_always_on. Names: always_on, always_off,
     * traceidratio and probability (a ratio, 1.0), the four also behind parentbased_ (a remote
     * parent's sampled flag decides), parentbased_ratelimiting (new traces per second, 100),
     * passive (sampled parents only), jaeger_remote and parentbased_jaeger_remote (see
     * remote_sampler). Not one of them, or not such an argument: FTR_ERR_INVALID. */
    ftr_str sampler;
    ftr_str sampler_argument;
    /* Instead: asked at every local root. The instance is the caller's; both must be there until
     * ftr_shutdown returned something else than FTR_ERR_TIMEOUT. */
    const struct ftr_sampler_class *sampler_class;
    void *sampler_instance;
    /* At most so many of the new traces that the sampler would take; 0: no limit. */
    double max_traces_per_second;
    /* Told what nobody else would hear: a setting of the environment that is not used because it is
     * wrong, what an exporter or its destination says about spans it did not take. One sentence,
     * borrowed for the call; at most one a second from each exporter. Called by ftr_init and on any
     * thread, also on the library's, which it may not call back; after an ftr_shutdown that ran out
     * of time possibly once more. NULL: a few such lines a minute go to stderr, as OTEL_LOG_LEVEL
     * allows (none; error: lost spans only; else all). */
    void (*on_diagnostic)(void *argument, const char *text);
    void *diagnostic_argument;
    /* Whose names visits have (<flowtrace/flow.h>), and whose fields spans have beside those that
     * the program gives them: "flowtrace", "foundations-5.8", "krishiv", "numaflow-1.8", "otelcol"
     * or "reflow"; docs/conventions.md says what each changes. "krishiv": every span has its own
     * traceparent and, if there is one, tracestate as attributes, the resource has
     * deployment.target (of `resource`, else KRISHIV_DEPLOYMENT_TARGET, else "unknown").
     * Empty: FLOWTRACE_CONVENTIONS, else "flowtrace". Another name: FTR_ERR_INVALID. */
    ftr_str conventions;
    /* Where FTR_CONFIG_INIT stands ("file:line"), for the answer to a second ftr_init; may be
     * NULL. */
    const char *place;
    /* The same as otlp_exporter for `otlp/stdout` in OTEL_TRACES_EXPORTER: pass
     * ftr_otlp_stdout_exporter_new. */
    ftr_exporter *(*otlp_stdout_exporter)(ftr_error *error);
    const struct ftr_metrics_config *metrics; /* of spans; NULL: counted, by defaults */
    /* The mode to start in, if has_mode; else FLOWTRACE_MODE (off, full or tail), else
     * FTR_MODE_FULL. is_off beats the environment and contradicts any other mode. */
    bool has_mode;
    ftr_mode mode;
    /* What a sampler drops is recorded and not exported, as if it had said FTR_DECISION_RECORD:
     * metrics count every span, at the price of recording it. */
    bool records_dropped;
    /* What FTR_MODE_TAIL keeps; copied, and good for every switch to that mode. NULL: the
     * environment's values (FLOWTRACE_TAIL_*), else those of FTR_TAIL_CONFIG_INIT. */
    const struct ftr_tail_config *tail;
    const struct ftr_user_config *user; /* spans of users; NULL: off */
    /* Spans in an exporter's queue and in one of its batches, beside the bytes; a batch has at most
     * queue_spans. 0: OTEL_BSP_MAX_QUEUE_SIZE and OTEL_BSP_MAX_EXPORT_BATCH_SIZE, which count only
     * where queue_bytes and batch_bytes are 0, else no limit. */
    uint32_t queue_spans;
    uint32_t batch_spans;
    /* The same as otlp_exporter for the samplers jaeger_remote and parentbased_jaeger_remote: pass
     * ftr_jaeger_sampler_new of <flowtrace/jaeger.h>. NULL: with that name in `sampler` ftr_init
     * fails; with that in the environment the default sampler is used, and a diagnostic says so. */
    struct ftr_sampler *(*remote_sampler)(const struct ftr_remote_sampler_options *options,
                                          ftr_error *error);
} ftr_config;

#define FTR_PLACE_TEXT(line) #line
#define FTR_PLACE_LINE(line) FTR_PLACE_TEXT(line)
#define FTR_PLACE __FILE__ ":" FTR_PLACE_LINE(__LINE__)

#ifdef __cplusplus
inline ftr_config ftr_config_initial(const char *place)
{
    ftr_config config = ftr_config();
    config.size = sizeof(ftr_config);
    config.place = place;
    return config;
}
#define FTR_CONFIG_INIT (ftr_config_initial(FTR_PLACE))
#else
#define FTR_CONFIG_INIT ((ftr_config){.size = sizeof(ftr_config), .place = FTR_PLACE})
#endif

/* Starts the library. config NULL: the environment alone. error may be NULL. A second call without
 * a shutdown in between is FTR_ERR_STATE, and the error says who made the first one: place, thread,
 * service and time. On failure nothing was started or taken. */
FTR_API ftr_status ftr_init(const ftr_config *config, ftr_error *error);
/* Whether there are conventions of this name, in any case: FTR_OK, or FTR_ERR_INVALID with what is
 * wrong and the nearest name. error may be NULL. */
FTR_API ftr_status ftr_convention_check(ftr_str name, ftr_error *error);
/* Waits until what was ended before this call reached its exporters and they answered. In
 * FTR_MODE_TAIL that is what is decided; flows that wait go on waiting. timeout_ns counts from now.
 * FTR_ERR_TIMEOUT: not all of it. */
FTR_API ftr_status ftr_flush(uint64_t timeout_ns);
/* Flushes, closes the exporters, stops the threads, frees what nobody uses. Spans still open are
 * counted as such; flows that wait are decided as they stand. Returns within timeout_ns (+ 100 ms).
 * Recording afterwards is a no-op. */
FTR_API ftr_status ftr_shutdown(uint64_t timeout_ns);

/* Any time, by any thread; a value that is no mode changes nothing. From FTR_MODE_TAIL to
 * FTR_MODE_FULL all flows that wait are kept; to FTR_MODE_OFF they are decided as they stand, and
 * so are those whose spans still end. Either way spans of flows that were dropped go after them;
 * and what was begun in FTR_MODE_FULL is kept in FTR_MODE_TAIL. So a flow is exported whole or not
 * at all. */
FTR_API void ftr_set_mode(ftr_mode mode);
FTR_API ftr_mode ftr_get_mode(void);

/* Counted at their own places, none computed from others. With recording at rest:
 * started = ended + open; ended = recorded + lost_journal_full; for each exporter,
 * recorded + pending = delivered + rejected + lost_queue_full + lost_export + queued
 *                      + sampled_out + waiting. */
typedef struct ftr_exporter_statistics {
    const char *name;
    uint64_t delivered;
    uint64_t rejected;
    uint64_t lost_queue_full;
    uint64_t lost_export; /* gave up sending */
    uint64_t queued;      /* accepted, no outcome yet */
} ftr_exporter_statistics;

enum { FTR_EXPORTERS_MAX = 8 };

typedef struct ftr_statistics {
    size_t size;
    uint64_t started;
    uint64_t ended;
    uint64_t open;              /* after ftr_shutdown: the spans that were never ended */
    uint64_t recorded;          /* reached the worker */
    uint64_t lost_journal_full; /* ended, but the thread's journal had no room */
    uint64_t no_slot;           /* not started: the thread's slots were all taken */
    uint64_t stale;             /* calls on spans that had ended, with their session too, or were
                                   never there; goes on after ftr_shutdown */
    uint64_t dropped_attributes;
    uint64_t dropped_events;
    uint64_t dropped_links;
    size_t n_exporters;
    ftr_exporter_statistics exporters[FTR_EXPORTERS_MAX];
    uint64_t pending;         /* copies of open spans for the exporters, see pending_interval_ms */
    uint64_t roots_dropped;   /* local roots that the sampler did not take; not started */
    uint64_t roots_over_rate; /* of these, by max_traces_per_second or parentbased_ratelimiting */
    uint64_t metric_series;   /* of spans, see <flowtrace/metrics.h> */
    uint64_t metrics_overflowed; /* spans that were counted in the series of the overflow */
    uint64_t metrics_missed;     /* spans that were not counted: memory was short */
    uint64_t metrics_exported;   /* exports that exporters delivered */
    uint64_t metrics_failed;     /* exports that they did not, or not wholly */
    uint64_t roots_recorded;     /* local roots that are recorded and not exported */
    uint64_t sampled_out; /* spans that were not meant to be exported: those of roots_recorded,
                             those of flows that FTR_MODE_TAIL did not keep */
    uint64_t waiting;     /* spans whose flows are not decided yet */
    /* Flows decided in FTR_MODE_TAIL. */
    uint64_t tail_kept[8]; /* by ftr_tail_reason, the first one that held */
    uint64_t tail_dropped;
    uint64_t tail_by_end;    /* these four add up to the flows above */
    uint64_t tail_by_age;    /* before they ended: max_age_ns, */
    uint64_t tail_by_budget; /* budget_bytes, or memory was short, */
    uint64_t tail_by_order;  /* ftr_set_mode, ftr_shutdown */
    uint64_t tail_late;      /* spans that followed the verdict on their flow */
    uint64_t tail_missed;    /* late spans and crossings that would have kept a dropped flow */
    uint64_t tail_forgotten; /* verdicts on flows that were decided before they ended: what still
                                comes of these is decided anew, so they may be exported in part */
    uint64_t tail_crossings_lost; /* contexts written for other processes of which the flow does not
                                     know: the thread's journal had no room */
    /* Of the user pipeline (ftr_get_user_statistics), whose roots_dropped are those whose routing
     * was refused. */
    uint64_t lost_no_routing; /* ended, but their routing had to make room, or never was */
    uint64_t routings;        /* in the table */
} ftr_statistics;

/* ret_statistics->size is set by the caller. */
FTR_API void ftr_get_statistics(ftr_statistics *ret_statistics);

#ifdef __cplusplus
}
#endif

#endif
