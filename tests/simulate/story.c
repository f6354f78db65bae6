/* SPDX-License-Identifier: Apache-2.0 */
#include "story.h"

#include "base/time.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_KEPT = 60, LINE_BYTES = 160 };

static struct {
    uint64_t seed;
    const char *program;
    const char *graph;
    char lines[LINES_KEPT][LINE_BYTES];
    size_t n_lines;
    uint64_t hash;
} story;

static bool is_aloud;

void story_aloud(void)
{
    is_aloud = true;
}

void story_begin(uint64_t seed, const char *program)
{
    memset(&story, 0, sizeof story);
    story.seed = seed;
    story.program = program;
    story.graph = "";
    story.hash = UINT64_C(0xcbf29ce484222325);
}

void story_graph(const char *text)
{
    story.graph = text;
}

/* FNV-1a. */
static void add_to_hash(const char *text)
{
    for (; *text; text++)
        story.hash = (story.hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
}

void story_tell(const char *format, ...)
{
    char *const line = story.lines[story.n_lines++ % LINES_KEPT];
    const int n = snprintf(line, LINE_BYTES, "%12llu us  ",
                           (unsigned long long)(ftri_time_monotonic_ns() / FTRI_NS_PER_US));
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + n, (size_t)(LINE_BYTES - n), format, arguments);
    va_end(arguments);
    add_to_hash(line);
    if (is_aloud)
        printf("%s\n", line);
}

uint64_t story_hash(void)
{
    return story.hash;
}

size_t story_n_lines(void)
{
    return story.n_lines;
}

void story_broken(const char *format, ...)
{
    printf("seed %llu: ", (unsigned long long)story.seed);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n\nthe graph:\n%s\nthe last of %zu lines:\n", story.graph, story.n_lines);
    for (size_t i = story.n_lines > LINES_KEPT ? story.n_lines - LINES_KEPT : 0; i < story.n_lines;
         i++)
        printf("%s\n", story.lines[i % LINES_KEPT]);
    printf("\nagain, with all lines: %s story %llu\n", story.program,
           (unsigned long long)story.seed);
    fflush(stdout);
    _Exit(1);
}
