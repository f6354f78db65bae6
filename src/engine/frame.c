/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/frame.h"

#include "base/mem.h"
#include "engine/consume.h"
#include "engine/crossing.h"
#include "engine/path.h"
#include "engine/scheduler.h"
#include "engine/visit.h"

/* AddressSanitizer sees who uses a freed frame, if it is freed. */
#ifdef __SANITIZE_ADDRESS__
enum { SPARE_MAX = 0 };
#else
enum { SPARE_MAX = 1024 };
#endif

struct frame *frame_allocate(struct graph *graph)
{
    struct frame *self = ftri_alloc_lines(sizeof *self);
    if (self)
        graph->n_frames++;
    return self;
}

struct frame *frame_new_merged(struct node *node, size_t n)
{
    struct frame *self = frame_new(node);
    if (!self)
        return NULL;
    self->parents = ftri_alloc_array(n, sizeof(struct frame *));
    if (!self->parents) {
        frame_discard(self);
        return NULL;
    }
    frame_make_special(self);
    self->n_parents = (uint32_t)n;
    return self;
}

void frame_discard(struct frame *self)
{
    if (frame_n_parents(self)) {
        ftri_free(self->parents);
        self->n_parents = 0;
    }
    frame_unref(self);
}

struct frame *frame_ref(struct frame *self)
{
    frame_make_special(self);
    self->n_refs++;
    return self;
}

/* At rest: most of those that a burst took go back to the allocator. */
static void trim(struct graph *graph, size_t n_left)
{
    while (graph->n_frames > n_left) {
        struct frame *const frame = graph->spare_frames;
        graph->spare_frames = frame->parent;
        graph->n_frames--;
        ftri_free(frame);
    }
}

static inline void recycle(struct frame *self)
{
    struct graph *const graph = self->node->graph;
    self->parent = graph->spare_frames;
    graph->spare_frames = self;
    if (FTRI_UNLIKELY(--graph->n_live == 0)) {
        trim(graph, SPARE_MAX);
        scheduler_arm(graph);
    }
}

/* The last reference to an origin may be that of the watched frame. */
void frame_unref(struct frame *self)
{
    while (self && (!self->is_special || --self->n_refs == 0)) {
        struct frame *const origin = self->origin;
        if (origin)
            ftr_hop_release(&self->hop);
        if (frame_n_parents(self))
            ftri_free(self->parents);
        if (self->is_running)
            ftri_list_unlink(&self->running);
        recycle(self);
        self = origin;
    }
}

void frame_pool_deinit(struct graph *graph)
{
    trim(graph, 0);
}

static const struct result good = {.is_ack = true};

const struct result *frame_result(const struct frame *self)
{
    return self->is_failed ? &self->result : &good;
}

/* The first failure counts. */
static inline void note(struct frame *self, const struct result *result)
{
    if (FTRI_LIKELY(result->is_ack) || self->is_failed)
        return;
    frame_make_special(self);
    self->is_failed = true;
    self->result = *result;
}

/* Frames to unwind, in the order in which they were settled. */
struct settled {
    struct frame *first, *last;
};

static void append(struct settled *self, struct frame *frame)
{
    frame->next_settled = NULL;
    if (self->first)
        self->last->next_settled = frame;
    else
        self->first = frame;
    self->last = frame;
}

static void resolve_one(struct frame *self, const struct result *result, struct settled *settled)
{
    note(self, result);
    if (--self->n_pending == 0)
        append(settled, self);
}

ftr_outcome frame_outcome(const struct frame *self)
{
    if (!self->is_failed)
        return FTR_OUTCOME_SUCCESS;
    return self->is_at_fault ? FTR_OUTCOME_FAILURE : FTR_OUTCOME_REFUSED;
}

static void stop_clock(struct frame *self, uint64_t now_ns)
{
    if (!self->running_since_ns)
        return;
    visit_worked(self, consume_count(self, self->running_since_ns, now_ns));
    meter_end_work(self->node->meter, now_ns);
    self->running_since_ns = 0;
}

/* Kept by its node, which does not work on it, and nothing of it is below. */
static bool is_resting(const struct frame *self)
{
    return self->n_in_hand && !self->n_watched && !self->running_since_ns;
}

static void end_rest(struct frame *self, uint64_t now_ns)
{
    const enum meter_delay delay = self->is_retrying ? METER_DELAY_RETRY : METER_DELAY_HOLD;
    meter_add(&self->node->meter->delay_ns[delay], clock_between(self->resting_since_ns, now_ns));
    self->resting_since_ns = 0;
}

/* What goes on is worked on from here on by itself. */
void consume_end_special(struct frame *self, bool goes_on, uint64_t now_ns)
{
    struct graph *const graph = self->node->graph;
    frame_make_special(self);
    if (goes_on) {
        self->running_since_ns = graph->working_since_ns;
        graph->busy_until_ns = 0;
        return;
    }
    graph->busy_until_ns = now_ns;
    visit_worked(self, consume_count(self, graph->working_since_ns, now_ns));
    if (is_resting(self))
        self->resting_since_ns = now_ns;
}

static void measure_path(struct frame *self, ftr_outcome outcome, uint64_t now_ns)
{
    struct path_meter *const meter = &self->path->meter;
    meter_time(&meter->duration[outcome], self->node->graph->time_scale,
               self->born_ns ? clock_between(self->born_ns, now_ns) : 0);
    meter_add(&meter->n_items[outcome], self->n_items);
}

static void stop_special(struct frame *self, uint64_t now_ns)
{
    stop_clock(self, now_ns);
    if (self->resting_since_ns)
        end_rest(self, now_ns);
}

/* What nothing more became of has come to the end of its path. */
static __attribute__((noinline)) void measure_any(struct frame *self)
{
    struct graph *const graph = self->node->graph;
    const ftr_outcome outcome = frame_outcome(self);
    const bool is_end = !self->has_gone_on && !(self->is_special && self->n_watched);
    const bool is_timed = self->is_special && (self->running_since_ns || self->resting_since_ns);
    if (is_end || is_timed || self == graph->working)
        clock_read(graph);
    if (self == graph->working)
        visit_worked(self, consume_settled(self, graph->now_ns));
    if (is_timed)
        stop_special(self, graph->now_ns);
    if (is_end)
        measure_path(self, outcome, graph->now_ns);
    meter_time(&self->node->meter->work[outcome], graph->time_scale, self->work_ns);
}

/* Most have gone on, and the node has long done its work on them. */
static inline void measure(struct frame *self)
{
    struct node *const node = self->node;
    if (FTRI_LIKELY(self->has_gone_on && !self->is_special && self != node->graph->working))
        meter_time(&node->meter->work[FTR_OUTCOME_SUCCESS], node->graph->time_scale, self->work_ns);
    else
        measure_any(self);
}

/* To the node that asked for it, and onto the visit it belongs to. */
static void answer_watcher(struct frame *self)
{
    if (self->origin) {
        visit_unwound(self->origin, frame_result(self));
        self->origin->n_watched--;
        self->origin->has_refused_watched = self->is_failed;
        if (is_resting(self->origin))
            self->origin->resting_since_ns = clock_read(self->node->graph);
    }
    self->message.kind = self->is_failed ? CONTROL_NACK : CONTROL_ACK;
    scheduler_post(self->node, &frame_ref(self)->message);
}

static inline void end_visit(struct frame *self)
{
    if (!self->origin)
        measure(self);
    visit_close(self);
}

static void settle(struct frame *self, struct settled *settled)
{
    if (frame_is_lent(self)) {
        crossing_return(self); /* and no longer ours */
        return;
    }
    end_visit(self);
    if (self->parent) {
        if (!self->parent->origin) /* else answer_watcher tells the origin's visit, once */
            visit_unwound(self->parent, frame_result(self));
        resolve_one(self->parent, frame_result(self), settled);
    }
    for (size_t i = 0; i < frame_n_parents(self); i++) {
        visit_unwound(self->parents[i], frame_result(self));
        resolve_one(self->parents[i], frame_result(self), settled);
    }
    if (self->is_watched)
        answer_watcher(self);
    frame_unref(self);
}

static __attribute__((noinline)) void unwind(struct frame *self)
{
    struct settled settled = {NULL, NULL};
    append(&settled, self);
    while (settled.first) {
        struct frame *const next = settled.first;
        settled.first = next->next_settled;
        settle(next, &settled);
    }
}

/* Ends a special frame whose success nobody but the one above waits for. False: it has more. */
static bool end_alone(struct frame *self)
{
    if (self->is_failed || self->is_watched || self->is_lent || self->origin || self->n_refs > 1 ||
        self->n_parents)
        return false;
    end_visit(self);
    if (self->is_running)
        ftri_list_unlink(&self->running);
    return true;
}

/* One of a special frame's pending has its outcome. True: it is settled, and the one above it can
 * be told. */
static bool resolve_special(struct frame *self)
{
    if (--self->n_pending)
        return false;
    if (end_alone(self))
        return true;
    unwind(self);
    return false;
}

void frame_resolve(struct frame *self, const struct result *result)
{
    note(self, result);
    while (self) {
        if (FTRI_UNLIKELY(self->is_special)) {
            if (!resolve_special(self))
                return;
        } else if (--self->n_pending) {
            return;
        } else {
            measure(self);
        }
        struct frame *const parent = self->parent;
        recycle(self);
        if (VISIT_RECORDING && parent && parent->is_special && !parent->origin)
            visit_unwound(parent, &good);
        self = parent;
    }
}

static void start_clock(struct frame *self, uint64_t now_ns)
{
    self->running_since_ns = now_ns;
    meter_begin_work(self->node->meter, now_ns);
    if (!self->born_ns)
        self->born_ns = now_ns;
    if (self->resting_since_ns)
        end_rest(self, now_ns);
}

void frame_work(struct frame *self)
{
    struct graph *const graph = self->node->graph;
    if (self->is_running || self == graph->working)
        return;
    frame_make_special(self);
    ftri_list_append(&graph->running, &self->running);
    self->is_running = true;
    if (!self->running_since_ns)
        start_clock(self, clock_read(graph));
}

/* Work goes on behind the scenes (a request under way) while a node that does not gather batches
 * keeps one. */
static bool is_worked_on(const struct frame *self)
{
    return self->n_in_hand > 0 && !self->node->class->is_stateful;
}

void frame_rest_running(struct graph *graph)
{
    clock_read(graph);
    struct ftri_list *entry;
    while ((entry = ftri_list_pop(&graph->running)) != NULL) {
        struct frame *const self = FTRI_CONTAINER(entry, struct frame, running);
        self->is_running = false;
        if (is_worked_on(self))
            continue;
        stop_clock(self, graph->now_ns);
        if (is_resting(self))
            self->resting_since_ns = graph->now_ns;
    }
}
