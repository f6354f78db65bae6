/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/crossing.h"

#include "engine/channel.h"
#include "engine/frame.h"
#include "engine/instance.h"
#include "engine/path.h"
#include "engine/visit.h"

#include <errno.h>
#include <string.h>

int crossing_new(struct graph *graph, struct edge *edge, bool is_by_trace, size_t n_loops)
{
    struct crossing *const self = ftri_arena_alloc(&graph->arena, sizeof *self);
    struct lane *const lanes = ftri_arena_alloc(&graph->arena, n_loops * sizeof *lanes);
    if (!self || !lanes)
        return -ENOMEM;
    memset(lanes, 0, n_loops * sizeof *lanes);
    for (size_t i = 0; i < n_loops; i++)
        ftri_list_init(&lanes[i].waiting);
    *self = (struct crossing){
        .edge = edge, .is_by_trace = is_by_trace, .n_loops = n_loops, .lanes = lanes};
    edge->crossing = self;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n_loops; i++)
        if (crossing_reaches(self, i))
            r = ftri_ring_init(&lanes[i].ring, graph->capacity);
    return r;
}

void crossing_deinit(struct crossing *self)
{
    for (size_t i = 0; i < self->n_loops; i++)
        ftri_ring_deinit(&self->lanes[i].ring);
}

static struct instance *instance_of(const struct crossing *self)
{
    return self->edge->from->graph->instance;
}

bool crossing_reaches(const struct crossing *self, size_t loop)
{
    return loop != instance_of(self)->index && (self->is_by_trace || loop == 0);
}

/* -- the sender's side -- */

/* The flag is set before the ring is looked at again: the other side looks at it after it took. */
static bool ring_has_room(struct lane *lane)
{
    if (ftri_ring_has_room(&lane->ring))
        return true;
    atomic_store(&lane->wants_room, true);
    return ftri_ring_has_room(&lane->ring);
}

static bool lane_has_room(struct lane *lane)
{
    return ftri_list_is_empty(&lane->waiting) && ring_has_room(lane);
}

/* There is room. */
static void hand_over(struct crossing *self, size_t loop, struct pdata *pdata)
{
    const struct instance *const instance = instance_of(self);
    const uint64_t n_items = pdata->n_items;
    pdata->frame->lent.epoch = instance->epoch;
    (void)ftri_ring_put(&self->lanes[loop].ring, pdata);
    account_take("hand_over: queued", &self->edge->account.queued, n_items);
    account_add("hand_over: handed", &self->edge->account.handed, n_items);
    meter_take(&self->edge->meter->depth, 1);
    instance_wake(instance_at(instance, loop));
}

struct frame *crossing_lend(struct node *sender, struct frame *above)
{
    struct frame *const self = frame_new(sender);
    if (!self)
        return NULL;
    frame_make_special(self);
    self->is_lent = true;
    self->n_pending = 1;
    self->visit_state = VISIT_CLOSED;
    self->lent.above = above;
    self->path = frame_owner(above)->path;
    self->born_ns = frame_owner(above)->born_ns;
    return self;
}

void crossing_send(struct edge *edge, size_t loop, struct pdata *pdata, uint64_t sent_ns)
{
    struct lane *const lane = &edge->crossing->lanes[loop];
    (void)instance_rests(instance_of(edge->crossing), REST_NOT);
    channel_count_sent(edge, pdata, sent_ns);
    if (lane_has_room(lane)) {
        hand_over(edge->crossing, loop, pdata);
        return;
    }
    pdata->blocked_ns = pdata->sent_ns;
    ftri_list_append(&lane->waiting, &pdata->link);
    edge->from->n_waiting++;
}

size_t crossing_depth_with(const struct edge *edge, size_t loop)
{
    const struct lane *const lane = &edge->crossing->lanes[loop];
    const size_t n = ftri_ring_count(&lane->ring) + ftri_list_is_empty(&lane->waiting);
    return ftri_size_min(n, lane->ring.capacity);
}

bool crossing_has_room(const struct edge *edge)
{
    const struct crossing *const self = edge->crossing;
    const struct node *const to = edge->to;
    if (to->n_data >= to->graph->capacity || !ftri_list_is_empty(&to->waiting))
        return false;
    for (size_t i = 0; i < self->n_loops; i++)
        if (crossing_reaches(self, i) && !lane_has_room(&self->lanes[i]))
            return false;
    return true;
}

void crossing_move_up(struct crossing *self)
{
    struct node *const from = self->edge->from;
    for (size_t i = 0; i < self->n_loops; i++) {
        struct lane *const lane = &self->lanes[i];
        while (!ftri_list_is_empty(&lane->waiting) && ring_has_room(lane)) {
            struct pdata *const pdata =
                FTRI_CONTAINER(ftri_list_pop(&lane->waiting), struct pdata, link);
            channel_stop_waiting(pdata);
            hand_over(self, i, pdata);
        }
    }
    if (from->wants_resume && channel_has_room(from))
        scheduler_control(from, CONTROL_RESUME_DATA);
}

void crossing_refuse_waiting(struct crossing *self, const struct result *result)
{
    for (size_t i = 0; i < self->n_loops; i++) {
        struct ftri_list *entry;
        while ((entry = ftri_list_pop(&self->lanes[i].waiting)) != NULL) {
            struct pdata *const pdata = FTRI_CONTAINER(entry, struct pdata, link);
            channel_stop_waiting(pdata);
            channel_refuse(pdata, result);
        }
    }
}

bool crossing_set_drained(struct crossing *self, bool is_drained)
{
    if (atomic_load(&self->is_drained) == is_drained)
        return false;
    atomic_store(&self->is_drained, is_drained);
    return is_drained;
}

/* -- the receiver's side -- */

/* The same way as the sender's, in this loop's own tree. */
static struct path *path_here(struct inlet *inlet, const struct path *there)
{
    if (inlet->path_there != there) {
        inlet->path_there = there;
        inlet->path = path_import(inlet->edge->from, there);
    }
    return inlet->path;
}

static struct pdata *take(struct inlet *inlet)
{
    struct lane *const lane = inlet->lane;
    struct pdata *const pdata = ftri_ring_take(&lane->ring);
    if (!pdata)
        return NULL;
    (void)instance_rests(inlet->edge->to->graph->instance, REST_NOT);
    if (atomic_load(&lane->wants_room) && atomic_exchange(&lane->wants_room, false))
        instance_wake(instance_of(inlet->crossing));
    instance_reach(inlet->edge->to->graph->instance, pdata->frame->lent.epoch);
    pdata->edge = inlet->edge;
    pdata->hop.port = inlet->edge->port->name; /* of this loop's graph */
    account_add("take: taken", &inlet->edge->account.taken, pdata->n_items);
    account_add("take: queued", &inlet->edge->account.queued, pdata->n_items);
    meter_add(&inlet->edge->meter->depth, 1);
    pdata->frame->path = path_here(inlet, pdata->frame->path);
    return pdata;
}

static struct pdata *pop_waiting(struct node *node)
{
    struct ftri_list *const entry = ftri_list_pop(&node->waiting);
    return entry ? FTRI_CONTAINER(entry, struct pdata, link) : NULL;
}

struct pdata *crossing_next(struct node *node)
{
    struct pdata *pdata = NULL;
    for (size_t i = 0; !pdata && i <= node->n_inlets; i++) {
        const size_t at = node->next_inlet;
        node->next_inlet = (at + 1) % (node->n_inlets + 1);
        pdata = at == node->n_inlets ? pop_waiting(node) : take(&node->inlets[at]);
    }
    return pdata;
}

bool crossing_is_arriving(const struct node *node)
{
    for (size_t i = 0; i < node->n_inlets; i++)
        if (!ftri_ring_is_empty(&node->inlets[i].lane->ring))
            return true;
    return false;
}

/* What was handed over before the word came can be seen after it. */
bool crossing_all_drained(const struct node *node)
{
    for (size_t i = 0; i < node->n_inlets; i++)
        if (!atomic_load(&node->inlets[i].crossing->is_drained) ||
            !ftri_ring_is_empty(&node->inlets[i].lane->ring))
            return false;
    return true;
}

/* -- back -- */

void crossing_return(struct frame *lent)
{
    struct instance *const home = lent->node->graph->instance;
    struct frame *top = atomic_load(&home->answers);
    do
        lent->lent.next = top;
    while (!atomic_compare_exchange_weak(&home->answers, &top, lent));
    instance_wake(home);
}

void crossing_answer(struct frame *lent)
{
    struct frame *const above = lent->lent.above;
    if (!above->origin) /* else its watcher tells the origin's visit, once */
        visit_unwound(above, frame_result(lent));
    frame_resolve(above, frame_result(lent));
    frame_unref(lent);
}
