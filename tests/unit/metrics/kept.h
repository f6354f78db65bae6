/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink that keeps the points it is given, for tests that ask about single series. */
#pragma once

#include "metrics/metric.h"

#include <setjmp.h>
#include <stdarg.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { KEPT_MAX = 64, KEPT_COUNTS = 256 };

struct kept_point {
    char family[64];
    char labels[512]; /* key=value, with commas between */
    struct ftri_metric_point point;
    uint64_t counts[KEPT_COUNTS];
    struct ftri_exemplar exemplars[32];
};

struct kept {
    char family[64];
    size_t n_families;
    size_t n_points;
    struct kept_point points[KEPT_MAX];
};

static inline int kept_family(void *argument, const struct ftri_metric *metric)
{
    struct kept *kept = argument;
    snprintf(kept->family, sizeof kept->family, "%.*s", (int)metric->name.len, metric->name.data);
    kept->n_families++;
    return 0;
}

static inline void kept_label(char *labels, const ftr_attribute *attribute)
{
    const size_t len = strlen(labels);
    const ftr_value *value = &attribute->value;
    char text[128] = "true";
    if (value->type == FTR_VALUE_STR)
        snprintf(text, sizeof text, "%.*s", (int)value->as.str.len, value->as.str.data);
    else if (value->type == FTR_VALUE_I64)
        snprintf(text, sizeof text, "%lld", (long long)value->as.i64);
    snprintf(labels + len, 512 - len, "%s%.*s=%s", len ? "," : "", (int)attribute->key.len,
             attribute->key.data, text);
}

static inline int kept_point(void *argument, const struct ftri_metric_point *point)
{
    struct kept *kept = argument;
    assert_true(kept->n_points < KEPT_MAX && point->n_counts <= KEPT_COUNTS);
    struct kept_point *to = &kept->points[kept->n_points++];
    memcpy(to->family, kept->family, sizeof to->family);
    to->labels[0] = '\0';
    for (size_t i = 0; i < point->n_attributes; i++)
        kept_label(to->labels, &point->attributes[i]);
    to->point = *point;
    if (point->n_counts > 0)
        memcpy(to->counts, point->counts, point->n_counts * sizeof *point->counts);
    if (point->n_exemplars > 0)
        memcpy(to->exemplars, point->exemplars, point->n_exemplars * sizeof *point->exemplars);
    return 0;
}

static inline struct ftri_metric_sink kept_sink(struct kept *kept)
{
    memset(kept, 0, sizeof *kept);
    return (struct ftri_metric_sink){kept_family, kept_point, kept};
}

/* The point of a family whose labels contain this; there is one. */
static inline const struct kept_point *kept_find(const struct kept *kept, const char *family,
                                                 const char *labels)
{
    const struct kept_point *found = NULL;
    for (size_t i = 0; i < kept->n_points; i++) {
        if (strcmp(kept->points[i].family, family) != 0 || !strstr(kept->points[i].labels, labels))
            continue;
        assert_null(found);
        found = &kept->points[i];
    }
    if (!found)
        fail_msg("no %s{%s}", family, labels);
    return found;
}
