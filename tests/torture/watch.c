/* SPDX-License-Identifier: Apache-2.0
 *
 * Live spans listed and written as Chrome's events, a tap, and a span that is still open at the
 * shutdown, which reports it. */
#include "library.h"

#include <flowtrace/live.h>
#include <flowtrace/tap.h>
#include <string.h>

enum { OPEN = 20, LARGE = 3000 };

static struct {
    size_t n_live, n_tapped, n_lost, n_unfinished, n_written;
    ftr_status listed, written;
    bool has_tap;
} seen;

static bool count_live(void *argument, const ftr_span_data *span)
{
    (void)argument;
    EXPECT(span->end_time_ns == 0 && span->n_attributes == 1);
    EXPECT(span->attributes[0].value.as.str.len == LARGE);
    seen.n_live++;
    return true;
}

static bool count_unfinished(void *argument, const ftr_span_data *span)
{
    (void)argument, (void)span;
    seen.n_unfinished++;
    return true;
}

static bool count_text(void *argument, const char *text, size_t len)
{
    (void)argument, (void)text;
    seen.n_written += len;
    return true;
}

static void read_tap(ftr_tap *tap)
{
    ftr_span_data span;
    ftr_status status;
    while ((status = ftr_tap_next(tap, 0, &span)) != FTR_ERR_TIMEOUT)
        seen.n_tapped += status == FTR_OK;
    seen.n_lost = ftr_tap_n_lost(tap);
    ftr_tap_free(tap);
}

static void act(void)
{
    ftr_span spans[OPEN];
    char large[LARGE];
    memset(large, 'x', sizeof large);
    memset(&seen, 0, sizeof seen);
    ftr_tap *tap = ftr_tap_new();
    seen.has_tap = tap != NULL;
    for (int i = 0; i < OPEN; i++) {
        spans[i] = ftr_span_start(FTR_STR("open"), FTR_KIND_INTERNAL, NULL);
        ftr_span_set_str(spans[i], FTR_STR("large"), (ftr_str){large, sizeof large});
    }
    seen.listed = ftr_live_spans(count_live, NULL);
    seen.written = ftr_live_write_chrome(count_text, NULL);
    for (int i = 1; i < OPEN; i++)
        ftr_span_end(spans[i]);
    (void)ftr_flush(UINT64_C(60000000000));
    if (tap)
        read_tap(tap);
}

static void configure(ftr_config *config, ftr_exporter **exporters)
{
    (void)exporters;
    config->unfinished = count_unfinished;
}

static void check(const struct library *self, bool is_whole)
{
    if (self->status != FTR_OK) {
        EXPECT(seen.listed == FTR_ERR_STATE && seen.written == FTR_ERR_STATE);
        return;
    }
    EXPECT(seen.listed == FTR_OK ? seen.n_live == self->statistics.started
                                 : seen.listed == FTR_ERR_MEMORY);
    EXPECT(seen.written == FTR_OK || seen.written == FTR_ERR_MEMORY);
    EXPECT(!seen.has_tap || seen.n_tapped + seen.n_lost == self->statistics.recorded);
    EXPECT(self->statistics.open <= 1);
    EXPECT(!is_whole || (seen.n_live == OPEN && seen.n_tapped == OPEN - 1 &&
                         seen.n_unfinished == 1 && seen.n_written > 0));
}

void torture_run(void)
{
    static const struct library_use use = {
        .configure = configure, .act = act, .check = check, .n_delivered = OPEN - 1};
    library_run(&use);
}
