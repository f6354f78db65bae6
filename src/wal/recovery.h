/* SPDX-License-Identifier: Apache-2.0
 *
 * What open does with the files it finds: reads every segment, learns which records are live and
 * which position comes next, cuts a torn tail, copies damage to quarantine files. Content never
 * makes it fail. Before the log's thread starts. */
#pragma once

#include "wal/state.h"

/* The directory is open and locked. Nothing is appended to a segment found here. */
int wal_recover(struct wal *self, struct ftri_error *error) FTRI_MUST_CHECK;
