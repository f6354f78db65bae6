/* SPDX-License-Identifier: Apache-2.0
 *
 * Live spans: those that have been started and not ended, while they run. Reading them delays no
 * thread that records. Spans of the system pipeline that are recorded, whether or not they are
 * exported: all of them with ftr_config.records_dropped, else the sampled ones; never those of
 * users
 * (<flowtrace/user.h>). Any thread; several at once. */
#ifndef FLOWTRACE_LIVE_H
#define FLOWTRACE_LIVE_H

#include <flowtrace/exporter.h>
#include <flowtrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One live span, as exporters see finished ones, but with an end_time_ns of 0, no tracestate and no
 * inherited fields; borrowed for the call. A value that is being replaced right now may be half old
 * and half new. False: no more of them, please. */
typedef bool ftr_live_function(void *argument, const ftr_span_data *span);

/* Calls back for every span that was live when this began and still is when its turn comes, in no
 * particular order. What ends meanwhile is left out. FTR_ERR_STATE: the library is not
 * initialised; FTR_ERR_MEMORY: memory was short for some span. */
FTR_API ftr_status ftr_live_spans(ftr_live_function *each, void *argument);

/* Takes the next piece of a text. False: stop. */
typedef bool ftr_live_sink(void *argument, const char *text, size_t len);

/* The live spans in Chrome's trace-event format, a JSON array that chrome://tracing and Perfetto
 * open: for each span one "B" and one "E" event whose id is the trace id, ts in microseconds since
 * ftr_init, the end now; last an instant event "Trace dump requested". Always a whole JSON text,
 * whatever names hold, unless the sink stops it. Codes as above, FTR_ERR_IO: the sink stopped. */
FTR_API ftr_status ftr_live_write_chrome(ftr_live_sink *sink, void *argument);

#ifdef __cplusplus
}
#endif

#endif
