/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling/flow_buffer.h"

#include "base/count.h"
#include "base/random.h"
#include "sampling/page_stream.h"

#include <string.h>

int ftri_flow_buffer_init(struct ftri_flow_buffer *self, const struct ftri_flow_settings *settings,
                          struct ftri_flow_counts *counts)
{
    const size_t part = settings->budget_bytes / 64;
    const uint32_t n_pages = (uint32_t)(part * (64 - 1 - 6) / FTRI_PAGE_SIZE) - 1;
    *self = (struct ftri_flow_buffer){
        .settings = *settings,
        .seeds = {ftri_random_u64(), ftri_random_u64(), ftri_random_u64() | 1},
        .by_age = {.offset = offsetof(struct ftri_flow, by_age)},
        .by_quiet = {.offset = offsetof(struct ftri_flow, by_quiet)},
        .n_pages_per_flow = n_pages / 8,
        .counts = counts,
    };
    ftri_bytes_init(&self->scratch, UINT32_MAX);
    ftri_flow_index_init(&self->index, 4 * part); /* and half of that while it grows */
    int rc = ftri_page_pool_init(&self->pool, n_pages);
    if (rc == 0)
        rc = ftri_verdicts_init(&self->verdicts, part);
    if (rc < 0)
        ftri_flow_buffer_deinit(self);
    return rc;
}

void ftri_flow_buffer_deinit(struct ftri_flow_buffer *self)
{
    ftri_page_pool_deinit(&self->pool);
    ftri_flow_index_deinit(&self->index);
    ftri_verdicts_deinit(&self->verdicts);
    ftri_bytes_deinit(&self->scratch);
    self->by_age.first = self->by_quiet.first = 0;
}

/* As ftri_hash: keyed, since peers choose ids; in the few instructions that 16 bytes need. */
static inline uint64_t hash_of(const struct ftri_flow_buffer *self, const ftr_trace_id *trace_id)
{
    __extension__ typedef unsigned __int128 wide;
    uint64_t halves[2];
    memcpy(halves, trace_id, sizeof halves);
    const wide product = (wide)(halves[0] ^ self->seeds[0]) * (halves[1] ^ self->seeds[1]);
    const wide again = (wide)((uint64_t)product ^ (uint64_t)(product >> 64)) * self->seeds[2];
    return (uint64_t)again ^ (uint64_t)(again >> 64);
}

static inline struct ftri_flow *flow_at(const struct ftri_flow_buffer *self, uint32_t flow)
{
    return ftri_flow_at(&self->pool, flow);
}

/* ---- verdicts ---- */

static void remember(struct ftri_flow_buffer *self, uint64_t hash,
                     const struct ftri_flow_fate *fate)
{
    const uint8_t forgotten = ftri_verdicts_put(&self->verdicts, hash, ftri_fate_pack(fate));
    ftri_count(&self->counts->n_forgotten, ftri_fate_byte_is_cut(forgotten));
}

static void count_flow(struct ftri_flow_buffer *self, const struct ftri_flow_fate *fate,
                       enum ftri_flow_cause cause)
{
    struct ftri_flow_counts *counts = self->counts;
    ftri_count(fate->is_kept ? &counts->n_flows_kept[fate->reason] : &counts->n_flows_dropped, 1);
    ftri_count(&counts->n_flows_by[cause], 1);
}

static void release_some(struct ftri_flow_buffer *self, struct ftri_flow_leaving *leaving,
                         uint32_t n_most)
{
    const ftr_trace_id *trace_id = &flow_at(self, leaving->flow)->trace_id;
    struct ftri_page_stream stream = {&self->pool, leaving->page, leaving->at};
    const uint32_t n = leaving->n_left < n_most ? leaving->n_left : n_most;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len;
        ftri_page_stream_read(&stream, &len, sizeof len);
        ftri_page_stream_read(&stream, self->scratch.data, len); /* reserved when it was added */
        self->settings.release(self->settings.argument, &leaving->fate, trace_id,
                               ftri_view_of(self->scratch.data, len));
    }
    ftri_count(&self->counts->n_waiting, -(uint64_t)n);
    leaving->n_left -= n;
    leaving->page = stream.page;
    leaving->at = stream.at;
}

static void give_back(struct ftri_flow_buffer *self, uint32_t first_page)
{
    const struct ftri_flow *flow = flow_at(self, first_page);
    ftri_page_pool_give(&self->pool, first_page, flow->last_page, flow->n_pages);
}

static void release_leaving(struct ftri_flow_buffer *self, uint32_t n_most)
{
    struct ftri_flow_leaving *leaving = &self->leaving;
    release_some(self, leaving, n_most);
    if (leaving->n_left > 0)
        return;
    give_back(self, leaving->flow);
    leaving->flow = 0;
}

/* False: there was none. */
static bool let_leave(struct ftri_flow_buffer *self)
{
    if (self->leaving.flow == 0)
        return false;
    release_leaving(self, UINT32_MAX);
    return true;
}

bool ftri_flow_buffer_release_more(struct ftri_flow_buffer *self)
{
    if (self->leaving.flow)
        release_leaving(self, FTRI_FLOW_SLICE);
    return self->leaving.flow == 0;
}

/* Its pages go back, now or later. */
static void release_spans(struct ftri_flow_buffer *self, uint32_t flow, uint64_t hash,
                          const struct ftri_flow_fate *fate)
{
    const uint32_t n_spans = flow_at(self, flow)->n_spans;
    struct ftri_flow_leaving all = {flow, n_spans, flow, FTRI_FLOW_DATA, hash, *fate};
    if (n_spans > FTRI_FLOW_SLICE) {
        (void)let_leave(self);
        self->leaving = all;
        return;
    }
    release_some(self, &all, n_spans);
    give_back(self, flow);
}

static void drop_spans(struct ftri_flow_buffer *self, uint32_t flow)
{
    const uint32_t n_spans = flow_at(self, flow)->n_spans;
    ftri_count(&self->counts->n_dropped, n_spans);
    ftri_count(&self->counts->n_waiting, -(uint64_t)n_spans);
    give_back(self, flow);
}

/* ---- deciding ---- */

/* Of flows that are decided soon: their heads this many decisions ahead, half of that what deciding
 * them touches. */
enum { AHEAD = 8 };

static void expect_head(const struct ftri_flow_buffer *self, uint32_t flow)
{
    if (flow)
        ftri_prefetch_lines(flow_at(self, flow), sizeof(struct ftri_flow));
}

/* Its head is there. */
static void expect_decision(const struct ftri_flow_buffer *self, uint32_t first_page)
{
    const struct ftri_flow *flow = flow_at(self, first_page);
    const uint64_t hash = hash_of(self, &flow->trace_id);
    ftri_flow_index_expect(&self->index, (uint32_t)(hash >> 32));
    ftri_verdicts_expect(&self->verdicts, hash);
    __builtin_prefetch(&flow_at(self, flow->by_age.previous)->by_age, 1);
    __builtin_prefetch(&flow_at(self, flow->by_age.next)->by_age, 1);
    __builtin_prefetch(ftri_page_at(&self->pool, flow->last_page), 1);
    __builtin_prefetch(ftri_page_at(&self->pool, flow->next_page), 1);
}

static void decide(struct ftri_flow_buffer *self, uint32_t first_page, uint32_t reasons,
                   enum ftri_flow_cause cause)
{
    struct ftri_flow *flow = flow_at(self, first_page);
    reasons |= flow->reasons;
    if (flow->n_spans > 0 &&
        ftri_policy_is_long(&self->settings.policy, flow->start_ns, flow->end_ns))
        reasons |= FTRI_REASON(FTR_TAIL_LATENCY);
    const struct ftri_flow_fate fate = ftri_fate_of(reasons, cause != FTRI_FLOW_ENDED);
    if (flow->n_spans > 0)
        count_flow(self, &fate, cause);
    const uint64_t hash = hash_of(self, &flow->trace_id);
    self->n_decided++;
    remember(self, hash, &fate);
    ftri_flow_unlink(&self->by_age, &self->pool, first_page);
    if (flow->has_ended)
        ftri_flow_unlink(&self->by_quiet, &self->pool, first_page);
    ftri_flow_index_remove(&self->index, (uint32_t)(hash >> 32), first_page);
    if (fate.is_kept)
        release_spans(self, first_page, hash, &fate);
    else
        drop_spans(self, first_page);
}

void ftri_flow_buffer_look(struct ftri_flow_buffer *self)
{
    self->look++;
}

/* Two places in the list of quiet flows, before the one that is decided. */
struct scouts {
    uint32_t far;
    uint32_t near;
};

static void move_scouts(const struct ftri_flow_buffer *self, struct scouts *scouts)
{
    if (scouts->near) {
        expect_decision(self, scouts->near);
        scouts->near = flow_at(self, scouts->near)->by_quiet.next;
    }
    if (scouts->far) {
        scouts->far = flow_at(self, scouts->far)->by_quiet.next;
        expect_head(self, scouts->far);
    }
}

static struct scouts send_scouts(const struct ftri_flow_buffer *self)
{
    struct scouts scouts = {self->by_quiet.first, 0};
    for (int i = 0; i < AHEAD; i++) {
        if (i == AHEAD / 2)
            scouts.near = self->by_quiet.first;
        move_scouts(self, &scouts);
    }
    return scouts;
}

static bool is_quiet(const struct ftri_flow_buffer *self, uint64_t until_ns)
{
    return ftri_flow_buffer_quiet_at(self) <= until_ns;
}

void ftri_flow_buffer_decide_quiet(struct ftri_flow_buffer *self, uint64_t quiet_until_ns)
{
    if (!is_quiet(self, quiet_until_ns))
        return;
    struct scouts scouts = send_scouts(self);
    for (; is_quiet(self, quiet_until_ns); move_scouts(self, &scouts)) {
        const uint32_t first = self->by_quiet.first;
        struct ftri_flow *flow = flow_at(self, first);
        if (flow->seen_open != self->look) {
            decide(self, first, 0, FTRI_FLOW_ENDED);
            continue;
        }
        flow->last_ns = quiet_until_ns;
        ftri_flow_unlink(&self->by_quiet, &self->pool, first);
        ftri_flow_append(&self->by_quiet, &self->pool, first);
    }
}

void ftri_flow_buffer_decide_old(struct ftri_flow_buffer *self, uint64_t now_ns)
{
    while (ftri_flow_buffer_old_at(self) <= now_ns)
        decide(self, self->by_age.first, 0, FTRI_FLOW_AGED);
}

void ftri_flow_buffer_decide_oldest(struct ftri_flow_buffer *self, uint32_t reasons)
{
    if (ftri_flow_buffer_release_more(self) && self->by_age.first)
        decide(self, self->by_age.first, reasons, FTRI_FLOW_ORDERED);
}

uint64_t ftri_flow_buffer_quiet_at(const struct ftri_flow_buffer *self)
{
    if (!self->by_quiet.first)
        return UINT64_MAX;
    return flow_at(self, self->by_quiet.first)->last_ns + self->settings.quiet_ns;
}

uint64_t ftri_flow_buffer_old_at(const struct ftri_flow_buffer *self)
{
    if (!self->by_age.first)
        return UINT64_MAX;
    return flow_at(self, self->by_age.first)->first_ns + self->settings.max_age_ns;
}

/* ---- finding and making ---- */

static inline bool is_of(const struct ftri_flow_buffer *self, uint32_t flow,
                         const ftr_trace_id *trace_id)
{
    return memcmp(&flow_at(self, flow)->trace_id, trace_id, sizeof *trace_id) == 0;
}

/* 0: it is not here. */
static uint32_t find(const struct ftri_flow_buffer *self, uint64_t hash,
                     const ftr_trace_id *trace_id)
{
    const uint32_t half = (uint32_t)(hash >> 32);
    uint32_t place = ftri_flow_index_home(&self->index, half);
    for (uint32_t page; (page = ftri_flow_index_find(&self->index, half, &place)) != 0; place++)
        if (is_of(self, page, trace_id))
            return page;
    return 0;
}

/* The oldest flow goes, and the next two are asked for. */
static void decide_squeezed(struct ftri_flow_buffer *self)
{
    decide(self, self->by_age.first, 0, FTRI_FLOW_SQUEEZED);
    if (!self->by_age.first)
        return;
    expect_decision(self, self->by_age.first);
    expect_head(self, flow_at(self, self->by_age.first)->by_age.next);
}

/* Makes room for n pages at the cost of the oldest flows; false: at that of `but`, or in vain. */
static bool squeeze(struct ftri_flow_buffer *self, uint32_t n_pages, uint32_t but)
{
    while (!ftri_page_pool_has(&self->pool, n_pages)) {
        const uint32_t oldest = self->by_age.first;
        if (let_leave(self))
            continue;
        if (!oldest || oldest == but)
            return false;
        decide_squeezed(self);
    }
    return true;
}

static bool has_index_room(struct ftri_flow_buffer *self)
{
    while (!ftri_flow_index_has_room(&self->index)) {
        if (!self->by_age.first)
            return false;
        decide_squeezed(self);
    }
    return true;
}

/* 0: there is no room at all. */
static uint32_t new_flow(struct ftri_flow_buffer *self, uint64_t hash, const ftr_trace_id *trace_id,
                         uint64_t now_ns)
{
    if (!squeeze(self, 1, 0) || !has_index_room(self))
        return 0;
    const uint32_t page = ftri_page_pool_take(&self->pool);
    *flow_at(self, page) = (struct ftri_flow){
        .last_page = page,
        .n_pages = 1,
        .fill = FTRI_FLOW_DATA,
        .trace_id = *trace_id,
        .first_ns = now_ns,
        .last_ns = now_ns,
        .start_ns = UINT64_MAX,
        .seen_open = self->look - 1,
    };
    ftri_flow_index_put(&self->index, (uint32_t)(hash >> 32), page);
    ftri_flow_append(&self->by_age, &self->pool, page);
    return page;
}

static void add_pages(struct ftri_flow_buffer *self, struct ftri_flow *flow, uint32_t n)
{
    for (; n > 0; n--) {
        const uint32_t page = ftri_page_pool_take(&self->pool);
        ftri_page_at(&self->pool, flow->last_page)->next = page;
        flow->last_page = page;
        flow->n_pages++;
    }
}

/* For the span to be released again. */
static inline bool have_scratch(struct ftri_flow_buffer *self, size_t size)
{
    return FTRI_LIKELY(size <= self->scratch.capacity) ||
           ftri_bytes_reserve(&self->scratch, size) == 0;
}

/* False: there is no room, at least not for this flow. */
static bool store(struct ftri_flow_buffer *self, uint32_t first_page, struct ftri_view bytes)
{
    struct ftri_flow *flow = flow_at(self, first_page);
    const size_t size = sizeof(uint32_t) + bytes.len;
    const size_t room = FTRI_PAGE_DATA - flow->fill;
    const size_t n_new = size > room ? (size - room + FTRI_PAGE_DATA - 1) / FTRI_PAGE_DATA : 0;
    const uint32_t len = (uint32_t)bytes.len;
    if (flow->n_pages + n_new > self->n_pages_per_flow ||
        (n_new > 0 && !squeeze(self, (uint32_t)n_new, first_page)) ||
        !have_scratch(self, bytes.len + FTRI_FLOW_BEHIND))
        return false;
    struct ftri_page_stream stream = {&self->pool, flow->last_page, flow->fill};
    add_pages(self, flow, (uint32_t)n_new);
    ftri_page_stream_write(&stream, &len, sizeof len);
    ftri_page_stream_write(&stream, bytes.data, bytes.len);
    flow->fill = (uint16_t)stream.at;
    return true;
}

static void hear_of(struct ftri_flow_buffer *self, uint32_t first_page, uint64_t now_ns,
                    bool has_ended)
{
    struct ftri_flow *flow = flow_at(self, first_page);
    flow->last_ns = now_ns;
    if (flow->has_ended && self->by_quiet.last != first_page)
        ftri_flow_unlink(&self->by_quiet, &self->pool, first_page);
    else if (flow->has_ended || !has_ended)
        return;
    flow->has_ended = true;
    ftri_flow_append(&self->by_quiet, &self->pool, first_page);
}

/* ---- what comes in ---- */

/* A verdict holds, but a flow that turns out to have crossed says so in what is still to come. */
static struct ftri_flow_fate follow(struct ftri_flow_buffer *self, uint64_t hash, uint8_t verdict,
                                    uint32_t reasons)
{
    struct ftri_flow_fate fate = ftri_fate_unpack(verdict);
    if (!fate.has_crossed && (reasons & FTRI_REASON(FTR_TAIL_CROSSED))) {
        fate.has_crossed = true;
        (void)ftri_verdicts_put(&self->verdicts, hash, ftri_fate_pack(&fate));
    }
    ftri_count(&self->counts->n_missed, !fate.is_kept && reasons != 0);
    return fate;
}

static bool add_late(struct ftri_flow_buffer *self, uint64_t hash, uint8_t verdict,
                     uint32_t reasons, struct ftri_flow_fate *ret_fate)
{
    if (self->leaving.hash == hash)
        (void)let_leave(self);
    *ret_fate = follow(self, hash, verdict, reasons);
    ftri_count(&self->counts->n_late, 1);
    ftri_count(&self->counts->n_dropped, !ret_fate->is_kept);
    return false;
}

/* There is no room for the span: its flow is decided with what is known now. */
static bool add_squeezed(struct ftri_flow_buffer *self, uint32_t first_page, uint64_t hash,
                         uint32_t reasons, struct ftri_flow_fate *ret_fate)
{
    if (first_page)
        reasons |= flow_at(self, first_page)->reasons;
    if (!first_page || flow_at(self, first_page)->n_spans == 0) { /* not counted by decide() */
        const struct ftri_flow_fate fate = ftri_fate_of(reasons, true);
        count_flow(self, &fate, FTRI_FLOW_SQUEEZED);
        remember(self, hash, &fate);
    }
    if (first_page)
        decide(self, first_page, reasons, FTRI_FLOW_SQUEEZED);
    return add_late(self, hash, ftri_verdicts_get(&self->verdicts, hash), reasons, ret_fate);
}

static void take_in(struct ftri_flow *flow, const struct ftri_flow_arrival *span)
{
    flow->reasons |= (uint8_t)span->reasons;
    flow->n_spans++;
    if (span->start_ns < flow->start_ns)
        flow->start_ns = span->start_ns;
    if (span->end_ns > flow->end_ns)
        flow->end_ns = span->end_ns;
}

void ftri_flow_buffer_expect(const struct ftri_flow_buffer *self, struct ftri_flow_arrival *arrival)
{
    arrival->hash = hash_of(self, arrival->trace_id);
    ftri_flow_index_expect(&self->index, (uint32_t)(arrival->hash >> 32));
}

/* Whether the flow is the one is not looked at yet. */
static void expect_flow(const struct ftri_flow_buffer *self, struct ftri_flow_arrival *arrival)
{
    const uint32_t half = (uint32_t)(arrival->hash >> 32);
    uint32_t place = ftri_flow_index_home(&self->index, half);
    arrival->flow = ftri_flow_index_find(&self->index, half, &place);
    if (arrival->flow)
        ftri_prefetch_lines(flow_at(self, arrival->flow),
                            arrival->is_root ? sizeof(struct ftri_flow) : FTRI_CACHE_LINE);
    else
        ftri_verdicts_expect(&self->verdicts, arrival->hash);
}

/* Up to the end of its page; the next page to be taken is known to the pool. */
static void expect_bytes(const struct ftri_flow_buffer *self,
                         const struct ftri_flow_arrival *arrival)
{
    if (!arrival->flow)
        return;
    const struct ftri_flow *flow = flow_at(self, arrival->flow);
    const uint8_t *data = ftri_page_at(&self->pool, flow->last_page)->data;
    ftri_prefetch_lines(data + flow->fill, ftri_size_min(sizeof(uint32_t) + arrival->bytes.len,
                                                         FTRI_PAGE_DATA - flow->fill));
}

static bool add_one(struct ftri_flow_buffer *self, const struct ftri_flow_arrival *span,
                    uint64_t now_ns, struct ftri_flow_fate *ret_fate)
{
    uint32_t flow = span->flow;
    if (!flow || !is_of(self, flow, span->trace_id))
        flow = find(self, span->hash, span->trace_id);
    if (!flow) {
        const uint8_t verdict = ftri_verdicts_get(&self->verdicts, span->hash);
        if (verdict)
            return add_late(self, span->hash, verdict, span->reasons, ret_fate);
        flow = new_flow(self, span->hash, span->trace_id, now_ns);
    }
    if (!flow || !store(self, flow, span->bytes))
        return add_squeezed(self, flow, span->hash, span->reasons, ret_fate);
    take_in(flow_at(self, flow), span);
    hear_of(self, flow, now_ns, span->is_root);
    ftri_count(&self->counts->n_waiting, 1);
    return true;
}

static void take_note(struct ftri_flow_buffer *self, const struct ftri_flow_arrival *note,
                      uint64_t now_ns)
{
    uint32_t flow = find(self, note->hash, note->trace_id);
    if (!flow) {
        const uint8_t verdict = ftri_verdicts_get(&self->verdicts, note->hash);
        if (verdict) {
            (void)follow(self, note->hash, verdict, note->reasons);
            return;
        }
        flow = new_flow(self, note->hash, note->trace_id, now_ns);
    }
    if (flow)
        flow_at(self, flow)->reasons |= (uint8_t)note->reasons;
}

void ftri_flow_buffer_add_all(struct ftri_flow_buffer *self, struct ftri_flow_arrival *arrivals,
                              size_t n, uint64_t now_ns)
{
    struct ftri_flow_fate fate;
    for (size_t i = 0; i < n; i++)
        expect_flow(self, &arrivals[i]);
    for (size_t i = 0; i < n; i++)
        expect_bytes(self, &arrivals[i]);
    const uint64_t n_decided = self->n_decided;
    for (size_t i = 0; i < n; i++) {
        if (self->n_decided != n_decided)
            arrivals[i].flow = 0;
        if (arrivals[i].is_note)
            take_note(self, &arrivals[i], now_ns);
        else if (!add_one(self, &arrivals[i], now_ns, &fate) && fate.is_kept)
            self->settings.release(self->settings.argument, &fate, arrivals[i].trace_id,
                                   arrivals[i].bytes);
    }
}

bool ftri_flow_buffer_add(struct ftri_flow_buffer *self, const struct ftri_flow_span *span,
                          struct ftri_view bytes, uint64_t now_ns, struct ftri_flow_fate *ret_fate)
{
    const struct ftri_flow_arrival arrival = {
        .trace_id = &span->trace_id,
        .start_ns = span->start_ns,
        .end_ns = span->end_ns,
        .reasons = ftri_policy_judge(&self->settings.policy, span),
        .is_root = span->is_root,
        .bytes = bytes,
        .hash = hash_of(self, &span->trace_id),
    };
    return add_one(self, &arrival, now_ns, ret_fate);
}

void ftri_flow_buffer_note(struct ftri_flow_buffer *self, const ftr_trace_id *trace_id,
                           ftr_tail_reason reason, uint64_t now_ns)
{
    const struct ftri_flow_arrival note = {
        .trace_id = trace_id,
        .reasons = FTRI_REASON(reason),
        .hash = hash_of(self, trace_id),
    };
    take_note(self, &note, now_ns);
}

bool ftri_flow_buffer_recall(struct ftri_flow_buffer *self, const ftr_trace_id *trace_id,
                             struct ftri_flow_fate *ret_fate)
{
    const uint8_t verdict = ftri_verdicts_get(&self->verdicts, hash_of(self, trace_id));
    *ret_fate = ftri_fate_unpack(verdict);
    return verdict != 0;
}

void ftri_flow_buffer_see_open(struct ftri_flow_buffer *self, const ftr_trace_id *trace_id)
{
    const uint32_t flow = find(self, hash_of(self, trace_id), trace_id);
    if (flow)
        flow_at(self, flow)->seen_open = self->look;
}
