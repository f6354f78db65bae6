/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling/flow_buffer.h"

#include "base/count.h"
#include "base/random.h"

#include <string.h>

struct neighbours {
    uint32_t previous;
    uint32_t next;
};

/* The head of a flow's first page. */
struct flow {
    uint32_t next_page;
    uint32_t last_page;
    uint32_t n_pages;
    uint32_t fill; /* bytes used in the last page's data */
    ftr_trace_id trace_id;
    uint64_t hash;
    uint64_t first_ns; /* when it was first and last heard of */
    uint64_t last_ns;
    uint64_t start_ns; /* of its earliest span, Unix epoch; UINT64_MAX: none yet */
    uint64_t end_ns;   /* of its last one */
    struct neighbours by_age;
    struct neighbours by_quiet;
    uint32_t n_spans;
    uint32_t reasons;
    uint32_t seen_open; /* number of the look */
    bool has_ended;
};

enum { CACHE_LINE = 64, HEAD_DATA = sizeof(struct flow) - offsetof(struct ftri_pool_page, data) };
_Static_assert(sizeof(struct flow) <= FTRI_PAGE_SIZE / 2, "half of a first page is for spans");

int ftri_flow_buffer_init(struct ftri_flow_buffer *self, const struct ftri_flow_settings *settings,
                          struct ftri_flow_counts *counts)
{
    const size_t part = settings->budget_bytes / 64;
    const uint32_t n_pages = (uint32_t)(part * (64 - 1 - 6) / FTRI_PAGE_SIZE) - 1;
    *self = (struct ftri_flow_buffer){
        .settings = *settings,
        .seeds = {ftri_random_u64(), ftri_random_u64(), ftri_random_u64() | 1},
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
    self->by_age = self->by_quiet = (struct ftri_flow_list){0, 0};
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

/* ---- lists ---- */

static struct flow *flow_at(const struct ftri_flow_buffer *self, uint32_t first_page)
{
    return (struct flow *)(void *)ftri_page_at(&self->pool, first_page);
}

static struct neighbours *neighbours_in(const struct ftri_flow_buffer *self,
                                        const struct ftri_flow_list *list, uint32_t flow)
{
    struct flow *at = flow_at(self, flow);
    return list == &self->by_age ? &at->by_age : &at->by_quiet;
}

static void append(struct ftri_flow_buffer *self, struct ftri_flow_list *list, uint32_t flow)
{
    *neighbours_in(self, list, flow) = (struct neighbours){.previous = list->last};
    if (list->last)
        neighbours_in(self, list, list->last)->next = flow;
    else
        list->first = flow;
    list->last = flow;
}

static void unlink_from(struct ftri_flow_buffer *self, struct ftri_flow_list *list, uint32_t flow)
{
    const struct neighbours at = *neighbours_in(self, list, flow);
    if (at.previous)
        neighbours_in(self, list, at.previous)->next = at.next;
    else
        list->first = at.next;
    if (at.next)
        neighbours_in(self, list, at.next)->previous = at.previous;
    else
        list->last = at.previous;
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

/* ---- streams ---- */

/* Where a flow's stream is read or written. */
struct cursor {
    struct ftri_page_pool *pool;
    uint32_t page;
    uint32_t at; /* in the page's data */
};

/* Room that is left in the page, entering the next one if there is none. */
static size_t room_at(struct cursor *self, size_t wanted)
{
    if (self->at == FTRI_PAGE_DATA) {
        self->page = ftri_page_at(self->pool, self->page)->next;
        self->at = 0;
    }
    return ftri_size_min(wanted, FTRI_PAGE_DATA - self->at);
}

static void write_stream(struct cursor *self, const void *data, size_t len)
{
    for (const uint8_t *from = data; len > 0;) {
        const size_t n = room_at(self, len);
        memcpy(ftri_page_at(self->pool, self->page)->data + self->at, from, n);
        self->at += (uint32_t)n;
        from += n;
        len -= n;
    }
}

static void read_stream(struct cursor *self, void *data, size_t len)
{
    for (uint8_t *to = data; len > 0;) {
        const size_t n = room_at(self, len);
        memcpy(to, ftri_page_at(self->pool, self->page)->data + self->at, n);
        self->at += (uint32_t)n;
        to += n;
        len -= n;
    }
}

static void release_spans(struct ftri_flow_buffer *self, uint32_t flow,
                          const struct ftri_flow_fate *fate)
{
    struct cursor cursor = {&self->pool, flow, HEAD_DATA};
    for (uint32_t i = flow_at(self, flow)->n_spans; i > 0; i--) {
        uint32_t len;
        read_stream(&cursor, &len, sizeof len);
        read_stream(&cursor, self->scratch.data, len); /* reserved when it was added */
        self->settings.release(self->settings.argument, fate,
                               ftri_view_of(self->scratch.data, len));
    }
}

/* ---- deciding ---- */

static void prefetch_lines(const void *from, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i += CACHE_LINE)
        __builtin_prefetch((const uint8_t *)from + i, 1);
}

static void decide(struct ftri_flow_buffer *self, uint32_t first_page, uint32_t reasons,
                   enum ftri_flow_cause cause)
{
    struct flow *flow = flow_at(self, first_page);
    reasons |= flow->reasons;
    if (flow->n_spans > 0 &&
        ftri_policy_is_long(&self->settings.policy, flow->start_ns, flow->end_ns))
        reasons |= FTRI_REASON(FTR_TAIL_LATENCY);
    const struct ftri_flow_fate fate = ftri_fate_of(reasons, cause != FTRI_FLOW_ENDED);
    if (flow->n_spans > 0)
        count_flow(self, &fate, cause);
    if (fate.is_kept)
        release_spans(self, first_page, &fate);
    else
        ftri_count(&self->counts->n_dropped, flow->n_spans);
    ftri_count(&self->counts->n_waiting, -(uint64_t)flow->n_spans);
    remember(self, flow->hash, &fate);
    unlink_from(self, &self->by_age, first_page);
    if (flow->has_ended)
        unlink_from(self, &self->by_quiet, first_page);
    ftri_flow_index_remove(&self->index, (uint32_t)(flow->hash >> 32), first_page);
    ftri_page_pool_give(&self->pool, first_page, flow->last_page, flow->n_pages);
}

void ftri_flow_buffer_look(struct ftri_flow_buffer *self)
{
    self->look++;
}

void ftri_flow_buffer_decide_quiet(struct ftri_flow_buffer *self, uint64_t quiet_until_ns)
{
    for (uint32_t first; (first = self->by_quiet.first);) {
        struct flow *flow = flow_at(self, first);
        if (flow->last_ns + self->settings.quiet_ns > quiet_until_ns)
            return;
        if (flow->by_quiet.next)
            prefetch_lines(flow_at(self, flow->by_quiet.next), sizeof *flow);
        if (flow->seen_open != self->look) {
            decide(self, first, 0, FTRI_FLOW_ENDED);
            continue;
        }
        flow->last_ns = quiet_until_ns;
        unlink_from(self, &self->by_quiet, first);
        append(self, &self->by_quiet, first);
    }
}

void ftri_flow_buffer_decide_old(struct ftri_flow_buffer *self, uint64_t now_ns)
{
    while (ftri_flow_buffer_old_at(self) <= now_ns)
        decide(self, self->by_age.first, 0, FTRI_FLOW_AGED);
}

void ftri_flow_buffer_decide_oldest(struct ftri_flow_buffer *self, uint32_t reasons)
{
    if (self->by_age.first)
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

/* 0: it is not here. */
static uint32_t find(const struct ftri_flow_buffer *self, uint64_t hash,
                     const ftr_trace_id *trace_id)
{
    const uint32_t half = (uint32_t)(hash >> 32);
    uint32_t place = ftri_flow_index_home(&self->index, half);
    for (uint32_t page; (page = ftri_flow_index_find(&self->index, half, &place)) != 0; place++)
        if (memcmp(&flow_at(self, page)->trace_id, trace_id, sizeof *trace_id) == 0)
            return page;
    return 0;
}

/* Makes room for n pages at the cost of the oldest flows; false: at that of `but`, or in vain. */
static bool squeeze(struct ftri_flow_buffer *self, uint32_t n_pages, uint32_t but)
{
    while (!ftri_page_pool_has(&self->pool, n_pages)) {
        const uint32_t oldest = self->by_age.first;
        if (!oldest || oldest == but)
            return false;
        decide(self, oldest, 0, FTRI_FLOW_SQUEEZED);
    }
    return true;
}

static bool has_index_room(struct ftri_flow_buffer *self)
{
    while (!ftri_flow_index_has_room(&self->index)) {
        if (!self->by_age.first)
            return false;
        decide(self, self->by_age.first, 0, FTRI_FLOW_SQUEEZED);
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
    *flow_at(self, page) = (struct flow){
        .last_page = page,
        .n_pages = 1,
        .fill = HEAD_DATA,
        .trace_id = *trace_id,
        .hash = hash,
        .first_ns = now_ns,
        .last_ns = now_ns,
        .start_ns = UINT64_MAX,
        .seen_open = self->look - 1,
    };
    ftri_flow_index_put(&self->index, (uint32_t)(hash >> 32), page);
    append(self, &self->by_age, page);
    return page;
}

static void add_pages(struct ftri_flow_buffer *self, struct flow *flow, uint32_t n)
{
    for (; n > 0; n--) {
        const uint32_t page = ftri_page_pool_take(&self->pool);
        ftri_page_at(&self->pool, flow->last_page)->next = page;
        flow->last_page = page;
        flow->n_pages++;
    }
}

/* False: there is no room, at least not for this flow. */
static bool store(struct ftri_flow_buffer *self, uint32_t first_page, struct ftri_view bytes)
{
    struct flow *flow = flow_at(self, first_page);
    const size_t size = sizeof(uint32_t) + bytes.len;
    const size_t room = FTRI_PAGE_DATA - flow->fill;
    const size_t n_new = size > room ? (size - room + FTRI_PAGE_DATA - 1) / FTRI_PAGE_DATA : 0;
    const uint32_t len = (uint32_t)bytes.len;
    ftri_bytes_reset(&self->scratch);
    if (flow->n_pages + n_new > self->n_pages_per_flow ||
        !squeeze(self, (uint32_t)n_new, first_page) ||
        ftri_bytes_reserve(&self->scratch, bytes.len + FTRI_FLOW_BEHIND) < 0)
        return false;
    struct cursor cursor = {&self->pool, flow->last_page, flow->fill};
    add_pages(self, flow, (uint32_t)n_new);
    write_stream(&cursor, &len, sizeof len);
    write_stream(&cursor, bytes.data, bytes.len);
    flow->fill = cursor.at;
    return true;
}

static void hear_of(struct ftri_flow_buffer *self, uint32_t first_page, uint64_t now_ns,
                    bool has_ended)
{
    struct flow *flow = flow_at(self, first_page);
    flow->last_ns = now_ns;
    if (flow->has_ended && self->by_quiet.last != first_page)
        unlink_from(self, &self->by_quiet, first_page);
    else if (flow->has_ended || !has_ended)
        return;
    flow->has_ended = true;
    append(self, &self->by_quiet, first_page);
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

static void take_in(struct flow *flow, const struct ftri_flow_span *span, uint32_t reasons)
{
    flow->reasons |= reasons;
    flow->n_spans++;
    if (span->start_ns < flow->start_ns)
        flow->start_ns = span->start_ns;
    if (span->end_ns > flow->end_ns)
        flow->end_ns = span->end_ns;
}

bool ftri_flow_buffer_add(struct ftri_flow_buffer *self, const struct ftri_flow_span *span,
                          struct ftri_view bytes, uint64_t now_ns, struct ftri_flow_fate *ret_fate)
{
    const uint64_t hash = hash_of(self, &span->trace_id);
    const uint32_t reasons = ftri_policy_judge(&self->settings.policy, span);
    uint32_t flow = find(self, hash, &span->trace_id);
    if (!flow) {
        const uint8_t verdict = ftri_verdicts_get(&self->verdicts, hash);
        if (verdict)
            return add_late(self, hash, verdict, reasons, ret_fate);
        flow = new_flow(self, hash, &span->trace_id, now_ns);
    }
    if (!flow || !store(self, flow, bytes))
        return add_squeezed(self, flow, hash, reasons, ret_fate);
    take_in(flow_at(self, flow), span, reasons);
    hear_of(self, flow, now_ns, span->is_root);
    ftri_count(&self->counts->n_waiting, 1);
    return true;
}

void ftri_flow_buffer_note(struct ftri_flow_buffer *self, const ftr_trace_id *trace_id,
                           ftr_tail_reason reason, uint64_t now_ns)
{
    const uint64_t hash = hash_of(self, trace_id);
    uint32_t flow = find(self, hash, trace_id);
    if (!flow) {
        const uint8_t verdict = ftri_verdicts_get(&self->verdicts, hash);
        if (verdict) {
            (void)follow(self, hash, verdict, FTRI_REASON(reason));
            return;
        }
        flow = new_flow(self, hash, trace_id, now_ns);
    }
    if (flow)
        flow_at(self, flow)->reasons |= FTRI_REASON(reason);
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
