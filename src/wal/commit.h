/* SPDX-License-Identifier: Apache-2.0
 *
 * The log's own thread: group commit and deletion of released segments, so that the owner never
 * waits for the disk to sync. */
#pragma once

#include "wal/state.h"

/* The lock and the condition; wal_commit_deinit undoes it. */
int wal_commit_init(struct wal *self) FTRI_MUST_CHECK;
void wal_commit_deinit(struct wal *self);
int wal_commit_start(struct wal *self) FTRI_MUST_CHECK;
/* Syncs what is not yet, remembers what is released, ends the thread. */
void wal_commit_stop(struct wal *self);
