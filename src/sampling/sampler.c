/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling/sampler.h"

#include "base/text.h"
#include "base/time.h"
#include "sampling/ot_state.h"
#include "sampling/threshold.h"

enum argument { NONE, RATIO, RATE };

static const struct {
    const char *name;
    uint8_t kind;
    uint8_t argument;
    bool is_parent_based;
} samplers[] = {
    {"always_on", FTRI_SAMPLER_ON, NONE, false},
    {"always_off", FTRI_SAMPLER_OFF, NONE, false},
    {"traceidratio", FTRI_SAMPLER_RATIO, RATIO, false},
    {"probability", FTRI_SAMPLER_PROBABILITY, RATIO, false},
    {"parentbased_always_on", FTRI_SAMPLER_ON, NONE, true},
    {"parentbased_always_off", FTRI_SAMPLER_OFF, NONE, true},
    {"parentbased_traceidratio", FTRI_SAMPLER_RATIO, RATIO, true},
    {"parentbased_probability", FTRI_SAMPLER_PROBABILITY, RATIO, true},
    {"parentbased_ratelimiting", FTRI_SAMPLER_ON, RATE, true},
    {"passive", FTRI_SAMPLER_OFF, NONE, true},
    {"jaeger_remote", FTRI_SAMPLER_CUSTOM, NONE, false},
    {"parentbased_jaeger_remote", FTRI_SAMPLER_CUSTOM, NONE, true},
};

static void set_ratio(struct ftri_sampler *self, double ratio)
{
    self->bound = ftri_ratio_bound(ratio);
    self->threshold = ftri_threshold_of(ratio);
}

bool ftri_sampler_find(ftr_str name, struct ftri_sampler *ret_sampler)
{
    for (size_t i = 0; i < FTRI_COUNT(samplers); i++) {
        if (!ftri_text_same_word(name, ftr_str_from(samplers[i].name)))
            continue;
        *ret_sampler = (struct ftri_sampler){.name = samplers[i].name,
                                             .kind = samplers[i].kind,
                                             .argument = samplers[i].argument,
                                             .is_parent_based = samplers[i].is_parent_based};
        set_ratio(ret_sampler, 1.0);
        ret_sampler->value = samplers[i].argument == RATIO ? 1.0 : -1;
        if (samplers[i].argument == RATE) {
            ret_sampler->value = FTRI_SAMPLER_RATE;
            ftri_sampler_limit(ret_sampler, FTRI_SAMPLER_RATE);
        }
        return true;
    }
    return false;
}

bool ftri_sampler_set_argument(struct ftri_sampler *self, ftr_str text)
{
    double value;
    if (self->argument == NONE)
        return true;
    if (!ftri_text_decimal(ftri_trim(text), &value) || value < 0)
        return false;
    if (self->argument == RATIO && value <= 1)
        set_ratio(self, value);
    else if (self->argument == RATE && value > 0)
        ftri_sampler_limit(self, value);
    else
        return false;
    self->value = value;
    return true;
}

const char *ftri_sampler_argument(const struct ftri_sampler *self)
{
    return self->argument == RATE ? "a number of traces per second above 0"
                                  : "a ratio between 0 and 1";
}

const char *ftri_sampler_standard(const struct ftri_sampler *self)
{
    return self->argument == RATE ? "100" : "1.0";
}

void ftri_sampler_limit(struct ftri_sampler *self, double traces_per_second)
{
    self->is_limited = true;
    ftri_rate_limit_init_rate(&self->limit, traces_per_second);
}

bool ftri_sampler_judges_new(const struct ftri_sampler *self)
{
    return self->kind != FTRI_SAMPLER_ON || self->is_limited;
}

/* A parent's th is checked by those who write one themselves. */
bool ftri_sampler_judges_remote(const struct ftri_sampler *self)
{
    return !self->is_parent_based || self->kind == FTRI_SAMPLER_PROBABILITY;
}

/* A th that contradicts its parent's flag goes, so does that of a trace that is not sampled. */
static struct ftri_verdict follow_parent(const struct ftri_local_root *root)
{
    const struct ftri_ot_state ot = ftri_ot_read(root->tracestate);
    const bool is_consistent = root->parent_is_sampled && ot.has_threshold &&
                               ftri_ot_randomness(&ot, &root->trace_id) >= ot.threshold;
    return (struct ftri_verdict){
        .is_sampled = root->parent_is_sampled,
        .changes_th = ot.has_member && !is_consistent,
        .th = FTRI_THRESHOLD_NEVER,
    };
}

static struct ftri_verdict judge_threshold(uint64_t threshold, const struct ftri_local_root *root)
{
    const struct ftri_ot_state ot = ftri_ot_read(root->tracestate);
    const bool is_sampled = ftri_ot_randomness(&ot, &root->trace_id) >= threshold;
    return (struct ftri_verdict){
        .is_sampled = is_sampled,
        .changes_th = is_sampled || ot.has_member,
        .th = is_sampled ? threshold : FTRI_THRESHOLD_NEVER,
    };
}

/* The probability of these is not known to the trace: a parent's th does not hold for them. */
static struct ftri_verdict without_threshold(bool is_sampled, const struct ftri_local_root *root)
{
    return (struct ftri_verdict){
        .is_sampled = is_sampled,
        .changes_th = ftri_ot_read(root->tracestate).has_member,
        .th = FTRI_THRESHOLD_NEVER,
    };
}

static struct ftri_verdict judge_alone(const struct ftri_sampler *self,
                                       const struct ftri_local_root *root)
{
    switch ((enum ftri_sampler_kind)self->kind) {
    case FTRI_SAMPLER_PROBABILITY:
        return judge_threshold(self->threshold, root);
    case FTRI_SAMPLER_RATIO:
        return without_threshold(ftri_ratio_takes(self->bound, &root->trace_id), root);
    default:
        return without_threshold(self->kind == FTRI_SAMPLER_ON, root);
    }
}

struct ftri_verdict ftri_sampler_judge(struct ftri_sampler *self,
                                       const struct ftri_local_root *root)
{
    if (root->has_parent)
        return self->is_parent_based ? follow_parent(root) : judge_alone(self, root);
    return ftri_sampler_hold_rate(self, judge_alone(self, root));
}

struct ftri_verdict ftri_ratio_judge(double ratio, const struct ftri_local_root *root)
{
    if (!(ratio > 0 && ratio < 1))
        return without_threshold(ratio >= 1, root);
    return judge_threshold(ftri_threshold_of(ratio), root);
}

/* Which of the traces a limit lets pass is no matter of a known probability. */
struct ftri_verdict ftri_sampler_hold_rate(struct ftri_sampler *self, struct ftri_verdict verdict)
{
    if (!self->is_limited || !verdict.is_sampled)
        return verdict;
    verdict.th = FTRI_THRESHOLD_NEVER;
    verdict.is_over_rate = !ftri_rate_limit_take(&self->limit, ftri_time_monotonic_ns());
    verdict.is_sampled = !verdict.is_over_rate;
    return verdict;
}
