/* SPDX-License-Identifier: Apache-2.0
 *
 * Places in an array, chained by hash. Everything is under the lock but two words of a place: the
 * worker holds a routing by raising n_held and then looking at the number; who gives a place away
 * takes the number off and then looks at n_held. One of the two sees the other.
 *
 * number: generation << 16 | place; no generation is 0. */
#include "trace/routing.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { PLACE_BITS = 16, NOBODY = -1 };

struct place {
    _Atomic uint32_t number; /* 0: free */
    _Atomic uint32_t n_held;
    _Atomic uint64_t used_ns; /* last */
    char *text;               /* key and value, owned */
    uint32_t key_len;
    uint32_t value_len;
    uint64_t hash;
    int32_t next; /* of the chain */
    uint16_t generation;
};

static struct {
    pthread_mutex_t lock;
    struct place *_Atomic places; /* made at the first routing, kept for ever */
    int32_t *chains;
    uint64_t seed;
    uint32_t n_used; /* places beyond were never used */
    uint32_t n;
    uint32_t hand; /* where room is looked for next */
    size_t n_bytes;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct place *place_of(uint32_t number)
{
    return &atomic_load_explicit(&table.places, memory_order_relaxed)[ftri_routing_place(number)];
}

static int32_t *chain_of(uint64_t hash)
{
    return &table.chains[hash & (FTRI_ROUTINGS_MAX - 1)];
}

static bool make_table(void)
{
    if (table.places)
        return true;
    struct place *places = ftri_zalloc(FTRI_ROUTINGS_MAX * sizeof *places);
    int32_t *chains = places ? ftri_alloc(FTRI_ROUTINGS_MAX * sizeof *chains) : NULL;
    if (!chains) {
        ftri_free(places);
        return false;
    }
    for (size_t i = 0; i < FTRI_ROUTINGS_MAX; i++)
        chains[i] = NOBODY;
    table.seed = ftri_random_u64();
    table.chains = chains;
    table.places = places;
    return true;
}

static uint64_t hash_of(const struct ftri_routing_texts *texts)
{
    return ftri_hash(ftri_hash(table.seed, texts->key.data, texts->key.len), texts->value.data,
                     texts->value.len);
}

static bool is_same(const struct place *place, uint64_t hash,
                    const struct ftri_routing_texts *texts)
{
    return place->hash == hash && place->key_len == texts->key.len &&
           place->value_len == texts->value.len &&
           memcmp(place->text, texts->key.data, texts->key.len) == 0 &&
           memcmp(place->text + place->key_len, texts->value.data, texts->value.len) == 0;
}

static struct place *find(uint64_t hash, const struct ftri_routing_texts *texts)
{
    for (int32_t i = *chain_of(hash); i != NOBODY; i = table.places[i].next)
        if (is_same(&table.places[i], hash, texts))
            return &table.places[i];
    return NULL;
}

static void unchain(const struct place *place)
{
    int32_t *at = chain_of(place->hash);
    while (&table.places[*at] != place)
        at = &table.places[*at].next;
    *at = place->next;
}

static void clear(struct place *place)
{
    unchain(place);
    table.n_bytes -= place->key_len + place->value_len;
    table.n--;
    ftri_free(place->text);
    place->text = NULL;
}

/* It may have been used since now_ns was taken. */
static bool is_idle(const struct place *place, uint64_t now_ns)
{
    const uint64_t used_ns = atomic_load(&place->used_ns);
    return now_ns > used_ns && now_ns - used_ns >= FTRI_ROUTING_IDLE_NS;
}

/* False: it is in use. */
static bool give_away(struct place *place, uint64_t now_ns)
{
    const uint32_t number = atomic_load(&place->number);
    if (number == 0)
        return true;
    if (atomic_load(&place->n_held) != 0 || !is_idle(place, now_ns))
        return false;
    atomic_store(&place->number, 0);
    if (atomic_load(&place->n_held) != 0) {
        atomic_store(&place->number, number);
        return false;
    }
    clear(place);
    return true;
}

static bool has_bytes_for(size_t len)
{
    return table.n_bytes + len <= FTRI_ROUTING_BYTES_MAX;
}

/* A free place, with room for so many bytes more; NULL: there is none. */
static struct place *find_place(size_t len, uint64_t now_ns)
{
    if (table.n_used < FTRI_ROUTINGS_MAX && has_bytes_for(len))
        return &table.places[table.n_used++];
    struct place *found = NULL;
    for (int i = 0; i < FTRI_ROUTING_TRIES && !(found && has_bytes_for(len)); i++) {
        struct place *place = &table.places[table.hand % table.n_used];
        table.hand++;
        if (give_away(place, now_ns))
            found = place;
    }
    return found && has_bytes_for(len) ? found : NULL;
}

static void put(struct place *place, char *text, uint64_t hash,
                const struct ftri_routing_texts *texts)
{
    int32_t *chain = chain_of(hash);
    memcpy(text, texts->key.data, texts->key.len);
    memcpy(text + texts->key.len, texts->value.data, texts->value.len);
    place->text = text;
    place->key_len = (uint32_t)texts->key.len;
    place->value_len = (uint32_t)texts->value.len;
    place->hash = hash;
    place->next = *chain;
    *chain = (int32_t)(place - table.places);
    table.n_bytes += texts->key.len + texts->value.len;
    table.n++;
    if (++place->generation == 0)
        place->generation = 1;
    atomic_store(&place->number,
                 (uint32_t)place->generation << PLACE_BITS | (uint32_t)(place - table.places));
}

/* NULL: there is no room. */
static struct place *add(uint64_t hash, const struct ftri_routing_texts *texts, uint64_t now_ns)
{
    const size_t len = texts->key.len + texts->value.len;
    char *text = ftri_alloc(len ? len : 1);
    struct place *place = text ? find_place(len, now_ns) : NULL;
    if (place)
        put(place, text, hash, texts);
    else
        ftri_free(text);
    return place;
}

static uint32_t enter(const struct ftri_routing_texts *texts, uint64_t now_ns)
{
    if (!make_table())
        return 0;
    const uint64_t hash = hash_of(texts);
    struct place *place = find(hash, texts);
    if (!place)
        place = add(hash, texts, now_ns);
    if (!place)
        return 0;
    atomic_store(&place->used_ns, now_ns);
    return atomic_load(&place->number);
}

uint32_t ftri_routing_enter(const struct ftri_routing_texts *texts, uint64_t now_ns)
{
    pthread_mutex_lock(&table.lock);
    const uint32_t number = enter(texts, now_ns);
    pthread_mutex_unlock(&table.lock);
    return number;
}

bool ftri_routing_hold(uint32_t number, uint64_t now_ns)
{
    if (number == 0 || !table.places)
        return false;
    struct place *place = place_of(number);
    atomic_fetch_add(&place->n_held, 1);
    if (atomic_load(&place->number) == number) {
        atomic_store_explicit(&place->used_ns, now_ns, memory_order_relaxed);
        return true;
    }
    atomic_fetch_sub(&place->n_held, 1);
    return false;
}

void ftri_routing_let_go(uint32_t number, size_t n)
{
    atomic_fetch_sub(&place_of(number)->n_held, (uint32_t)n);
}

struct ftri_routing_texts ftri_routing_texts_of(uint32_t number)
{
    const struct place *place = place_of(number);
    return (struct ftri_routing_texts){
        .key = {place->text, place->key_len},
        .value = {place->text + place->key_len, place->value_len},
    };
}

uint32_t ftri_routings_count(void)
{
    pthread_mutex_lock(&table.lock);
    const uint32_t n = table.n;
    pthread_mutex_unlock(&table.lock);
    return n;
}

void ftri_routings_reset(void)
{
    pthread_mutex_lock(&table.lock);
    for (uint32_t i = 0; i < table.n_used; i++) {
        struct place *place = &table.places[i];
        if (atomic_load(&place->number) == 0 || atomic_load(&place->n_held) != 0)
            continue;
        atomic_store(&place->number, 0);
        clear(place);
    }
    pthread_mutex_unlock(&table.lock);
}

void ftri_routings_lock(void)
{
    pthread_mutex_lock(&table.lock);
}

void ftri_routings_unlock(void)
{
    pthread_mutex_unlock(&table.lock);
}

void ftri_routings_after_fork(void)
{
    pthread_mutex_init(&table.lock, NULL);
    for (uint32_t i = 0; i < table.n_used; i++)
        atomic_store(&table.places[i].n_held, 0);
}
