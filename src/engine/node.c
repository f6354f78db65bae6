/* SPDX-License-Identifier: Apache-2.0
 *
 * What a node may do: the functions of node.h that make batches and give them up. */
#include "engine/node.h"

#include "base/payload.h"
#include "engine/channel.h"
#include "engine/clock.h"
#include "engine/count.h"
#include "engine/crossing.h"
#include "engine/custody.h"
#include "engine/instance.h"
#include "engine/metadata.h"
#include "engine/path.h"
#include "engine/partition.h"
#include "engine/pdata_pool.h"
#include "engine/visit.h"

#include <string.h>

static const struct result ack = {.is_ack = true};

/* Its node hears of its outcome. */
static void watch(struct frame *frame, uint64_t calldata)
{
    frame_make_special(frame);
    frame->is_watched = true;
    frame->calldata = calldata;
}

struct pdata *node_ingest(struct node *self, ftr_signal signal, const ftr_context *origin,
                          bool is_watched, uint64_t calldata)
{
    if (self->is_stopped) {
        node_failed_because(self, "node_ingest after its stop");
        return NULL;
    }
    if (self->graph->drain >= DRAIN_FORCED)
        return NULL;
    struct frame *const frame = frame_new(self);
    struct pdata *const pdata = frame ? pdata_new(self->graph, self) : NULL;
    if (!pdata) {
        if (frame)
            frame_discard(frame);
        return NULL;
    }
    frame->is_source = true;
    frame->path = path_from(self);
    if (is_watched)
        watch(frame, calldata);
    frame->n_pending = frame->n_in_hand = 1;
    account_add("node_ingest: n_visits", &self->account.n_visits, 1);
    pdata->signal = signal;
    pdata->frame = frame;
    if (origin)
        pdata->hop.context = ftr_context_copy(origin);
    return pdata;
}

ftr_context node_flow_of(const struct pdata *pdata)
{
    ftr_hop hop;
    ftr_hop_init(&hop);
    if (pdata->frame) /* the deadline of a shutdown took it back otherwise */
        visit_copy_context(pdata->frame, &hop);
    return hop.context;
}

struct pdata *node_derive(struct node *self, struct pdata *input, uint32_t index, uint32_t count)
{
    struct frame *const frame = custody_touch(self, input, "node_derive");
    struct pdata *const child = frame ? pdata_copy(self->graph, input, self) : NULL;
    if (child) {
        frame_make_special(frame);
        frame->split_count = count;
        frame->n_pending++;
        frame->n_in_hand++;
        child->frame = frame;
        child->hop.split_index = index;
        child->hop.split_count = count;
    }
    custody_end(self);
    return child;
}

struct pdata *node_derive_watched(struct node *self, struct pdata *input, uint64_t calldata)
{
    struct frame *const above = custody_touch(self, input, "node_derive_watched");
    struct frame *const frame = above ? frame_new(self) : NULL;
    struct pdata *const pdata = frame ? pdata_copy(self->graph, input, self) : NULL;
    if (pdata) {
        frame->origin = frame_ref(frame_owner(above));
        frame->origin->n_watched++;
        frame->origin->is_retrying = false;
        watch(frame, calldata);
        frame->n_pending = frame->n_in_hand = 1;
        pdata->frame = frame;
        visit_copy_context(above, &frame->hop);
    } else if (frame) {
        frame_discard(frame);
    }
    custody_end(self);
    return pdata;
}

/* Whether the node holds each of them, once. A batch that was seen is marked by its holder. */
static bool check_inputs(struct node *self, struct pdata **inputs, size_t n)
{
    bool are_held = n > 0;
    size_t n_seen = 0;
    while (are_held && n_seen < n) {
        are_held = custody_check(self, inputs[n_seen], "node_merge") && !inputs[n_seen]->is_revoked;
        if (are_held)
            inputs[n_seen++]->holder = NULL;
    }
    for (size_t i = 0; i < n_seen; i++)
        inputs[i]->holder = self;
    return are_held;
}

/* A merged batch comes by the way of its inputs, and is as old as the oldest. */
static void take_path(struct frame *merged, struct frame *input, bool is_first)
{
    input->has_gone_on = true;
    if (is_first)
        merged->path = input->path;
    else if (merged->path != input->path)
        merged->path = path_mixed(merged->node);
    if (is_first || input->born_ns < merged->born_ns)
        merged->born_ns = input->born_ns;
}

/* The input's frame waits for the merged one from now on, in place of the batch. */
static void absorb_input(struct frame *merged, size_t i, struct pdata *input)
{
    struct frame *const frame = input->frame;
    struct frame *const owner = frame_owner(frame);
    if (!frame->origin && frame->visit_state == VISIT_NOT_STARTED)
        visit_begin(frame, input);
    const uint64_t n = custody_is_last(frame) || owner->n_held_items < input->n_items
                           ? owner->n_held_items
                           : input->n_items;
    account_take("absorb_input: n_held_items", &owner->n_held_items, n);
    account_add("absorb_input: merged", &merged->n_held_items, n);
    take_path(merged, owner, i == 0);
    merged->parents[i] = frame;
    frame->n_in_hand--;
    pdata_free(merged->node->graph, input);
}

/* The metadata that all of them have; NULL: they differ. */
static struct ftri_payload *common_metadata(struct pdata *const *inputs, size_t n)
{
    struct ftri_payload *const metadata = inputs[0]->metadata;
    for (size_t i = 1; i < n; i++)
        if (!metadata_is_same(metadata, inputs[i]->metadata))
            return NULL;
    return metadata ? ftri_payload_ref(metadata) : NULL;
}

struct pdata *node_merge(struct node *self, struct pdata **inputs, size_t n)
{
    if (!check_inputs(self, inputs, n))
        return NULL;
    struct frame *const frame = frame_new_merged(self, n);
    struct pdata *const merged = frame ? pdata_new(self->graph, self) : NULL;
    if (!merged) {
        if (frame)
            frame_discard(frame);
        return NULL;
    }
    merged->signal = inputs[0]->signal;
    merged->received_ns = inputs[0]->received_ns;
    pdata_set_metadata(merged, common_metadata(inputs, n));
    merged->is_untraced = true;
    for (size_t i = 0; i < n; i++) {
        merged->is_untraced = merged->is_untraced && inputs[i]->is_untraced;
        if (inputs[i]->received_ns < merged->received_ns)
            merged->received_ns = inputs[i]->received_ns;
        absorb_input(frame, i, inputs[i]);
    }
    frame->n_pending = frame->n_in_hand = 1;
    account_add("node_merge: n_visits", &self->account.n_visits, 1);
    merged->frame = frame;
    return merged;
}

/* Copy `index` of `count` over one port, being itself maybe a part of a split. */
static ftr_split split_of(const struct pdata *pdata, uint32_t index, uint32_t count)
{
    uint32_t part = pdata->hop.split_index, n_parts = pdata->hop.split_count;
    if (n_parts < 2 && pdata->frame->is_special && pdata->frame->split_count > 1) {
        n_parts = pdata->frame->split_count; /* the input itself goes as the last part */
        part = n_parts - 1;
    }
    if (n_parts < 2)
        return (ftr_split){index, count};
    return (ftr_split){part * count + index, n_parts * count};
}

/* owner: of the batch's frame. */
static inline void count_emitted(struct node *self, struct frame *owner, const struct pdata *pdata)
{
    struct node_account *const account = &self->account;
    const uint64_t n_items = pdata->n_items, n_bytes = pdata->n_bytes;
    const uint64_t n_forwarded = custody_take_items(owner, n_items, false);
    account_add("count_emitted: forwarded", &account->forwarded, n_forwarded);
    account_add("count_emitted: created", &account->created, n_items - n_forwarded);
    account_add("count_emitted: emitted", &account->emitted, n_items);
    account_add("count_emitted: emitted_bytes", &account->emitted_bytes, n_bytes);
    meter_size(&self->meter->emitted, n_items);
    owner->has_gone_on = true;
}

/* To a node on this loop. */
static inline void depart(struct edge *edge, struct pdata *pdata, ftr_split split)
{
    const uint64_t sent_ns = clock_sent(edge->from->graph, pdata);
    visit_emit(pdata->frame, pdata, edge, channel_depth_with(edge->to), split);
    channel_send(edge, pdata, sent_ns);
}

/* All edges but the last get copies. */
static void send_copies(struct node *self, const struct port *port, struct pdata *pdata)
{
    struct frame *const frame = pdata->frame;
    for (size_t i = 0; i + 1 < port->n_edges; i++) {
        frame->n_pending++;
        count_emitted(self, frame_owner(frame), pdata);
        struct pdata *const copy = pdata_copy(self->graph, pdata, NULL);
        if (!copy) {
            static const struct result short_of = {.reason = "memory is short"};
            channel_lose(port->edges[i], pdata);
            frame_resolve(frame, &short_of);
            continue;
        }
        copy->frame = frame;
        depart(port->edges[i], copy, split_of(pdata, (uint32_t)i, (uint32_t)port->n_edges));
    }
}

/* The last batch of an input has left: what went on with none of them stays here. */
static void absorb(struct node *self, struct frame *frame)
{
    account_add("absorb: absorbed", &self->account.absorbed, custody_take_items(frame, 0, true));
}

static void refuse_port(struct node *self, size_t port, struct pdata *pdata)
{
    static const struct result refusal = {.is_permanent = true, .reason = "sent to no port"};
    node_failed_because(self, "node_send to port %zu, and it has %zu", port, self->n_ports);
    node_nack(self, pdata, &refusal);
}

/* What could not be made: sent and lost at once. */
static void lose_part(struct edge *edge, const struct pdata *whole,
                      const struct partition_part *part)
{
    static const struct result short_of = {.reason = "memory is short"};
    const struct pdata lost = {
        .n_items = part->is_whole ? whole->n_items : part->n_items,
        .n_bytes = part->is_whole ? whole->n_bytes : 0,
        .n_attempt = whole->n_attempt,
    };
    count_emitted(edge->from, frame_owner(whole->frame), &lost);
    channel_lose(edge, &lost);
    frame_resolve(whole->frame, &short_of);
}

static struct pdata *copy_part(const struct edge *edge, const struct pdata *whole,
                               const struct partition_part *part)
{
    if (!part->is_whole && !part->otlp)
        return NULL;
    struct pdata *const copy = pdata_copy(edge->from->graph, whole, NULL);
    if (copy && part->otlp)
        pdata_set_otlp(copy, ftri_payload_ref(part->otlp), part->n_items);
    return copy;
}

/* One of several that leave over a port of which edges cross loops. */
static void send_part(struct edge *edge, const struct pdata *whole,
                      const struct partition_part *part, ftr_split split)
{
    struct node *const self = edge->from;
    struct frame *const frame = whole->frame;
    const bool is_staying = !edge->crossing || part->loop == self->graph->instance->index;
    struct pdata *const copy = copy_part(edge, whole, part);
    struct frame *const lent = copy && !is_staying ? crossing_lend(self, frame) : NULL;
    frame->n_pending++;
    if (!copy || (!is_staying && !lent)) {
        if (copy)
            pdata_free(self->graph, copy);
        lose_part(edge, whole, part);
        return;
    }
    count_emitted(self, frame_owner(frame), copy);
    copy->frame = is_staying ? frame : lent;
    if (is_staying) {
        depart(edge, copy, split);
        return;
    }
    const uint64_t sent_ns = clock_read(self->graph);
    visit_emit(frame, copy, edge, crossing_depth_with(edge, part->loop), split);
    crossing_send(edge, part->loop, copy, sent_ns);
}

/* The ways that a batch takes over an edge: all of it, on this loop or to the first, or its parts.
 */
static const struct partition *ways_of(const struct edge *edge, const struct partition *by_trace)
{
    static const struct partition to_first = {.n_parts = 1, .parts = {{.is_whole = true}}};
    return edge->crossing && edge->crossing->is_by_trace ? by_trace : &to_first;
}

static bool has_by_trace(const struct port *port)
{
    for (size_t i = 0; i < port->n_edges; i++)
        if (port->edges[i]->crossing && port->edges[i]->crossing->is_by_trace)
            return true;
    return false;
}

/* Every part is a copy; with them under way the batch itself has done its work. */
static void send_across(struct node *self, const struct port *port, struct pdata *pdata)
{
    struct partition by_trace = {.n_parts = 0};
    struct frame *const frame = pdata->frame;
    uint32_t index = 0, count = 0;
    if (has_by_trace(port))
        partition_split(pdata, self->graph->instance->index, node_n_loops(self), &by_trace);
    for (size_t i = 0; i < port->n_edges; i++)
        count += (uint32_t)ways_of(port->edges[i], &by_trace)->n_parts;
    for (size_t i = 0; i < port->n_edges; i++) {
        const struct partition *const ways = ways_of(port->edges[i], &by_trace);
        for (size_t j = 0; j < ways->n_parts; j++)
            send_part(port->edges[i], pdata, &ways->parts[j], split_of(pdata, index++, count));
    }
    partition_deinit(&by_trace);
    if (custody_is_last(frame))
        absorb(self, frame);
    custody_settle(self, pdata, &ack);
    custody_end(self);
}

static __attribute__((noinline)) void depart_recorded(struct edge *edge, struct pdata *pdata)
{
    depart(edge, pdata, split_of(pdata, 0, 1));
}

/* Most batches by far: the one that the node was just given, to one other node. */
static inline void pass_on(struct node *self, const struct port *port, struct pdata *pdata)
{
    struct frame *const frame = pdata->frame;
    count_emitted(self, frame, pdata);
    if (FTRI_UNLIKELY(frame->n_held_items && frame->n_in_hand == 1))
        absorb(self, frame);
    frame->n_in_hand--;
    self->given = NULL;
    pdata->holder = NULL;
    if (FTRI_UNLIKELY(!ftri_list_is_empty(&pdata->link)))
        ftri_list_unlink(&pdata->link);
    if (VISIT_RECORDING && FTRI_UNLIKELY(frame->visit_state != VISIT_BLANK))
        depart_recorded(port->only, pdata);
    else
        channel_send(port->only, pdata, clock_sent(self->graph, pdata));
}

static __attribute__((noinline)) void send_any(struct node *self, size_t port, struct pdata *pdata)
{
    struct frame *const frame = custody_begin(self, pdata, "node_send");
    if (!frame)
        return;
    if (FTRI_UNLIKELY(port >= self->n_ports)) {
        refuse_port(self, port, pdata);
        return;
    }
    const struct port *const out = &self->ports[port];
    if (out->is_crossing) {
        send_across(self, out, pdata);
        return;
    }
    const uint32_t n_edges = (uint32_t)out->n_edges;
    if (n_edges > 1)
        send_copies(self, out, pdata);
    count_emitted(self, frame_owner(frame), pdata);
    if (custody_is_last(frame))
        absorb(self, frame);
    const ftr_split split = split_of(pdata, n_edges - 1, n_edges);
    frame->n_in_hand--;
    pdata_take_back(pdata);
    ftri_list_unlink(&pdata->link);
    depart(out->edges[n_edges - 1], pdata, split);
    custody_end(self);
}

void node_send(struct node *self, size_t port, struct pdata *pdata)
{
    if (FTRI_LIKELY(custody_is_plain(self, pdata) && port < self->n_ports &&
                    self->ports[port].only))
        pass_on(self, &self->ports[port], pdata);
    else
        send_any(self, port, pdata);
}

/* The items that a batch settles here. What was ingested and goes nowhere was received after all.
 */
static uint64_t settled_items(struct node *self, struct frame *frame, const struct pdata *pdata)
{
    if (!frame->is_source)
        return custody_take_items(frame_owner(frame), pdata->n_items, custody_is_last(frame));
    account_add("settled_items: received", &self->account.received, pdata->n_items);
    account_add("settled_items: n_returned_items", &self->n_returned_items, pdata->n_items);
    return pdata->n_items;
}

void node_ack(struct node *self, struct pdata *pdata)
{
    struct frame *const frame = custody_begin(self, pdata, "node_ack");
    if (!frame)
        return;
    account_add("node_ack: absorbed", &self->account.absorbed, settled_items(self, frame, pdata));
    custody_settle(self, pdata, &ack);
    custody_end(self);
}

void node_drop(struct node *self, struct pdata *pdata, ftr_drop_reason reason)
{
    struct frame *const frame = custody_begin(self, pdata, "node_drop");
    if (!frame)
        return;
    custody_drop_items(self, frame, reason, settled_items(self, frame, pdata));
    custody_settle(self, pdata, &ack);
    custody_end(self);
}

void node_nack(struct node *self, struct pdata *pdata, const struct result *result)
{
    struct frame *const frame = custody_begin(self, pdata, "node_nack");
    if (!frame)
        return;
    struct result refusal = *result;
    refusal.is_ack = false;
    account_add("node_nack: failed", &self->account.failed, settled_items(self, frame, pdata));
    /* Passing on what came back from below is no fault of this node's. */
    frame->is_at_fault = frame->is_at_fault ||
                         (!frame->is_failed && !(frame->is_special && frame->has_refused_watched));
    custody_settle(self, pdata, &refusal);
    custody_end(self);
}

void node_drop_items(struct node *self, struct pdata *pdata, ftr_drop_reason reason,
                     uint64_t n_items)
{
    struct frame *const frame = custody_touch(self, pdata, "node_drop_items");
    if (!frame)
        return;
    uint64_t n = n_items;
    if (frame->is_source) {
        account_add("node_drop_items: received", &self->account.received, n);
        account_add("node_drop_items: n_returned_items", &self->n_returned_items, n);
    } else {
        n = custody_take_items(frame_owner(frame), n_items, false);
    }
    custody_drop_items(self, frame, reason, n);
    custody_end(self);
}

void node_event(struct node *self, struct pdata *pdata, const char *name,
                const ftr_attribute *attributes, size_t n_attributes)
{
    struct frame *const frame = custody_touch(self, pdata, "node_event");
    if (!frame)
        return;
    visit_event(frame, name, attributes, n_attributes);
    custody_end(self);
}

void node_count_retry(struct node *self, struct pdata *pdata, uint32_t attempt, uint64_t delay_ns)
{
    account_add("node_count_retry: retried", &self->account.retried, 1);
    const ftr_attribute attributes[] = {
        {FTR_STR("retry.attempt"), ftr_value_i64(attempt)},
        {FTR_STR("retry.delay_ms"), ftr_value_f64((double)delay_ns / 1e6)},
    };
    struct frame *const frame = custody_touch(self, pdata, "node_count_retry");
    if (!frame)
        return;
    frame_make_special(frame_owner(frame));
    frame_owner(frame)->is_retrying = true;
    visit_event(frame, "retry", attributes, FTRI_COUNT(attributes));
    custody_end(self);
}
