/* SPDX-License-Identifier: Apache-2.0
 *
 * Checking the copy of a record that was being written. */
#pragma once

struct ftri_record;

/* The record's stream, checked entry by entry: what is not whole is cut off or marked dead, and the
 * counts are those of what is left. */
void ftri_live_check(struct ftri_record *record);
