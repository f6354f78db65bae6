/* SPDX-License-Identifier: Apache-2.0
 *
 * The mode a session starts in, and what FTR_MODE_TAIL keeps. */
#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "sampling/threshold.h"
#include "trace/diagnostics.h"
#include "trace/settings.h"
#include "trace/variable.h"

#include <errno.h>
#include <flowtrace/tail.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define LONGEST_NS (24 * 3600 * FTRI_NS_PER_S)

static const char *const modes[] = {
    [FTR_MODE_OFF] = "off", [FTR_MODE_FULL] = "full", [FTR_MODE_TAIL] = "tail"};

const char *ftri_mode_name(ftr_mode mode)
{
    return modes[mode];
}

static ftr_mode read_mode(void)
{
    const char *name = ftri_variable("FLOWTRACE_MODE");
    if (!name)
        return FTR_MODE_FULL;
    for (size_t i = 0; i < FTRI_COUNT(modes); i++)
        if (ftri_text_same_word(ftri_trim(ftr_str_from(name)), ftr_str_from(modes[i])))
            return (ftr_mode)i;
    ftri_diagnose("FLOWTRACE_MODE: '%.100s' is not off, full or tail; full is used", name);
    return FTR_MODE_FULL;
}

static int choose_mode(struct ftri_settings *self, const ftr_config *config,
                       struct ftri_error *error)
{
    if (config->has_mode && (size_t)config->mode >= FTRI_COUNT(modes))
        return ftri_error_set(error, -EINVAL, "mode: %d is no mode", (int)config->mode);
    if (config->has_mode && config->is_off && config->mode != FTR_MODE_OFF)
        return ftri_error_set(error, -EINVAL, "mode: %s beside is_off", modes[config->mode]);
    self->mode = config->is_off ? FTR_MODE_OFF : config->has_mode ? config->mode : read_mode();
    return 0;
}

/* The value of a variable that is true where it is not set. */
static bool read_flag(const char *name)
{
    const char *text = ftri_variable(name);
    if (text && strcasecmp(text, "true") != 0 && strcasecmp(text, "false") != 0)
        ftri_diagnose("%s: taken as true, expected true or false", name);
    return !text || strcasecmp(text, "false") != 0;
}

/* A number of which `unit` make one of what is kept; below least, above most: as if it were not
 * there. */
static uint64_t read_scaled(const char *name, uint64_t unit, uint64_t least, uint64_t most,
                            uint64_t standard)
{
    uint64_t value = 0;
    const char *text = ftri_variable(name);
    if (!text ||
        (ftri_text_whole(ftr_str_from(text), most / unit, &value) && value * unit >= least))
        return text ? value * unit : standard;
    ftri_diagnose("%s: ignored, expected a whole number from %" PRIu64 " to %" PRIu64, name,
                  least / unit, most / unit);
    return standard;
}

static uint64_t read_share(uint64_t standard)
{
    struct ftri_sampler ratio;
    const char *text = ftri_variable("FLOWTRACE_TAIL_SHARE");
    (void)ftri_sampler_find(FTR_STR("probability"), &ratio);
    if (!text)
        return standard;
    if (ftri_sampler_set_argument(&ratio, ftr_str_from(text)))
        return ratio.threshold;
    ftri_diagnose("FLOWTRACE_TAIL_SHARE: '%.100s' is not %s; 0.01 is used", text,
                  ftri_sampler_argument(&ratio));
    return standard;
}

/* Both or neither; a key is what may not be empty. */
static bool copy_wanted(struct ftri_settings *self, const ftr_tail_attribute *wanted, size_t n)
{
    ftr_tail_attribute *copies = ftri_arena_alloc(&self->arena, (n + 1) * sizeof *copies);
    for (size_t i = 0; copies && i < n; i++) {
        copies[i] = (ftr_tail_attribute){.key = ftri_arena_copy(&self->arena, wanted[i].key)};
        if (wanted[i].value.data)
            copies[i].value = ftri_arena_copy(&self->arena, wanted[i].value);
        if (!copies[i].key.data || (wanted[i].value.data && !copies[i].value.data))
            return false;
    }
    self->tail.policy.attributes = copies;
    self->tail.policy.n_attributes = n;
    return copies != NULL;
}

/* "key,key=value": false: memory is short. */
static bool read_wanted(struct ftri_settings *self)
{
    ftr_tail_attribute wanted[FTR_TAIL_ATTRIBUTES];
    ftr_str rest = ftr_str_from(ftri_variable("FLOWTRACE_TAIL_ATTRIBUTES"));
    size_t n = 0;
    for (ftr_str part; n < FTRI_COUNT(wanted) && ftri_text_split(&rest, ',', &part);) {
        ftr_str value = part;
        ftr_str key = {NULL, 0};
        const bool has_value = part.len > 0 && memchr(part.data, '=', part.len);
        if (has_value)
            (void)ftri_text_split(&value, '=', &key);
        key = ftri_trim(has_value ? key : part);
        if (key.len == 0) {
            ftri_diagnose("FLOWTRACE_TAIL_ATTRIBUTES: an entry without a key is left out");
            continue;
        }
        wanted[n++] = (ftr_tail_attribute){key, has_value ? ftri_trim(value) : (ftr_str){NULL, 0}};
    }
    if (rest.len > 0)
        ftri_diagnose("FLOWTRACE_TAIL_ATTRIBUTES: more than %d, the others are left out",
                      FTR_TAIL_ATTRIBUTES);
    return copy_wanted(self, wanted, n);
}

static int read_tail(struct ftri_settings *self, struct ftri_error *error)
{
    const ftr_tail_config standard = FTR_TAIL_CONFIG_INIT;
    struct ftri_policy *policy = &self->tail.policy;
    policy->keeps_errors = read_flag("FLOWTRACE_TAIL_ERRORS");
    policy->keeps_drops = read_flag("FLOWTRACE_TAIL_DROPS");
    policy->threshold = read_share(ftri_threshold_of(standard.share));
    policy->latency_ns = read_scaled("FLOWTRACE_TAIL_LATENCY_MS", FTRI_NS_PER_MS, 0, LONGEST_NS,
                                     standard.latency_ns);
    return read_wanted(self) ? 0 : ftri_error_set(error, -ENOMEM, "tail: out of memory");
}

static int take_tail(struct ftri_settings *self, const ftr_tail_config *config,
                     struct ftri_error *error)
{
    struct ftri_policy *policy = &self->tail.policy;
    policy->keeps_errors = config->keeps_errors;
    policy->keeps_drops = config->keeps_drops;
    policy->latency_ns = config->latency_ns;
    policy->threshold = ftri_threshold_of(config->share);
    if (!(config->share >= 0 && config->share <= 1))
        return ftri_error_set(error, -EINVAL, "tail: share is not between 0 and 1");
    if (config->n_attributes > FTR_TAIL_ATTRIBUTES)
        return ftri_error_set(error, -EINVAL, "tail: n_attributes is more than %d",
                              FTR_TAIL_ATTRIBUTES);
    for (size_t i = 0; i < config->n_attributes; i++)
        if (!config->attributes[i].key.data || config->attributes[i].key.len == 0)
            return ftri_error_set(error, -EINVAL, "tail: attributes[%zu] has no key", i);
    if (config->max_age_ns > LONGEST_NS)
        return ftri_error_set(error, -EINVAL, "tail: max_age_ns is more than a day");
    if (config->budget_bytes != 0 && (config->budget_bytes < FTRI_TAIL_BUDGET_LEAST ||
                                      config->budget_bytes > FTRI_TAIL_BUDGET_MOST))
        return ftri_error_set(error, -EINVAL, "tail: budget_bytes is not from 64 KiB to 64 GiB");
    return copy_wanted(self, config->attributes, config->n_attributes)
               ? 0
               : ftri_error_set(error, -ENOMEM, "tail: out of memory");
}

static int choose_tail(struct ftri_settings *self, const ftr_config *config,
                       struct ftri_error *error)
{
    ftr_tail_config tail = {.size = sizeof tail};
    if (config->tail && config->tail->size > sizeof tail)
        return ftri_error_set(error, -EINVAL, "tail: size is that of a later version");
    if (config->tail)
        memcpy(&tail, config->tail, config->tail->size);
    self->tail.max_age_ns = tail.max_age_ns;
    if (tail.max_age_ns == 0)
        self->tail.max_age_ns = read_scaled("FLOWTRACE_TAIL_MAX_AGE_MS", FTRI_NS_PER_MS,
                                            FTRI_NS_PER_MS, LONGEST_NS, 60 * FTRI_NS_PER_S);
    self->tail.budget_bytes = tail.budget_bytes;
    if (tail.budget_bytes == 0)
        self->tail.budget_bytes =
            read_scaled("FLOWTRACE_TAIL_BUDGET_BYTES", 1, FTRI_TAIL_BUDGET_LEAST,
                        FTRI_TAIL_BUDGET_MOST, (uint64_t)64 << 20);
    return config->tail ? take_tail(self, &tail, error) : read_tail(self, error);
}

int ftri_tail_settings_init(struct ftri_settings *self, const ftr_config *config,
                            struct ftri_error *error)
{
    const int rc = choose_mode(self, config, error);
    return rc < 0 ? rc : choose_tail(self, config, error);
}
