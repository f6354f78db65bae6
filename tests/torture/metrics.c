/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics of spans with a dimension, more series than there may be, a histogram of the program's,
 * written in both forms. */
#include "library.h"

#include <flowtrace/metrics.h>
#include <string.h>

enum { SPANS = 60, CLASSES = 6, SERIES = 4, FORMS = 2, TEXT_BYTES = 64 * 1024 };
enum { OVERFLOWED = SPANS / CLASSES * (CLASSES - (SERIES - 1)) }; /* its series is one of them */

static struct text {
    ftr_status status;
    size_t len;
    char text[TEXT_BYTES];
} texts[FORMS];
static bool has_histogram;

static bool take(void *argument, const char *text, size_t len)
{
    struct text *self = argument;
    EXPECT(self->len + len < TEXT_BYTES);
    memcpy(self->text + self->len, text, len);
    self->len += len;
    return true;
}

static void record_spans(void)
{
    for (int i = 0; i < SPANS; i++) {
        char class[] = "class 0";
        class[sizeof class - 2] = (char)('0' + i % CLASSES);
        const ftr_span span = ftr_span_start(FTR_STR("serve"), FTR_KIND_SERVER, NULL);
        ftr_span_set_text(span, FTR_STR("class"), class);
        ftr_span_end(span);
    }
}

static void act(void)
{
    const ftr_histogram_options options = {.size = sizeof options,
                                           .name = FTR_STR("call_seconds"),
                                           .help = FTR_STR("Calls."),
                                           .label = FTR_STR("path")};
    ftr_histogram *histogram = ftr_histogram_new(&options, NULL);
    has_histogram = histogram != NULL;
    record_spans();
    ftr_histogram_record(histogram, FTR_STR("/a"), 0.25);
    ftr_histogram_record(histogram, FTR_STR("/b"), -1);
    (void)ftr_flush(UINT64_C(60000000000));
    for (int i = 0; i < FORMS; i++) {
        texts[i].len = 0;
        texts[i].status = ftr_metrics_text((ftr_metrics_format)i, take, &texts[i]);
        texts[i].text[texts[i].len] = '\0';
    }
    ftr_histogram_free(histogram);
}

static void configure(ftr_config *config, ftr_exporter **exporters)
{
    static const ftr_str dimension = {"class", 5};
    static ftr_metrics_config metrics;
    (void)exporters;
    metrics = FTR_METRICS_CONFIG_INIT;
    metrics.dimensions = &dimension;
    metrics.n_dimensions = 1;
    metrics.is_exponential = true;
    metrics.series_max = SERIES;
    config->metrics = &metrics;
}

static void check(const struct library *self, bool is_whole)
{
    const ftr_statistics *s = &self->statistics;
    for (int i = 0; i < FORMS; i++) {
        EXPECT(texts[i].status == FTR_OK || texts[i].status == FTR_ERR_MEMORY);
        EXPECT(texts[i].status == FTR_OK || texts[i].len == 0);
        EXPECT(!is_whole || (texts[i].status == FTR_OK && has_histogram));
        EXPECT(!is_whole || strstr(texts[i].text, "call_seconds_sum{path=\"/a\"} 0.25\n"));
        EXPECT(!is_whole || strstr(texts[i].text, "class=\"class 2\"} 10\n"));
        EXPECT(!is_whole || strstr(texts[i].text, "otel_metric_overflow=\"true\"} 30\n"));
    }
    EXPECT(s->metrics_overflowed + s->metrics_missed <= s->recorded);
    EXPECT(!is_whole || (s->metrics_overflowed == OVERFLOWED && s->metrics_missed == 0));
}

void torture_run(void)
{
    static const struct library_use use = {
        .configure = configure, .act = act, .check = check, .n_delivered = SPANS};
    library_run(&use);
}
