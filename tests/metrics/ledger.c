/* SPDX-License-Identifier: Apache-2.0
 *
 * Records spans on four threads and keeps a ledger of its own, one line a span on stdout, written
 * from what it told the library: name, status, start and end. Then prints what the library counted.
 *
 *   metrics-ledger MODE BUCKETS FORMAT     full | tail=SHARE; explicit | exponential;
 *                                          prometheus | openmetrics
 *
 * A fifth thread reads the text again and again meanwhile. Exit 2: this library has no such mode.
 */
#include <flowtrace/flowtrace.h>
#include <flowtrace/tail.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE_NS UINT64_C(1700000000000000000)
#define SECOND UINT64_C(1000000000)

enum { THREADS = 4, SPANS = 20000, NAMES = 5 };

static const char *const names[NAMES] = {"read", "parse", "GET /a\"b\\c", "grüße\nzwei", "write"};

struct row {
    const char *name;
    ftr_span_status status;
    uint64_t start_ns;
    uint64_t end_ns;
};

static struct row ledger[THREADS][SPANS];
static _Atomic bool is_done;

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* From 0 ns to minutes; often exactly a bound or next to one. */
static uint64_t random_duration(uint64_t *state)
{
    static const uint64_t bounds_ms[] = {2, 4, 10, 200, 1000, 1400, 15000};
    const uint64_t kind = next_random(state) % 4;
    if (kind == 0)
        return bounds_ms[next_random(state) % 7] * 1000000 + next_random(state) % 3 - 1;
    if (kind == 1)
        return next_random(state) % 4;
    return next_random(state) >> (28 + next_random(state) % 30);
}

static void record_one(struct row *row, uint64_t *state)
{
    row->name = names[next_random(state) % NAMES];
    row->status = (ftr_span_status)(next_random(state) % 3);
    row->start_ns = BASE_NS + next_random(state) % SECOND;
    row->end_ns = row->start_ns + random_duration(state);
    ftr_span_options options = {.size = sizeof options};
    options.name = ftr_str_from(row->name);
    options.kind = FTR_KIND_SERVER;
    options.start_time_ns = row->start_ns;
    const ftr_span span = ftr_span_start_with(&options);
    if (row->status != FTR_SPAN_UNSET)
        ftr_span_set_status(span, row->status, FTR_STR(""));
    ftr_span_end_at(span, row->end_ns);
}

static void *record(void *argument)
{
    struct row *rows = argument;
    uint64_t state = 88172645463325252u + (uint64_t)(rows - ledger[0]);
    for (size_t i = 0; i < SPANS; i++)
        record_one(&rows[i], &state);
    return NULL;
}

static bool ignore(void *argument, const char *text, size_t len)
{
    size_t *n_bytes = argument;
    *n_bytes += len > 0 && text[len - 1] == '\n' ? len : 0;
    return true;
}

static void *read_along(void *argument)
{
    static size_t n_bytes;
    while (!atomic_load(&is_done))
        if (ftr_metrics_text(FTR_METRICS_OPENMETRICS, ignore, &n_bytes) != FTR_OK)
            exit(1);
    return argument;
}

static bool print(void *argument, const char *text, size_t len)
{
    (void)argument;
    return fwrite(text, 1, len, stdout) == len;
}

static void print_ledger(void)
{
    for (size_t t = 0; t < THREADS; t++)
        for (size_t i = 0; i < SPANS; i++)
            printf("%zu %d %" PRIu64 "\n",
                   (size_t)(strchr("rpGgw", ledger[t][i].name[0]) - "rpGgw"),
                   (int)ledger[t][i].status, ledger[t][i].end_ns - ledger[t][i].start_ns);
}

static void take_all(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                     ftr_export_result *ret_result)
{
    (void)instance, (void)deadline_ns;
    ret_result->n_delivered = batch->n_spans;
}

static const ftr_exporter_class sink_class = {
    .size = sizeof sink_class, .name = "sink", .form = FTR_EXPORT_SPANS, .export_batch = take_all};

/* The one place to add a mode. */
/* "full", or "tail=SHARE" with nothing else that keeps a flow. */
static bool choose_mode(const char *mode, ftr_config *config, ftr_tail_config *tail)
{
    if (strcmp(mode, "full") == 0)
        return true;
    char *end;
    *tail = FTR_TAIL_CONFIG_INIT;
    tail->keeps_errors = tail->keeps_drops = false;
    tail->latency_ns = 0;
    tail->share = strncmp(mode, "tail=", 5) == 0 ? strtod(mode + 5, &end) : -1;
    config->has_mode = true;
    config->mode = FTR_MODE_TAIL;
    config->tail = tail;
    return tail->share >= 0 && *end == '\0';
}

static void run_threads(void)
{
    pthread_t threads[THREADS], reader;
    pthread_create(&reader, NULL, read_along, NULL);
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, record, ledger[i]);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&is_done, true);
    pthread_join(reader, NULL);
}

int main(int argc, char **argv)
{
    ftr_config config = FTR_CONFIG_INIT;
    ftr_metrics_config metrics = FTR_METRICS_CONFIG_INIT;
    ftr_tail_config tail;
    if (argc != 4 || !choose_mode(argv[1], &config, &tail))
        return 2;
    const bool is_openmetrics = strcmp(argv[3], "openmetrics") == 0;
    ftr_exporter *exporter = ftr_exporter_new(&sink_class, NULL);
    metrics.is_exponential = strcmp(argv[2], "exponential") == 0;
    config.metrics = &metrics;
    config.exporters = &exporter;
    config.n_exporters = 1;
    config.queue_bytes = 4096; /* most spans are lost behind the worker, none before it */
    config.journal_bytes = (size_t)64 << 20;
    config.service_name = FTR_STR("ledger");
    if (ftr_init(&config, NULL) != FTR_OK)
        return 1;
    run_threads();
    if (ftr_flush(60 * SECOND) != FTR_OK)
        return 1;
    ftr_statistics counts = {.size = sizeof counts};
    ftr_get_statistics(&counts);
    if (counts.recorded != THREADS * SPANS ||
        (!config.has_mode && counts.exporters[0].lost_queue_full == 0) ||
        (config.has_mode && tail.share < 1 && counts.sampled_out + counts.waiting == 0))
        return 1;
    print_ledger();
    printf("metrics\n");
    if (ftr_metrics_text((ftr_metrics_format)is_openmetrics, print, NULL) != FTR_OK)
        return 1;
    return ftr_shutdown(60 * SECOND) == FTR_OK ? 0 : 1;
}
