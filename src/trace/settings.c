/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/settings.h"

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "trace/convention.h"
#include "trace/diagnostics.h"
#include "trace/resource.h"
#include "trace/thread.h"
#include "trace/variable.h"

#include <errno.h>
#include <flowtrace/propagation.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool variable_is_true(const char *name)
{
    const char *text = ftri_variable(name);
    if (text && strcasecmp(text, "true") != 0 && strcasecmp(text, "false") != 0)
        ftri_diagnose("%s: taken as false, expected true or false", name);
    return text && strcasecmp(text, "true") == 0;
}

/* Records keep 16-bit counts. */
static uint32_t at_most_16_bits(uint32_t n)
{
    return n < UINT16_MAX ? n : UINT16_MAX;
}

static void choose_limits(struct ftri_settings *self, const ftr_limits *wanted)
{
    self->limits = (ftr_limits){
        .attributes = at_most_16_bits(ftri_variable_choose(wanted->attributes,
                                                           "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
                                                           "OTEL_ATTRIBUTE_COUNT_LIMIT", 128)),
        .events = at_most_16_bits(
            ftri_variable_choose(wanted->events, "OTEL_SPAN_EVENT_COUNT_LIMIT", NULL, 128)),
        .links = at_most_16_bits(
            ftri_variable_choose(wanted->links, "OTEL_SPAN_LINK_COUNT_LIMIT", NULL, 128)),
        .attributes_per_event = ftri_variable_choose(wanted->attributes_per_event,
                                                     "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", NULL, 128),
        .attributes_per_link = ftri_variable_choose(wanted->attributes_per_link,
                                                    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", NULL, 128),
        .value_length =
            ftri_variable_choose(wanted->value_length, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
                                 "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", UINT32_MAX),
    };
    self->has_no_text = self->limits.value_length == 0;
    if (self->has_no_text)
        self->limits.value_length = 1; /* no value is as short as not to be looked at */
    else if (self->limits.value_length == UINT32_MAX)
        self->limits.value_length = 0;
}

/* Of spans, from 1; 0: unset, or not that. */
static uint32_t read_count(const char *name)
{
    uint64_t n = 0;
    if (ftri_variable_number(name, UINT32_MAX, &n) && n == 0)
        ftri_diagnose("%s: ignored, expected a whole number from 1 to %" PRIu32, name, UINT32_MAX);
    return (uint32_t)n;
}

/* OTEL_BSP_* have their exact meaning where they are set: counts of spans bound the queue then. */
static void choose_sender(struct ftri_settings *self, const ftr_config *config)
{
    struct ftri_sender_settings *sender = &self->sender;
    sender->queue_bytes = config->queue_bytes ? config->queue_bytes : (size_t)16 << 20;
    sender->batch_bytes = config->batch_bytes ? config->batch_bytes : (size_t)512 << 10;
    sender->delay_ns =
        ftri_variable_choose(config->batch_delay_ms, "OTEL_BSP_SCHEDULE_DELAY", NULL, 200) *
        FTRI_NS_PER_MS;
    /* A timeout of 0 is none: the longest there is. */
    const uint32_t timeout_ms =
        ftri_variable_choose(config->export_timeout_ms, "OTEL_BSP_EXPORT_TIMEOUT", NULL, 10000);
    sender->timeout_ns = (timeout_ms ? timeout_ms : UINT32_MAX) * FTRI_NS_PER_MS;
    sender->queue_spans = config->queue_spans;
    sender->batch_spans = config->batch_spans;
    if (config->queue_spans == 0 && config->queue_bytes == 0)
        sender->queue_spans = read_count("OTEL_BSP_MAX_QUEUE_SIZE");
    if (config->batch_spans == 0 && config->batch_bytes == 0)
        sender->batch_spans = read_count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE");
    if (config->batch_spans == 0 && sender->queue_spans &&
        sender->batch_spans > sender->queue_spans)
        ftri_diagnose("OTEL_BSP_MAX_EXPORT_BATCH_SIZE: more than OTEL_BSP_MAX_QUEUE_SIZE; %" PRIu32
                      " is used",
                      sender->queue_spans);
    ftri_sender_settings_fit(sender);
}

static void choose_exporters(struct ftri_settings *self)
{
    const struct ftri_exporter_wishes wishes = ftri_variable_exporters(
        "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", FTRI_NAMES_OTLP_STDOUT);
    self->wants_otlp = wishes.otlp;
    self->wants_otlp_stdout = wishes.otlp_stdout;
    self->wants_console = wishes.console;
}

static bool is_new(ftr_propagator propagator, const ftr_propagator *others, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (others[i] == propagator)
            return false;
    return propagator != FTR_PROPAGATOR_NONE;
}

/* Unknown names are passed over; a list without any known one changes nothing. */
static void choose_propagators(void)
{
    enum { MOST = 8 };
    ftr_propagator propagators[MOST];
    ftr_str rest = ftr_str_from(ftri_variable("OTEL_PROPAGATORS"));
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
        n += is_new(propagators[n], propagators, n);
    }
    if (is_known)
        ftr_set_propagators(propagators, n);
}

/* Down to what stderr is told; of one that is not known OpenTelemetry's default holds. */
static enum ftri_log_level find_log_level(const char **ret_name)
{
    static const struct {
        const char *name;
        enum ftri_log_level level;
    } levels[] = {
        {"info", FTRI_LOG_ALL},     {"none", FTRI_LOG_NOTHING}, {"off", FTRI_LOG_NOTHING},
        {"fatal", FTRI_LOG_ERRORS}, {"error", FTRI_LOG_ERRORS}, {"warn", FTRI_LOG_ALL},
        {"warning", FTRI_LOG_ALL},  {"debug", FTRI_LOG_ALL},    {"trace", FTRI_LOG_ALL},
        {"verbose", FTRI_LOG_ALL},  {"all", FTRI_LOG_ALL},
    };
    const ftr_str name = ftri_trim(ftr_str_from(ftri_variable("OTEL_LOG_LEVEL")));
    size_t i = FTRI_COUNT(levels);
    while (i > 0 && !ftri_text_same_word(name, ftr_str_from(levels[--i].name)))
        continue;
    *ret_name = levels[i].name;
    return levels[i].level;
}

static void start_diagnostics(struct ftri_settings *self, const ftr_config *config)
{
    const enum ftri_log_level level = find_log_level(&self->log_level);
    const char *name = ftri_variable("OTEL_LOG_LEVEL");
    self->sender.teller = (struct ftri_teller){config->on_diagnostic, config->diagnostic_argument};
    ftri_diagnostics_set(&self->sender.teller, level);
    if (name && !ftri_text_same_word(ftri_trim(ftr_str_from(name)), ftr_str_from(self->log_level)))
        ftri_diagnose("OTEL_LOG_LEVEL: '%.100s' is ignored, expected none, error, warn, info or "
                      "debug",
                      name);
}

/* OpenTelemetry's declarative configuration would stand for all other variables. */
static void refuse_configuration_files(void)
{
    static const char *const names[] = {"OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"};
    for (size_t i = 0; i < FTRI_COUNT(names); i++)
        if (ftri_variable(names[i]))
            ftri_diagnose("%s: configuration files are not supported; the file is not read, the "
                          "other variables hold",
                          names[i]);
}

/* A wrong name in the environment is passed over. */
static int choose_convention(struct ftri_settings *self, const ftr_config *config,
                             struct ftri_error *error)
{
    enum ftri_convention found = FTRI_CONVENTION_FLOWTRACE;
    struct ftri_error why = {""};
    const char *name = ftri_variable("FLOWTRACE_CONVENTIONS");
    if (config->conventions.len > 0) {
        const int rc = ftri_convention_find(config->conventions, &found, error);
        if (rc < 0)
            return ftri_error_prefix(error, rc, "conventions");
    } else if (name && ftri_convention_find(ftri_trim(ftr_str_from(name)), &found, &why) < 0) {
        ftri_diagnose("FLOWTRACE_CONVENTIONS: ignored, %s", why.text);
    }
    self->convention = (uint8_t)found;
    return 0;
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
    *self = (struct ftri_settings){.limits = {0}};
    start_diagnostics(self, config);
    refuse_configuration_files();
    self->is_disabled = variable_is_true("OTEL_SDK_DISABLED");
    ftri_arena_init(&self->arena, (size_t)16 << 20);
    choose_limits(self, &config->limits);
    choose_sender(self, config);
    choose_propagators();
    if (config->n_exporters == 0)
        choose_exporters(self);
    self->records_dropped = config->records_dropped;
    int rc = choose_memory(self, config, error);
    if (rc == 0)
        rc = ftri_sampler_settings_init(self, config, error);
    if (rc == 0)
        rc = choose_convention(self, config, error);
    if (rc == 0)
        rc = ftri_user_settings_init(self, config, error);
    if (rc == 0)
        rc = ftri_tail_settings_init(self, config, error);
    if (rc == 0)
        rc = ftri_metric_settings_init(&self->metrics, config, &self->arena, error);
    self->sender.metrics_interval_ns = self->metrics.interval_ns;
    self->sender.metrics_timeout_ns = self->metrics.timeout_ns;
    if (rc == 0)
        rc = ftri_resource_read(&self->arena, config, self->convention == FTRI_CONVENTION_KRISHIV,
                                &self->resource, &self->n_resource);
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

ftr_str ftri_settings_service(const struct ftri_settings *self)
{
    for (size_t i = 0; i < self->n_resource; i++) {
        const ftr_attribute *one = &self->resource[i];
        if (ftri_text_is(one->key, "service.name") && one->value.type == FTR_VALUE_STR)
            return one->value.as.str;
    }
    return FTR_STR("");
}
