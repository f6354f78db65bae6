/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiled once a public header, as C and as C++, with FTR_HEADER its name: the header needs no
 * other before it, and may come twice. */
#include FTR_HEADER
#include FTR_HEADER

extern int nothing; /* ISO C wants a declaration, and a header may hold only macros */
