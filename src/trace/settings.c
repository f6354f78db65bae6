/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/settings.h"

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "sampling/threshold.h"
#include "trace/diagnostics.h"
#include "trace/resource.h"
#include "trace/thread.h"

#include <errno.h>
#include <flowtrace/propagation.h>
#include <flowtrace/sampler.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LONGEST_NS (24 * 3600 * FTRI_NS_PER_S)

/* NULL when unset or empty. */
static const char *variable(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

static bool variable_is_true(const char *name)
{
    const char *text = variable(name);
    if (text && strcasecmp(text, "true") != 0 && strcasecmp(text, "false") != 0)
        ftri_diagnose("%s: taken as false, expected true or false", name);
    return text && strcasecmp(text, "true") == 0;
}

static bool parse_number(const char *text, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9' || value > (max - (uint64_t)(*at - '0')) / 10)
            return false;
        value = value * 10 + (uint64_t)(*at - '0');
    }
    *ret_value = value;
    return true;
}

/* A whole decimal number that fits; false leaves *ret_value alone. */
static bool read_number(const char *name, uint64_t max, uint64_t *ret_value)
{
    const char *text = variable(name);
    if (!text)
        return false;
    if (parse_number(text, max, ret_value))
        return true;
    ftri_diagnose("%s: ignored, expected a whole number from 0 to %" PRIu64, name, max);
    return false;
}

/* The configured value, else that of the first variable that is set, else the default. */
static uint32_t choose(uint32_t configured, const char *name, const char *general,
                       uint32_t standard)
{
    uint64_t value = standard;
    if (configured != 0)
        return configured;
    if (!read_number(name, UINT32_MAX, &value) && general)
        (void)read_number(general, UINT32_MAX, &value);
    return (uint32_t)value;
}

/* Records keep 16-bit counts. */
static uint32_t at_most_16_bits(uint32_t n)
{
    return n < UINT16_MAX ? n : UINT16_MAX;
}

static void choose_limits(struct ftri_settings *self, const ftr_limits *wanted)
{
    self->limits = (ftr_limits){
        .attributes = at_most_16_bits(choose(wanted->attributes, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
                                             "OTEL_ATTRIBUTE_COUNT_LIMIT", 128)),
        .events = at_most_16_bits(choose(wanted->events, "OTEL_SPAN_EVENT_COUNT_LIMIT", NULL, 128)),
        .links = at_most_16_bits(choose(wanted->links, "OTEL_SPAN_LINK_COUNT_LIMIT", NULL, 128)),
        .attributes_per_event =
            choose(wanted->attributes_per_event, "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", NULL, 128),
        .attributes_per_link =
            choose(wanted->attributes_per_link, "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", NULL, 128),
        .value_length = choose(wanted->value_length, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
                               "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", 0),
    };
}

/* OTEL_BSP_* have their exact meaning where they are set: counts of spans bound the queue then. */
static void choose_sender(struct ftri_settings *self, const ftr_config *config)
{
    struct ftri_sender_settings *sender = &self->sender;
    sender->queue_bytes = config->queue_bytes ? config->queue_bytes : (size_t)16 << 20;
    sender->batch_bytes = config->batch_bytes ? config->batch_bytes : (size_t)512 << 10;
    sender->delay_ns =
        choose(config->batch_delay_ms, "OTEL_BSP_SCHEDULE_DELAY", NULL, 200) * FTRI_NS_PER_MS;
    sender->timeout_ns =
        choose(config->export_timeout_ms, "OTEL_BSP_EXPORT_TIMEOUT", NULL, 10000) * FTRI_NS_PER_MS;
    uint64_t n = 0;
    if (config->queue_bytes == 0 && read_number("OTEL_BSP_MAX_QUEUE_SIZE", UINT32_MAX, &n) && n > 0)
        self->sender.queue_spans = (uint32_t)n;
    if (config->batch_bytes == 0 && read_number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", UINT32_MAX, &n) &&
        n > 0)
        self->sender.batch_spans = (uint32_t)n;
    if (self->sender.queue_spans != 0 && self->sender.batch_spans > self->sender.queue_spans)
        self->sender.batch_spans = self->sender.queue_spans;
}

/* Only what is asked for: without any variable nothing is exported. */
static void choose_exporters(struct ftri_settings *self)
{
    const char *list = variable("OTEL_TRACES_EXPORTER");
    if (!list) {
        self->wants_otlp = variable("OTEL_EXPORTER_OTLP_ENDPOINT") ||
                           variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        return;
    }
    ftr_str rest = ftr_str_from(list);
    for (ftr_str name; ftri_text_split(&rest, ',', &name);) {
        name = ftri_trim(name);
        const bool is_otlp = ftri_text_same_word(name, FTR_STR("otlp"));
        const bool is_console = ftri_text_same_word(name, FTR_STR("console"));
        self->wants_otlp |= is_otlp;
        self->wants_console |= is_console;
        if (!is_otlp && !is_console && !ftri_text_same_word(name, FTR_STR("none")))
            ftri_diagnose("OTEL_TRACES_EXPORTER: %.*s is ignored, expected otlp, console or none",
                          (int)ftri_size_min(name.len, 64), name.data);
    }
}

/* Unknown names are passed over; a list without any known one changes nothing. */
static void choose_propagators(void)
{
    enum { MOST = 8 };
    ftr_propagator propagators[MOST];
    ftr_str rest = ftr_str_from(variable("OTEL_PROPAGATORS"));
    size_t n = 0;
    bool is_known = false;
    for (ftr_str name; n < MOST && ftri_text_split(&rest, ',', &name);) {
        name = ftri_trim(name);
        if (!ftr_propagator_find(name, &propagators[n])) {
            ftri_diagnose("OTEL_PROPAGATORS: no propagator is called '%.*s'; it is left out",
                          (int)ftri_size_min(name.len, 100), name.data);
            continue;
        }
        is_known = true;
        n += propagators[n] != FTR_PROPAGATOR_NONE;
    }
    if (is_known)
        ftr_set_propagators(propagators, n);
}

/* Beside a sampler that has a rate of its own the lower one holds. */
static int choose_rate(struct ftri_settings *self, const ftr_config *config,
                       struct ftri_error *error)
{
    if (config->max_traces_per_second == 0)
        return 0;
    if (!(config->max_traces_per_second > 0))
        return ftri_error_set(error, -EINVAL, "max_traces_per_second: not a number above 0");
    if (!self->sampler.is_limited || config->max_traces_per_second < self->sampler.value)
        ftri_sampler_limit(&self->sampler, config->max_traces_per_second);
    return 0;
}

/* What the environment says wrongly is passed over. */
static void read_sampler(struct ftri_sampler *ret_sampler)
{
    const char *name = variable("OTEL_TRACES_SAMPLER");
    const char *argument = variable("OTEL_TRACES_SAMPLER_ARG");
    if (!name)
        return;
    if (!ftri_sampler_find(ftri_trim(ftr_str_from(name)), ret_sampler)) {
        ftri_diagnose("OTEL_TRACES_SAMPLER: no sampler is called '%.100s'; parentbased_always_on "
                      "is used",
                      name);
        return;
    }
    if (argument && !ftri_sampler_set_argument(ret_sampler, ftr_str_from(argument)))
        ftri_diagnose("OTEL_TRACES_SAMPLER_ARG: '%.100s' is not %s; %s is used", argument,
                      ftri_sampler_argument(ret_sampler), ftri_sampler_standard(ret_sampler));
}

static int name_sampler(struct ftri_settings *self, const ftr_config *config,
                        struct ftri_error *error)
{
    const ftr_str name = config->sampler;
    const ftr_str argument = config->sampler_argument;
    if (!ftri_sampler_find(name, &self->sampler))
        return ftri_error_set(error, -EINVAL, "sampler: no sampler is called '%.*s'",
                              (int)ftri_size_min(name.len, 100), name.data);
    if (argument.len > 0 && !ftri_sampler_set_argument(&self->sampler, argument))
        return ftri_error_set(error, -EINVAL, "sampler_argument: '%.*s' is not %s",
                              (int)ftri_size_min(argument.len, 100), argument.data,
                              ftri_sampler_argument(&self->sampler));
    return 0;
}

static int choose_sampler(struct ftri_settings *self, const ftr_config *config,
                          struct ftri_error *error)
{
    int rc = 0;
    (void)ftri_sampler_find(FTR_STR("parentbased_always_on"), &self->sampler);
    if (config->sampler_class) {
        self->sampler.kind = FTRI_SAMPLER_CUSTOM;
        self->sampler.is_parent_based = false;
        self->sampler_class = config->sampler_class;
        self->sampler_instance = config->sampler_instance;
        if (config->sampler.len > 0)
            rc = ftri_error_set(error, -EINVAL, "sampler: set beside sampler_class");
        else if (!config->sampler_class->decide)
            rc = ftri_error_set(error, -EINVAL, "sampler_class: decide is NULL");
    } else if (config->sampler.len > 0) {
        rc = name_sampler(self, config, error);
    } else {
        read_sampler(&self->sampler);
    }
    return rc < 0 ? rc : choose_rate(self, config, error);
}

/* ---- modes, tail sampling ---- */

static const char *const modes[] = {
    [FTR_MODE_OFF] = "off", [FTR_MODE_FULL] = "full", [FTR_MODE_TAIL] = "tail"};

const char *ftri_mode_name(ftr_mode mode)
{
    return modes[mode];
}

static ftr_mode read_mode(void)
{
    const char *name = variable("FLOWTRACE_MODE");
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
    const char *text = variable(name);
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
    const char *text = variable(name);
    if (!text || (parse_number(text, most / unit, &value) && value * unit >= least))
        return text ? value * unit : standard;
    ftri_diagnose("%s: ignored, expected a whole number from %" PRIu64 " to %" PRIu64, name,
                  least / unit, most / unit);
    return standard;
}

static uint64_t read_share(uint64_t standard)
{
    struct ftri_sampler ratio;
    const char *text = variable("FLOWTRACE_TAIL_SHARE");
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
    ftr_str rest = ftr_str_from(variable("FLOWTRACE_TAIL_ATTRIBUTES"));
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
    policy->latency_ns = read_scaled("FLOWTRACE_TAIL_LATENCY_MS", FTRI_NS_PER_MS, 0, LONGEST_NS, 0);
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

static size_t power_of_two(size_t n)
{
    size_t power = 4096;
    while (power < n)
        power *= 2;
    return power;
}

static int choose_memory(struct ftri_settings *self, const ftr_config *config,
                         struct ftri_error *error)
{
    self->journal_bytes = (size_t)8 << 20;
    if (config->journal_bytes > (size_t)1 << 31)
        return ftri_error_set(error, -EINVAL, "journal_bytes: more than 2 GiB");
    if (config->journal_bytes != 0)
        self->journal_bytes = power_of_two(config->journal_bytes);
    self->open_spans = config->open_spans ? config->open_spans : 65536;
    if (self->open_spans >= FTRI_SLOTS_MAX)
        return ftri_error_set(error, -EINVAL, "open_spans: more than %d", FTRI_SLOTS_MAX - 1);
    return 0;
}

int ftri_settings_init(struct ftri_settings *self, const ftr_config *config,
                       struct ftri_error *error)
{
    const struct ftri_teller teller = {config->on_diagnostic, config->diagnostic_argument};
    ftri_diagnostics_set(&teller);
    *self = (struct ftri_settings){
        .sender = {.teller = teller},
        .is_disabled = variable_is_true("OTEL_SDK_DISABLED"),
    };
    ftri_arena_init(&self->arena, (size_t)16 << 20);
    choose_limits(self, &config->limits);
    choose_sender(self, config);
    choose_propagators();
    if (config->n_exporters == 0)
        choose_exporters(self);
    self->records_dropped = config->records_dropped;
    int rc = choose_memory(self, config, error);
    if (rc == 0)
        rc = choose_sampler(self, config, error);
    if (rc == 0)
        rc = choose_mode(self, config, error);
    if (rc == 0)
        rc = choose_tail(self, config, error);
    if (rc == 0)
        rc = ftri_resource_read(&self->arena, config, &self->resource, &self->n_resource);
    if (rc == -ENOMEM)
        ftri_error_set(error, rc, "resource: out of memory, or larger than 16 MiB");
    if (rc < 0)
        ftri_settings_deinit(self);
    return rc;
}

void ftri_settings_deinit(struct ftri_settings *self)
{
    ftri_arena_deinit(&self->arena);
}
