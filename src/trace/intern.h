/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts that are the same for every span of a place in the source: the names of call sites, keys.
 * A list of them is copied, once, into a table that is never emptied, and goes by its number from
 * then on: a record holds the number instead of the text, and the place's module may be unloaded.
 *
 * With each text goes its beginning of an attribute in OTLP, so that encoding it is copying. The
 * table is static memory; entering a list takes no lock and allocates nothing. Any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>
#include <stdatomic.h>

enum {
    FTRI_INTERNED_LISTS_MAX = 8192, /* numbers are 16 bits wide in records */
    FTRI_INTERNED_TEXTS_MAX = 64,   /* of a list */
    FTRI_INTERNED_TEXT_BYTES = 60,  /* of a text: it and its attribute have lengths of one byte */
    FTRI_INTERNED_TAIL = 32         /* readable bytes behind a field's beginning, at least */
};

/* key: "0a <len> <text> 12", the first field of a KeyValue and the second's tag. */
struct ftri_interned_text {
    const uint8_t *key;
    uint64_t len; /* of the text, which starts at key + 2 */
};

struct ftri_interned {
    uint32_t n_texts;
    uint64_t key_bits; /* of all of its texts, see ftri_key_bit */
    struct ftri_interned_text texts[];
};

/* The list's number; 0: its texts are empty, too long, twice there or not UTF-8, or the table is
 * full. */
uint32_t ftri_intern(const ftr_str *texts, size_t n_texts);
/* By number, from 1 on; NULL: there is none. */
extern _Atomic(const struct ftri_interned *) ftri_interned_lists[FTRI_INTERNED_LISTS_MAX + 1];

/* number: one that ftri_intern returned. */
static inline const struct ftri_interned *ftri_interned(uint32_t number)
{
    return atomic_load_explicit(&ftri_interned_lists[number], memory_order_acquire);
}

/* Whether some number, read while it was written, is one. */
static inline bool ftri_is_interned(uint32_t number)
{
    return number <= FTRI_INTERNED_LISTS_MAX && ftri_interned(number) != NULL;
}

/* The list of n texts that keys said they are; NULL: they are no longer those that were entered, or
 * never were. */
static inline const struct ftri_interned *ftri_interned_keys(uint32_t number, uint32_t n)
{
    const struct ftri_interned *list =
        number <= FTRI_INTERNED_LISTS_MAX ? ftri_interned(number) : NULL;
    return list && list->n_texts == n ? list : NULL;
}

static inline ftr_str ftri_interned_str(const struct ftri_interned *self, size_t i)
{
    return (ftr_str){(const char *)self->texts[i].key + 2, self->texts[i].len};
}

/* Of the call site with this number, read while it was written; empty: nobody gave such a number.
 */
static inline ftr_str ftri_interned_name(uint32_t number)
{
    return ftri_is_interned(number) ? ftri_interned_str(ftri_interned(number), 0) : FTR_STR("");
}

/* One bit of 64: a key whose bit is new cannot have been there. */
static inline uint64_t ftri_key_bit(ftr_str key)
{
    const uint8_t first = key.len ? (uint8_t)key.data[0] : 0;
    const uint8_t last = key.len ? (uint8_t)key.data[key.len - 1] : 0;
    return UINT64_C(1) << ((key.len * 5 + first * 3 + last) & 63);
}
