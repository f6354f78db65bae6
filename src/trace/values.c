/* SPDX-License-Identifier: Apache-2.0
 *
 * Several attributes at once: one entry with the number of their keys and the values. Scalars and
 * texts of up to FTRI_QUICK_LEN bytes; anything else makes all of them go one by one. */
#include "trace/entries.h"
#include "trace/intern.h"
#include "trace/quick.h"

#include <flowtrace/scope.h>
#include <inttypes.h>
#include <stdio.h>

extern inline void ftr_span_set_values(ftr_span span, ftr_keys *keys, const ftr_value *values);
extern inline ftr_value ftr_value_u64(uint64_t number, ftr_digits *ret_digits);

/* The keys' number once it was found that they can have none. */
#define NEVER UINT32_MAX

ftr_value ftr_value_large(uint64_t number, ftr_digits *ret_digits)
{
    const int len = snprintf(ret_digits->text, sizeof ret_digits->text, "%" PRIu64, number);
    return ftr_value_str((ftr_str){ret_digits->text, (size_t)len});
}

/* 0: they have to go one by one. */
static __attribute__((noinline)) uint32_t enter(ftr_keys *keys)
{
    uint32_t number = __atomic_load_n(&keys->number, __ATOMIC_ACQUIRE);
    if (number == 0) {
        number = keys->keys ? ftri_intern(keys->keys, keys->n_keys) : 0;
        __atomic_store_n(&keys->number, number ? number : NEVER, __ATOMIC_RELEASE);
    }
    return number <= FTRI_INTERNED_LISTS_MAX ? number : 0;
}

static __attribute__((noinline)) void set_one_by_one(ftr_span span, const ftr_keys *keys,
                                                     const ftr_value *values)
{
    struct ftri_open open;
    if (!ftri_span_open(span, &open))
        return;
    for (uint32_t i = 0; i < keys->n_keys; i++)
        ftr_recording_set(span, keys->keys[i], &values[i]);
}

/* The values of n keys, which end at `end`. NULL, false: nothing has changed. */
static FTRI_ALWAYS_INLINE bool publish(struct ftri_slot *slot, uint32_t number, uint32_t n,
                                       const uint8_t *end)
{
    if (FTRI_UNLIKELY(!end))
        return false;
    ftri_quick_values_head(slot->room + slot->record.stream_len, number, n, end);
    ftri_quick_publish(slot, end, offsetof(struct ftri_record, n_attributes), n);
    return true;
}

static FTRI_ALWAYS_INLINE bool may_have(const struct ftri_slot *slot, uint32_t n)
{
    return FTRI_LIKELY(slot->record.n_attributes + n <= ftri_thread_settings.limits.attributes);
}

/* Where there is room for any n values. */
static FTRI_ALWAYS_INLINE bool set_quickly(struct ftri_slot *slot, uint32_t number, uint32_t n,
                                           const ftr_value *values)
{
    const uint64_t place = (uint64_t)slot->record.stream_len + FTRI_VALUES_HEAD;
    if (FTRI_UNLIKELY(place + (uint64_t)n * FTRI_VALUE_BYTES_MAX > FTRI_SLOT_ROOM) ||
        !may_have(slot, n))
        return false;
    return publish(slot, number, n, ftri_quick_values(slot->room + place, n, values));
}

/* Where there may be room for these. */
static bool set_within(struct ftri_slot *slot, uint32_t number, uint32_t n, const ftr_value *values)
{
    uint8_t *const at = slot->room + slot->record.stream_len + FTRI_VALUES_HEAD;
    const uint8_t *last_place = slot->room + FTRI_SLOT_ROOM - FTRI_VALUE_BYTES_MAX;
    return may_have(slot, n) &&
           publish(slot, number, n, ftri_quick_values_within(at, last_place, n, values));
}

/* The keys' number is still to be found out, or they have none. */
static __attribute__((noinline)) void set_with_unknown(ftr_span span, ftr_keys *keys,
                                                       const ftr_value *values)
{
    if (enter(keys) != 0)
        ftr_recording_set_values(span, keys, values);
    else
        set_one_by_one(span, keys, values);
}

/* More than any span has room for, a user span's, or in another way. */
static __attribute__((noinline)) void set_other(ftr_span span, ftr_keys *keys, uint32_t number,
                                                const ftr_value *values)
{
    struct ftri_slot *slot = ftri_own_slot(ftri_thread_self[FTRI_SYSTEM], span);
    if (!slot)
        slot = ftri_own_slot(ftri_thread_self[FTRI_USER], span);
    if (!slot || !set_within(slot, number, keys->n_keys, values))
        set_one_by_one(span, keys, values);
}

void ftr_recording_set_values(ftr_span span, ftr_keys *keys, const ftr_value *values)
{
    const uint32_t number = __atomic_load_n(&keys->number, __ATOMIC_ACQUIRE);
    if (FTRI_UNLIKELY(number - 1 >= FTRI_INTERNED_LISTS_MAX)) {
        set_with_unknown(span, keys, values);
        return;
    }
    struct ftri_slot *slot = ftri_own_slot(ftri_thread_self[FTRI_SYSTEM], span);
    if (FTRI_UNLIKELY(!slot || !set_quickly(slot, number, keys->n_keys, values)))
        set_other(span, keys, number, values);
}
