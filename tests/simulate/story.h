/* SPDX-License-Identifier: Apache-2.0
 *
 * What happened in a run, line by line: hashed as a whole, the last lines kept. And the end of a
 * run that broke a rule: the seed, the graph, the last lines, and how to see it again. */
#pragma once

#include "base/check.h"

/* From now on every line is printed, too. */
void story_aloud(void);
/* Forgets the run before. */
void story_begin(uint64_t seed, const char *program);
/* The text that the graph was built from; borrowed until the next story_begin. */
void story_graph(const char *text);
void story_tell(const char *format, ...) FTRI_PRINTF(1, 2);
/* Of all lines so far. */
uint64_t story_hash(void);
size_t story_n_lines(void);

/* A rule is broken: reports and ends the process with 1. */
_Noreturn void story_broken(const char *format, ...) FTRI_PRINTF(1, 2);

/* As printf behind the condition: what was not so. */
#define RULE(condition, ...) ((condition) ? (void)0 : story_broken(__VA_ARGS__))
