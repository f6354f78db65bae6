/* SPDX-License-Identifier: Apache-2.0
 *
 * Four keys a pair: the service, the name, both, the name's beginning. A key sets two bits. */
#include "store/filter.h"

#include "base/map.h"
#include "base/mem.h"
#include "store/block.h"
#include "store/pattern.h"

#include <errno.h>

enum { BITS_A_PAIR = 48, WORDS_MAX = 1024 };

/* Any numbers: a filter lives as long as the process. */
static const uint64_t SERVICE_SEED = 1, NAME_SEED = 2, BEGINNING_SEED = 3;

static uint64_t hash_service(ftr_str service)
{
    return ftri_hash(SERVICE_SEED, service.data, service.len);
}

static uint64_t hash_name(ftr_str name)
{
    return ftri_hash(NAME_SEED, name.data, name.len);
}

static uint64_t hash_beginning(ftr_str beginning)
{
    return ftri_hash(BEGINNING_SEED, beginning.data, beginning.len);
}

static uint64_t hash_both(uint64_t service, uint64_t name)
{
    const uint64_t both[] = {service, name};
    return ftri_hash(NAME_SEED, both, sizeof both);
}

/* The two bits of a key. */
static uint64_t bit_of(const struct filter *self, uint64_t hash, unsigned which)
{
    return (which ? hash >> 32 : hash) & (self->n_words * 64 - 1);
}

static void put(struct filter *self, uint64_t hash)
{
    for (unsigned which = 0; which < 2; which++) {
        const uint64_t bit = bit_of(self, hash, which);
        self->words[bit / 64] |= UINT64_C(1) << bit % 64;
    }
}

static bool has(const struct filter *self, uint64_t hash)
{
    for (unsigned which = 0; which < 2; which++) {
        const uint64_t bit = bit_of(self, hash, which);
        if (!(self->words[bit / 64] & UINT64_C(1) << bit % 64))
            return false;
    }
    return true;
}

static int count_pair(void *argument, ftr_str service, ftr_str name)
{
    (void)service;
    (void)name;
    ++*(size_t *)argument;
    return 0;
}

static int put_pair(void *argument, ftr_str service, ftr_str name)
{
    struct filter *self = argument;
    const uint64_t service_hash = hash_service(service), name_hash = hash_name(name);
    put(self, service_hash);
    put(self, name_hash);
    put(self, hash_both(service_hash, name_hash));
    const ftr_str beginning = pattern_beginning_of(name);
    if (beginning.len)
        put(self, hash_beginning(beginning));
    return 0;
}

int filter_init(struct filter *self, struct ftri_view names)
{
    size_t n_pairs = 0;
    int r = block_read_names(names, count_pair, &n_pairs);
    if (r < 0)
        return r;
    struct filter filter = {.n_words = 1};
    while (filter.n_words < WORDS_MAX && filter.n_words * 64 < n_pairs * BITS_A_PAIR)
        filter.n_words *= 2;
    filter.words = ftri_alloc_array(filter.n_words, sizeof *filter.words);
    if (!filter.words)
        return -ENOMEM;
    r = block_read_names(names, put_pair, &filter);
    if (r < 0)
        filter_deinit(&filter);
    else
        *self = filter;
    return r;
}

void filter_deinit(struct filter *self)
{
    ftri_free(self->words);
    *self = (struct filter){0};
}

static bool may_match_pattern(const struct filter *self, const struct store_query *query)
{
    const ftr_str beginning = pattern_beginning(query->name);
    return (query->service.len == 0 || has(self, hash_service(query->service))) &&
           (beginning.len == 0 || has(self, hash_beginning(beginning)));
}

bool filter_may_match(const struct filter *self, const struct store_query *query)
{
    if (self->n_words == 0)
        return true;
    if (!pattern_is_plain(query->name))
        return may_match_pattern(self, query);
    if (query->service.len && query->name.len)
        return has(self, hash_both(hash_service(query->service), hash_name(query->name)));
    if (query->service.len)
        return has(self, hash_service(query->service));
    return query->name.len == 0 || has(self, hash_name(query->name));
}
