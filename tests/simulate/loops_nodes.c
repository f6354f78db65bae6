/* SPDX-License-Identifier: Apache-2.0
 *
 * A span says its trace in the last byte of the trace id, and its batch in the first two of the
 * span id. */
#include "loops_nodes.h"

#include "base/mem.h"
#include "base/payload.h"
#include "base/time.h"
#include "chance.h"
#include "engine/partition.h"
#include "otlp/view.h"
#include "story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRACES = 20,
    SPANS_MAX = 8,
    MERGED_MAX = 400,
    SPAN_BYTES = 28,
    REFUSALS_MAX = 20000,
    HOLDS_MAX = 20
};

struct spread spread;

static struct {
    struct {
        size_t refusal, batch;
    } refused[REFUSALS_MAX];
    size_t n_refused, n_refusals;
} books;

struct mark {
    uint8_t trace;
    uint16_t batch;
};

void spread_begin(void)
{
    memset(&spread, 0, sizeof spread);
    memset(&books, 0, sizeof books);
    spread.failed_node = SPREAD_NODES_MAX;
}

/* -- spans -- */

static size_t read_marks(const struct pdata *pdata, struct mark *ret_marks, size_t limit)
{
    struct ftri_otlp_cursor cursor;
    const struct ftri_otlp_span *span;
    size_t n = 0;
    ftri_otlp_cursor_init(&cursor, ftri_payload_view(pdata->otlp));
    for (; ftri_otlp_cursor_next(&cursor, &span); n++) {
        RULE(n < limit, "a batch of more than %zu spans", limit);
        ret_marks[n] =
            (struct mark){span->trace_id[15], (uint16_t)(span->span_id[0] << 8 | span->span_id[1])};
    }
    return n;
}

static size_t put_len(uint8_t *to, uint8_t tag, size_t len)
{
    to[0] = tag;
    to[1] = (uint8_t)(len & 0x7f) | 0x80;
    to[2] = (uint8_t)(len >> 7);
    return 3;
}

/* NULL: memory is short. */
static struct ftri_payload *write_marks(const struct mark *marks, size_t n)
{
    static uint8_t bytes[6 + MERGED_MAX * (SPAN_BYTES + 2)];
    RULE(n <= MERGED_MAX, "too many spans");
    const size_t len = n * (SPAN_BYTES + 2);
    size_t at = put_len(bytes, 0x0a, len + 3);
    at += put_len(bytes + at, 0x12, len);
    for (size_t i = 0; i < n; i++, at += SPAN_BYTES + 2) {
        uint8_t *const span = bytes + at;
        memset(span, 0, SPAN_BYTES + 2);
        span[0] = 0x12, span[1] = SPAN_BYTES, span[2] = 0x0a, span[3] = 16, span[20] = 0x12;
        span[4] = 0xab, span[19] = marks[i].trace, span[21] = 8;
        span[22] = (uint8_t)(marks[i].batch >> 8), span[23] = (uint8_t)marks[i].batch;
        span[29] = 1;
    }
    return ftri_payload_copy(ftri_view_of(bytes, at));
}

/* -- refusals -- */

static struct result refuse(const struct pdata *pdata)
{
    struct mark marks[MERGED_MAX];
    struct result result = {.is_permanent = chance_one_in(3), .cause = (enum nack_cause)chance(3)};
    const size_t n = read_marks(pdata, marks, MERGED_MAX);
    (void)snprintf(result.reason, sizeof result.reason, "refusal %zu", ++books.n_refusals);
    for (size_t i = 0; i < n; i++) {
        RULE(books.n_refused < REFUSALS_MAX, "no room for more refusals");
        books.refused[books.n_refused].refusal = books.n_refusals;
        books.refused[books.n_refused++].batch = marks[i].batch;
        spread.batches[marks[i].batch].was_refused = true;
    }
    return result;
}

static size_t kin_of(size_t batch)
{
    while (spread.batches[batch].kin != batch)
        batch = spread.batches[batch].kin;
    return batch;
}

/* Itself, or what it was merged with: that shares one outcome. */
static bool was_refused_by(size_t refusal, size_t batch)
{
    for (size_t i = 0; i < books.n_refused; i++)
        if (books.refused[i].refusal == refusal && kin_of(books.refused[i].batch) == kin_of(batch))
            return true;
    return false;
}

/* Whether a batch may have come to this end. */
static void check_answer(size_t index, const struct result *result)
{
    struct spread_batch *const batch = &spread.batches[index];
    RULE(batch->is_watched && !batch->is_answered, "batch %zu is answered again", index);
    batch->is_answered = true;
    if (result->is_ack) {
        RULE(!spread.is_strict || !batch->was_refused, "batch %zu was refused, and is acked",
             index);
        return;
    }
    if (strncmp(result->reason, "refusal ", 8) == 0)
        RULE(was_refused_by((size_t)strtoull(result->reason + 8, NULL, 10), index),
             "batch %zu was refused by another's refusal: %s", index, result->reason);
    else if (result->cause == NACK_NODE_SHUTDOWN)
        RULE(spread.is_forced || ftri_time_monotonic_ns() >= spread.deadline_ns,
             "batch %zu was refused before the deadline", index);
    else
        RULE(spread.may_lose, "batch %zu was lost: %s", index, result->reason);
}

/* -- what may become of a batch -- */

static void set_timer(struct spread_actor *self)
{
    node_set_timer(self->node, 1 + chance(3 * FTRI_NS_PER_MS));
}

static void forget(struct spread_actor *self, const struct pdata *pdata)
{
    for (size_t i = 0; i < self->n_hands; i++)
        if (self->hands[i] == pdata) {
            self->hands[i] = self->hands[--self->n_hands];
            return;
        }
}

static void keep(struct spread_actor *self, struct pdata *pdata)
{
    RULE(self->n_hands < SPREAD_HANDS, "n%zu has no more hands", self->index);
    self->hands[self->n_hands++] = pdata;
    if (self->n_hands >= HOLDS_MAX && self->plan->role != SPREAD_MERGE)
        spread_set_accepting(self, false);
}

static void answer(struct spread_actor *self, struct pdata *pdata)
{
    if (pdata->is_revoked || !chance_one_in(6)) {
        node_ack(self->node, pdata);
        return;
    }
    const struct result result = refuse(pdata);
    story_tell("n%zu/%zu: %s", self->index, self->loop, result.reason);
    node_nack(self->node, pdata, &result);
}

static void send(struct spread_actor *self, struct pdata *pdata)
{
    if (!pdata->is_revoked)
        for (size_t i = 0; i < self->plan->n_edges; i++)
            spread.sent[self->index][self->plan->edges[i]] += pdata->n_items;
    story_tell("n%zu/%zu: sends %llu items", self->index, self->loop,
               (unsigned long long)pdata->n_items);
    node_send(self->node, 0, pdata);
}

/* Fewer go on than came. */
static void shrink(struct pdata *pdata)
{
    struct mark marks[MERGED_MAX];
    const size_t n = read_marks(pdata, marks, MERGED_MAX);
    struct ftri_payload *const otlp = n > 1 ? write_marks(marks, n / 2) : NULL;
    if (otlp)
        pdata_set_otlp(pdata, otlp, n / 2);
}

static void give_up(struct spread_actor *self, struct pdata *pdata)
{
    const uint64_t fate = self->plan->n_edges ? chance(14) : 0;
    if (fate == 0) {
        answer(self, pdata);
    } else if (fate == 1) {
        node_drop(self->node, pdata, FTR_DROP_FILTERED);
    } else {
        if (fate == 3)
            shrink(pdata);
        struct pdata *const part = fate == 2 ? node_derive(self->node, pdata, 0, 2) : NULL;
        if (part)
            send(self, part);
        send(self, pdata);
    }
}

static void take_custody(struct spread_actor *self, struct pdata *pdata)
{
    struct pdata *const copy = node_derive_watched(self->node, pdata, 0);
    if (copy) {
        spread.n_copies++;
        send(self, copy);
    }
    node_ack(self->node, pdata);
}

static void try(struct spread_actor *self, struct pdata *pdata)
{
    static const struct result short_of = {.reason = "memory is short"};
    struct pdata *const copy = node_derive_watched(self->node, pdata, (uint64_t)(uintptr_t)pdata);
    if (copy) {
        spread.n_copies++;
        copy->n_attempt = pdata->n_attempt++;
        send(self, copy);
    } else {
        node_nack(self->node, pdata, &short_of);
    }
}

static void merge_all(struct spread_actor *self)
{
    static const struct result short_of = {.reason = "memory is short"};
    struct mark marks[MERGED_MAX];
    size_t n = 0;
    if (self->n_hands == 0)
        return;
    for (size_t i = 0; i < self->n_hands; i++)
        n += read_marks(self->hands[i], marks + n, MERGED_MAX - n);
    struct ftri_payload *const otlp = write_marks(marks, n);
    struct pdata *const merged = otlp ? node_merge(self->node, self->hands, self->n_hands) : NULL;
    for (size_t i = 0; !merged && i < self->n_hands; i++)
        node_nack(self->node, self->hands[i], &short_of);
    self->n_hands = 0;
    if (!merged) {
        ftri_payload_unref(otlp);
        return;
    }
    for (size_t i = 1; i < n; i++)
        spread.batches[kin_of(marks[i].batch)].kin = kin_of(marks[0].batch);
    pdata_set_otlp(merged, otlp, n);
    give_up(self, merged);
}

/* -- receivers -- */

static bool ingest(struct spread_actor *self)
{
    const size_t batch = spread.n_batches;
    struct mark marks[SPANS_MAX];
    const size_t n = 1 + chance(SPANS_MAX);
    const bool is_watched = !chance_one_in(5);
    for (size_t i = 0; i < n; i++)
        marks[i] = (struct mark){(uint8_t)(1 + chance(TRACES)), (uint16_t)batch};
    struct ftri_payload *const otlp = write_marks(marks, n);
    struct pdata *const pdata =
        otlp ? node_ingest(self->node, FTR_SIGNAL_TRACES, NULL, is_watched, batch) : NULL;
    if (!pdata) {
        ftri_payload_unref(otlp);
        return false;
    }
    spread.batches[spread.n_batches++] =
        (struct spread_batch){.is_watched = is_watched, .kin = batch};
    self->n_ingested++;
    pdata_set_otlp(pdata, otlp, n);
    send(self, pdata);
    return true;
}

static void receive(struct spread_actor *self)
{
    for (uint64_t n = 1 + chance(12); n > 0 && self->n_ingested < spread.n_batches_each; n--) {
        if (spread.n_batches == SPREAD_BATCHES_MAX || spread.is_draining)
            break;
        if (!chance_one_in(10) && !node_can_send(self->node)) {
            self->waits_for_room = true;
            return;
        }
        if (!ingest(self))
            break;
    }
    if (self->n_ingested < spread.n_batches_each && !spread.is_draining) {
        set_timer(self);
    } else if (!self->is_finished && !self->plan->is_hanging) {
        self->is_finished = true;
        node_finished(self->node);
    }
}

/* -- what nodes are told -- */

static struct spread_actor *actor_of(struct node *node);

static void check_place(const struct spread_actor *self, const struct pdata *pdata)
{
    struct mark marks[MERGED_MAX];
    const size_t n = read_marks(pdata, marks, MERGED_MAX);
    RULE(n == pdata->n_items, "n%zu is given %llu items in %zu spans", self->index,
         (unsigned long long)pdata->n_items, n);
    for (size_t i = 0; self->plan->state == STATE_OF_TRACE && i < n; i++) {
        size_t *const loop = &spread.loop_of[self->index][marks[i].trace];
        RULE(*loop == 0 || *loop == 1 + self->loop, "n%zu has trace %u on two loops", self->index,
             marks[i].trace);
        *loop = 1 + self->loop;
    }
}

static uint64_t n_held(const struct spread_actor *self)
{
    uint64_t n = 0;
    for (size_t i = 0; i < self->n_hands; i++)
        n += self->hands[i]->n_items;
    return n;
}

static void consume(struct node *node, struct pdata *pdata)
{
    struct spread_actor *const self = actor_of(node);
    const struct spread_actor *const above = actor_of(pdata->edge->from);
    RULE(self->is_accepting, "n%zu was given a batch, and it does not accept", self->index);
    RULE(above->loop == self->loop, "n%zu was given another loop's edge", self->index);
    spread.received[above->index][self->index] += pdata->n_items;
    self->n_consumed++;
    check_place(self, pdata);
    if (self->plan->role == SPREAD_CUSTODY) {
        take_custody(self, pdata);
    } else if (self->plan->role == SPREAD_RETRY) {
        try(self, pdata);
    } else if (self->plan->role == SPREAD_PASS ||
               (!self->plan->is_hanging && chance_one_in(2) && self->plan->role != SPREAD_MERGE)) {
        give_up(self, pdata);
    } else {
        if (self->plan->role == SPREAD_MERGE && n_held(self) + pdata->n_items > MERGED_MAX)
            merge_all(self);
        keep(self, pdata);
        if (!self->plan->is_hanging)
            set_timer(self);
    }
}

static void on_tick(struct spread_actor *self)
{
    if (!self->is_accepting)
        spread_set_accepting(self, true);
    if (self->plan->role == SPREAD_RECEIVER) {
        receive(self);
    } else if (self->plan->role == SPREAD_MERGE) {
        merge_all(self);
    } else {
        while (self->n_hands) {
            struct pdata *const pdata = self->hands[self->n_hands - 1];
            forget(self, pdata);
            give_up(self, pdata);
        }
    }
}

static void on_copy(struct spread_actor *self, const struct control *message)
{
    struct pdata *const pdata = (struct pdata *)(uintptr_t)message->calldata;
    RULE(spread.n_copies-- > 0, "a copy is answered twice");
    if (!pdata)
        return; /* of one that it took custody of */
    if (message->result->is_ack)
        node_ack(self->node, pdata);
    else if (pdata->is_revoked || message->result->is_permanent || pdata->n_attempt > 2)
        node_nack(self->node, pdata, message->result);
    else
        try(self, pdata);
}

/* A node hears of the shutdown after all above it, on whatever loop. */
static void check_order(const struct spread_actor *self)
{
    for (size_t i = 0; i < spread.n_nodes; i++)
        for (size_t j = 0; j < spread.nodes[i].n_edges; j++)
            for (size_t loop = 0; loop < spread.n_loops; loop++) {
                const struct spread_actor *const above = &spread.actors[i][loop];
                const bool is_above = spread.nodes[i].edges[j] == self->index && above->node &&
                                      (loop == self->loop || spread_crosses(i, self->index));
                RULE(!is_above || above->n_told[CONTROL_DRAIN_INGRESS] ||
                         above->n_told[CONTROL_SHUTDOWN],
                     "n%zu/%zu was told of the shutdown before n%zu/%zu above it", self->index,
                     self->loop, i, loop);
            }
}

static void control(struct node *node, const struct control *message)
{
    struct spread_actor *const self = actor_of(node);
    self->n_told[message->kind]++;
    if (message->kind == CONTROL_ACK || message->kind == CONTROL_NACK) {
        if (self->plan->role == SPREAD_RECEIVER)
            check_answer((size_t)message->calldata, message->result);
        else
            on_copy(self, message);
        return;
    }
    story_tell("n%zu/%zu: %s", self->index, self->loop, control_name(message->kind));
    if (message->kind == CONTROL_TIMER_TICK) {
        on_tick(self);
    } else if (message->kind == CONTROL_RESUME_DATA) {
        self->waits_for_room = false;
        set_timer(self);
    } else if (message->kind == CONTROL_DRAIN_INGRESS) {
        RULE(message->deadline_ns == spread.deadline_ns, "n%zu: another deadline", self->index);
        if (!self->plan->is_hanging)
            node_drained(self->node);
    } else if (message->kind == CONTROL_SHUTDOWN) {
        RULE(message->deadline_ns == spread.deadline_ns, "n%zu: another deadline", self->index);
        self->n_consumed_at_shutdown = self->n_consumed;
        check_order(self);
        if (!self->plan->is_hanging)
            on_tick(self);
    }
}

void spread_set_accepting(struct spread_actor *self, bool is_accepting)
{
    self->is_accepting = is_accepting;
    node_set_accepting(self->node, is_accepting);
    if (!is_accepting && !self->plan->is_hanging)
        set_timer(self);
}

void spread_poke(struct spread_actor *self)
{
    if (self->n_hands == 0 || self->plan->is_hanging || self->plan->role == SPREAD_MERGE)
        return;
    struct pdata *const pdata = self->hands[chance(self->n_hands)];
    forget(self, pdata);
    give_up(self, pdata);
}

void spread_fail(struct spread_actor *self)
{
    spread.failed_node = self->index;
    story_tell("n%zu/%zu cannot go on", self->index, self->loop);
    node_failed(self->node, "cannot go on");
}

/* -- classes -- */

struct spread_options {
    uint64_t index, state;
};

static const struct option rows[] = {
    {"index", OPTION_U64, offsetof(struct spread_options, index), "0", .max = SPREAD_NODES_MAX},
    {"state", OPTION_U64, offsetof(struct spread_options, state), "0", .max = STATE_OF_GRAPH},
};

static struct spread_actor *actor_of(struct node *node)
{
    const struct spread_options *const options = node_options(node);
    return &spread.actors[options->index][node_loop_index(node)];
}

static enum node_state_of state_of(const void *options)
{
    return (enum node_state_of)((const struct spread_options *)options)->state;
}

bool spread_crosses(size_t from, size_t to)
{
    const enum node_state_of state = spread.nodes[to].state;
    return state == STATE_OF_TRACE ||
           (state == STATE_OF_GRAPH && spread.nodes[from].state != STATE_OF_GRAPH);
}

static int start(struct node *node, struct ftri_error *error)
{
    (void)error;
    const struct spread_options *const options = node_options(node);
    struct spread_actor *const self = actor_of(node);
    RULE(options->state != STATE_OF_GRAPH || node_loop_index(node) == 0, "n%llu on loop %zu",
         (unsigned long long)options->index, node_loop_index(node));
    RULE(node_state(node_first(node)), "no first");
    self->node = node;
    self->is_accepting = true;
    if (self->plan->role == SPREAD_RECEIVER)
        set_timer(self);
    return 0;
}

#define SPREAD(name, type_, kind_, consume_, is_stateful_)                                         \
    static const struct node_class name = {                                                        \
        .type = type_,                                                                             \
        .kind = kind_,                                                                             \
        .options = {rows, FTRI_COUNT(rows), sizeof(struct spread_options)},                        \
        .state_size = 1,                                                                           \
        .is_stateful = is_stateful_,                                                               \
        .configured_state = state_of,                                                              \
        .start = start,                                                                            \
        .consume = consume_,                                                                       \
        .control = control}

SPREAD(receiver, "receiver/spread", FTR_NODE_RECEIVER, NULL, false);
SPREAD(pass, "processor/pass", FTR_NODE_PROCESSOR, consume, false);
SPREAD(hold, "processor/hold", FTR_NODE_PROCESSOR, consume, true);
SPREAD(merge, "processor/merge", FTR_NODE_PROCESSOR, consume, true);
SPREAD(custody, "processor/custody", FTR_NODE_PROCESSOR, consume, false);
SPREAD(retry, "processor/retry", FTR_NODE_PROCESSOR, consume, true);
SPREAD(exporter, "exporter/spread", FTR_NODE_EXPORTER, consume, false);

const struct node_class *const spread_classes[] = {&receiver, &pass,  &hold,     &merge,
                                                   &custody,  &retry, &exporter, NULL};

const char *spread_type(enum spread_role role)
{
    return spread_classes[role]->type;
}
