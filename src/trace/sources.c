/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/sources.h"

#include "base/mem.h"
#include "metrics/bounds.h"
#include "metrics/metric.h"
#include "trace/metric_name.h"

#include <flowtrace/metrics.h>
#include <pthread.h>
#include <string.h>

struct ftr_metric_source {
    ftr_metric_source_callback *write;
    void *argument;
    struct ftr_metric_source *next;
};

struct ftr_metric_writer {
    const struct ftri_metric_sink *sink;
    uint64_t now_ns;
    struct ftri_metric metric; /* the family's; sinks look at it until the next one */
    bool has_family;
    int status; /* the first failure */
};

static struct {
    pthread_mutex_t lock;
    struct ftr_metric_source *first;
} sources = {.lock = PTHREAD_MUTEX_INITIALIZER};

ftr_metric_source *ftr_metric_source_new(ftr_metric_source_callback *write, void *argument)
{
    struct ftr_metric_source *self = ftri_alloc(sizeof *self);
    if (!self)
        return NULL;
    *self = (struct ftr_metric_source){.write = write, .argument = argument};
    pthread_mutex_lock(&sources.lock);
    struct ftr_metric_source **end = &sources.first;
    while (*end)
        end = &(*end)->next;
    *end = self; /* the text keeps its order */
    pthread_mutex_unlock(&sources.lock);
    return self;
}

void ftr_metric_source_free(ftr_metric_source *self)
{
    if (!self)
        return;
    pthread_mutex_lock(&sources.lock);
    struct ftr_metric_source **link = &sources.first;
    while (*link && *link != self)
        link = &(*link)->next;
    if (*link)
        *link = self->next;
    pthread_mutex_unlock(&sources.lock);
    ftri_free(self);
}

static bool is_valid(const ftr_metric_family *family)
{
    if ((unsigned)family->kind > FTR_METRIC_HISTOGRAM ||
        !ftri_metric_name_is_valid(family->name, ".:") ||
        !ftri_metric_help_is_valid(family->help) || !ftri_metric_unit_is_valid(family->unit))
        return false;
    return family->kind != FTR_METRIC_HISTOGRAM ||
           (family->bounds && ftri_bounds_are_valid(family->bounds, family->n_bounds));
}

bool ftr_metric_write_family(ftr_metric_writer *writer, const ftr_metric_family *family)
{
    ftr_metric_family known = {0};
    memcpy(&known, family, ftri_size_min(family->size, sizeof known));
    writer->has_family = false;
    if (writer->status < 0 || !is_valid(&known))
        return false;
    const bool is_histogram = known.kind == FTR_METRIC_HISTOGRAM;
    writer->metric = (struct ftri_metric){
        .name = known.name,
        .help = known.help,
        .unit = known.unit,
        .kind = is_histogram ? FTRI_METRIC_HISTOGRAM : FTRI_METRIC_SUM,
        .sum = known.kind == FTR_METRIC_GAUGE ? FTRI_SUM_LEVEL : FTRI_SUM_CUMULATIVE,
        .is_fractional = known.is_fractional,
        .bounds = known.bounds,
        .n_bounds = is_histogram ? known.n_bounds : 0,
    };
    writer->status = writer->sink->family(writer->sink->argument, &writer->metric);
    writer->has_family = writer->status == 0;
    return writer->has_family;
}

static uint64_t add_up(const uint64_t *counts, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += counts[i];
    return sum;
}

bool ftr_metric_write_point(ftr_metric_writer *writer, const ftr_metric_point *point)
{
    ftr_metric_point known = {0};
    memcpy(&known, point, ftri_size_min(point->size, sizeof known));
    const bool is_histogram = writer->metric.kind == FTRI_METRIC_HISTOGRAM;
    if (!writer->has_family || writer->status < 0 || (is_histogram && !known.counts))
        return false;
    const size_t n_counts = is_histogram ? writer->metric.n_bounds + 1 : 0;
    const struct ftri_metric_point written = {
        .attributes = known.attributes,
        .n_attributes = known.n_attributes,
        .start_ns = known.start_time_ns,
        .time_ns = writer->now_ns,
        .count = is_histogram ? add_up(known.counts, n_counts) : known.count,
        .sum = known.sum,
        .counts = known.counts,
        .n_counts = n_counts,
    };
    writer->status = writer->sink->point(writer->sink->argument, &written);
    return writer->status == 0;
}

int ftri_sources_write(uint64_t now_ns, const struct ftri_metric_sink *sink)
{
    struct ftr_metric_writer writer = {.sink = sink, .now_ns = now_ns};
    pthread_mutex_lock(&sources.lock);
    for (struct ftr_metric_source *each = sources.first; each && writer.status == 0;
         each = each->next) {
        writer.has_family = false;
        each->write(each->argument, &writer);
    }
    pthread_mutex_unlock(&sources.lock);
    return writer.status;
}

void ftri_sources_lock(void)
{
    pthread_mutex_lock(&sources.lock);
}

void ftri_sources_unlock(void)
{
    pthread_mutex_unlock(&sources.lock);
}

/* Whoever counts is the parent's. The sources themselves are still to be freed. */
void ftri_sources_after_fork(void)
{
    pthread_mutex_init(&sources.lock, NULL);
    sources.first = NULL;
}
