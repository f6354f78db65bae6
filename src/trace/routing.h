/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of routings in use. A user span carries the number of its routing, 4 bytes that are
 * copied and never counted, so that it costs what any other span does; the texts are here.
 *
 * A routing is entered by the roots that have it. It stays while spans of it wait to be exported,
 * and for ten minutes after the last root or end of a span; then it may have to make room. A number
 * names one routing for ever: the place gets another one. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

enum {
    FTRI_ROUTINGS_MAX = 1 << 16,
    FTRI_ROUTING_BYTES_MAX = 64 << 20, /* of all texts */
    FTRI_ROUTING_TRIES = 64            /* places looked at to make room */
};

#define FTRI_ROUTING_IDLE_NS UINT64_C(600000000000)

/* Where in the table: small numbers first. */
static inline uint32_t ftri_routing_place(uint32_t number)
{
    return number & (FTRI_ROUTINGS_MAX - 1);
}

struct ftri_routing_texts {
    ftr_str key;
    ftr_str value; /* of the header */
};

/* The number of this routing; 0: there is no room, or memory is short. Any thread. */
uint32_t ftri_routing_enter(const struct ftri_routing_texts *texts, uint64_t now_ns);
/* One span more waits for its export; false: the routing is no more. The worker. */
bool ftri_routing_hold(uint32_t number, uint64_t now_ns);
/* So many spans wait no longer. Any thread. */
void ftri_routing_let_go(uint32_t number, size_t n);
/* Of a routing that is held: borrowed for as long. */
struct ftri_routing_texts ftri_routing_texts_of(uint32_t number);
uint32_t ftri_routings_count(void);

/* Between sessions: forgets all but what an exporter that was left behind still holds. */
void ftri_routings_reset(void);
/* Around fork(); in the child nothing waits. */
void ftri_routings_lock(void);
void ftri_routings_unlock(void);
void ftri_routings_after_fork(void);
