/* SPDX-License-Identifier: Apache-2.0
 *
 *   SamplingStrategyResponse        2 probabilisticSampling   3 rateLimitingSampling
 *                                   4 operationSampling
 *   ProbabilisticSamplingStrategy   1 samplingRate (double)
 *   RateLimitingSamplingStrategy    1 maxTracesPerSecond (int32)
 *   PerOperationSamplingStrategies  1 defaultSamplingProbability (double)
 *                                   2 defaultLowerBoundTracesPerSecond (double)
 *                                   3 perOperationStrategies (repeated)
 *   OperationSamplingStrategy       1 operation (string)   2 probabilisticSampling
 *
 * The first of 4, 2 and 3 that is there counts; strategyType is passed over, as sampling.proto
 * asks. An answer is read twice: what it says and how many operations it has, then these.
 *
 * Operations are in an open table, each in the first free place from that of its hash on. Places
 * that are free hold what an operation has that the answer does not list, so that to note one is to
 * write its hash. */
#include "export/jaeger_strategy.h"

#include "base/error.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "codec/wire.h"
#include "sampling/rate_limit.h"
#include "sampling/threshold.h"

#include <errno.h>

enum kind { RATIO, RATE, OPERATIONS };

struct operation {
    _Atomic uint64_t hash; /* 0: free */
    uint64_t bound;
    struct ftri_rate_limit limit;
};

struct ftri_jaeger_strategy {
    uint64_t seed;
    uint64_t answer_hash;
    enum kind kind;
    uint64_t bound; /* the ratio; of OPERATIONS: of one that has no place */
    double rate;    /* of RATE; of OPERATIONS the least one; 0: none */
    struct ftri_rate_limit limit;
    size_t n_places;             /* of OPERATIONS: a power of two, at most half of them taken */
    _Atomic uint32_t n_unlisted; /* that have a place */
    struct operation places[];
};

/* ---- what an answer says ---- */

struct answer {
    bool has_ratio;
    double ratio;
    bool has_rate;
    int32_t rate;
    bool has_operations;
    double default_ratio;
    double least_rate;
    size_t n_operations;
};

struct listed {
    ftr_str name;
    bool has_ratio;
    double ratio;
};

static bool read_double(const struct ftri_wire_field *field, uint32_t number, double *ret_value)
{
    if (field->number != number || field->type != FTRI_WIRE_FIXED64)
        return false;
    memcpy(ret_value, &field->value, sizeof *ret_value);
    return true;
}

static bool is_message(const struct ftri_wire_field *field, uint32_t number)
{
    return field->number == number && field->type == FTRI_WIRE_BYTES;
}

static int read_ratio(struct ftri_view message, double *ret_ratio)
{
    struct ftri_wire_field field;
    size_t next = 0;
    int r;
    while ((r = ftri_wire_next(message, &next, &field)) == FTRI_WIRE_FIELD)
        (void)read_double(&field, 1, ret_ratio);
    return r;
}

static int read_rate(struct ftri_view message, int32_t *ret_rate)
{
    struct ftri_wire_field field;
    size_t next = 0;
    int r;
    while ((r = ftri_wire_next(message, &next, &field)) == FTRI_WIRE_FIELD)
        if (field.number == 1 && field.type == FTRI_WIRE_VARINT)
            *ret_rate = (int32_t)(uint32_t)field.value;
    return r;
}

static int read_listed(struct ftri_view message, struct listed *ret_listed)
{
    struct ftri_wire_field field;
    size_t next = 0;
    int r;
    *ret_listed = (struct listed){.name = {"", 0}};
    while ((r = ftri_wire_next(message, &next, &field)) == FTRI_WIRE_FIELD) {
        if (is_message(&field, 1))
            ret_listed->name = ftri_view_str(field.bytes);
        if (!is_message(&field, 2))
            continue;
        ret_listed->has_ratio = true;
        r = read_ratio(field.bytes, &ret_listed->ratio);
        if (r < 0)
            break;
    }
    return r;
}

static bool is_ratio(double value)
{
    return value >= 0 && value <= 1;
}

static int check_listed(const struct listed *listed, struct ftri_error *error)
{
    const int len = (int)ftri_size_min(listed->name.len, 100);
    if (!listed->has_ratio)
        return ftri_error_set(error, -EINVAL, "operation '%.*s' has no probabilisticSampling", len,
                              listed->name.data);
    if (!is_ratio(listed->ratio))
        return ftri_error_set(error, -EINVAL,
                              "samplingRate of operation '%.*s': %g is not between 0 and 1", len,
                              listed->name.data, listed->ratio);
    return 0;
}

static int bad_message(struct ftri_error *error)
{
    return ftri_error_set(error, -EBADMSG, "the answer is not a SamplingStrategyResponse");
}

static int count_listed(struct ftri_view message, struct answer *answer, struct ftri_error *error)
{
    struct listed listed;
    if (read_listed(message, &listed) < 0)
        return bad_message(error);
    if (++answer->n_operations > FTRI_JAEGER_LISTED_MAX)
        return ftri_error_set(error, -EINVAL, "perOperationStrategies: more than %d",
                              FTRI_JAEGER_LISTED_MAX);
    return check_listed(&listed, error);
}

static int read_operations(struct ftri_view message, struct answer *answer,
                           struct ftri_error *error)
{
    struct ftri_wire_field field;
    size_t next = 0;
    int r;
    answer->has_operations = true;
    while ((r = ftri_wire_next(message, &next, &field)) == FTRI_WIRE_FIELD) {
        (void)read_double(&field, 1, &answer->default_ratio);
        (void)read_double(&field, 2, &answer->least_rate);
        if (!is_message(&field, 3))
            continue;
        r = count_listed(field.bytes, answer, error);
        if (r < 0)
            return r;
    }
    return r < 0 ? bad_message(error) : 0;
}

static int read_field(const struct ftri_wire_field *field, struct answer *answer,
                      struct ftri_error *error)
{
    int r = 0;
    if (is_message(field, 2)) {
        answer->has_ratio = true;
        r = read_ratio(field->bytes, &answer->ratio);
    } else if (is_message(field, 3)) {
        answer->has_rate = true;
        r = read_rate(field->bytes, &answer->rate);
    } else if (is_message(field, 4)) {
        return read_operations(field->bytes, answer, error);
    }
    return r < 0 ? bad_message(error) : 0;
}

static int check(const struct answer *answer, struct ftri_error *error)
{
    static const char *const wrong_ratio = "%s: %g is not between 0 and 1";
    if (answer->has_operations && !is_ratio(answer->default_ratio))
        return ftri_error_set(error, -EINVAL, wrong_ratio, "defaultSamplingProbability",
                              answer->default_ratio);
    if (answer->has_operations && !(answer->least_rate >= 0))
        return ftri_error_set(error, -EINVAL, "defaultLowerBoundTracesPerSecond: %g is below 0",
                              answer->least_rate);
    if (answer->has_operations)
        return 0;
    if (answer->has_ratio && !is_ratio(answer->ratio))
        return ftri_error_set(error, -EINVAL, wrong_ratio, "samplingRate", answer->ratio);
    if (answer->has_ratio)
        return 0;
    if (!answer->has_rate)
        return ftri_error_set(error, -EINVAL, "the answer has no strategy");
    if (answer->rate < 0)
        return ftri_error_set(error, -EINVAL, "maxTracesPerSecond: %d is below 0",
                              (int)answer->rate);
    return 0;
}

static int read_answer(struct ftri_view message, struct answer *ret_answer,
                       struct ftri_error *error)
{
    struct ftri_wire_field field;
    size_t next = 0;
    int r;
    *ret_answer = (struct answer){.has_ratio = false};
    while ((r = ftri_wire_next(message, &next, &field)) == FTRI_WIRE_FIELD) {
        r = read_field(&field, ret_answer, error);
        if (r < 0)
            return r;
    }
    return r < 0 ? bad_message(error) : check(ret_answer, error);
}

/* ---- the table of operations ---- */

static uint64_t hash_of(const struct ftri_jaeger_strategy *self, ftr_str operation)
{
    const uint64_t hash = ftri_hash(self->seed, operation.data, operation.len);
    return hash ? hash : 1;
}

/* Its place, or the free one where it would be. */
static struct operation *find_place(struct ftri_jaeger_strategy *self, uint64_t hash)
{
    for (size_t i = hash;; i++) {
        struct operation *place = &self->places[i & (self->n_places - 1)];
        const uint64_t there = atomic_load_explicit(&place->hash, memory_order_relaxed);
        if (there == hash || there == 0)
            return place;
    }
}

static bool reserve_unlisted(struct ftri_jaeger_strategy *self)
{
    if (self->rate == 0 ||
        atomic_load_explicit(&self->n_unlisted, memory_order_relaxed) >= FTRI_JAEGER_UNLISTED_MAX)
        return false;
    if (atomic_fetch_add(&self->n_unlisted, 1) < FTRI_JAEGER_UNLISTED_MAX)
        return true;
    atomic_fetch_sub(&self->n_unlisted, 1);
    return false;
}

/* One that is not listed gets a place, too, while there are some. NULL: it has none. */
static struct operation *find_or_note(struct ftri_jaeger_strategy *self, uint64_t hash)
{
    struct operation *place = find_place(self, hash);
    if (atomic_load_explicit(&place->hash, memory_order_relaxed) == hash)
        return place;
    if (!reserve_unlisted(self))
        return NULL;
    uint64_t nobody = 0;
    while (!atomic_compare_exchange_strong(&place->hash, &nobody, hash) && nobody != hash) {
        place = find_place(self, hash); /* somebody else took it */
        nobody = 0;
    }
    if (nobody == hash)
        atomic_fetch_sub(&self->n_unlisted, 1);
    return place;
}

/* ---- making ---- */

static size_t n_places_for(const struct answer *answer)
{
    const size_t n_unlisted = answer->least_rate > 0 ? FTRI_JAEGER_UNLISTED_MAX : 0;
    size_t n_places = 2;
    while (n_places < 2 * (answer->n_operations + n_unlisted + 1))
        n_places *= 2;
    return n_places;
}

static struct ftri_jaeger_strategy *new_strategy(enum kind kind, double ratio, double rate,
                                                 size_t n_places)
{
    struct ftri_jaeger_strategy *self =
        ftri_zalloc(sizeof *self + n_places * sizeof self->places[0]);
    if (!self)
        return NULL;
    self->kind = kind;
    self->bound = ftri_ratio_bound(ratio);
    self->rate = rate;
    self->n_places = n_places;
    if (rate > 0)
        ftri_rate_limit_init_rate(&self->limit, rate);
    for (size_t i = 0; i < n_places; i++) {
        self->places[i].bound = self->bound;
        if (rate > 0)
            ftri_rate_limit_init_rate(&self->places[i].limit, rate);
    }
    return self;
}

static struct ftri_jaeger_strategy *new_from(const struct answer *answer)
{
    if (answer->has_operations)
        return new_strategy(OPERATIONS, answer->default_ratio, answer->least_rate,
                            n_places_for(answer));
    if (answer->has_ratio)
        return new_strategy(RATIO, answer->ratio, 0, 0);
    return new_strategy(RATE, 0, answer->rate, 0);
}

/* The message has been read before: nothing is wrong with it. */
static void add_operations(struct ftri_jaeger_strategy *self, struct ftri_view message)
{
    struct ftri_wire_field field;
    struct listed listed;
    for (size_t next = 0; ftri_wire_next(message, &next, &field) == FTRI_WIRE_FIELD;) {
        if (!is_message(&field, 3) || read_listed(field.bytes, &listed) < 0)
            continue;
        const uint64_t hash = hash_of(self, listed.name);
        struct operation *place = find_place(self, hash);
        atomic_init(&place->hash, hash);
        place->bound = ftri_ratio_bound(listed.ratio);
    }
}

static void add_all_operations(struct ftri_jaeger_strategy *self, struct ftri_view answer)
{
    struct ftri_wire_field field;
    for (size_t next = 0; ftri_wire_next(answer, &next, &field) == FTRI_WIRE_FIELD;)
        if (is_message(&field, 4))
            add_operations(self, field.bytes);
}

static void inherit_limit(struct ftri_rate_limit *self, const struct ftri_rate_limit *before)
{
    atomic_init(&self->state, atomic_load_explicit(&before->state, memory_order_relaxed));
}

/* What threads take of `before` meanwhile is not counted here. */
static void inherit(struct ftri_jaeger_strategy *self, const struct ftri_jaeger_strategy *before)
{
    if (self->kind != before->kind || self->rate != before->rate || self->rate == 0)
        return;
    inherit_limit(&self->limit, &before->limit);
    for (size_t i = 0; i < before->n_places; i++) {
        const struct operation *old = &before->places[i];
        const uint64_t hash = atomic_load_explicit(&old->hash, memory_order_relaxed);
        struct operation *place = hash ? find_or_note(self, hash) : NULL;
        if (place)
            inherit_limit(&place->limit, &old->limit);
    }
}

struct ftri_jaeger_strategy *ftri_jaeger_strategy_new(double ratio)
{
    struct ftri_jaeger_strategy *self = new_strategy(RATIO, ratio, 0, 0);
    if (self)
        self->seed = ftri_random_u64();
    return self;
}

void ftri_jaeger_strategy_free(struct ftri_jaeger_strategy *self)
{
    ftri_free(self);
}

int ftri_jaeger_strategy_read(struct ftri_view answer, const struct ftri_jaeger_strategy *before,
                              struct ftri_jaeger_strategy **ret_self, struct ftri_error *error)
{
    struct answer found;
    const uint64_t answer_hash = ftri_hash(before->seed, answer.data, answer.len) | 1;
    if (answer_hash == before->answer_hash)
        return FTRI_JAEGER_SAME;
    const int r = read_answer(answer, &found, error);
    if (r < 0)
        return r;
    struct ftri_jaeger_strategy *self = new_from(&found);
    if (!self)
        return ftri_error_set(error, -ENOMEM, "out of memory");
    self->seed = before->seed;
    self->answer_hash = answer_hash;
    if (self->kind == OPERATIONS)
        add_all_operations(self, answer);
    inherit(self, before);
    *ret_self = self;
    return 0;
}

/* ---- deciding ---- */

/* A trace that its ratio takes counts as one of the least rate. */
static bool operation_takes(struct ftri_jaeger_strategy *self, ftr_str operation,
                            const ftr_trace_id *trace_id, uint64_t now_ns)
{
    struct operation *place = find_or_note(self, hash_of(self, operation));
    if (!place)
        return ftri_ratio_takes(self->bound, trace_id);
    const bool is_due = self->rate > 0 && ftri_rate_limit_take(&place->limit, now_ns);
    return ftri_ratio_takes(place->bound, trace_id) || is_due;
}

bool ftri_jaeger_strategy_takes(struct ftri_jaeger_strategy *self, ftr_str operation,
                                const ftr_trace_id *trace_id, uint64_t now_ns)
{
    switch (self->kind) {
    case RATE:
        return self->rate > 0 && ftri_rate_limit_take(&self->limit, now_ns);
    case OPERATIONS:
        return operation_takes(self, operation, trace_id, now_ns);
    default:
        return ftri_ratio_takes(self->bound, trace_id);
    }
}
