/* SPDX-License-Identifier: Apache-2.0
 *
 * One life of a store of either type: open, take in until there are blocks (where the type has
 * them), read in every way, close, open again. What was taken in is readable at once; what was
 * settled stays; nothing is there in part. */
#pragma once

/* "memory" or "sqlite". */
void stored_run(const char *type);
