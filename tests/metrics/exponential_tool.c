/* SPDX-License-Identifier: Apache-2.0
 *
 * Exponential histograms as a program, for exponential_test.py. Lines in, lines out; doubles are
 * hexadecimal.
 *   index VALUE SCALE          its bucket, and the largest double of that bucket
 *   new                        forget all
 *   add VALUE N | merge VALUE...     the latter: a histogram of these, merged in
 *   show                       scale, zeros, offset, counts */
#include "metrics/exponential.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ftri_exponential histogram;

static void answer_index(const char *arguments)
{
    char *end;
    const double value = strtod(arguments, &end);
    const int32_t scale = (int32_t)strtol(end, NULL, 10);
    const int32_t index = ftri_exponential_index(value, scale);
    printf("%" PRId32 " %a\n", index, ftri_exponential_upper(index, scale));
}

static void add(const char *arguments)
{
    char *end;
    const double value = strtod(arguments, &end);
    ftri_exponential_add(&histogram, value, strtoull(end, NULL, 10));
}

static void merge(const char *arguments)
{
    struct ftri_exponential other;
    char *end;
    ftri_exponential_init(&other);
    for (double value = strtod(arguments, &end); end != arguments;
         value = strtod(arguments, &end)) {
        ftri_exponential_add(&other, value, 1);
        arguments = end;
    }
    ftri_exponential_merge(&histogram, &other);
}

static void show(void)
{
    printf("%" PRId32 " %" PRIu64 " %" PRId32, histogram.scale, histogram.zero_count,
           histogram.offset);
    for (uint32_t i = 0; i < histogram.n_counts; i++)
        printf(" %" PRIu64, histogram.counts[i]);
    printf("\n");
}

int main(void)
{
    static char line[1 << 20];
    ftri_exponential_init(&histogram);
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "index ", 6) == 0)
            answer_index(line + 6);
        else if (strncmp(line, "add ", 4) == 0)
            add(line + 4);
        else if (strncmp(line, "merge ", 6) == 0)
            merge(line + 6);
        else if (strncmp(line, "new", 3) == 0)
            ftri_exponential_init(&histogram);
        else
            show();
        fflush(stdout);
    }
    return 0;
}
