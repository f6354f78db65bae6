/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/template.h"

#include "trace/intern.h"

/* The places of the numbers; false: they are too many. */
static bool note_numbers(struct ftri_template *self, const ftr_value *values, uint32_t n)
{
    size_t at = FTRI_VALUES_HEAD;
    self->n_numbers = 0;
    for (uint32_t i = 0; i < n; i++) {
        const bool is_number = ftri_is_scalar(&values[i]);
        if (is_number && self->n_numbers == FTRI_TEMPLATE_NUMBERS)
            return false;
        if (is_number)
            self->at[self->n_numbers++] = (uint16_t)(at + sizeof(uint64_t));
        at += sizeof(uint64_t) + (is_number ? sizeof(uint64_t) : ftri_pad8(values[i].as.str.len));
    }
    return true;
}

void ftri_template_make(struct ftri_template *self, const ftr_keys *keys, const ftr_value *values)
{
    const uint32_t number = __atomic_load_n(&keys->number, __ATOMIC_ACQUIRE);
    if (number - 1 >= FTRI_INTERNED_LISTS_MAX || atomic_exchange(&self->is_begun, 1) != 0)
        return;
    const uint8_t *last_place = self->bytes + FTRI_TEMPLATE_BYTES - FTRI_VALUE_BYTES_MAX;
    const uint8_t *end =
        ftri_quick_values_within(self->bytes + FTRI_VALUES_HEAD, last_place, keys->n_keys, values);
    if (!end || !note_numbers(self, values, keys->n_keys))
        return;
    ftri_quick_values_head(self->bytes, number, keys->n_keys, end);
    self->n_keys = keys->n_keys;
    self->longest = ftri_thread_settings.quick_bytes;
    atomic_store_explicit(&self->n_bytes, (uint32_t)(end - self->bytes), memory_order_release);
}
