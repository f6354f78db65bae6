/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/histograms.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/text.h"
#include "base/time.h"
#include "metrics/bounds.h"
#include "metrics/labelled.h"
#include "metrics/metric.h"
#include "metrics/text_name.h"
#include "trace/metric_name.h"

#include <errno.h>
#include <flowtrace/metrics.h>
#include <string.h>

enum { SERIES_MOST = 1000000 };

struct ftr_histogram {
    struct ftri_labelled *series;
    struct ftr_histogram *next;
};

/* lock: the list, and new series of all. */
static struct {
    pthread_mutex_t lock;
    struct ftr_histogram *first;
} histograms = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What others write, or Prometheus keeps for itself. */
static bool is_reserved_label(ftr_str label)
{
    return ftri_text_is(label, "le") || ftri_text_is(label, "quantile") ||
           (label.len >= 2 && memcmp(label.data, "__", 2) == 0);
}

static int check_bounds(const ftr_histogram_options *options, struct ftri_error *error)
{
    if (options->n_bounds > 0 && !options->bounds)
        return ftri_error_set(error, -EINVAL, "bounds: NULL, and n_bounds is not 0");
    if (!ftri_bounds_are_valid(options->bounds, options->n_bounds))
        return ftri_error_set(error, -EINVAL, "bounds: not finite, not rising, or more than %d",
                              FTR_METRICS_BOUNDS_MAX);
    return 0;
}

static int check(const ftr_histogram_options *options, struct ftri_error *error)
{
    if (!ftri_metric_name_is_valid(options->name, ".:"))
        return ftri_error_set(error, -EINVAL,
                              "name: expected letters, digits, _ . and :, the first no digit, at "
                              "most %d",
                              FTRI_METRIC_NAME_BYTES);
    if (options->label.len > 0 &&
        (!ftri_metric_name_is_valid(options->label, ".") || is_reserved_label(options->label)))
        return ftri_error_set(error, -EINVAL,
                              "label: expected letters, digits, _ and ., the first no digit; not "
                              "le, quantile, __...");
    if (!ftri_metric_help_is_valid(options->help))
        return ftri_error_set(error, -EINVAL, "help: longer than %d bytes, or not UTF-8",
                              FTRI_METRIC_HELP_BYTES);
    if (!ftri_metric_unit_is_valid(options->unit))
        return ftri_error_set(error, -EINVAL, "unit: longer than %d bytes, or not UTF-8",
                              FTRI_METRIC_UNIT_BYTES);
    if (options->series_max > SERIES_MOST)
        return ftri_error_set(error, -EINVAL, "series_max: more than %d", SERIES_MOST);
    return check_bounds(options, error);
}

static int write_name(ftr_str name, ftr_str unit, struct ftri_bytes *out)
{
    const struct ftri_metric metric = {.name = name, .unit = unit, .kind = FTRI_METRIC_HISTOGRAM};
    return ftri_text_family_name(&metric, out);
}

/* Two names that are one in the text are one name. With the lock held. */
static int check_free(const ftr_histogram_options *options, struct ftri_error *error)
{
    struct ftri_bytes name, other;
    ftri_bytes_init(&name, 1024);
    ftri_bytes_init(&other, 1024);
    int rc = write_name(options->name, options->unit, &name);
    bool is_taken = rc == 0 && ftri_metric_name_is_reserved(ftri_view_str(ftri_bytes_view(&name)));
    const struct ftr_histogram *each = histograms.first;
    for (; each && rc == 0 && !is_taken; each = each->next) {
        ftri_bytes_reset(&other);
        rc = write_name(ftri_labelled_name(each->series), ftri_labelled_unit(each->series), &other);
        is_taken = ftri_text_same(ftri_view_str(ftri_bytes_view(&name)),
                                  ftri_view_str(ftri_bytes_view(&other)));
    }
    ftri_bytes_deinit(&name);
    ftri_bytes_deinit(&other);
    if (rc < 0)
        return ftri_error_set(error, rc, "out of memory");
    return is_taken ? ftri_error_set(error, -EINVAL, "name: %.*s is taken", (int)options->name.len,
                                     options->name.data)
                    : 0;
}

static struct ftri_labelled *new_series(const ftr_histogram_options *options)
{
    static const double standard[] = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
    const bool is_standard = options->n_bounds == 0;
    const struct ftri_labelled_settings settings = {
        .name = options->name,
        .help = options->help,
        .unit = options->unit,
        .label = options->label,
        .bounds = is_standard ? standard : options->bounds,
        .n_bounds = is_standard ? FTRI_COUNT(standard) : options->n_bounds,
        .series_max = options->series_max ? options->series_max : 2000,
        .lock = &histograms.lock,
        .start_ns = ftri_time_wall_ns(),
        .seed = ftri_random_u64(),
    };
    return ftri_labelled_new(&settings);
}

/* At the list's end: the text keeps its order. */
static int add(const ftr_histogram_options *options, ftr_histogram *self, struct ftri_error *error)
{
    pthread_mutex_lock(&histograms.lock);
    const int rc = check_free(options, error);
    struct ftr_histogram **end = &histograms.first;
    while (*end)
        end = &(*end)->next;
    if (rc == 0)
        *end = self;
    pthread_mutex_unlock(&histograms.lock);
    return rc;
}

static int make(const ftr_histogram_options *options, ftr_histogram **ret_histogram,
                struct ftri_error *error)
{
    int rc = check(options, error);
    if (rc < 0)
        return rc;
    ftr_histogram *self = ftri_zalloc(sizeof *self);
    struct ftri_labelled *series = self ? new_series(options) : NULL;
    rc = series ? 0 : ftri_error_set(error, -ENOMEM, "out of memory");
    if (rc == 0) {
        self->series = series;
        rc = add(options, self, error);
    }
    if (rc < 0) {
        ftri_labelled_free(series);
        ftri_free(self);
        return rc;
    }
    *ret_histogram = self;
    return 0;
}

ftr_histogram *ftr_histogram_new(const ftr_histogram_options *options, ftr_error *error)
{
    ftr_histogram_options known = {.size = sizeof known};
    ftr_histogram *self = NULL;
    struct ftri_error why = {""};
    int rc;
    if (!options || options->size < sizeof options->size || options->size > sizeof known) {
        rc = ftri_error_set(&why, -EINVAL, "options: missing, or size not set");
    } else {
        memcpy(&known, options, options->size);
        rc = make(&known, &self, &why);
    }
    if (error) {
        error->status = rc == 0 ? FTR_OK : rc == -ENOMEM ? FTR_ERR_MEMORY : FTR_ERR_INVALID;
        memcpy(error->text, why.text, sizeof error->text);
    }
    return self;
}

void ftr_histogram_free(ftr_histogram *self)
{
    if (!self)
        return;
    pthread_mutex_lock(&histograms.lock);
    struct ftr_histogram **link = &histograms.first;
    while (*link && *link != self)
        link = &(*link)->next;
    if (*link)
        *link = self->next;
    pthread_mutex_unlock(&histograms.lock);
    ftri_labelled_free(self->series);
    ftri_free(self);
}

void ftr_histogram_record(ftr_histogram *self, ftr_str label, double value)
{
    if (self)
        ftri_labelled_record(self->series, label, value);
}

uint64_t ftr_histogram_n_dropped(ftr_histogram *self)
{
    return self ? ftri_labelled_n_dropped(self->series) : 0;
}

static int write_dropped(uint64_t now_ns, const struct ftri_metric_sink *sink)
{
    const struct ftri_metric metric = {
        .name = FTR_STR("flowtrace.observations.dropped"),
        .help = FTR_STR("Observations that were negative or not finite."),
        .unit = FTR_STR("{observation}"),
        .kind = FTRI_METRIC_SUM,
    };
    int rc = histograms.first ? sink->family(sink->argument, &metric) : 0;
    for (struct ftr_histogram *each = histograms.first; each && rc == 0; each = each->next) {
        const ftr_attribute name = {
            FTR_STR("histogram"),
            {.type = FTR_VALUE_STR, .as.str = ftri_labelled_name(each->series)}};
        const struct ftri_metric_point point = {
            .attributes = &name,
            .n_attributes = 1,
            .start_ns = ftri_labelled_start_ns(each->series),
            .time_ns = now_ns,
            .count = ftri_labelled_n_dropped(each->series),
        };
        rc = sink->point(sink->argument, &point);
    }
    return rc;
}

int ftri_histograms_write(uint64_t now_ns, const struct ftri_metric_sink *sink)
{
    int rc = 0;
    pthread_mutex_lock(&histograms.lock);
    for (struct ftr_histogram *each = histograms.first; each && rc == 0; each = each->next)
        rc = ftri_labelled_write(each->series, now_ns, sink);
    if (rc == 0)
        rc = write_dropped(now_ns, sink);
    pthread_mutex_unlock(&histograms.lock);
    return rc;
}

void ftri_histograms_lock(void)
{
    pthread_mutex_lock(&histograms.lock);
}

void ftri_histograms_unlock(void)
{
    pthread_mutex_unlock(&histograms.lock);
}

void ftri_histograms_after_fork(void)
{
    pthread_mutex_init(&histograms.lock, NULL);
    for (struct ftr_histogram *each = histograms.first; each; each = each->next)
        ftri_labelled_restart(each->series, ftri_time_wall_ns());
}
