/* SPDX-License-Identifier: Apache-2.0
 *
 * Inherited fields in their encoded form, as a context's block holds them: written once when a
 * field is set, read when a span below is encoded. Any thread.
 *
 *     { u8 value type, u8 0, u16 key length, u32 value length, key, value }*
 *
 * Numbers are 8 bytes, a bool is one, texts are as they are. Each key once. */
#pragma once

#include <flowtrace/types.h>

/* Takes the next field off; false: no more. Borrowed. */
bool ftri_field_next(ftr_str *rest, ftr_attribute *ret_field);
size_t ftri_fields_count(ftr_str fields);
