/* SPDX-License-Identifier: Apache-2.0
 *
 * The attributes (repeated KeyValue) of a protobuf message as slots, and back. */
#pragma once

#include "base/bytes.h"

struct slots;

/* The origin of a slot is where its field begins. -ENOMEM. */
int attribute_fields_list(struct slots *slots, uint32_t number,
                          struct ftri_view message) FTRI_MUST_CHECK;
/* The message's fields in their order with what the slots say of them, what is new at the end.
 * -ENOMEM, -EMSGSIZE. */
int attribute_fields_write(const struct slots *slots, uint32_t number, struct ftri_view message,
                           struct ftri_bytes *out) FTRI_MUST_CHECK;
