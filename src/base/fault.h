/* SPDX-License-Identifier: Apache-2.0
 *
 * Named fault points, compiled in by FTR_WITH_FAULTS only. FTR_FAULT=name:n in the environment
 * makes the n-th passing of point `name` end the process with SIGKILL, as a power cut would.
 * The names are listed in fault.c; a name that is not there is refused at the first passing.
 *
 * A statement that asks FTRI_FAULT_SKIPS(name) first can be left out by a test, which thereby shows
 * that somebody would notice; FTR_FAULT_SKIP=name in the environment leaves it out of a program.
 * These names are listed, too. */
#pragma once

#include "base/check.h"

#ifdef FTR_FAULTS
void ftri_fault_point(const char *name);
bool ftri_fault_skips(const char *statement);
/* Tests: from now on this statement is left out, alone; NULL: none is. */
void ftri_fault_skip(const char *statement);
/* The i-th name that can be skipped; NULL: there are no more. */
const char *ftri_fault_statement(size_t i);
#define FTRI_FAULT_POINT(name) ftri_fault_point(name)
#define FTRI_FAULT_SKIPS(statement) ftri_fault_skips(statement)
#else
#define FTRI_FAULT_POINT(name) ((void)0)
#define FTRI_FAULT_SKIPS(statement) ((void)(statement), false)
#endif
