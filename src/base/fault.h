/* SPDX-License-Identifier: Apache-2.0
 *
 * Named fault points, compiled in by FTR_WITH_FAULTS only. FTR_FAULT=name:n in the environment
 * makes the n-th passing of point `name` end the process with SIGKILL, as a power cut would.
 * The names are listed in fault.c; a name that is not there is refused at the first passing. */
#pragma once

#ifdef FTR_FAULTS
void ftri_fault_point(const char *name);
#define FTRI_FAULT_POINT(name) ftri_fault_point(name)
#else
#define FTRI_FAULT_POINT(name) ((void)0)
#endif
