/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/frame.h"

#include "base/mem.h"
#include "engine/clock.h"
#include "engine/count.h"
#include "engine/scheduler.h"
#include "engine/visit.h"

#include <string.h>

/* AddressSanitizer sees who uses a freed frame, if it is freed. */
#ifdef __SANITIZE_ADDRESS__
enum { SPARE_MAX = 0 };
#else
enum { SPARE_MAX = 1024 };
#endif

static struct frame *take_spare(struct graph *graph)
{
    struct frame *const self = graph->spare_frames;
    graph->spare_frames = self->parent;
    graph->n_spare_frames--;
    return self;
}

struct frame *frame_new(struct node *node)
{
    struct graph *const graph = node->graph;
    struct frame *const self =
        FTRI_LIKELY(graph->spare_frames) ? take_spare(graph) : ftri_alloc(sizeof *self);
    if (!self)
        return NULL;
    memset(self, 0, offsetof(struct frame, parents));
    self->node = node;
    self->n_refs = 1;
    graph->n_live++;
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
    self->n_parents = n;
    return self;
}

void frame_discard(struct frame *self)
{
    if (self->n_parents)
        ftri_free(self->parents);
    self->n_parents = 0;
    frame_unref(self);
}

struct frame *frame_ref(struct frame *self)
{
    self->n_refs++;
    return self;
}

static void recycle(struct frame *self)
{
    struct graph *const graph = self->node->graph;
    if (self->is_running)
        ftri_list_unlink(&self->running);
    if (graph->n_spare_frames < SPARE_MAX) {
        self->parent = graph->spare_frames;
        graph->spare_frames = self;
        graph->n_spare_frames++;
    } else {
        ftri_free(self);
    }
    if (--graph->n_live == 0)
        scheduler_arm(graph);
}

/* The last reference to an origin may be that of the watched frame. */
void frame_unref(struct frame *self)
{
    while (self && --self->n_refs == 0) {
        struct frame *const origin = self->origin;
        if (origin)
            ftr_hop_release(&self->hop);
        if (self->n_parents)
            ftri_free(self->parents);
        recycle(self);
        self = origin;
    }
}

void frame_pool_deinit(struct graph *graph)
{
    while (graph->n_spare_frames)
        ftri_free(take_spare(graph));
}

const struct result *frame_result(const struct frame *self)
{
    static const struct result good = {.is_ack = true};
    return self->is_failed ? &self->result : &good;
}

/* The first failure counts. */
static void note(struct frame *self, const struct result *result)
{
    if (FTRI_LIKELY(result->is_ack) || self->is_failed)
        return;
    self->is_failed = true;
    self->result = *result;
}

static void resolve_one(struct frame *self, const struct result *result, struct ftri_list *settled)
{
    note(self, result);
    if (--self->n_pending == 0)
        ftri_list_append(settled, &self->settled);
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

static void end_visit(struct frame *self)
{
    if (self->running_since_ns)
        stop_clock(self, clock_read(self->node->graph));
    visit_close(self);
}

static void tell_above(struct frame *self)
{
    if (!self->parent->origin) /* else answer_watcher tells the origin's visit, once */
        visit_unwound(self->parent, frame_result(self));
}

static void settle(struct frame *self, struct ftri_list *settled)
{
    end_visit(self);
    if (self->parent) {
        tell_above(self);
        resolve_one(self->parent, frame_result(self), settled);
    }
    for (size_t i = 0; i < self->n_parents; i++) {
        visit_unwound(self->parents[i], frame_result(self));
        resolve_one(self->parents[i], frame_result(self), settled);
    }
    if (self->is_watched)
        answer_watcher(self);
    frame_unref(self);
}

/* The success of a frame that nobody but the one above it waits for. Returns what is settled and is
 * not of this kind; NULL: nothing is. */
static struct frame *settle_plain(struct frame *self)
{
    while (!self->n_parents && !self->is_watched && !self->is_failed && self->n_refs == 1 &&
           !self->origin) {
        struct frame *const parent = self->parent;
        end_visit(self);
        if (parent)
            tell_above(self);
        recycle(self);
        if (!parent || --parent->n_pending)
            return NULL;
        self = parent;
    }
    return self;
}

void frame_resolve(struct frame *self, const struct result *result)
{
    note(self, result);
    if (--self->n_pending)
        return;
    self = settle_plain(self);
    if (!self)
        return;
    struct ftri_list settled, *entry;
    ftri_list_init(&settled);
    ftri_list_append(&settled, &self->settled);
    while ((entry = ftri_list_pop(&settled)) != NULL)
        settle(FTRI_CONTAINER(entry, struct frame, settled), &settled);
}

void frame_work_since(struct frame *self, uint64_t now_ns)
{
    ftri_list_append(&self->node->graph->running, &self->running);
    self->is_running = true;
    if (!self->running_since_ns)
        self->running_since_ns = now_ns;
}

void frame_work(struct frame *self)
{
    struct graph *const graph = self->node->graph;
    if (graph->is_rough || self->is_running)
        return;
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
