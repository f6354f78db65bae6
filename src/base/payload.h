/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealed bytes shared by reference: written once, then immutable, freed with the last reference.
 * References may be taken and dropped on any thread. */
#pragma once

#include "base/bytes.h"

struct ftri_payload;

/* Takes over the bytes (reset to empty on success; untouched on failure, NULL: memory is short). */
struct ftri_payload *ftri_payload_new(struct ftri_bytes *bytes) FTRI_MUST_CHECK;
/* A copy of borrowed bytes. */
struct ftri_payload *ftri_payload_copy(struct ftri_view bytes) FTRI_MUST_CHECK;
struct ftri_payload *ftri_payload_ref(struct ftri_payload *self);
/* NULL is fine. */
void ftri_payload_unref(struct ftri_payload *self);
struct ftri_view ftri_payload_view(const struct ftri_payload *self);

static inline void ftri_payload_unrefp(struct ftri_payload **self)
{
    ftri_payload_unref(*self);
}
