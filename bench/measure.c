/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <x86intrin.h>

enum { CLOCK_READS = 200000 };

static double read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

double measure_wall_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double measure_thread_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

double measure_process_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

double measure_clock_read_ns(void)
{
    const double start = measure_wall_ns();
    for (int i = 0; i < CLOCK_READS; i++) {
        const uint64_t ticks = __rdtsc();
        __asm__ volatile("" : : "r"(ticks));
    }
    return (measure_wall_ns() - start) / CLOCK_READS;
}

static int compare(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

struct measure_pairs measure_in_turn(struct measure_subject subject,
                                     struct measure_subject baseline, int n_pairs)
{
    double ratios[MEASURE_PAIRS_MAX], values[MEASURE_PAIRS_MAX], baselines[MEASURE_PAIRS_MAX];
    const size_t n = (size_t)n_pairs;
    baseline.run(baseline.argument);
    subject.run(subject.argument);
    for (size_t i = 0; i < n; i++) {
        baselines[i] = baseline.run(baseline.argument);
        values[i] = subject.run(subject.argument);
        ratios[i] = values[i] / baselines[i];
    }
    qsort(ratios, n, sizeof *ratios, compare);
    qsort(values, n, sizeof *values, compare);
    qsort(baselines, n, sizeof *baselines, compare);
    return (struct measure_pairs){
        .value = values[n / 2],
        .baseline = baselines[n / 2],
        .ratio = ratios[n / 2],
        .ratio_min = ratios[0],
        .ratio_max = ratios[n - 1],
    };
}

struct measure_pairs measure_as_speedup(struct measure_pairs pairs)
{
    const double min = pairs.ratio_min;
    pairs.ratio = 1 / pairs.ratio;
    pairs.ratio_min = 1 / pairs.ratio_max;
    pairs.ratio_max = 1 / min;
    return pairs;
}

/* JSON null where there is no number. */
static void print_number(const char *name, double value, bool is_there)
{
    if (is_there)
        printf(",\"%s\":%.4g", name, value);
    else
        printf(",\"%s\":null", name);
}

void measure_print(const struct measure_row *row)
{
    static const char *const verdicts[] = {"false", "true", "null"};
    const struct measure_pairs *pairs = &row->pairs;
    const bool is_there = !row->is_missing;
    const bool is_compared = is_there && pairs->baseline > 0;
    printf("{\"row\":\"%s\",\"name\":\"%s\",\"unit\":\"%s\",\"peer\":\"%s\"", row->row, row->name,
           row->unit, row->peer ? row->peer : "");
    print_number("value", pairs->value, is_there);
    print_number("baseline", pairs->baseline, is_compared);
    print_number("ratio", pairs->ratio, is_compared);
    print_number("ratio_min", pairs->ratio_min, is_compared);
    print_number("ratio_max", pairs->ratio_max, is_compared);
    printf(",\"goal\":\"%s\",\"holds\":%s}\n", row->goal ? row->goal : "", verdicts[row->verdict]);
    fflush(stdout);
}
