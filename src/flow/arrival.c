/* SPDX-License-Identifier: Apache-2.0
 *
 * The beginning of a visit: choosing the parent, starting the span, taking in contributors.
 *
 * Parent: the first sampled contributor, else the first. A sampled one that comes after an
 * unsampled start replaces the span by one below itself, with the same start time. */
#include "flow/visit.h"

#include "base/time.h"
#include "context/block.h"
#include "trace/clock.h"
#include "trace/hold.h"

#include <string.h>

enum { ATTRIBUTES_MAX = 12, LINK_ATTRIBUTES_MAX = 4 };

#define WAIT_UNKNOWN UINT64_MAX

/* What decides about a visit's span. */
struct beginning {
    const ftr_context *parent; /* NULL, or without ids: a new trace */
    const ftr_hop *split;      /* the one input, when it is one of several children; or NULL */
    ftr_arrival arrival;
    uint64_t wait_ns;       /* WAIT_UNKNOWN */
    uint64_t start_time_ns; /* Unix; 0: now */
};

static ftr_arrival read_arrival(const ftr_arrival *arrival)
{
    ftr_arrival known = {0};
    if (arrival)
        memcpy(&known, arrival, ftri_size_min(arrival->size, sizeof known));
    return known;
}

static bool is_valid(const ftr_context *context)
{
    return context && ftr_trace_id_is_valid(&context->span.trace_id) &&
           ftr_span_id_is_valid(&context->span.span_id);
}

static void add_i64(ftr_attribute *attributes, size_t *n, ftr_str key, uint64_t value)
{
    attributes[(*n)++] = (ftr_attribute){key, ftr_value_i64(visit_limited(value))};
}

static size_t list_attributes(const struct visit *self, const struct beginning *beginning,
                              ftr_attribute ret_attributes[ATTRIBUTES_MAX])
{
    const ftr_node *const node = self->node;
    const ftr_str *const names = node->names;
    const ftr_arrival *const arrival = &beginning->arrival;
    ftr_attribute *const to = ret_attributes;
    size_t n = 0;
    to[n++] = (ftr_attribute){names[FTRI_NAME_NODE_ID], ftr_value_str(node->id)};
    to[n++] = (ftr_attribute){names[FTRI_NAME_NODE_TYPE], ftr_value_str(node->type)};
    if (node->pipeline.len)
        to[n++] = (ftr_attribute){names[FTRI_NAME_PIPELINE], ftr_value_str(node->pipeline)};
    to[n++] = (ftr_attribute){names[FTRI_NAME_STATEFUL], ftr_value_bool(node->is_stateful)};
    const ftr_str signal = ftr_str_from(ftr_signal_name(arrival->signal));
    to[n++] = (ftr_attribute){names[FTRI_NAME_SIGNAL_TYPE], ftr_value_str(signal)};
    add_i64(to, &n, names[FTRI_NAME_BATCH_SIZE], arrival->n_items);
    add_i64(to, &n, names[FTRI_NAME_BATCH_BYTES], arrival->n_bytes);
    if (beginning->wait_ns != WAIT_UNKNOWN)
        to[n++] =
            (ftr_attribute){names[FTRI_NAME_QUEUE_WAIT_MS], visit_value_ms(beginning->wait_ns)};
    if (arrival->queue_capacity) {
        add_i64(to, &n, names[FTRI_NAME_QUEUE_DEPTH], arrival->queue_depth);
        add_i64(to, &n, names[FTRI_NAME_QUEUE_CAPACITY], arrival->queue_capacity);
    }
    if (arrival->n_attempt)
        add_i64(to, &n, names[FTRI_NAME_ATTEMPT], arrival->n_attempt);
    if (self->n_hops)
        add_i64(to, &n, names[FTRI_NAME_HOPS], self->n_hops);
    return n;
}

/* True when this hop is one too many for its trace. */
static bool is_trace_full(const struct visit *self)
{
    return self->n_hops && self->n_hops % FTRI_TRACE_HOPS == 0;
}

/* The link to the sender that a split child and a continued trace carry; 0 attributes: none. */
static size_t list_link_attributes(const struct visit *self, const struct beginning *beginning,
                                   ftr_attribute ret_attributes[LINK_ATTRIBUTES_MAX])
{
    const ftr_hop *const split = beginning->split;
    if (!is_valid(beginning->parent) || (!split && !is_trace_full(self)))
        return 0;
    const ftr_str *const names = self->node->names;
    const ftr_str relation = is_trace_full(self) ? FTR_STR("continues") : FTR_STR("split");
    size_t n = 0;
    ret_attributes[n++] = (ftr_attribute){names[FTRI_NAME_RELATION], ftr_value_str(relation)};
    if (!split)
        return n;
    ret_attributes[n++] = (ftr_attribute){names[FTRI_NAME_OUT_PORT], ftr_value_str(split->port)};
    add_i64(ret_attributes, &n, names[FTRI_NAME_SPLIT_INDEX], split->split_index);
    add_i64(ret_attributes, &n, names[FTRI_NAME_SPLIT_COUNT], split->split_count);
    return n;
}

/* Most unsampled flows end here without a single attribute having been put together. */
static ftr_span start_span(const struct visit *self, const struct beginning *beginning,
                           bool is_with_attributes)
{
    ftr_attribute attributes[ATTRIBUTES_MAX];
    ftr_attribute link_attributes[LINK_ATTRIBUTES_MAX];
    const bool is_root = !is_valid(beginning->parent) || is_trace_full(self);
    ftr_span_options options = {
        .size = sizeof options,
        .name = self->node->span_name,
        .kind = self->node->span_kind,
        .is_root = is_root,
        .parent = is_root ? NULL : beginning->parent,
        .start_time_ns = beginning->start_time_ns,
        .attributes = attributes,
        /* The flow was decided about where it began. */
        .has_sampling_ratio = self->has_parent && is_trace_full(self),
        .sampling_ratio = self->parent_flags & FTR_TRACE_FLAG_SAMPLED ? 1 : 0,
    };
    ftr_link link = {.context = beginning->parent, .attributes = link_attributes};
    if (is_with_attributes) {
        options.n_attributes = list_attributes(self, beginning, attributes);
        link.n_attributes = list_link_attributes(self, beginning, link_attributes);
        options.links = &link;
        options.n_links = link.n_attributes ? 1 : 0;
    }
    return ftr_span_start_with(&options);
}

/* What a convention has on every visit. */
static void put_constants(const struct visit *self)
{
    struct ftri_node_site *const site = self->node->site;
    if (FTRI_UNLIKELY(site->constant.n_keys))
        ftr_span_set_values(self->span, &site->constant, site->constants);
}

/* A sampler took the span though its parent was not sampled. */
static void add_attributes(const struct visit *self, const struct beginning *beginning)
{
    ftr_attribute attributes[ATTRIBUTES_MAX];
    const size_t n = list_attributes(self, beginning, attributes);
    for (size_t i = 0; i < n; i++)
        ftr_span_set(self->span, attributes[i].key, &attributes[i].value);
    const size_t n_link = list_link_attributes(self, beginning, attributes);
    if (n_link)
        ftr_span_link(self->span, beginning->parent, attributes, n_link);
    put_constants(self);
}

static uint32_t narrow(uint64_t value)
{
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static void remember_arrival(struct visit *self, const struct beginning *beginning,
                             uint64_t start_ns)
{
    const ftr_arrival *const arrival = &beginning->arrival;
    self->signal = (uint8_t)arrival->signal;
    self->n_attempt = arrival->n_attempt;
    self->as.waiting.start_ns = start_ns;
    self->as.waiting.n_items = arrival->n_items;
    self->as.waiting.n_bytes = arrival->n_bytes;
    self->as.waiting.wait_ns = beginning->wait_ns;
    self->as.waiting.queue_depth = narrow(arrival->queue_depth);
    self->as.waiting.queue_capacity = narrow(arrival->queue_capacity);
}

static void take_parent(struct visit *self, const ftr_context *parent)
{
    self->parent_trace = parent->span.trace_id;
    self->parent_span = parent->span.span_id;
    self->parent_flags = parent->span.trace_flags;
    self->has_parent = true;
}

/* What every visit says. */
static void list_common(const ftr_node *node, const ftr_arrival *arrival, ftr_value *ret_values)
{
    ret_values[FTRI_ARRIVAL_NODE_ID] = ftr_value_str(node->id);
    ret_values[FTRI_ARRIVAL_NODE_TYPE] = ftr_value_str(node->type);
    ret_values[FTRI_ARRIVAL_STATEFUL] = ftr_value_bool(node->is_stateful);
    ret_values[FTRI_ARRIVAL_SIGNAL] = ftr_value_str(ftr_str_from(ftr_signal_name(arrival->signal)));
    ret_values[FTRI_ARRIVAL_ITEMS] = ftr_value_i64(visit_limited(arrival->n_items));
    ret_values[FTRI_ARRIVAL_BYTES] = ftr_value_i64(visit_limited(arrival->n_bytes));
}

static void set_and_keep(ftr_span span, ftr_keys *keys, const ftr_value *values,
                         struct ftri_template *template)
{
    ftr_span_set_values(span, keys, values);
    ftri_template_make(template, keys, values);
}

static __attribute__((noinline)) void put_arrival_anew(const struct visit *self,
                                                       const ftr_arrival *arrival, uint64_t wait_ns)
{
    struct ftri_node_site *const site = self->node->site;
    ftr_value values[FTRI_N_ARRIVAL_VALUES] = {
        [FTRI_ARRIVAL_WAIT] = visit_value_ms(wait_ns),
        [FTRI_ARRIVAL_DEPTH] = ftr_value_i64(visit_limited(arrival->queue_depth)),
        [FTRI_ARRIVAL_CAPACITY] = ftr_value_i64(visit_limited(arrival->queue_capacity)),
        [FTRI_ARRIVAL_HOPS] = ftr_value_i64(self->n_hops),
        [FTRI_ARRIVAL_PIPELINE] = ftr_value_str(self->node->pipeline),
    };
    list_common(self->node, arrival, values);
    set_and_keep(self->span, &site->arrival, values, &site->arrival_of[arrival->signal]);
}

static __attribute__((noinline)) void put_source_anew(const struct visit *self,
                                                      const ftr_arrival *arrival)
{
    struct ftri_node_site *const site = self->node->site;
    ftr_value values[FTRI_N_SOURCE_VALUES] = {[FTRI_N_COMMON_VALUES] =
                                                  ftr_value_str(self->node->pipeline)};
    list_common(self->node, arrival, values);
    set_and_keep(self->span, &site->source, values, &site->source_of[arrival->signal]);
}

/* Of a batch that came through a channel, at once. */
static void put_arrival(const struct visit *self, const ftr_arrival *arrival, uint64_t wait_ns)
{
    const ftr_value wait = visit_value_ms(wait_ns);
    const uint64_t numbers[] = {
        self->node->is_stateful,
        (uint64_t)visit_limited(arrival->n_items),
        (uint64_t)visit_limited(arrival->n_bytes),
        (uint64_t)wait.as.i64, /* the bits of a double */
        (uint64_t)visit_limited(arrival->queue_depth),
        (uint64_t)visit_limited(arrival->queue_capacity),
        self->n_hops,
    };
    if (!ftri_template_put(&self->node->site->arrival_of[arrival->signal], visit_slot(self),
                           numbers, FTRI_COUNT(numbers)))
        put_arrival_anew(self, arrival, wait_ns);
    put_constants(self);
}

/* Of one that begins here. */
static void put_source(const struct visit *self, const ftr_arrival *arrival)
{
    const uint64_t numbers[] = {
        self->node->is_stateful,
        (uint64_t)visit_limited(arrival->n_items),
        (uint64_t)visit_limited(arrival->n_bytes),
    };
    if (!ftri_template_put(&self->node->site->source_of[arrival->signal], visit_slot(self), numbers,
                           FTRI_COUNT(numbers)))
        put_source_anew(self, arrival);
    put_constants(self);
}

/* Below a sampled visit that sent it through a channel to nobody else: most visits. */
static bool is_usual(const struct visit *self, const struct beginning *beginning)
{
    return self->has_parent && (self->parent_flags & FTR_TRACE_FLAG_SAMPLED) && !beginning->split &&
           beginning->wait_ns != WAIT_UNKNOWN && self->n_hops != 0 &&
           beginning->arrival.queue_capacity != 0 && beginning->arrival.n_attempt == 0 &&
           (size_t)beginning->arrival.signal < FTRI_N_SIGNALS && !is_trace_full(self);
}

static unsigned mode_of(const ftr_node *node)
{
    return atomic_load_explicit(&node->mode, memory_order_relaxed);
}

/* A flow that had begun when it came here in FTR_MODE_TAIL stays what it is. */
static void mark(const struct visit *self, const ftr_context *parent)
{
    const unsigned mode = mode_of(self->node);
    const bool begins = !is_valid(parent) || parent->span.is_remote || is_trace_full(self);
    if (mode == FTR_MODE_FULL)
        ftri_flow_keep(self->span);
    else if (mode == FTR_MODE_TAIL && begins)
        ftri_flow_wait(self->span);
}

/* Nothing is recorded, whoever contributes. */
static void pass_on(struct visit *self, const ftr_context *parent)
{
    if (is_valid(parent))
        self->span = ftri_passing_start(parent);
    self->parent_flags |= FTR_TRACE_FLAG_SAMPLED;
}

/* node, parent and n_hops are set. */
static void begin(struct visit *self, const struct beginning *beginning, uint64_t now_ns)
{
    if (mode_of(self->node) == FTR_MODE_OFF) {
        pass_on(self, beginning->parent);
        return;
    }
    const bool is_usual_one = is_usual(self, beginning);
    const bool is_worth_it = !self->has_parent || (self->parent_flags & FTR_TRACE_FLAG_SAMPLED);
    self->span = is_usual_one ? ftr_span_start_site(&self->node->site->site, beginning->parent)
                              : start_span(self, beginning, is_worth_it);
    /* Read anew, so that work never seems longer than its span. */
    self->working_since_ns = ftri_clock_passed_ns();
    self->is_recording = self->span.generation != 0;
    if (mode_of(self->node) != FTRI_MODE_OF_PROCESS)
        mark(self, beginning->parent);
    if (!self->is_recording)
        remember_arrival(self, beginning, now_ns);
    else if (is_usual_one)
        put_arrival(self, &beginning->arrival, beginning->wait_ns);
    else if (!is_worth_it)
        add_attributes(self, beginning);
    else
        put_constants(self);
}

/* The first sampled contributor has come: the span starts anew below it. */
static void begin_again(struct visit *self, const ftr_context *parent)
{
    const uint64_t since_ns = ftri_clock_passed_ns() - self->as.waiting.start_ns;
    const struct beginning beginning = {
        .parent = parent,
        .arrival = {.signal = (ftr_signal)self->signal,
                    .n_items = self->as.waiting.n_items,
                    .n_bytes = self->as.waiting.n_bytes,
                    .queue_depth = self->as.waiting.queue_depth,
                    .queue_capacity = self->as.waiting.queue_capacity,
                    .n_attempt = self->n_attempt},
        .wait_ns = self->as.waiting.wait_ns,
        .start_time_ns = ftri_time_wall_ns() - since_ns,
    };
    take_parent(self, parent);
    ftr_span_end(self->span);
    self->span = start_span(self, &beginning, true);
    self->is_recording = ftr_span_is_recording(self->span);
    mark(self, parent);
    if (!self->is_recording)
        return;
    memset(&self->as, 0, sizeof self->as);
    put_constants(self);
}

/* A further sampled contributor of a visit that records. */
static void contribute(struct visit *self, const ftr_context *context, uint64_t input)
{
    if (!self->fan_in) {
        self->fan_in = ftri_fan_in_new(self->node);
        if (!self->fan_in) {
            self->as.recording.n_missed++;
            return;
        }
        const ftr_context parent = {.span = {.trace_id = self->parent_trace,
                                             .span_id = self->parent_span,
                                             .trace_flags = self->parent_flags}};
        if (self->has_parent)
            ftri_fan_in_add(self->fan_in, &parent, 0);
    }
    ftri_fan_in_add(self->fan_in, context, input);
}

static void take_input(struct visit *self, const ftr_hop *input, uint64_t index)
{
    if (!visit_context_is_sampled(&input->context))
        return;
    if (self->is_recording) {
        if (self->node->lineage != FTR_LINEAGE_OFF)
            contribute(self, &input->context, index);
    } else if (!(self->parent_flags & FTR_TRACE_FLAG_SAMPLED)) {
        begin_again(self, &input->context);
    }
}

/* The first sampled one, else the first with ids, else the first. */
static size_t choose_parent(const ftr_hop *inputs, size_t n_inputs)
{
    size_t with_ids = n_inputs;
    for (size_t i = 0; i < n_inputs; i++) {
        if (visit_context_is_sampled(&inputs[i].context))
            return i;
        if (with_ids == n_inputs && is_valid(&inputs[i].context))
            with_ids = i;
    }
    return with_ids == n_inputs ? 0 : with_ids;
}

static uint32_t count_hops(const ftr_hop *inputs, size_t n_inputs)
{
    uint32_t n_hops = 0;
    for (size_t i = 0; i < n_inputs; i++)
        n_hops = inputs[i].n_hops > n_hops ? inputs[i].n_hops : n_hops;
    return n_hops;
}

static uint64_t waited(const ftr_hop *input, uint64_t now_ns)
{
    if (!input->sent_ns)
        return WAIT_UNKNOWN;
    return now_ns > input->sent_ns ? now_ns - input->sent_ns : 0;
}

/* True: nothing is to be recorded. A visit without a node is one that records nothing: when the
 * library is off, the rest of the storage is not even cleared. */
static inline bool is_off(ftr_visit *visit, const ftr_node *node)
{
    if (FTRI_LIKELY(node && __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED) != 0))
        return false;
    visit_of(visit)->node = NULL;
    return true;
}

static void clear(ftr_visit *visit, const ftr_node *node)
{
    memset(visit, 0, sizeof *visit);
    visit_of(visit)->node = node;
}

/* Whether it says all that is asked for below, and nothing that is rare. */
static inline bool is_usual_arrival(const ftr_arrival *arrival)
{
    return arrival && arrival->size == sizeof *arrival && arrival->n_attempt == 0 &&
           (size_t)arrival->signal < FTRI_N_SIGNALS;
}

/* Field by field: most visits begin here. */
static void begin_quickly(struct visit *self, const ftr_node *node, ftr_span span, uint64_t now_ns)
{
    self->node = node;
    self->span = span;
    self->fan_in = NULL;
    self->n_inputs = self->n_hops = self->n_attempt = 0;
    self->is_recording = true;
    self->has_parent = false;
    self->working_since_ns = now_ns;
    self->work_ns = 0;
    self->as.recording.blocked_ns = self->as.recording.n_dropped_items = 0;
    self->as.recording.n_missed = self->as.recording.n_emits = 0;
}

/* What is_usual says. False: it is not of this kind, and nothing has changed. */
static bool start_usual(struct visit *self, const ftr_node *node, const ftr_hop *input,
                        const ftr_arrival *arrival)
{
    if (!is_usual_arrival(arrival) || mode_of(node) != FTRI_MODE_OF_PROCESS ||
        arrival->queue_capacity == 0 || input->sent_ns == 0 || input->split_count > 1 ||
        input->n_hops % FTRI_TRACE_HOPS == 0 || !ftri_context_is_plain(&input->context))
        return false;
    const uint64_t now_ns = arrival->now_ns ? arrival->now_ns : ftri_clock_passed_ns();
    const ftr_span span = ftri_site_start_at(&node->site->site, &input->context, now_ns);
    if (FTRI_UNLIKELY(span.generation == 0))
        return false;
    begin_quickly(self, node, span, now_ns);
    take_parent(self, &input->context);
    self->n_inputs = 1;
    self->n_hops = input->n_hops;
    put_arrival(self, arrival, waited(input, now_ns));
    return true;
}

/* A source. origin: NULL, or a context from outside. */
static bool start_source(struct visit *self, const ftr_node *node, const ftr_context *origin,
                         const ftr_arrival *arrival)
{
    if (!is_usual_arrival(arrival) || mode_of(node) != FTRI_MODE_OF_PROCESS ||
        arrival->queue_capacity != 0 || (origin && !ftri_context_is_plain(origin)))
        return false;
    const uint64_t now_ns = arrival->now_ns ? arrival->now_ns : ftri_clock_passed_ns();
    const ftr_span span = ftri_site_start_at(&node->site->site, origin, now_ns);
    if (FTRI_UNLIKELY(span.generation == 0))
        return false;
    begin_quickly(self, node, span, now_ns);
    if (origin)
        take_parent(self, origin);
    put_source(self, arrival);
    return true;
}

static void start_any(struct visit *self, const ftr_hop *inputs, size_t n_inputs,
                      const ftr_arrival *arrival)
{
    struct beginning beginning = {.arrival = read_arrival(arrival), .wait_ns = WAIT_UNKNOWN};
    const uint64_t now_ns =
        beginning.arrival.now_ns ? beginning.arrival.now_ns : ftri_clock_passed_ns();
    size_t parent = 0;
    if (n_inputs) {
        parent = choose_parent(inputs, n_inputs);
        beginning.parent = &inputs[parent].context;
        beginning.wait_ns = waited(&inputs[0], now_ns);
        if (n_inputs == 1 && inputs[0].split_count > 1)
            beginning.split = &inputs[0];
        self->n_hops = count_hops(inputs, n_inputs);
        self->n_inputs = narrow(n_inputs);
    }
    if (is_valid(beginning.parent))
        take_parent(self, beginning.parent);
    begin(self, &beginning, now_ns);
    for (size_t i = parent + 1; i < n_inputs; i++)
        take_input(self, &inputs[i], i);
}

void ftr_visit_start(ftr_visit *visit, const ftr_node *node, const ftr_hop *inputs, size_t n_inputs,
                     const ftr_arrival *arrival)
{
    if (is_off(visit, node))
        return;
    if (n_inputs == 1 && start_usual(visit_of(visit), node, inputs, arrival))
        return;
    if (n_inputs == 0 && start_source(visit_of(visit), node, NULL, arrival))
        return;
    clear(visit, node);
    start_any(visit_of(visit), inputs, n_inputs, arrival);
}

void ftr_visit_start_from(ftr_visit *visit, const ftr_node *node, const ftr_context *origin,
                          const ftr_arrival *arrival)
{
    if (is_off(visit, node) || (origin && start_source(visit_of(visit), node, origin, arrival)))
        return;
    clear(visit, node);
    const struct beginning beginning = {
        .parent = origin,
        .arrival = read_arrival(arrival),
        .wait_ns = WAIT_UNKNOWN,
    };
    if (is_valid(origin))
        take_parent(visit_of(visit), origin);
    begin(visit_of(visit), &beginning, ftri_clock_passed_ns());
}

/* The longest way counts. */
static void take_hops(struct visit *self, uint32_t n_hops)
{
    if (n_hops <= self->n_hops)
        return;
    self->n_hops = n_hops;
    if (self->is_recording)
        ftr_span_set_i64(self->span, self->node->names[FTRI_NAME_HOPS], n_hops);
}

void ftr_visit_add_input(ftr_visit *visit, const ftr_hop *input)
{
    struct visit *const self = visit_of(visit);
    if (!self->node)
        return;
    const uint32_t index = self->n_inputs;
    if (self->n_inputs < UINT32_MAX)
        self->n_inputs++;
    take_hops(self, input->n_hops);
    take_input(self, input, index);
}
