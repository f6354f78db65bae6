/* SPDX-License-Identifier: Apache-2.0
 *
 * A batch carries its token in received_ns, which the engine hands on and does not read. */
#include "act.h"

#include "base/mem.h"
#include "base/payload.h"
#include "base/time.h"
#include "chance.h"
#include "engine/records.h"
#include "story.h"

#include <flowtrace/propagation.h>
#include <stdio.h>
#include <string.h>

struct stage stage;
const ftr_span_context act_foreign_origin = {
    .trace_id = {{1, 2, 3}}, .span_id = {{4, 5, 6}}, .trace_flags = FTR_TRACE_FLAG_SAMPLED};

static const struct result shut_down = {.cause = NACK_NODE_SHUTDOWN,
                                        .reason = "the deadline of the shutdown has passed"};

/* -- hands -- */

struct held *hand_next(struct actor *self, struct held *after)
{
    for (struct held *i = after ? after + 1 : self->hands; i < self->hands + self->top; i++)
        if (i->pdata)
            return i;
    return NULL;
}

struct held *hand_first(struct actor *self)
{
    return hand_next(self, NULL);
}

struct held *hand_any(struct actor *self)
{
    if (self->n_hands == 0)
        return NULL;
    struct held *held = hand_first(self);
    for (uint64_t n = chance(self->n_hands); n > 0; n--)
        held = hand_next(self, held);
    return held;
}

static struct held *hand_take(struct actor *self, struct pdata *pdata, int visit)
{
    struct held *held = self->hands;
    while (held < self->hands + HANDS_MAX && held->pdata)
        held++;
    RULE(held < self->hands + HANDS_MAX, "n%zu has no more hands", self->index);
    *held = (struct held){.pdata = pdata, .visit = visit, .copy = NO_INDEX};
    self->n_hands++;
    if (held >= self->hands + self->top)
        self->top = (size_t)(held - self->hands) + 1;
    return held;
}

struct held hand_free(struct actor *self, struct held *held)
{
    const struct held was = *held;
    held->pdata = NULL;
    self->n_hands--;
    return was;
}

/* -- losses -- */

static bool lies_in(const struct ftri_list *list, uint64_t token, const struct edge *edge)
{
    for (const struct ftri_list *i = list->next; i != list; i = i->next) {
        const struct pdata *pdata = FTRI_CONTAINER(i, struct pdata, link);
        if (pdata->received_ns == token && pdata->edge == edge)
            return true;
    }
    return false;
}

static bool is_on_its_way(size_t to, uint64_t token, const struct edge *edge)
{
    const struct node *node = stage.actors[to].node;
    return lies_in(&node->data, token, edge) || lies_in(&node->waiting, token, edge);
}

void act_look_for_losses(const struct actor *consuming, const struct pdata *arriving)
{
    static const struct result full = {.cause = NACK_ROUTE_FULL, .reason = "memory is short"};
    for (size_t i = 0; stage.may_lose && i < stage.plan.n_nodes; i++) {
        uint64_t token;
        const struct edge *edge;
        if (!model_first(i, &token, &edge) || is_on_its_way(i, token, edge))
            continue;
        if (consuming && consuming->index == i && arriving->received_ns == token &&
            arriving->edge == edge)
            continue;
        story_tell("n%zu: batch %llu is lost: no memory", i, (unsigned long long)token);
        model_lose_first(i, &full);
    }
}

static void revoke_hands(struct actor *self)
{
    for (struct ftri_list *i = self->node->in_hand.next; i != &self->node->in_hand; i = i->next) {
        const struct pdata *pdata = FTRI_CONTAINER(i, struct pdata, in_hand);
        struct held *held = hand_first(self);
        while (held && held->pdata != pdata)
            held = hand_next(self, held);
        RULE(held, "n%zu holds a batch that nobody gave it", self->index);
        if (!held->is_revoked)
            model_revoke(held->visit, pdata->n_items, &shut_down);
        held->is_revoked = true;
    }
}

void act_force(void)
{
    if (stage.is_forced)
        return;
    stage.is_forced = true;
    story_tell("everything is taken");
    visits_stop_time(true);
    model_lose_all(&shut_down);
    for (size_t i = 0; i < stage.plan.n_nodes; i++) {
        const struct node *node = stage.graph->nodes[i];
        for (size_t j = 0; j < stage.plan.n_nodes; j++)
            if (stage.actors[j].node == node)
                revoke_hands(&stage.actors[j]);
    }
    visits_stop_time(false);
}

void act_check_failure(void)
{
    const struct graph *const graph = stage.graph;
    if (!stage.failure) {
        RULE(!graph->failed, "%s failed: %s", graph->failed->id, graph->failure);
        return;
    }
    RULE(graph->failed, "n%zu broke a rule, and nothing failed", stage.failed_node);
    RULE(graph->failed == stage.actors[stage.failed_node].node &&
             strstr(graph->failure, stage.failure),
         "n%zu broke a rule, and what failed is %s: %s", stage.failed_node, graph->failed->id,
         graph->failure);
}

/* -- acts -- */

struct result act_refusal(void)
{
    struct result result = {
        .is_permanent = chance_one_in(3),
        .cause = (enum nack_cause)chance(3),
        .retry_after_ns = chance_one_in(4) ? 1 + chance(FTRI_NS_PER_MS) : 0,
    };
    (void)snprintf(result.reason, sizeof result.reason, "refusal %zu", ++stage.n_refusals);
    return result;
}

static unsigned long long id_of(const struct held *held)
{
    return (unsigned long long)held->visit;
}

/* Every visit is marked, so that its span can be found. */
static void mark(struct actor *self, struct held *held)
{
    const ftr_attribute id = {FTR_STR("visit"), ftr_value_i64(held->visit)};
    node_event(self->node, held->pdata, "sim.visit", &id, 1);
}

static struct records *some_records(void)
{
    struct records *records = records_new(4096);
    const struct record record = {.key = FTR_STR("k"), .value = FTR_STR("value")};
    for (uint64_t n = chance(12); records && n > 0; n--)
        if (records_add(records, &record) < 0)
            break;
    if (records)
        records_seal(records);
    return records;
}

static void set_payload(struct pdata *pdata)
{
    uint8_t bytes[64] = {0};
    if (chance_one_in(3)) {
        pdata_set_records(pdata, some_records());
    } else if (chance_one_in(2)) {
        struct ftri_payload *payload = ftri_payload_copy(ftri_view_of(bytes, chance(sizeof bytes)));
        pdata_set_otlp(pdata, payload, chance(12));
    } else {
        pdata->n_items = chance(12);
    }
}

struct held *act_ingest(struct actor *self)
{
    const struct visit what = {.is_watched = !chance_one_in(5),
                               .is_untraced = chance_one_in(6),
                               .is_foreign = chance_one_in(4)};
    ftr_context origin = {.span = act_foreign_origin};
    if (what.is_foreign && !stage.plan.is_kind)
        (void)ftr_baggage_set(&origin, FTR_STR("from"), FTR_STR("outside"));
    struct pdata *const pdata =
        node_ingest(self->node, FTR_SIGNAL_LOGS, what.is_foreign ? &origin : NULL, what.is_watched,
                    visits_count());
    ftr_context_release(&origin);
    if (!pdata)
        return NULL;
    RULE(!stage.is_forced, "n%zu takes something in, and everything was taken", self->index);
    pdata->is_untraced = what.is_untraced;
    struct held *const held = hand_take(self, pdata, model_ingest(self->index, &what));
    self->n_unanswered += what.is_watched;
    set_payload(pdata);
    story_tell("n%zu: takes in %llu, %llu items", self->index, id_of(held),
               (unsigned long long)pdata->n_items);
    mark(self, held);
    return held;
}

struct held *act_arrive(struct actor *self, struct pdata *pdata)
{
    struct held *const held =
        hand_take(self, pdata, model_arrive(self->index, pdata->received_ns, pdata->edge));
    story_tell("n%zu: is given %llu, %llu items", self->index, id_of(held),
               (unsigned long long)pdata->n_items);
    mark(self, held);
    return held;
}

struct held *act_derive(struct actor *self, struct held *from, uint32_t index, uint32_t count)
{
    struct pdata *const pdata = node_derive(self->node, from->pdata, index, count);
    if (!pdata)
        return NULL;
    RULE(!from->is_revoked, "n%zu derives from what was taken back", self->index);
    model_derive(from->visit);
    return hand_take(self, pdata, from->visit);
}

struct held *act_derive_watched(struct actor *self, struct held *from)
{
    struct pdata *const pdata = node_derive_watched(self->node, from->pdata, visits_count());
    if (!pdata)
        return NULL;
    RULE(!from->is_revoked, "n%zu derives from what was taken back", self->index);
    struct held *const copy = hand_take(self, pdata, model_derive_watched(from->visit));
    story_tell("n%zu: watches copy %llu of %llu", self->index, id_of(copy), id_of(from));
    return copy;
}

struct held *act_merge(struct actor *self, struct held **inputs, size_t n)
{
    struct pdata *pdatas[HANDS_MAX];
    bool is_any_revoked = false;
    for (size_t i = 0; i < n; i++) {
        pdatas[i] = inputs[i]->pdata;
        inputs[i]->n_items = pdatas[i]->n_items;
        is_any_revoked = is_any_revoked || inputs[i]->is_revoked;
    }
    struct pdata *const merged = node_merge(self->node, pdatas, n);
    if (!merged)
        return NULL;
    RULE(!is_any_revoked, "n%zu merges what was taken back", self->index);
    const int visit = model_merge(self->index, inputs, n);
    for (size_t i = 0; i < n; i++)
        (void)hand_free(self, inputs[i]);
    struct held *const held = hand_take(self, merged, visit);
    set_payload(merged);
    story_tell("n%zu: merges %zu into %llu, %llu items", self->index, n, id_of(held),
               (unsigned long long)merged->n_items);
    mark(self, held);
    return held;
}

/* Now and then, where memory may be short at all, one of the next requests fails. */
void act_fail_memory(uint64_t within)
{
    if (stage.plan.is_recording || stage.plan.is_kind || stage.is_over)
        return;
    story_tell("memory will be short");
    stage.may_lose = true;
    ftri_mem_fail_at(1 + chance(within));
}

void act_send(struct actor *self, struct held *held, size_t port)
{
    const struct held was = hand_free(self, held);
    if (chance_one_in(40))
        act_fail_memory(2);
    if (was.is_revoked) {
        node_send(self->node, port, was.pdata);
        return;
    }
    const uint64_t token = model_send(was.visit, port, was.pdata);
    story_tell("n%zu: sends %llu to p%zu as %llu, %llu items", self->index, id_of(&was), port,
               (unsigned long long)token, (unsigned long long)was.pdata->n_items);
    was.pdata->received_ns = token;
    node_send(self->node, port, was.pdata);
    static const struct result short_of = {.reason = "memory is short"};
    const struct model_edge *way;
    for (size_t i = 0; (way = model_way(token, i)) != NULL; i++) {
        const bool is_lost = stage.may_lose && !is_on_its_way(way->to, token, way->edge);
        model_sent(token, i, is_lost ? &short_of : NULL);
    }
}

void act_ack(struct actor *self, struct held *held)
{
    const struct held was = hand_free(self, held);
    story_tell("n%zu: acks %llu", self->index, id_of(&was));
    if (!was.is_revoked)
        model_ack(was.visit, was.pdata->n_items);
    node_ack(self->node, was.pdata);
}

void act_nack(struct actor *self, struct held *held, const struct result *result)
{
    const struct held was = hand_free(self, held);
    story_tell("n%zu: nacks %llu: %s", self->index, id_of(&was), result->reason);
    if (!was.is_revoked)
        model_nack(was.visit, was.pdata->n_items, result);
    node_nack(self->node, was.pdata, result);
}

void act_drop(struct actor *self, struct held *held, ftr_drop_reason reason)
{
    const struct held was = hand_free(self, held);
    story_tell("n%zu: drops %llu: %d", self->index, id_of(&was), (int)reason);
    if (!was.is_revoked)
        model_drop(was.visit, was.pdata->n_items, reason);
    node_drop(self->node, was.pdata, reason);
}

void act_drop_some(struct actor *self, struct held *held)
{
    const uint64_t n = chance(held->pdata->n_items + 1);
    story_tell("n%zu: drops %llu items of %llu", self->index, (unsigned long long)n, id_of(held));
    if (!held->is_revoked)
        model_drop_items(held->visit, FTR_DROP_INVALID, n);
    node_drop_items(self->node, held->pdata, FTR_DROP_INVALID, n);
    if (!held->is_revoked && !held->pdata->otlp)
        held->pdata->n_items -= n;
}

void act_touch(struct actor *self, struct held *held)
{
    node_event(self->node, held->pdata, "sim.touch", NULL, 0);
}

void act_count_retry(struct actor *self, struct held *held)
{
    model_count_retry(self->index);
    node_count_retry(self->node, held->pdata, (uint32_t)held->n_attempts, 0);
}

bool act_can_send(struct actor *self)
{
    const bool can_send = node_can_send(self->node);
    RULE(can_send == model_has_room(self->index), "n%zu was told that there is %s", self->index,
         can_send ? "room, and there is none" : "no room, and there is");
    return can_send;
}
