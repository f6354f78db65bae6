/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/frame.h"

#include "base/mem.h"
#include "engine/clock.h"
#include "engine/count.h"
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
    if (FTRI_UNLIKELY(self == graph->working))
        graph->working = NULL;
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

void frame_count_work(struct node *node, uint64_t worked_ns)
{
    account_add("frame_count_work: work_ns", &node->account.work_ns, worked_ns);
}

static void stop_clock(struct frame *self, uint64_t now_ns)
{
    const uint64_t worked_ns = clock_between(self->running_since_ns, now_ns);
    frame_count_work(self->node, worked_ns);
    visit_worked(self, worked_ns);
    self->running_since_ns = 0;
}

void frame_stop_working(struct frame *self, uint64_t now_ns)
{
    struct graph *const graph = self->node->graph;
    const uint64_t worked_ns = clock_between(graph->working_since_ns, now_ns);
    graph->working = NULL;
    graph->is_work_counted = true;
    frame_count_work(self->node, worked_ns);
    visit_worked(self, worked_ns);
}

/* To the node that asked for it, and onto the visit it belongs to. */
static void answer_watcher(struct frame *self)
{
    if (self->origin) {
        visit_unwound(self->origin, frame_result(self));
        self->origin->n_watched--;
        self->origin->has_refused_watched = self->is_failed;
    }
    self->message.kind = self->is_failed ? CONTROL_NACK : CONTROL_ACK;
    scheduler_post(self->node, &frame_ref(self)->message);
}

static inline void end_visit(struct frame *self)
{
    if (self->is_special && self->running_since_ns)
        stop_clock(self, clock_read(self->node->graph));
    if (self == self->node->graph->working)
        frame_stop_working(self, clock_read(self->node->graph));
    visit_close(self);
}

static void settle(struct frame *self, struct settled *settled)
{
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
    if (self->is_failed || self->is_watched || self->origin || self->n_refs > 1 || self->n_parents)
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
        }
        struct frame *const parent = self->parent;
        recycle(self);
        if (VISIT_RECORDING && parent && parent->is_special && !parent->origin)
            visit_unwound(parent, &good);
        self = parent;
    }
}

void frame_work_since(struct frame *self, uint64_t now_ns)
{
    frame_make_special(self);
    ftri_list_append(&self->node->graph->running, &self->running);
    self->is_running = true;
    if (!self->running_since_ns)
        self->running_since_ns = now_ns;
}

void frame_work(struct frame *self)
{
    struct graph *const graph = self->node->graph;
    if (graph->is_rough || self->is_running || self == graph->working)
        return;
    frame_make_special(self);
    frame_work_since(self, self->running_since_ns ? 0 : clock_read(graph));
}

/* Work goes on behind the scenes (a request under way) while a node that does not gather batches
 * keeps one. */
static bool is_worked_on(const struct frame *self)
{
    return self->n_in_hand > 0 && !self->node->class->is_stateful;
}

bool frame_rest_all(struct graph *graph)
{
    if (ftri_list_is_empty(&graph->running))
        return false;
    clock_read(graph);
    struct ftri_list *entry;
    while ((entry = ftri_list_pop(&graph->running)) != NULL) {
        struct frame *const self = FTRI_CONTAINER(entry, struct frame, running);
        self->is_running = false;
        if (self->running_since_ns && !is_worked_on(self))
            stop_clock(self, graph->now_ns);
    }
    return true;
}
