/* SPDX-License-Identifier: Apache-2.0
 *
 * Jaeger's remote sampling (library flowtrace-export; needs libcurl): a server says which traces
 * are recorded. Any that serves jaeger.api_v2.SamplingManager over gRPC: Jaeger's collector, the
 * OpenTelemetry Collector's extension jaegerremotesampling.
 *
 * A thread of its own asks for the service's strategy, at once and then at each interval; until the
 * first one has come initialSamplingRate holds. What the server says last goes on while it does not
 * answer, or with what is none: a ratio of traces (by their ids, as traceidratio), so many new
 * traces a second, or ratios by the name of the span, with a rate that each name has at least (of
 * 4096 names that the server lists, and of the first 2000 that it does not). That it began to fail
 * goes to the diagnostics, once, and so does its end. Answers are at most 4 MiB, calls at most ten
 * seconds.
 *
 * In a child after fork() nobody asks: there the last strategy goes on, until it is shut down and
 * initialised anew. */
#ifndef FLOWTRACE_JAEGER_H
#define FLOWTRACE_JAEGER_H

#include <flowtrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ftr_sampler;                /* <flowtrace/sampler.h> */
struct ftr_remote_sampler_options; /* the same */

/* For ftr_config.remote_sampler. The argument is that of OTEL_TRACES_SAMPLER_ARG, parts of it
 * may be missing: "endpoint=http://localhost:14250,pollingIntervalMs=60000,
 * initialSamplingRate=0.001" (without a space) are the defaults; https:// is verified by the
 * system's authorities. NULL: the error says what is wrong; FTR_ERR_INVALID: with the argument. */
FTR_API struct ftr_sampler *ftr_jaeger_sampler_new(const struct ftr_remote_sampler_options *options,
                                                   ftr_error *error);

#ifdef __cplusplus
}
#endif

#endif
