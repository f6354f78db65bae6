/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a flow has ended is not in its records: a child that is still open has written none. So
 * when flows have been quiet for long enough the worker looks through the slots of all threads, and
 * what it finds open waits on. The journals are read once more between the look and the decision: a
 * span that had just ended when its slot was looked at is there.
 *
 * Records are taken in batches (flow_buffer.h says why), and wait as record_pack.h has them.
 * Between two passes no batch is open. */
#include "trace/tail.h"

#include "base/count.h"
#include "base/time.h"
#include "context/block.h"
#include "sampling/flow_buffer.h"
#include "trace/clock.h"
#include "trace/diagnostics.h"
#include "trace/encode.h"
#include "trace/journal.h"
#include "trace/live.h"
#include "trace/record_pack.h"
#include "trace/span.h"
#include "trace/tail_reader.h"
#include "trace/worker.h"

#include <string.h>

#define QUIET_NS (100 * FTRI_NS_PER_MS)
#define VOTE_KEY FTR_STR("ftr.tail.vote")

/* A look at all slots may take this share of the worker's time. */
enum { LOOKS_SHARE = 16 };

/* Records of a batch, and how many bytes they may take packed unless one alone takes more. */
enum { BATCH = 32, BATCH_BYTES = 64 << 10 };

_Static_assert((int)FTRI_FLOW_BEHIND >= (int)FTRI_PACK_BEHIND, "what is released may be unpacked");

enum regime {
    PASSING,  /* everything is kept */
    HOLDING,  /* FTR_MODE_TAIL, and also FTR_MODE_OFF after it: what was open then still ends */
    FOLLOWING /* FTR_MODE_FULL after it: kept, but for flows that were dropped */
};

static struct {
    _Atomic uint32_t mode;      /* (any) ftr_mode */
    _Atomic uint32_t n_holders; /* (any) */
    _Atomic uint8_t marks;      /* (any) of flows that begin and are to wait */
    _Atomic uint64_t n_only_recorded;
    _Atomic uint64_t n_dropped_later; /* in FOLLOWING */
    struct ftri_flow_counts counts;

    const struct ftri_tail_settings *settings;
    const struct ftri_tail_exit *exit;
    enum regime regime;
    uint32_t last_mode;
    uint32_t pass_mode;  /* as the pass found it before it read what was recorded */
    uint32_t open_mode;  /* the last one but FTR_MODE_OFF: of what is open */
    uint8_t gone_period; /* of flows that waited, and of which spans have gone out; 0: none */
    bool has_buffer;
    bool has_told;  /* that there is no memory for the buffer */
    bool has_begun; /* flows that are exported, maybe, and are not noted */
    struct ftri_flow_buffer buffer;
    struct ftri_tail_reader reader;
    struct ftri_bytes copy;     /* of a span that refers to its context's block */
    struct ftri_bytes packed;   /* the batch */
    struct ftri_bytes unpacked; /* a span that goes out */
    struct ftri_bytes voted;    /* the same with its flow's vote */
    uint64_t since_ns;          /* spans that started before had FTR_MODE_FULL; Unix epoch */
    uint64_t follow_until_ns;
    bool has_looked; /* at look_ns; nothing was decided since */
    uint64_t look_ns;
    uint64_t next_look_ns; /* on the real clock */

    size_t n_batch;
    size_t batch_room;    /* bytes its records may take packed */
    size_t batch_largest; /* of all that wait */
    const struct ftri_record *records[BATCH];
    struct ftri_flow_arrival arrivals[BATCH];
} tail;

static void clear_counts(void)
{
    struct ftri_flow_counts *counts = &tail.counts;
    atomic_store(&tail.n_only_recorded, 0);
    atomic_store(&tail.n_dropped_later, 0);
    for (size_t i = 0; i < sizeof *counts / sizeof(_Atomic uint64_t); i++)
        atomic_store((_Atomic uint64_t *)(void *)counts + i, 0);
}

static void drop_buffer(void)
{
    if (!tail.has_buffer)
        return;
    tail.has_buffer = false;
    ftri_flow_buffer_deinit(&tail.buffer);
    ftri_tail_reader_deinit(&tail.reader);
    ftri_bytes_deinit(&tail.copy);
    ftri_bytes_deinit(&tail.packed);
    ftri_bytes_deinit(&tail.unpacked);
    ftri_bytes_deinit(&tail.voted);
    tail.batch_largest = 0;
}

void ftri_tail_stop(void)
{
    drop_buffer();
    tail.regime = PASSING;
}

void ftri_tail_after_fork(void)
{
    ftri_tail_stop();
    clear_counts();
}

void ftri_tail_set_mode(ftr_mode mode)
{
    atomic_store(&tail.mode, (uint32_t)mode);
}

void ftri_tail_set_holders(uint32_t n_holders)
{
    const unsigned next = atomic_load(&tail.marks) + FTRI_TRACE_NEXT_PERIOD;
    if (atomic_load(&tail.n_holders) == 0 && n_holders != 0)
        atomic_store(&tail.marks, (uint8_t)(FTRI_TRACE_WAITS | (next & FTRI_TRACE_PERIOD)));
    atomic_store(&tail.n_holders, n_holders);
}

uint8_t ftri_tail_marks(void)
{
    return atomic_load_explicit(&tail.marks, memory_order_relaxed);
}

/* Somebody's flows are to wait. */
static bool is_holding(uint32_t mode)
{
    return mode == FTR_MODE_TAIL || (mode == FTR_MODE_FULL && atomic_load(&tail.n_holders) != 0);
}

/* Its flow is exported for certain. */
static bool is_for_certain(const struct ftri_record *record)
{
    if (record->trace_flags & (FTRI_TRACE_WAITS | FTRI_TRACE_IS_KEPT))
        return (record->trace_flags & FTRI_TRACE_IS_KEPT) != 0;
    return tail.open_mode == FTR_MODE_FULL;
}

/* ---- on the way out ---- */

/* The record, or a copy that has the vote. */
static const struct ftri_record *with_vote(const struct ftri_record *record,
                                           const struct ftri_flow_fate *fate)
{
    char text[FTRI_FATE_VOTE];
    const ftr_str vote = {text, ftri_fate_vote(fate, text)};
    const size_t size = ftri_record_size_with_text(record, VOTE_KEY, vote);
    ftri_bytes_reset(&tail.voted);
    if (size > SIZE_MAX - FTRI_ENCODE_BEHIND ||
        ftri_bytes_reserve(&tail.voted, size + FTRI_ENCODE_BEHIND) < 0) /* too large, too */
        return record;
    ftri_record_copy_with_text(record, VOTE_KEY, vote, tail.voted.data);
    return (const struct ftri_record *)(const void *)tail.voted.data;
}

/* There is room: it was reserved when the span came in. */
static void release(void *argument, const struct ftri_flow_fate *fate, const ftr_trace_id *trace_id,
                    struct ftri_view bytes)
{
    (void)argument;
    ftri_record_unpack(bytes, trace_id, tail.unpacked.data);
    const struct ftri_record *record = (const struct ftri_record *)(const void *)tail.unpacked.data;
    if (fate->has_crossed && ftri_tail_is_root(record))
        record = with_vote(record, fate);
    tail.exit->keep(record);
}

/* ---- modes ---- */

static bool make_buffer(void)
{
    const struct ftri_flow_settings settings = {
        .policy = tail.settings->policy,
        .quiet_ns = QUIET_NS,
        .max_age_ns = tail.settings->max_age_ns,
        .budget_bytes = tail.settings->budget_bytes,
        .release = release,
    };
    if (tail.has_buffer)
        return true;
    tail.has_buffer = ftri_flow_buffer_init(&tail.buffer, &settings, &tail.counts) == 0;
    if (!tail.has_buffer && !tail.has_told)
        ftri_diagnose("tail sampling: memory is short, every span is exported until there is some");
    tail.has_told = !tail.has_buffer;
    ftri_tail_reader_init(&tail.reader, &tail.settings->policy);
    ftri_bytes_init(&tail.copy, UINT32_MAX);
    ftri_bytes_init(&tail.packed, UINT32_MAX);
    ftri_bytes_init(&tail.unpacked, SIZE_MAX / 2);
    ftri_bytes_init(&tail.voted, UINT32_MAX);
    return tail.has_buffer;
}

static uint8_t period_of(uint8_t trace_flags)
{
    return trace_flags & FTRI_TRACE_WAITS ? trace_flags & (FTRI_TRACE_WAITS | FTRI_TRACE_PERIOD)
                                          : 0;
}

/* Nothing of its flow has gone out: it began after somebody started to hold spans back. */
static bool waits_from_the_start(uint8_t trace_flags)
{
    const uint8_t period = period_of(trace_flags);
    return period != 0 && period == ftri_tail_marks() && period != tail.gone_period;
}

/* A span goes out, though it may be of a flow that was to wait. Of earlier periods that is known.
 */
static void note_gone(uint8_t trace_flags)
{
    if (FTRI_UNLIKELY(trace_flags & FTRI_TRACE_WAITS) && tail.regime != HOLDING &&
        period_of(trace_flags) == ftri_tail_marks())
        tail.gone_period = period_of(trace_flags);
}

static void note_begun(void *argument, const ftr_trace_id *trace_id, uint8_t trace_flags)
{
    const uint64_t *now_ns = argument;
    if (!waits_from_the_start(trace_flags))
        ftri_flow_buffer_note(&tail.buffer, trace_id, FTR_TAIL_MODE, *now_ns);
}

/* At FTR_MODE_TAIL after FTR_MODE_FULL: flows that began before may have spans at the exporters
 * already, and go there whole. Those are the ones that have a span open now, and those of spans
 * that are known to have started before. */
static void note_all_begun(void)
{
    uint64_t now_ns = ftri_time_monotonic_ns();
    tail.since_ns = ftri_time_wall_ns();
    tail.has_begun = false;
    ftri_live_walk_traces(note_begun, &now_ns);
}

static void keep_what_waits(void)
{
    while (!ftri_flow_buffer_is_empty(&tail.buffer))
        ftri_flow_buffer_decide_oldest(&tail.buffer, FTRI_REASON(FTR_TAIL_MODE));
}

static void hold(void)
{
    if (!make_buffer())
        return;
    if (tail.regime == FOLLOWING)
        keep_what_waits();
    tail.regime = HOLDING;
}

static void follow(uint64_t now_ns)
{
    tail.regime = FOLLOWING;
    tail.has_looked = false;
    tail.follow_until_ns = now_ns + tail.settings->max_age_ns;
}

/* What waited is kept; where others still hold theirs back, at once. */
static void to_full(bool is_still_holding)
{
    if (!is_still_holding)
        follow(ftri_time_monotonic_ns());
    else if (tail.last_mode == FTR_MODE_TAIL)
        keep_what_waits();
}

/* What is recorded before the first pass has the session's first mode, too. */
void ftri_tail_start(const struct ftri_tail_settings *settings, const struct ftri_tail_exit *exit)
{
    clear_counts();
    tail.settings = settings;
    tail.exit = exit;
    tail.regime = PASSING;
    tail.has_told = tail.has_begun = tail.has_looked = false;
    tail.next_look_ns = tail.since_ns = 0;
    tail.gone_period = 0;
    tail.last_mode = tail.pass_mode = tail.open_mode = atomic_load(&tail.mode);
    if (is_holding(tail.last_mode))
        hold();
}

void ftri_tail_begin(void)
{
    const uint32_t mode = atomic_load(&tail.mode);
    if (tail.gone_period != ftri_tail_marks())
        tail.gone_period = 0; /* its number comes again */
    if (is_holding(mode) && tail.regime != HOLDING)
        hold();
    else if (mode == FTR_MODE_FULL && tail.regime == HOLDING)
        to_full(is_holding(mode));
    if (mode == FTR_MODE_FULL || tail.regime != HOLDING)
        tail.has_begun = true;
    else if (mode == FTR_MODE_TAIL && tail.has_begun)
        note_all_begun();
    tail.pass_mode = mode;
    if (mode != FTR_MODE_OFF)
        tail.open_mode = mode;
}

/* Of a flow that is to wait: the first one may be here before the next pass. */
static void hold_from_now_on(uint8_t trace_flags)
{
    if (FTRI_UNLIKELY(trace_flags & FTRI_TRACE_WAITS) && tail.regime != HOLDING &&
        is_holding(atomic_load(&tail.mode)))
        ftri_tail_begin();
}

/* ---- spans ---- */

/* Whatever its flow, what is above it may have been exported already. */
static uint32_t reasons_of_mode(const struct ftri_record *record)
{
    const bool is_of_before =
        (record->trace_flags & FTRI_TRACE_WAITS) && !waits_from_the_start(record->trace_flags);
    return is_for_certain(record) || is_of_before ? FTRI_REASON(FTR_TAIL_MODE) : 0;
}

/* Spans without marks that started before this may have something exported above them, too. */
static uint64_t since_ns(const struct ftri_record *record)
{
    return record->trace_flags & FTRI_TRACE_WAITS ? 0 : tail.since_ns;
}

/* Of flows that were dropped the rest is dropped, too: false. */
static bool follow_span(const struct ftri_record *record)
{
    struct ftri_flow_fate fate;
    if (ftri_flow_buffer_recall(&tail.buffer, &record->trace_id, &fate) && !fate.is_kept) {
        ftri_count(&tail.n_dropped_later, 1);
        return false;
    }
    tail.exit->keep(record);
    return true;
}

/* ---- a batch ---- */

/* As ftri_record_copy makes it; NULL: memory is short. */
static const struct ftri_record *without_block(const struct ftri_record *record)
{
    if (!record->block)
        return record;
    ftri_bytes_reset(&tail.copy);
    if (ftri_bytes_reserve(&tail.copy, ftri_record_copy_size(record)) < 0)
        return NULL;
    ftri_record_copy(record, tail.copy.data);
    return (const struct ftri_record *)(const void *)tail.copy.data;
}

/* It is packed behind those before, for which there is room. False: it cannot wait. */
static bool prepare(const struct ftri_record *record, struct ftri_flow_arrival *span)
{
    const struct ftri_record *whole = without_block(record);
    if (!whole)
        return false;
    uint8_t *to = tail.packed.data + tail.packed.len;
    span->bytes = ftri_view_of(to, ftri_record_pack(whole, to));
    tail.packed.len += span->bytes.len;
    span->reasons = reasons_of_mode(record);
    ftri_tail_judge(&tail.reader, record, since_ns(record), span);
    return true;
}

static void be_note(struct ftri_flow_arrival *arrival, ftr_tail_reason reason)
{
    arrival->is_note = true;
    arrival->is_root = false;
    arrival->bytes.len = 0;
    arrival->reasons = FTRI_REASON(reason);
}

/* There is no memory for it: unless its flow was dropped it is exported, and then its flow has to
 * be; false: that is known. */
static bool take_along(const struct ftri_record *record, struct ftri_flow_arrival *note)
{
    be_note(note, FTR_TAIL_MODE);
    return follow_span(record);
}

/* Also for the largest of them to be released again. */
static bool have_room(void)
{
    ftri_bytes_reset(&tail.packed);
    ftri_bytes_reset(&tail.unpacked);
    return ftri_bytes_reserve(&tail.packed, tail.batch_room + FTRI_PACK_BEHIND) == 0 &&
           ftri_bytes_reserve(&tail.unpacked, tail.batch_largest + FTRI_ENCODE_BEHIND) == 0;
}

void ftri_tail_settle(void)
{
    const size_t n_batch = tail.n_batch;
    if (n_batch == 0)
        return;
    const bool is_room = have_room();
    size_t n = 0;
    for (size_t i = 0; i < n_batch; i++) {
        if (FTRI_UNLIKELY(n != i))
            tail.arrivals[n] = tail.arrivals[i];
        if (tail.arrivals[n].is_note || (is_room && prepare(tail.records[i], &tail.arrivals[n])) ||
            take_along(tail.records[i], &tail.arrivals[n]))
            n++;
    }
    tail.n_batch = tail.batch_room = 0;
    ftri_flow_buffer_add_all(&tail.buffer, tail.arrivals, n, ftri_time_monotonic_ns());
}

static struct ftri_flow_arrival *enter(const struct ftri_record *record, size_t size)
{
    const size_t room = ftri_record_pack_room(size);
    if (tail.n_batch == BATCH || (tail.n_batch > 0 && tail.batch_room + room > BATCH_BYTES))
        ftri_tail_settle();
    struct ftri_flow_arrival *arrival = &tail.arrivals[tail.n_batch];
    arrival->trace_id = &record->trace_id;
    arrival->is_note = false;
    ftri_flow_buffer_expect(&tail.buffer, arrival);
    tail.records[tail.n_batch++] = record;
    tail.batch_room += room;
    if (size > tail.batch_largest)
        tail.batch_largest = size;
    return arrival;
}

void ftri_tail_accept(const struct ftri_record *record)
{
    hold_from_now_on(record->trace_flags);
    note_gone(record->trace_flags);
    if (ftri_record_is_only_recorded(record))
        ftri_count(&tail.n_only_recorded, 1);
    else if (FTRI_LIKELY(tail.regime == PASSING))
        tail.exit->keep(record);
    else if (tail.regime == HOLDING)
        (void)enter(record, ftri_record_copy_size(record));
    else
        (void)follow_span(record);
}

bool ftri_tail_passes_all(void)
{
    return tail.regime == PASSING;
}

void ftri_tail_note(const struct ftri_record *record)
{
    hold_from_now_on(record->trace_flags);
    if (tail.regime != HOLDING)
        return;
    be_note(enter(record, 0), FTR_TAIL_CROSSED);
}

bool ftri_tail_shows_open(const struct ftri_record *record)
{
    struct ftri_flow_fate fate = {.is_kept = false};
    if (ftri_record_is_only_recorded(record))
        return false;
    note_gone(record->trace_flags);
    if (tail.regime == PASSING)
        return true;
    const bool is_known = ftri_flow_buffer_recall(&tail.buffer, &record->trace_id, &fate);
    return is_known ? fate.is_kept : tail.regime == FOLLOWING || is_for_certain(record);
}

/* ---- deciding ---- */

static void see_open(void *argument, const ftr_trace_id *trace_id, uint8_t trace_flags)
{
    (void)argument;
    (void)trace_flags;
    ftri_flow_buffer_see_open(&tail.buffer, trace_id);
}

static void look(uint64_t now_ns)
{
    const uint64_t begin_ns = ftri_clock_monotonic_ns();
    ftri_flow_buffer_look(&tail.buffer);
    ftri_live_walk_traces(see_open, NULL);
    tail.has_looked = true;
    tail.look_ns = now_ns;
    const uint64_t end_ns = ftri_clock_monotonic_ns();
    tail.next_look_ns = end_ns + (end_ns - begin_ns) * LOOKS_SHARE;
}

static void decide_due(uint64_t now_ns)
{
    if (tail.has_looked)
        ftri_flow_buffer_decide_quiet(&tail.buffer, tail.look_ns);
    tail.has_looked = false;
    ftri_flow_buffer_decide_old(&tail.buffer, now_ns);
    if (ftri_flow_buffer_quiet_at(&tail.buffer) <= now_ns &&
        ftri_clock_monotonic_ns() >= tail.next_look_ns)
        look(now_ns);
}

/* A large flow goes as the exporters take it. */
static uint64_t until_all_out(void)
{
    if (!ftri_flow_buffer_is_releasing(&tail.buffer))
        return UINT64_MAX;
    if (!tail.exit->has_slack())
        return FTRI_NS_PER_MS;
    return ftri_flow_buffer_release_more(&tail.buffer) ? UINT64_MAX : 0;
}

static uint64_t until_decided(uint64_t now_ns)
{
    if (tail.has_looked)
        return 0;
    const uint64_t quiet_at = ftri_flow_buffer_quiet_at(&tail.buffer);
    const uint64_t old_at = ftri_flow_buffer_old_at(&tail.buffer);
    const uint64_t due = quiet_at < old_at ? quiet_at : old_at;
    if (due == UINT64_MAX)
        return UINT64_MAX;
    return due > now_ns ? due - now_ns : FTRI_NS_PER_MS; /* until the next look may be */
}

static uint64_t let_go(uint64_t now_ns)
{
    const bool is_over = now_ns >= tail.follow_until_ns;
    while (!ftri_flow_buffer_is_empty(&tail.buffer) && (is_over || tail.exit->has_slack()))
        ftri_flow_buffer_decide_oldest(&tail.buffer, FTRI_REASON(FTR_TAIL_MODE));
    if (is_over) {
        drop_buffer();
        tail.regime = PASSING;
    }
    return is_over || ftri_flow_buffer_is_empty(&tail.buffer) ? UINT64_MAX : FTRI_NS_PER_MS;
}

uint64_t ftri_tail_end(void)
{
    const bool is_turned_off = tail.pass_mode == FTR_MODE_OFF && tail.last_mode != FTR_MODE_OFF;
    tail.last_mode = tail.pass_mode;
    if (tail.regime == PASSING)
        return UINT64_MAX;
    const uint64_t now_ns = ftri_time_monotonic_ns();
    if (tail.regime == FOLLOWING)
        return let_go(now_ns);
    while (is_turned_off && !ftri_flow_buffer_is_empty(&tail.buffer))
        ftri_flow_buffer_decide_oldest(&tail.buffer, 0);
    decide_due(now_ns);
    const uint64_t out_ns = until_all_out();
    const uint64_t decided_ns = until_decided(now_ns);
    return out_ns < decided_ns ? out_ns : decided_ns;
}

bool ftri_tail_finish(bool is_last)
{
    if (tail.regime == PASSING)
        return true;
    const uint32_t reasons = tail.regime == FOLLOWING ? FTRI_REASON(FTR_TAIL_MODE) : 0;
    while (!ftri_flow_buffer_is_empty(&tail.buffer) && (is_last || tail.exit->has_slack()))
        ftri_flow_buffer_decide_oldest(&tail.buffer, reasons);
    return ftri_flow_buffer_is_empty(&tail.buffer);
}

/* ---- from other threads ---- */

void ftri_tail_mark(const ftr_span_context *span)
{
    const uint32_t session = __atomic_load_n(&ftr_recording_word, __ATOMIC_RELAXED);
    const bool is_ours = !span->is_remote && (span->trace_flags & FTR_TRACE_FLAG_SAMPLED) &&
                         ftr_trace_id_is_valid(&span->trace_id);
    struct ftri_thread *self =
        session != 0 && is_ours ? ftri_thread_ready(FTRI_SYSTEM, session) : NULL;
    if (!self)
        return;
    struct ftri_record *note =
        (struct ftri_record *)(void *)ftri_journal_reserve(self, sizeof *note);
    if (!note) {
        ftri_count(&self->counters.lost_crossings, 1);
        ftri_worker_wake();
        return;
    }
    *note = (struct ftri_record){
        .size = sizeof *note,
        .bits = FTRI_RECORD_CROSSES,
        .trace_flags = span->trace_flags,
        .trace_id = span->trace_id,
    };
    if (ftri_journal_commit(self, sizeof *note))
        ftri_worker_wake();
}

void ftri_tail_count(ftr_statistics *ret_statistics)
{
    struct ftri_flow_counts *counts = &tail.counts;
    ret_statistics->sampled_out = atomic_load(&tail.n_only_recorded) +
                                  atomic_load(&tail.n_dropped_later) +
                                  atomic_load(&counts->n_dropped);
    ret_statistics->waiting = atomic_load(&counts->n_waiting);
    for (size_t i = 0; i < FTR_TAIL_REASONS; i++)
        ret_statistics->tail_kept[i] = atomic_load(&counts->n_flows_kept[i]);
    ret_statistics->tail_dropped = atomic_load(&counts->n_flows_dropped);
    ret_statistics->tail_by_end = atomic_load(&counts->n_flows_by[FTRI_FLOW_ENDED]);
    ret_statistics->tail_by_age = atomic_load(&counts->n_flows_by[FTRI_FLOW_AGED]);
    ret_statistics->tail_by_budget = atomic_load(&counts->n_flows_by[FTRI_FLOW_SQUEEZED]);
    ret_statistics->tail_by_order = atomic_load(&counts->n_flows_by[FTRI_FLOW_ORDERED]);
    ret_statistics->tail_late = atomic_load(&counts->n_late);
    ret_statistics->tail_missed = atomic_load(&counts->n_missed);
    ret_statistics->tail_forgotten = atomic_load(&counts->n_forgotten);
}
