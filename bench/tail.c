/* SPDX-License-Identifier: Apache-2.0
 *
 * Row 16: what tail sampling adds to the worker for each span: judging it, finding its flow,
 * keeping its bytes, and deciding the flow. CPU time of the one thread.
 *
 * So many flows of 8 spans are open at any time; the next span is that of a random one, its bytes
 * are those of a recorded span of the small payload, a microsecond after the last one. One flow in
 * ten is kept; what is released is counted, and in the end every span has to be accounted for. */
#include "measure.h"
#include "replay.h"
#include "sampling/flow_buffer.h"
#include "sampling/threshold.h"
#include "trace/record.h"

#include <flowtrace/flowtrace.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SPANS = 2048,
    STEPS = 2000000,
    PAIRS = 5,
    TICK = 1000,

    FLOW_SPANS = PAYLOAD_TRACE_SPANS
};

struct step {
    ftr_trace_id trace_id;
    uint16_t span; /* of the replay */
};

struct subject {
    struct replay replay;
    const struct ftri_record *records[SPANS];
    ftr_span_data spans[SPANS];
    uint8_t *scratch;
    struct ftri_flow_buffer buffer;
    struct ftri_flow_counts counts;
    struct step *steps;
    uint8_t *memory; /* of n_places pages, for copy() */
    size_t n_places;
    uint64_t *open; /* the flows: number * FLOW_SPANS + spans that came already */
    size_t n_open;
    uint64_t n_flows;
    uint64_t n_added;
    uint64_t n_released;
    uint64_t now_ns;
    uint64_t random;
};

static void fail(const char *what)
{
    fprintf(stderr, "bench-tail: %s\n", what);
    exit(1);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t random_below(struct subject *self, uint64_t n)
{
    self->random += UINT64_C(0x9e3779b97f4a7c15);
    return mix(self->random) % n;
}

static void read_records(struct subject *self)
{
    const uint8_t *at = self->replay.records.data;
    self->scratch = malloc(self->replay.records.len * 8);
    if (!self->scratch)
        fail("memory is short");
    uint8_t *scratch = self->scratch;
    for (size_t i = 0; i < SPANS; i++) {
        self->records[i] = (const struct ftri_record *)(const void *)at;
        scratch += ftri_record_read(self->records[i], scratch, &self->spans[i]);
        at += self->records[i]->size;
    }
}

/* What comes next, so that drawing it is not measured. */
static void draw(struct subject *self)
{
    for (size_t i = 0; i < STEPS; i++) {
        uint64_t *flow = &self->open[random_below(self, self->n_open)];
        const uint64_t number = *flow / FLOW_SPANS;
        const uint64_t ids[2] = {mix(number), mix(~number)};
        memcpy(&self->steps[i].trace_id, ids, sizeof ids);
        self->steps[i].span = (uint16_t)(*flow % SPANS);
        if (++*flow % FLOW_SPANS == 0)
            *flow = self->n_flows++ * FLOW_SPANS;
    }
}

static void add(struct subject *self, const struct step *step)
{
    const ftr_span_data *span = &self->spans[step->span];
    const struct ftri_record *record = self->records[step->span];
    const struct ftri_flow_span view = {
        .trace_id = step->trace_id,
        .tracestate = span->tracestate,
        .start_ns = span->start_time_ns,
        .end_ns = span->end_time_ns,
        .attributes = span->attributes,
        .n_attributes = span->n_attributes,
        .events = span->events,
        .n_events = span->n_events,
        .is_error = span->status == FTR_SPAN_ERROR,
        .is_root = step->span % FLOW_SPANS == FLOW_SPANS - 1,
    };
    struct ftri_flow_fate fate;
    if (!ftri_flow_buffer_add(&self->buffer, &view, ftri_view_of(record, record->size),
                              self->now_ns, &fate))
        fail("a span came late");
}

static void take_steps(struct subject *self)
{
    for (size_t i = 0; i < STEPS; i++) {
        self->now_ns += 1000;
        add(self, &self->steps[i]);
        if (i % TICK == 0) {
            ftri_flow_buffer_look(&self->buffer);
            ftri_flow_buffer_decide_quiet(&self->buffer, self->now_ns);
        }
    }
    self->n_added += STEPS;
}

static double run(void *argument)
{
    struct subject *self = argument;
    draw(self);
    const double begin = measure_thread_ns();
    take_steps(self);
    return (measure_thread_ns() - begin) / STEPS;
}

static void count_released(void *argument, const struct ftri_flow_fate *fate,
                           struct ftri_view bytes)
{
    struct subject *self = argument;
    (void)fate;
    self->n_released += bytes.len > 0;
}

static void begin(struct subject *self, size_t n_open)
{
    const struct ftri_flow_settings settings = {
        .policy = {.keeps_errors = true, .keeps_drops = true, .threshold = ftri_threshold_of(0.1)},
        .quiet_ns = 100000000,
        .max_age_ns = UINT64_MAX / 2,
        .budget_bytes = (size_t)8 << 30,
        .release = count_released,
        .argument = self,
    };
    payload_check(ftri_flow_buffer_init(&self->buffer, &settings, &self->counts), "a buffer");
    self->steps = calloc(STEPS, sizeof *self->steps);
    self->open = calloc(n_open, sizeof *self->open);
    if (!self->steps || !self->open)
        fail("memory is short");
    self->n_open = n_open;
    for (size_t i = 0; i < n_open; i++)
        self->open[i] = self->n_flows++ * FLOW_SPANS;
    while (self->n_added < n_open * FLOW_SPANS) /* until as many are added as end */
        (void)run(self);
}

static void finish(struct subject *self)
{
    while (!ftri_flow_buffer_is_empty(&self->buffer))
        ftri_flow_buffer_decide_oldest(&self->buffer, 0);
    if (self->n_released + self->counts.n_dropped != self->n_added || self->n_released == 0)
        fail("spans are missing");
    ftri_flow_buffer_deinit(&self->buffer);
    free(self->steps);
    free(self->open);
}

/* The least that keeping costs: the bytes go to random places in as much memory. */
static double copy(void *argument)
{
    struct subject *self = argument;
    const double start = measure_thread_ns();
    for (size_t i = 0; i < STEPS; i++) {
        const struct ftri_record *record = self->records[self->steps[i].span];
        uint64_t place;
        memcpy(&place, &self->steps[i].trace_id, sizeof place);
        memcpy(self->memory + place % self->n_places * FTRI_PAGE_SIZE, record, record->size);
    }
    return (measure_thread_ns() - start) / STEPS;
}

static void measure(struct subject *self, size_t n_open, const char *name, double goal)
{
    begin(self, n_open);
    self->n_places = self->buffer.pool.n_used;
    self->memory = calloc(self->n_places + 16, FTRI_PAGE_SIZE);
    if (!self->memory)
        fail("memory is short");
    const struct measure_pairs pairs = measure_in_turn((struct measure_subject){run, self},
                                                       (struct measure_subject){copy, self}, PAIRS);
    finish(self);
    free(self->memory);
    measure_print(&(struct measure_row){
        .row = "16",
        .name = name,
        .unit = "ns",
        .pairs = pairs,
        .goal = goal > 0 ? "<= 60 ns" : NULL,
        .verdict = goal <= 0             ? MEASURE_NO_GOAL
                   : pairs.value <= goal ? MEASURE_HOLDS
                                         : MEASURE_FAILS,
    });
}

int main(void)
{
    static struct subject subjects[2];
    struct payload payload;
    payload_init(&payload, PAYLOAD_SMALL, SPANS, 1);
    ftr_config config = FTR_CONFIG_INIT;
    config.journal_bytes = (size_t)8 << 20;
    if (ftr_init(&config, NULL) != FTR_OK)
        fail("the library does not start");
    for (size_t i = 0; i < 2; i++) {
        replay_init(&subjects[i].replay, &payload, true);
        read_records(&subjects[i]);
    }
    measure(&subjects[0], 10000, "tail: keep and decide, 10 k flows", 0);
    measure(&subjects[1], 1000000, "tail: keep and decide, 1 M flows", 60);
    for (size_t i = 0; i < 2; i++) {
        free(subjects[i].scratch);
        replay_deinit(&subjects[i].replay);
    }
    payload_deinit(&payload);
    return ftr_shutdown(UINT64_C(10000000000)) == FTR_OK ? 0 : 1;
}
