/* SPDX-License-Identifier: Apache-2.0
 *
 * The owner's side of a segment: making it, writing a record, taking a failed one back. */
#pragma once

#include "wal/state.h"

/* Gives up every position that is not synced, after a failed fdatasync. Under the lock. */
void wal_append_give_up(struct wal *self);
