/* SPDX-License-Identifier: Apache-2.0
 *
 * What every benchmark program shares: clocks, pairs of subject and baseline measured in turn
 * (A-B-A-B), and the JSON line that run.py reads. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { MEASURE_PAIRS_MAX = 64 };

double measure_wall_ns(void);
double measure_thread_ns(void);  /* CPU of the calling thread */
double measure_process_ns(void); /* CPU of all threads */
/* The unit T: ns of one of many back-to-back reads of the cycle counter. */
double measure_clock_read_ns(void);

/* One run: ns (or what the row is in) per item. */
struct measure_subject {
    double (*run)(void *argument);
    void *argument;
};

/* Medians over the pairs; ratio: of a pair's value to its baseline. */
struct measure_pairs {
    double value, baseline;
    double ratio, ratio_min, ratio_max;
};

/* Runs both once unmeasured, then n_pairs times in turn. */
struct measure_pairs measure_in_turn(struct measure_subject subject,
                                     struct measure_subject baseline, int n_pairs);
/* The same pairs with baseline / value as ratio: how many times faster. */
struct measure_pairs measure_as_speedup(struct measure_pairs pairs);

enum measure_verdict { MEASURE_FAILS, MEASURE_HOLDS, MEASURE_NO_GOAL };

struct measure_row {
    const char *row; /* of the table of goals */
    const char *name;
    const char *unit;
    const char *peer; /* what the baseline is; NULL: nothing that could be missing */
    struct measure_pairs pairs;
    const char *goal; /* NULL: none */
    enum measure_verdict verdict;
    bool is_missing; /* there is nothing to measure yet */
};

void measure_print(const struct measure_row *row);
