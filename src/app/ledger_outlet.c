/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of spans serve for metrics by renaming: where the exporter asks for a variable of
 * metrics it gets the one of spans. */
#include "app/ledger_outlet.h"

#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/time.h"
#include "export/otlp_delivery.h"
#include "export/otlp_environment.h"

#include <errno.h>
#include <flowtrace/exporter.h>
#include <flowtrace/tracing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAUSE_FIRST_MS = 500, PAUSE_MAX_MS = 5000, URL_BYTES = 2048 };

static const uint64_t TRY_NS = 10 * FTRI_NS_PER_S;

struct entry {
    struct ftri_list link;
    struct ftri_bytes metrics;
    size_t n_points;
};

struct ledger_outlet {
    const ftr_exporter_class *exporter_class;
    struct ftri_otlp_delivery *delivery; /* the thread's */
    pthread_t thread;
    pthread_mutex_t mutex; /* for all below */
    pthread_cond_t changed;
    struct ftri_list entries;
    size_t n_entries;
    bool is_closing, has_told;
    uint64_t deadline_ns; /* once it is closing */
};

static bool is_otlp_exported(void)
{
    ftr_statistics statistics = {.size = sizeof statistics};
    ftr_get_statistics(&statistics);
    for (size_t i = 0; i < statistics.n_exporters; i++)
        if (strcmp(statistics.exporters[i].name, "otlp/http") == 0 ||
            strcmp(statistics.exporters[i].name, "otlp/grpc") == 0)
            return true;
    return false;
}

/* http://host/v1/traces: http://host/v1/metrics. */
static const char *metrics_url(const char *traces_url, char room[URL_BYTES])
{
    static const char ending[] = "/v1/traces";
    const size_t len = traces_url ? strlen(traces_url) : 0, n = sizeof ending - 1;
    if (len < n || strcmp(traces_url + len - n, ending) != 0 || len + 2 > URL_BYTES)
        return traces_url;
    snprintf(room, URL_BYTES, "%.*s/v1/metrics", (int)(len - n), traces_url);
    return room;
}

static const char *get_variable(void *argument, const char *name)
{
    static const char of_metrics[] = "OTEL_EXPORTER_OTLP_METRICS_";
    char traces_name[128];
    if (strncmp(name, of_metrics, sizeof of_metrics - 1) != 0)
        return getenv(name);
    const char *suffix = name + sizeof of_metrics - 1;
    snprintf(traces_name, sizeof traces_name, "OTEL_EXPORTER_OTLP_TRACES_%s", suffix);
    const char *value = getenv(traces_name);
    return strcmp(suffix, "ENDPOINT") == 0 ? metrics_url(value, argument) : value;
}

static int read_settings(enum ftri_otlp_signal signal, struct ftri_otlp_settings *ret_settings,
                         struct ftri_error *error)
{
    char url[URL_BYTES];
    ftri_otlp_settings_init(ret_settings);
    ret_settings->signal = signal;
    return ftri_otlp_environment_read(get_variable, url, ret_settings, error);
}

static int open_delivery(struct ledger_outlet *self, struct ftri_error *error)
{
    struct ftri_otlp_settings traces, metrics;
    int r = read_settings(FTRI_OTLP_TRACES, &traces, error);
    const int r_metrics = read_settings(FTRI_OTLP_METRICS, &metrics, error);
    r = r == 0 ? r_metrics : r;
    if (r == 0) {
        self->exporter_class = ftri_otlp_delivery_class(metrics.protocol);
        self->delivery = ftri_otlp_delivery_new(&traces);
        r = self->delivery ? 0 : -ENOMEM;
    }
    if (r == 0)
        ftri_otlp_delivery_take_metrics(self->delivery, &metrics);
    ftri_otlp_settings_deinit(&traces);
    ftri_otlp_settings_deinit(&metrics);
    return r;
}

/* True: it has an outcome that stands, be it a refusal: not every collector keeps ledgers. */
static bool deliver(struct ledger_outlet *self, const struct entry *entry, uint64_t deadline_ns)
{
    const ftr_metrics_batch batch = {
        .size = sizeof batch,
        .n_points = entry->n_points,
        .otlp = entry->metrics.data,
        .otlp_len = entry->metrics.len,
    };
    ftr_export_result result = {0};
    self->exporter_class->export_metrics(self->delivery, &batch, deadline_ns, &result);
    const bool is_whole = result.n_delivered == batch.n_points;
    if (!is_whole && !self->has_told)
        log_write(LOG_LEVEL_WARNING, "the flow ledger: %zu of %zu points not taken: %s",
                  batch.n_points - result.n_delivered, batch.n_points, result.text);
    self->has_told = !is_whole;
    return !ftri_otlp_delivery_may_retry(self->delivery);
}

/* Until the time has passed or it is closing; with the mutex. */
static void pause_for(struct ledger_outlet *self, uint64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    const uint64_t ns = (uint64_t)until.tv_nsec + ms * FTRI_NS_PER_MS;
    until.tv_sec += (time_t)(ns / FTRI_NS_PER_S);
    until.tv_nsec = (long)(ns % FTRI_NS_PER_S);
    const bool was_closing = self->is_closing;
    while (self->is_closing == was_closing &&
           pthread_cond_timedwait(&self->changed, &self->mutex, &until) == 0)
        ;
}

static bool is_over(const struct ledger_outlet *self)
{
    return self->is_closing &&
           (self->n_entries == 0 || ftri_time_monotonic_ns() >= self->deadline_ns);
}

static void remove_first(struct ledger_outlet *self)
{
    struct entry *entry = FTRI_CONTAINER(ftri_list_pop(&self->entries), struct entry, link);
    self->n_entries--;
    ftri_bytes_deinit(&entry->metrics);
    ftri_free(entry);
}

/* With the mutex, which is off during the export; the first entry stays where it is. */
static bool deliver_first(struct ledger_outlet *self)
{
    const struct entry *first = FTRI_CONTAINER(self->entries.next, struct entry, link);
    uint64_t deadline_ns = ftri_time_monotonic_ns() + TRY_NS;
    if (self->is_closing && self->deadline_ns < deadline_ns)
        deadline_ns = self->deadline_ns;
    pthread_mutex_unlock(&self->mutex);
    const bool is_delivered = deliver(self, first, deadline_ns);
    pthread_mutex_lock(&self->mutex);
    return is_delivered;
}

static void *run(void *argument)
{
    struct ledger_outlet *self = argument;
    uint64_t pause_ms = PAUSE_FIRST_MS;
    pthread_mutex_lock(&self->mutex);
    while (!is_over(self)) {
        if (self->n_entries == 0) {
            pthread_cond_wait(&self->changed, &self->mutex);
        } else if (deliver_first(self)) {
            remove_first(self);
            pause_ms = PAUSE_FIRST_MS;
        } else {
            pause_for(self, pause_ms);
            pause_ms = pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
        }
    }
    pthread_mutex_unlock(&self->mutex);
    return NULL;
}

static void outlet_free(struct ledger_outlet *self)
{
    while (self->n_entries)
        remove_first(self);
    if (self->delivery)
        self->exporter_class->close(self->delivery);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
    ftri_free(self);
}

static struct ledger_outlet *outlet_new(void)
{
    struct ledger_outlet *self = ftri_zalloc(sizeof *self);
    pthread_condattr_t attributes;
    if (!self)
        return NULL;
    ftri_list_init(&self->entries);
    pthread_mutex_init(&self->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return self;
}

int ledger_outlet_open(struct ledger_outlet **ret_outlet, struct ftri_error *error)
{
    *ret_outlet = NULL;
    if (!is_otlp_exported())
        return 0;
    struct ledger_outlet *self = outlet_new();
    if (!self)
        return -ENOMEM;
    int r = open_delivery(self, error);
    if (r == 0)
        r = ftri_thread_start(run, self, &self->thread);
    if (r < 0) {
        outlet_free(self);
        return r;
    }
    *ret_outlet = self;
    return 0;
}

bool ledger_outlet_put(struct ledger_outlet *self, struct ftri_bytes *metrics, size_t n_points)
{
    struct entry *entry = ftri_alloc(sizeof *entry);
    pthread_mutex_lock(&self->mutex);
    const bool has_room = entry && self->n_entries < LEDGER_OUTLET_CUTS;
    if (has_room) {
        *entry = (struct entry){.metrics = *metrics, .n_points = n_points};
        ftri_bytes_init(metrics, metrics->limit);
        ftri_list_append(&self->entries, &entry->link);
        self->n_entries++;
        pthread_cond_broadcast(&self->changed);
    }
    pthread_mutex_unlock(&self->mutex);
    if (!has_room)
        ftri_free(entry);
    return has_room;
}

bool ledger_outlet_close(struct ledger_outlet *self, uint64_t timeout_ns)
{
    pthread_mutex_lock(&self->mutex);
    self->is_closing = true;
    self->deadline_ns = ftri_time_monotonic_ns() + timeout_ns;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
    pthread_join(self->thread, NULL);
    const bool is_whole = self->n_entries == 0;
    outlet_free(self);
    return is_whole;
}
