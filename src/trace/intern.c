/* SPDX-License-Identifier: Apache-2.0
 *
 * An open hash table of numbers over a table of lists over one piece of memory; each of the three
 * only ever grows, by one atomic addition. Two threads that enter the same list at once may both
 * copy it; one number wins, the other copy is left lying. */
#include "trace/intern.h"

#include "base/map.h"
#include "codec/utf8.h"

#include <stdatomic.h>
#include <string.h>

enum { BUCKETS = 2 * FTRI_INTERNED_LISTS_MAX, MEMORY_BYTES = 4 << 20, FIELD_BYTES = 3 };

static _Atomic uint32_t buckets[BUCKETS]; /* numbers; 0: free */
_Atomic(const struct ftri_interned *) ftri_interned_lists[FTRI_INTERNED_LISTS_MAX + 1];
static _Atomic uint32_t n_lists;
static _Alignas(64) uint8_t memory[MEMORY_BYTES];
static _Atomic size_t n_bytes_used;

static bool is_same_text(ftr_str a, ftr_str b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static bool is_admissible(const ftr_str *texts, size_t n_texts)
{
    if (n_texts == 0 || n_texts > FTRI_INTERNED_TEXTS_MAX)
        return false;
    for (size_t i = 0; i < n_texts; i++) {
        if (!texts[i].data || texts[i].len == 0 || texts[i].len > FTRI_INTERNED_TEXT_BYTES ||
            !ftri_utf8_is_valid(texts[i]))
            return false;
        for (size_t j = 0; j < i; j++)
            if (is_same_text(texts[i], texts[j]))
                return false;
    }
    return true;
}

static size_t pad(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static size_t list_size(size_t n_texts)
{
    return pad(sizeof(struct ftri_interned) + n_texts * sizeof(struct ftri_interned_text), 16);
}

static size_t whole_size(const ftr_str *texts, size_t n_texts)
{
    size_t size = list_size(n_texts) + FTRI_INTERNED_TAIL;
    for (size_t i = 0; i < n_texts; i++)
        size += pad(texts[i].len + FIELD_BYTES, 16);
    return size;
}

static void write_key(uint8_t *key, ftr_str text)
{
    key[0] = 0x0a;
    key[1] = (uint8_t)text.len;
    memcpy(key + 2, text.data, text.len);
    key[2 + text.len] = 0x12;
}

/* NULL: the memory is used up. */
static const struct ftri_interned *copy_list(const ftr_str *texts, size_t n_texts)
{
    const size_t size = pad(whole_size(texts, n_texts), 64);
    size_t at = atomic_load(&n_bytes_used);
    do {
        if (size > MEMORY_BYTES - at)
            return NULL;
    } while (!atomic_compare_exchange_weak(&n_bytes_used, &at, at + size));
    struct ftri_interned *list = (struct ftri_interned *)(void *)(memory + at);
    uint8_t *key = memory + at + list_size(n_texts);
    list->n_texts = (uint32_t)n_texts;
    for (size_t i = 0; i < n_texts; i++) {
        write_key(key, texts[i]);
        list->texts[i] = (struct ftri_interned_text){key, texts[i].len};
        list->key_bits |= ftri_key_bit(texts[i]);
        key += pad(texts[i].len + FIELD_BYTES, 16);
    }
    return list;
}

/* 0: no room. */
static uint32_t enter(const ftr_str *texts, size_t n_texts)
{
    uint32_t n = atomic_load(&n_lists);
    do {
        if (n == FTRI_INTERNED_LISTS_MAX)
            return 0;
    } while (!atomic_compare_exchange_weak(&n_lists, &n, n + 1));
    const struct ftri_interned *list = copy_list(texts, n_texts);
    atomic_store(&ftri_interned_lists[n + 1], list);
    return list ? n + 1 : 0;
}

static bool is_list(const struct ftri_interned *list, const ftr_str *texts, size_t n_texts)
{
    if (list->n_texts != n_texts)
        return false;
    for (size_t i = 0; i < n_texts; i++)
        if (!is_same_text(ftri_interned_str(list, i), texts[i]))
            return false;
    return true;
}

static uint64_t hash_of(const ftr_str *texts, size_t n_texts)
{
    uint64_t hash = n_texts;
    for (size_t i = 0; i < n_texts; i++)
        hash = ftri_hash(hash, texts[i].data, texts[i].len);
    return hash;
}

uint32_t ftri_intern(const ftr_str *texts, size_t n_texts)
{
    if (!is_admissible(texts, n_texts))
        return 0;
    uint32_t own = 0;
    for (uint64_t at = hash_of(texts, n_texts);; at++) {
        _Atomic uint32_t *bucket = &buckets[at % BUCKETS];
        uint32_t number = atomic_load(bucket);
        if (number == 0) {
            own = own ? own : enter(texts, n_texts);
            if (own == 0 || atomic_compare_exchange_strong(bucket, &number, own))
                return own;
        }
        if (is_list(ftri_interned(number), texts, n_texts))
            return number;
    }
}
