/* SPDX-License-Identifier: Apache-2.0
 *
 * All of the library at once: threads record in every way there is while modes change, metrics,
 * live spans, taps and statistics are read, open spans are exported, exporters are slow with small
 * queues, and the process forks. At rest every account balances, every message is whole, and what
 * was said twice about a span is the same both times. */
#include "flows.h"

#include "otlp/signals.h"
#include "otlp/view.h"

#include <stdio.h>
#include <sys/wait.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { CAN_FORK = 0, SWITCHES = 40 }; /* see fork_test.c */
#else
enum { CAN_FORK = 1, SWITCHES = 150 };
#endif

enum { RECORDERS = 4, ATTRIBUTES = 12, HANDED = 64 };

static uint32_t below(uint64_t *seed, uint32_t n)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % n;
}

/* ---- what is exported ---- */

static _Atomic uint64_t n_seen[2];
static _Atomic uint64_t n_wrong;
static char what_is_wrong[256];

static void note_wrong(const char *what)
{
    if (atomic_fetch_add(&n_wrong, 1) == 0)
        snprintf(what_is_wrong, sizeof what_is_wrong, "%s", what);
}

static void check_bytes(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                        ftr_export_result *ret_result)
{
    (void)deadline_ns;
    struct ftri_otlp_error why;
    struct ftri_otlp_counts found = {0};
    if (ftri_otlp_traces_check(ftri_view_of(batch->otlp, batch->otlp_len), &found, &why) != 0)
        note_wrong(why.path);
    else if (found.n_spans != batch->n_spans)
        note_wrong("number of spans");
    atomic_fetch_add((_Atomic uint64_t *)instance, batch->n_spans);
    ret_result->n_delivered = batch->n_spans;
}

static void check_metrics(void *instance, const ftr_metrics_batch *batch, uint64_t deadline_ns,
                          ftr_export_result *ret_result)
{
    (void)instance, (void)deadline_ns;
    struct ftri_otlp_error why;
    size_t n_points = 0;
    if (ftri_otlp_metrics_check(ftri_view_of(batch->otlp, batch->otlp_len), &ftri_otlp_unlimited,
                                &n_points, &why) != 0)
        note_wrong(why.path);
    else if (n_points != batch->n_points)
        note_wrong("number of points");
    ret_result->n_delivered = batch->n_points;
}

static const ftr_value *find(const ftr_span_data *span, const char *key)
{
    for (size_t i = 0; i < span->n_attributes; i++)
        if (span->attributes[i].key.len == strlen(key) &&
            memcmp(span->attributes[i].key.data, key, strlen(key)) == 0)
            return &span->attributes[i].value;
    return NULL;
}

/* "twin" is always set behind "number", to the same. */
static void check_span(const ftr_span_data *span)
{
    const ftr_value *number = find(span, "number");
    const ftr_value *twin = find(span, "twin");
    if (!ftr_trace_id_is_valid(&span->context.trace_id) || span->name.len == 0)
        note_wrong("ids, or no name");
    if (span->n_attributes > ATTRIBUTES + 1) /* ftr.tail.vote */
        note_wrong("too many attributes");
    if (number && twin && number->as.i64 != twin->as.i64)
        note_wrong("attributes that differ");
    for (size_t i = 0; i < span->n_attributes; i++)
        for (size_t k = 0; k < i; k++)
            if (span->attributes[i].key.len == span->attributes[k].key.len &&
                memcmp(span->attributes[i].key.data, span->attributes[k].key.data,
                       span->attributes[i].key.len) == 0)
                note_wrong("a key twice");
}

/* Takes its time, and not everything. */
static void check_spans_slowly(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                               ftr_export_result *ret_result)
{
    (void)deadline_ns;
    for (size_t i = 0; i < batch->n_spans; i++)
        if (batch->spans[i].end_time_ns != 0)
            check_span(&batch->spans[i]);
    usleep(3000);
    atomic_fetch_add((_Atomic uint64_t *)instance, batch->n_spans);
    ret_result->n_delivered = batch->n_spans / 2;
    ret_result->n_rejected = batch->n_spans / 4;
}

static void need_nothing(void *instance)
{
    (void)instance;
}

static const ftr_exporter_class classes[] = {
    {.size = sizeof(ftr_exporter_class),
     .name = "bytes",
     .form = FTR_EXPORT_OTLP,
     .export_batch = check_bytes,
     .after_fork = need_nothing,
     .export_metrics = check_metrics},
    {.size = sizeof(ftr_exporter_class),
     .name = "slow",
     .form = FTR_EXPORT_SPANS,
     .export_batch = check_spans_slowly,
     .after_fork = need_nothing},
};

/* ---- recording ---- */

static _Atomic bool is_over;

/* Spans that are ended by whoever comes by. */
static struct handed {
    pthread_mutex_t lock;
    ftr_span span;
} handed[HANDED];

static void hand_over(uint64_t *seed, ftr_span span)
{
    struct handed *place = &handed[below(seed, HANDED)];
    pthread_mutex_lock(&place->lock);
    const ftr_span before = place->span;
    place->span = span;
    pthread_mutex_unlock(&place->lock);
    ftr_span_end(before);
}

static const ftr_str key_names[] = {
    {"number", 6}, {"twin", 4}, {"table", 5}, {"a key that is rather long, but not too long", 43}};
static ftr_keys keys = {0, 4, key_names};
static ftr_call_site site = {0, FTR_KIND_CLIENT, {"a place", 7}, __FILE__, "here", 1};
static const char filler[300] = "text";

static void set_values(uint64_t *seed, ftr_span span, bool is_end)
{
    const uint32_t n = below(seed, 1000);
    const ftr_value values[] = {ftr_value_i64(n), ftr_value_i64(n),
                                ftr_value_str(FTR_STR("orders")),
                                ftr_value_str((ftr_str){filler, below(seed, 100)})};
    if (is_end)
        ftr_span_end_values(span, &keys, values);
    else
        ftr_span_set_values(span, &keys, values);
}

/* Up to the limit and over it, so that keys are found again, replaced and dropped. */
static void set_many(uint64_t *seed, ftr_span span)
{
    char key[8];
    for (uint32_t n = below(seed, 2 * ATTRIBUTES); n > 0; n--) {
        const int len = snprintf(key, sizeof key, "k%u", below(seed, ATTRIBUTES));
        ftr_span_set_str(span, (ftr_str){key, (size_t)len},
                         (ftr_str){filler, below(seed, below(seed, 10) ? 40 : sizeof filler)});
        if (below(seed, 8) == 0)
            set_values(seed, span, false);
    }
}

static void say_something(uint64_t *seed, ftr_span span, const ftr_context *other)
{
    const ftr_attribute one = {FTR_STR("tries"), ftr_value_i64(3)};
    switch (below(seed, 12)) {
    case 0:
    case 1:
        set_many(seed, span);
        break;
    case 2:
    case 3:
        set_values(seed, span, false);
        break;
    case 4:
        ftr_span_event(span, FTR_STR("event"), &one, below(seed, 2));
        break;
    case 5:
        ftr_span_link(span, other, &one, below(seed, 2));
        break;
    case 6:
        if (below(seed, 20) == 0)
            ftr_span_set_status(span, FTR_SPAN_ERROR, FTR_STR("it happens"));
        break;
    case 7:
        ftr_span_set_name(span, FTR_STR("renamed"));
        break;
    case 8:
        ftr_span_set_start_time(span, UINT64_C(1700000000) * SECOND);
        break;
    default:
        break;
    }
}

static void end_somehow(uint64_t *seed, ftr_span span)
{
    switch (below(seed, 8)) {
    case 0:
        hand_over(seed, span);
        break;
    case 1:
        ftr_span_end_at(span, UINT64_C(1800000000) * SECOND);
        break;
    case 2:
    case 3:
        set_values(seed, span, true);
        break;
    default:
        ftr_span_end(span);
    }
}

static ftr_span start_somehow(uint64_t *seed, const ftr_context *parent)
{
    static const ftr_attribute given = {{"given", 5}, {.type = FTR_VALUE_BOOL, .as.boolean = true}};
    const ftr_span_options options = {.size = sizeof options,
                                      .name = FTR_STR("with options"),
                                      .kind = FTR_KIND_INTERNAL,
                                      .parent = parent,
                                      .attributes = &given,
                                      .n_attributes = 1};
    switch (below(seed, 5)) {
    case 0:
        return ftr_span_start_with(&options);
    case 1:
        return ftr_span_start(FTR_STR("a name that is not short"), FTR_KIND_SERVER, parent);
    case 2:
        return ftr_span_start(FTR_STR("short"), FTR_KIND_SERVER, parent);
    default:
        return ftr_span_start_site(&site, parent);
    }
}

static void work_within_scopes(uint64_t *seed)
{
    FTR_SPAN(outer, "outer");
    const uint32_t n = below(seed, 100);
    FTR_SPAN_SET_ALL(outer, "number", n, "twin", n);
    if (below(seed, 2)) {
        FTR_SPAN(inner, "inner");
        ftr_context context = ftr_context_current();
        say_something(seed, inner.span, &context);
        ftr_context_release(&context);
    }
}

/* As if a message went to another process. */
static void inject(const ftr_context *context)
{
    ftr_field fields[4];
    char text[512];
    ftr_field_list list = {
        .fields = fields, .capacity = 4, .text = text, .text_capacity = sizeof text};
    ftr_inject(context, &ftr_map_carrier, &list);
}

static ftr_context a_remote_parent(uint64_t *seed)
{
    ftr_context context = FTR_CONTEXT_NONE;
    const uint64_t id = (uint64_t)below(seed, 1000) << 40 | 1;
    memcpy(context.span.trace_id.bytes, &id, sizeof id);
    memcpy(context.span.span_id.bytes, &id, sizeof id);
    context.span.is_remote = true;
    context.span.trace_flags = below(seed, 3) ? FTR_TRACE_FLAG_SAMPLED : 0;
    return context;
}

static void record_flow(uint64_t *seed)
{
    ftr_context remote = a_remote_parent(seed);
    struct flow flow = begin_flow(below(seed, 3) ? NULL : &remote);
    const ftr_value field = ftr_value_str(FTR_STR("inherited"));
    if (below(seed, 10) == 0 && ftr_context_set_field(&flow.context, FTR_STR("field"), &field)) {
        ftr_detach(flow.attachment);
        flow.attachment = ftr_attach(&flow.context);
    }
    for (uint32_t n = below(seed, 8); n > 0; n--) {
        const ftr_span span = start_somehow(seed, below(seed, 3) ? NULL : &flow.context);
        for (uint32_t i = below(seed, 3); i > 0; i--)
            say_something(seed, span, &flow.context);
        if (below(seed, 3) == 0)
            work_within_scopes(seed);
        end_somehow(seed, span);
    }
    if (below(seed, 20) == 0)
        inject(&flow.context);
    end_flow(&flow);
    ftr_context_release(&remote);
}

static void *record_flows(void *argument)
{
    uint64_t seed = (uintptr_t)argument;
    while (!atomic_load(&is_over)) {
        record_flow(&seed);
        if (below(&seed, 8) == 0)
            usleep(below(&seed, 400));
    }
    return NULL;
}

/* ---- reading ---- */

static bool count_bytes(void *argument, const char *text, size_t len)
{
    (void)text;
    *(size_t *)argument += len;
    return true;
}

static bool look_at(void *argument, const ftr_span_data *span)
{
    *(size_t *)argument += span->name.len;
    for (size_t i = 0; i < span->n_attributes; i++)
        *(size_t *)argument += span->attributes[i].key.len;
    return true;
}

static void *read_on(void *argument)
{
    size_t n = 0;
    (void)argument;
    for (int i = 0; !atomic_load(&is_over); i++) {
        (void)ftr_live_spans(look_at, &n);
        if (ftr_metrics_text(i % 2 ? FTR_METRICS_PROMETHEUS : FTR_METRICS_OPENMETRICS, count_bytes,
                             &n) != FTR_OK)
            note_wrong("metrics cannot be read");
        if (i % 8 == 0)
            (void)ftr_live_write_chrome(count_bytes, &n);
        (void)counts();
        usleep(500);
    }
    return NULL;
}

static void *tap_on(void *argument)
{
    uint64_t seed = (uintptr_t)argument;
    while (!atomic_load(&is_over)) {
        ftr_tap *tap = ftr_tap_new();
        ftr_span_data span;
        for (uint32_t n = below(&seed, 2000); tap && n > 0 && !atomic_load(&is_over); n--)
            if (ftr_tap_next(tap, 5 * MS, &span) == FTR_OK)
                check_span(&span);
        ftr_tap_free(tap);
    }
    return NULL;
}

/* ---- forks ---- */

static bool is_balanced(const ftr_statistics *s)
{
    bool is = s->started == s->ended + s->open && s->ended == s->recorded + s->lost_journal_full;
    for (size_t i = 0; i < s->n_exporters; i++) {
        const ftr_exporter_statistics *e = &s->exporters[i];
        is = is && s->recorded + s->pending == e->delivered + e->rejected + e->lost_queue_full +
                                                   e->lost_export + e->queued + s->sampled_out +
                                                   s->waiting;
    }
    return is;
}

/* Its own library from here on; what other threads were doing is nobody's. */
static int child_failure(uint64_t seed)
{
    atomic_store(&n_wrong, 0);
    for (size_t i = 0; i < HANDED; i++)
        handed[i] = (struct handed){.lock = PTHREAD_MUTEX_INITIALIZER};
    if (counts().started != 0)
        return 1;
    for (int i = 0; i < 50; i++) {
        record_flow(&seed);
        if (i % 20 == 0)
            ftr_set_mode((ftr_mode)below(&seed, 3));
    }
    size_t n = 0;
    if (ftr_live_spans(look_at, &n) != FTR_OK ||
        ftr_metrics_text(FTR_METRICS_PROMETHEUS, count_bytes, &n) != FTR_OK)
        return 2;
    if (ftr_flush(60 * SECOND) != FTR_OK || ftr_shutdown(60 * SECOND) != FTR_OK)
        return 3;
    const ftr_statistics s = counts();
    if (!is_balanced(&s) || s.waiting != 0)
        return 4;
    return atomic_load(&n_wrong) > 0 ? 5 : 0;
}

static void fork_once(uint64_t seed)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(child_failure(seed));
    int status = -1;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- the whole ---- */

static void hear_nothing(void *argument, const char *text)
{
    (void)argument, (void)text;
}

/* The third one has nobody to read for as long as both queues are full. */
static const struct round {
    bool has_tail;
    bool has_no_metrics;
    bool has_dimension;
    bool is_slow; /* both exporters are */
    const char *sampler;
    const char *sampler_argument;
    size_t journal_bytes;
} rounds[] = {
    {.has_tail = true,
     .has_dimension = true,
     .sampler = "",
     .sampler_argument = "",
     .journal_bytes = 1 << 20},
    {.has_tail = true,
     .has_no_metrics = true,
     .sampler = "",
     .sampler_argument = "",
     .journal_bytes = 64 << 10},
    {.has_no_metrics = true,
     .is_slow = true,
     .sampler = "parentbased_traceidratio",
     .sampler_argument = "0.5",
     .journal_bytes = 1 << 20},
    {.has_tail = true,
     .sampler = "parentbased_traceidratio",
     .sampler_argument = "0.5",
     .journal_bytes = 1 << 20},
};

static void start_round(const struct round *what)
{
    static ftr_exporter *exporters[2];
    const ftr_tail_config tail = {.size = sizeof tail,
                                  .keeps_errors = true,
                                  .latency_ns = 20 * MS,
                                  .share = 0.2,
                                  .max_age_ns = SECOND,
                                  .budget_bytes = 256 << 10};
    ftr_metrics_config metrics = FTR_METRICS_CONFIG_INIT;
    metrics.is_off = what->has_no_metrics;
    metrics.is_exported = true;
    metrics.interval_ms = 50;
    metrics.series_max = 20;
    metrics.dimensions = key_names + 2;
    metrics.n_dimensions = what->has_dimension;
    ftr_config config = config_of(what->sampler, what->sampler_argument);
    for (size_t i = 0; i < 2; i++)
        exporters[i] = ftr_exporter_new(&classes[what->is_slow ? 1 : i], &n_seen[i]);
    config.exporters = exporters;
    config.n_exporters = 2;
    config.on_diagnostic = hear_nothing;
    config.metrics = &metrics;
    config.tail = &tail;
    config.has_mode = true;
    config.mode = what->has_tail ? FTR_MODE_TAIL : FTR_MODE_FULL;
    config.records_dropped = what->sampler[0] != '\0';
    config.limits.attributes = ATTRIBUTES;
    config.journal_bytes = what->journal_bytes;
    config.queue_bytes = 64 << 10;
    config.batch_bytes = 8 << 10;
    config.batch_delay_ms = 5;
    config.pending_interval_ms = 3;
    ftr_error error = {FTR_OK, ""};
    if (ftr_init(&config, &error) != FTR_OK)
        fail_msg("%s", error.text);
    atomic_store(&n_seen[0], 0);
    atomic_store(&n_seen[1], 0);
}

/* A slow machine needs more switches until there was something of all. */
static bool has_seen_all(void)
{
    const ftr_statistics s = counts();
    return s.pending > 0 && s.sampled_out > 0 && atomic_load(&n_seen[0]) > 0 &&
           atomic_load(&n_seen[1]) > 0;
}

static void drive(const struct round *what)
{
    uint64_t seed = (uint64_t)(what - rounds) + 1;
    for (int i = 0; i < SWITCHES || (i < 50 * SWITCHES && !has_seen_all()); i++) {
        ftr_set_mode((ftr_mode)below(&seed, what->has_tail ? 3 : 2));
        usleep(below(&seed, 8000));
        if (i % 16 == 0)
            (void)ftr_flush(below(&seed, 20) * MS);
        if (CAN_FORK && i % 25 == 0)
            fork_once(seed);
    }
}

static void run_threads(const struct round *what)
{
    pthread_t threads[RECORDERS + 2];
    atomic_store(&is_over, false);
    for (uintptr_t i = 0; i < RECORDERS + 2; i++) {
        void *(*const run)(void *) = i < RECORDERS    ? record_flows
                                     : i == RECORDERS ? read_on
                                                      : tap_on;
        assert_int_equal(
            pthread_create(&threads[i], NULL, run, (void *)(i + 10 * (uintptr_t)(what - rounds))),
            0);
    }
    drive(what);
    atomic_store(&is_over, true);
    for (size_t i = 0; i < RECORDERS + 2; i++)
        pthread_join(threads[i], NULL);
}

/* Copies of open spans go on being exported, so the moment has to be a quiet one. */
static void wait_for_balance(void)
{
    ftr_statistics s = counts();
    for (int i = 0; i < 60000 && !is_balanced(&s); i++) {
        usleep(1000);
        s = counts();
    }
    assert_true(is_balanced(&s));
}

static void end_round(void)
{
    assert_int_equal(ftr_flush(60 * SECOND), FTR_OK);
    wait_for_balance();
    for (size_t i = 0; i < HANDED / 2; i++) { /* the others stay open */
        ftr_span_end(handed[i].span);
        handed[i].span = (ftr_span){0, 0};
    }
    assert_int_equal(ftr_shutdown(60 * SECOND), FTR_OK);
    assert_accounts();
    const ftr_statistics s = counts();
    assert_int_equal(s.waiting, 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(s.exporters[i].queued, 0);
        assert_int_equal(s.exporters[i].delivered + s.exporters[i].rejected +
                             s.exporters[i].lost_export,
                         atomic_load(&n_seen[i]));
    }
    if (atomic_load(&n_wrong) > 0)
        fail_msg("%s", what_is_wrong);
}

static void test_everything_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < HANDED; i++)
        pthread_mutex_init(&handed[i].lock, NULL);
    for (size_t i = 0; i < sizeof rounds / sizeof rounds[0]; i++) {
        start_round(&rounds[i]);
        run_threads(&rounds[i]);
        end_round();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_everything_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
