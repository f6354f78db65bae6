/* SPDX-License-Identifier: Apache-2.0
 *
 * Which service calls which: the spans whose parent is of another service, counted by the pair of
 * services. One trace is added at a time. Any one thread. */
#pragma once

#include "base/map.h"

struct ftri_otlp_span;

struct dependencies {
    struct ftri_map counts;              /* parent's length, parent, child to the number of calls */
    uint64_t start_min_ns, start_max_ns; /* of the called span, inclusive */
};

struct dependency {
    ftr_str parent, child;
    uint64_t n_calls;
};

void dependencies_init(struct dependencies *self, uint64_t start_min_ns, uint64_t start_max_ns);
void dependencies_deinit(struct dependencies *self);
int dependencies_add_trace(struct dependencies *self, const struct ftri_otlp_span *spans,
                           size_t n) FTRI_MUST_CHECK;
/* All of them, by parent, then child; *ret_links is freed by the caller, its names are borrowed. */
int dependencies_list(const struct dependencies *self, struct dependency **ret_links,
                      size_t *ret_n) FTRI_MUST_CHECK;
