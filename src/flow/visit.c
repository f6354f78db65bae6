/* SPDX-License-Identifier: Apache-2.0
 *
 * The course and the end of a visit: what leaves it, what is dropped, how long it worked and
 * waited, what became of it. The beginning is in arrival.c.
 *
 * Work time counts only between start or resume and pause or end; the time in the input channel
 * (flow.queue.wait_ms) and for room in the output channel (flow.blocked_ms) stand apart, though the
 * latter lies within the work time unless the engine pauses the visit while it waits. */
#include "flow/visit.h"

#include "trace/clock.h"

#include <string.h>

/* NULL: nothing is to be written. */
static struct visit *recording(ftr_visit *visit)
{
    struct visit *const self = visit_of(visit);
    return self->node && self->is_recording ? self : NULL;
}

/* Of the port that was the first to be used. */
static bool has_form(const struct ftri_template *form, ftr_str port)
{
    return atomic_load_explicit(&form->n_bytes, memory_order_acquire) != 0 &&
           ftri_template_text_is(form, port);
}

static __attribute__((noinline)) void put_first_emit(ftr_span span, struct ftri_node_site *site,
                                                     ftr_str port, const ftr_departure *departure)
{
    const bool is_queued = departure->queue_capacity != 0;
    const ftr_value values[FTRI_N_EMIT_VALUES] = {
        ftr_value_str(port),
        ftr_value_i64(visit_limited(departure->n_items)),
        ftr_value_i64(visit_limited(departure->n_bytes)),
        ftr_value_i64(visit_limited(departure->queue_depth)),
        ftr_value_i64(visit_limited(departure->queue_capacity)),
    };
    ftr_span_set_values(span, &site->emit[is_queued], values);
    ftri_template_make(&site->first_emit[is_queued], &site->emit[is_queued], values);
}

/* Most go through a channel, and what they say needs no limit. */
static FTRI_ALWAYS_INLINE bool put_usual_emit(const struct ftri_node_site *site,
                                              struct ftri_slot *slot, ftr_str port,
                                              const ftr_departure *departure)
{
    const uint64_t numbers[] = {departure->n_items, departure->n_bytes, departure->queue_depth,
                                departure->queue_capacity};
    const struct ftri_template *const form = &site->first_emit[true];
    return FTRI_LIKELY(departure->queue_capacity &&
                       (int64_t)(numbers[0] | numbers[1] | numbers[2] | numbers[3]) >= 0) &&
           has_form(form, port) && ftri_template_put(form, slot, numbers, FTRI_COUNT(numbers));
}

static __attribute__((noinline)) bool put_free_emit(const struct ftri_node_site *site,
                                                    struct ftri_slot *slot, ftr_str port,
                                                    const ftr_departure *departure)
{
    const uint64_t numbers[] = {(uint64_t)visit_limited(departure->n_items),
                                (uint64_t)visit_limited(departure->n_bytes)};
    const struct ftri_template *const form = &site->first_emit[false];
    return departure->queue_capacity == 0 && has_form(form, port) &&
           ftri_template_put(form, slot, numbers, FTRI_COUNT(numbers));
}

/* Is part of the span itself: most visits have no other. */
static FTRI_ALWAYS_INLINE void record_first_emit(struct visit *self, struct ftri_slot *slot,
                                                 ftr_str port, const ftr_departure *departure)
{
    struct ftri_node_site *const site = self->node->site;
    if (!put_usual_emit(site, slot, port, departure) && !put_free_emit(site, slot, port, departure))
        put_first_emit(self->span, site, port, departure);
}

static __attribute__((noinline)) void record_further_emit(const struct visit *self, ftr_str port,
                                                          const ftr_departure *departure)
{
    const ftr_str *const names = self->node->names;
    const ftr_attribute attributes[FTRI_N_EMIT_VALUES] = {
        {names[FTRI_NAME_OUT_PORT], ftr_value_str(port)},
        {names[FTRI_NAME_OUT_ITEMS], ftr_value_i64(visit_limited(departure->n_items))},
        {names[FTRI_NAME_OUT_BYTES], ftr_value_i64(visit_limited(departure->n_bytes))},
        {names[FTRI_NAME_OUT_QUEUE_DEPTH], ftr_value_i64(visit_limited(departure->queue_depth))},
        {names[FTRI_NAME_OUT_QUEUE_CAPACITY],
         ftr_value_i64(visit_limited(departure->queue_capacity))},
    };
    const size_t n_absent = departure->queue_capacity ? 0 : FTRI_N_EMIT_CHANNEL;
    ftr_span_event(self->span, names[FTRI_NAME_EVENT_EMIT], attributes,
                   FTRI_COUNT(attributes) - n_absent);
}

static inline void record_emit(struct visit *self, struct ftri_slot *slot, ftr_str port,
                               const ftr_departure *departure)
{
    const bool is_first = self->as.recording.n_emits == 0;
    if (self->as.recording.n_emits < UINT32_MAX)
        self->as.recording.n_emits++;
    if (is_first)
        record_first_emit(self, slot, port, departure);
    else
        record_further_emit(self, port, departure);
}

/* The span's own, else (no room for a span) the parent's, so that the flow stays one trace. */
static __attribute__((noinline)) void context_to_send(const struct visit *self,
                                                      ftr_context *ret_context)
{
    *ret_context = ftr_span_context_of(self->span);
    if (ftr_span_id_is_valid(&ret_context->span.span_id) || !self->has_parent)
        return;
    *ret_context = (ftr_context){.user = ret_context->user,
                                 .span = {.trace_id = self->parent_trace,
                                          .span_id = self->parent_span,
                                          .trace_flags = self->parent_flags}};
}

/* The same of a span that is open here and has nothing to pass on but its ids and the current user
 * span. */
static inline bool plain_context_to_send(const struct ftri_slot *slot, ftr_context *ret_context)
{
    if (FTRI_UNLIKELY(!slot || slot->record.block))
        return false;
    ret_context->span = (ftr_span_context){.trace_id = slot->record.trace_id,
                                           .span_id = slot->record.span_id,
                                           .trace_flags = slot->record.trace_flags};
    ret_context->user = ftr_context_here->user;
    ret_context->block = NULL;
    return true;
}

static inline void emit(struct visit *self, ftr_str port, const ftr_departure *departure,
                        ftr_hop *ret_hop)
{
    struct ftri_slot *const slot = visit_slot(self);
    if (self->is_recording)
        record_emit(self, slot, port, departure);
    if (!plain_context_to_send(slot, &ret_hop->context))
        context_to_send(self, &ret_hop->context);
    ret_hop->sent_ns = departure->now_ns ? departure->now_ns : ftri_clock_passed_ns();
    ret_hop->port = port;
    ret_hop->split_index = departure->split.index;
    ret_hop->split_count = departure->split.count;
    ret_hop->n_hops = self->n_hops < UINT32_MAX ? self->n_hops + 1 : UINT32_MAX;
    ret_hop->reserved = 0;
}

/* Of a caller that knows less of departures, or nothing. */
static __attribute__((noinline)) void emit_older(struct visit *self, ftr_str port,
                                                 const ftr_departure *departure, ftr_hop *ret_hop)
{
    ftr_departure known = {0};
    if (departure)
        memcpy(&known, departure, ftri_size_min(departure->size, sizeof known));
    emit(self, port, &known, ret_hop);
}

void ftr_visit_emit_with(ftr_visit *visit, ftr_str port, const ftr_departure *departure,
                         ftr_hop *ret_hop)
{
    struct visit *const self = visit_of(visit);
    if (!self->node)
        ftr_hop_init(ret_hop);
    else if (FTRI_LIKELY(departure && departure->size == sizeof *departure))
        emit(self, port, departure, ret_hop);
    else
        emit_older(self, port, departure, ret_hop);
}

void ftr_visit_emit(ftr_visit *visit, ftr_str port, uint64_t n_items, uint64_t n_bytes,
                    ftr_hop *ret_hop)
{
    ftr_visit_emit_split(visit, port, (ftr_split){0, 0}, n_items, n_bytes, ret_hop);
}

void ftr_visit_emit_split(ftr_visit *visit, ftr_str port, ftr_split split, uint64_t n_items,
                          uint64_t n_bytes, ftr_hop *ret_hop)
{
    const ftr_departure departure = {
        .size = sizeof departure, .n_items = n_items, .n_bytes = n_bytes, .split = split};
    ftr_visit_emit_with(visit, port, &departure, ret_hop);
}

void ftr_visit_blocked(ftr_visit *visit, uint64_t waited_ns)
{
    struct visit *const self = recording(visit);
    if (!self)
        return;
    self->as.recording.blocked_ns += waited_ns;
    const ftr_str *const names = self->node->names;
    const ftr_attribute waited = {names[FTRI_NAME_BLOCKED_MS], visit_value_ms(waited_ns)};
    ftr_span_event(self->span, names[FTRI_NAME_EVENT_BACKPRESSURE], &waited, 1);
}

void ftr_visit_drop(ftr_visit *visit, ftr_drop_reason reason, uint64_t n_items)
{
    struct visit *const self = recording(visit);
    if (!self)
        return;
    const ftr_str *const names = self->node->names;
    const ftr_str reason_name = ftri_drop_reason_word(self->node->convention, reason);
    const ftr_attribute attributes[] = {
        {names[FTRI_NAME_DROP_REASON], ftr_value_str(reason_name)},
        {names[FTRI_NAME_DROP_ITEMS], ftr_value_i64(visit_limited(n_items))},
    };
    ftr_span_event(self->span, names[FTRI_NAME_EVENT_DROP], attributes, FTRI_COUNT(attributes));
    if (self->as.recording.n_dropped_items == 0)
        ftr_span_set_str(self->span, names[FTRI_NAME_DROP_REASON], reason_name);
    self->as.recording.n_dropped_items += n_items;
}

void ftr_visit_event(ftr_visit *visit, ftr_str name, const ftr_attribute *attributes,
                     size_t n_attributes)
{
    struct visit *const self = recording(visit);
    if (self)
        ftr_span_event(self->span, name, attributes, n_attributes);
}

static void stop_work(struct visit *self)
{
    if (!self->working_since_ns)
        return;
    const uint64_t now_ns = ftri_clock_passed_ns();
    if (now_ns > self->working_since_ns)
        self->work_ns += now_ns - self->working_since_ns;
    self->working_since_ns = 0;
}

void ftr_visit_pause(ftr_visit *visit)
{
    struct visit *const self = visit_of(visit);
    if (self->node)
        stop_work(self);
}

void ftr_visit_resume(ftr_visit *visit)
{
    struct visit *const self = visit_of(visit);
    if (self->node && !self->working_since_ns)
        self->working_since_ns = ftri_clock_passed_ns();
}

void ftr_visit_worked(ftr_visit *visit, uint64_t worked_ns)
{
    struct visit *const self = visit_of(visit);
    if (!self->node)
        return;
    self->work_ns += worked_ns;
    self->working_since_ns = 0;
}

uint64_t ftr_flow_clock_ns(void)
{
    return ftri_clock_passed_ns();
}

static void record_sums(const struct visit *self)
{
    const ftr_str *const names = self->node->names;
    if (self->as.recording.n_emits > 1)
        ftr_span_set_i64(self->span, names[FTRI_NAME_OUT_COUNT], self->as.recording.n_emits);
    if (self->as.recording.n_dropped_items)
        ftr_span_set_i64(self->span, names[FTRI_NAME_DROP_ITEMS],
                         visit_limited(self->as.recording.n_dropped_items));
    if (self->as.recording.blocked_ns) {
        const ftr_value blocked = visit_value_ms(self->as.recording.blocked_ns);
        ftr_span_set(self->span, names[FTRI_NAME_BLOCKED_MS], &blocked);
    }
}

static void record_fan_in(const struct visit *self)
{
    const ftr_str *const names = self->node->names;
    if (self->n_inputs > 1)
        ftr_span_set_i64(self->span, names[FTRI_NAME_FAN_IN_COUNT], self->n_inputs);
    uint64_t n_missed = self->as.recording.n_missed;
    if (self->fan_in) {
        ftri_fan_in_record(self->fan_in, self->span, self->has_parent);
        n_missed += ftri_fan_in_n_dropped(self->fan_in);
    }
    if (n_missed)
        ftr_span_set_i64(self->span, names[FTRI_NAME_MANIFEST_DROPPED], visit_limited(n_missed));
}

static void record_failure(const struct visit *self, ftr_outcome outcome, ftr_str error)
{
    const ftr_node *const node = self->node;
    const ftr_str name = ftr_str_from(ftr_outcome_name(outcome));
    ftr_span_set_str(self->span, node->names[FTRI_NAME_ERROR], error.len ? error : name);
    ftr_span_set_status(self->span, FTR_SPAN_ERROR, error);
    if (node->failed_name.len) {
        ftr_span_set_name(self->span, node->failed_name);
        ftr_span_set_str(self->span, ftri_name(FTRI_CONVENTION_FLOWTRACE, FTRI_NAME_OUTCOME), name);
    }
}

static void record_outcome(const struct visit *self, ftr_outcome outcome, ftr_str error)
{
    const ftr_node *const node = self->node;
    struct ftri_template *const success = &node->site->success;
    const ftr_value latency = visit_value_ms(self->work_ns);
    if (FTRI_LIKELY(outcome == FTR_OUTCOME_SUCCESS) &&
        ftri_template_put(success, visit_slot(self), &(uint64_t){(uint64_t)latency.as.i64}, 1))
        return;
    const ftr_str name = node->outcomes[(size_t)outcome < FTRI_N_OUTCOMES ? (size_t)outcome : 0];
    const ftr_value values[FTRI_N_END_VALUES] = {latency, ftr_value_str(name)};
    ftr_span_set_values(self->span, &node->site->end, values);
    if (outcome == FTR_OUTCOME_SUCCESS)
        ftri_template_make(success, &node->site->end, values);
    else
        record_failure(self, outcome, error);
}

void ftr_visit_end(ftr_visit *visit, ftr_outcome outcome, ftr_str error)
{
    struct visit *const self = visit_of(visit);
    if (!self->node)
        return;
    if (self->is_recording) {
        stop_work(self);
        record_sums(self);
        record_fan_in(self);
        record_outcome(self, outcome, error);
    }
    ftr_span_end(self->span);
    ftri_fan_in_free(self->fan_in);
    self->fan_in = NULL;
    self->node = NULL;
}

ftr_span ftr_visit_span(const ftr_visit *visit)
{
    const struct visit *const self = (const struct visit *)visit->opaque;
    return self->node ? self->span : (ftr_span){0};
}
