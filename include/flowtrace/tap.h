/* SPDX-License-Identifier: Apache-2.0
 *
 * Tap: every finished span of the system pipeline, read in this process while it runs; no exporter,
 * no collector needed.
 *
 *     ftr_tap *tap = ftr_tap_new();
 *     ftr_span_data span;
 *     while (ftr_tap_next(tap, 1000000000, &span) == FTR_OK)
 *         show(&span);
 *
 * Nothing is kept for nobody: a tap gets what is recorded from its making on, also over several
 * sessions of the library. It holds FTR_TAP_SPANS spans and 16 MiB at most; a reader that stalls
 * loses what comes then, counted, and delays nobody. A tap is one thread's. */
#ifndef FLOWTRACE_TAP_H
#define FLOWTRACE_TAP_H

#include <flowtrace/exporter.h>
#include <flowtrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FTR_TAP_SPANS = 4096, FTR_TAPS_MAX = 16 };

typedef struct ftr_tap ftr_tap;

/* NULL: memory is short, or there are FTR_TAPS_MAX taps. May come before ftr_init. */
FTR_API ftr_tap *ftr_tap_new(void);
FTR_API void ftr_tap_free(ftr_tap *tap);
/* The next span in the order of their ends (on each thread), at most a tenth of a second after its
 * end; borrowed until the next call on this tap. Waits at most timeout_ns, 0: not at all.
 * FTR_ERR_TIMEOUT: there is none. FTR_ERR_MEMORY: memory was short to read one; it is lost and
 * counted. */
FTR_API ftr_status ftr_tap_next(ftr_tap *tap, uint64_t timeout_ns, ftr_span_data *ret_span);
/* How many spans this tap has lost so far. Any thread. */
FTR_API uint64_t ftr_tap_n_lost(const ftr_tap *tap);

#ifdef __cplusplus
}
#endif

#endif
