/* SPDX-License-Identifier: Apache-2.0
 *
 * A sampler of your own: decides whether a trace that begins here, or comes in from elsewhere, is
 * recorded. Set as ftr_config.sampler_class; the samplers that have a name need none of this, but
 * for jaeger_remote: what makes it is set as ftr_config.remote_sampler.
 *
 * It is asked once for each local root, that is, a span with no parent or a remote one; all spans
 * below follow it. A span whose start says a sampling_ratio does not ask. */
#ifndef FLOWTRACE_SAMPLER_H
#define FLOWTRACE_SAMPLER_H

#include <flowtrace/context.h>
#include <flowtrace/span.h>
#include <flowtrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ftr_decision {
    FTR_DECISION_DROP = 0,   /* a no-op that keeps trace id, span id and tracestate */
    FTR_DECISION_RECORD = 1, /* recorded, for metrics, taps and live spans, and not exported: what
                                leaves the process says that it is not sampled */
    FTR_DECISION_SAMPLE = 2  /* recorded and exported */
} ftr_decision;

enum { FTR_TRACESTATE_MAX = 4096 };

/* Borrowed for the call. */
typedef struct ftr_sampling_question {
    size_t size;
    const ftr_span_options *span; /* what is being started: name, kind, attributes, links */
    const ftr_context *parent;    /* the remote parent; NULL: a new trace */
    ftr_trace_id trace_id; /* the parent's, or the new trace's: its last 7 bytes are random */
    char *room;            /* FTR_TRACESTATE_MAX bytes, for a new tracestate */
} ftr_sampling_question;

typedef struct ftr_sampler_class {
    size_t size;
    const char *name;
    /* *tracestate is the parent's, empty without one. To change what the trace carries on, point it
     * to other text, in question->room or in memory that outlives the call; one that is not valid
     * is reported to ftr_config.on_diagnostic and not taken. A sampler whose decisions have another
     * probability than the tracestate says (ot=th:...) has to say so there.
     * Called by any thread, by several at once; what it starts itself is not recorded. Any
     * value that is not an ftr_decision drops. */
    ftr_decision (*decide)(void *instance, const ftr_sampling_question *question,
                           ftr_str *tracestate);
    /* Of what ftr_sampler_new made: called once, when nobody is in decide or will be, and may not
     * call set-up functions, nor wait for somebody who does; may be NULL.
     * Not called for ftr_config.sampler_class, whose instance is the caller's. */
    void (*close)(void *instance);
} ftr_sampler_class;

/* A sampler that is handed over, with its instance. */
typedef struct ftr_sampler ftr_sampler;

/* Takes ownership of instance; NULL when memory is short, instance then stays the caller's. The
 * class must outlive the sampler. */
FTR_API ftr_sampler *ftr_sampler_new(const ftr_sampler_class *sampler_class, void *instance);
/* Only for a sampler that the library has not got. NULL is fine. */
FTR_API void ftr_sampler_free(ftr_sampler *sampler);

/* What ftr_config.remote_sampler is called with. Borrowed for the call, but for the last two. */
typedef struct ftr_remote_sampler_options {
    size_t size;
    ftr_str service_name;
    ftr_str argument; /* as in OTEL_TRACES_SAMPLER_ARG; may be empty */
    /* A warning, on any thread, until the sampler is closed; may be NULL. */
    void (*on_diagnostic)(void *argument, const char *text);
    void *diagnostic_argument;
} ftr_remote_sampler_options;

#ifdef __cplusplus
}
#endif

#endif
