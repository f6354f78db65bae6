/* SPDX-License-Identifier: Apache-2.0
 *
 * A flow that waits: the head of its first page, by whose number it goes, and lists of such flows,
 * in the order they were appended. 0 is no flow. One thread at a time. */
#pragma once

#include "base/prefetch.h"
#include "sampling/page_pool.h"

#include <flowtrace/tail.h>
#include <stddef.h>

struct ftri_flow_neighbours {
    uint32_t previous;
    uint32_t next;
};

/* In one cache line what each span needs, behind it the rest. */
struct ftri_flow {
    uint32_t next_page;
    uint32_t last_page;
    uint32_t n_pages;
    uint16_t fill; /* bytes used in the last page's data */
    uint8_t reasons;
    bool has_ended;
    ftr_trace_id trace_id;
    uint64_t start_ns; /* of its earliest span, Unix epoch; UINT64_MAX: none yet */
    uint64_t end_ns;   /* of its last one */
    uint64_t last_ns;  /* when it was last heard of */
    uint32_t n_spans;
    uint32_t seen_open; /* number of the look */
    uint64_t first_ns;  /* when it was first heard of */
    struct ftri_flow_neighbours by_age;
    struct ftri_flow_neighbours by_quiet;
};

/* Where in a first page's data the spans begin. */
enum { FTRI_FLOW_DATA = sizeof(struct ftri_flow) - offsetof(struct ftri_pool_page, data) };
_Static_assert(sizeof(struct ftri_flow) <= FTRI_PAGE_SIZE / 2, "half of a first page is for spans");
_Static_assert(offsetof(struct ftri_flow, first_ns) == FTRI_CACHE_LINE, "a span touches one line");
_Static_assert(FTR_TAIL_REASONS <= 8, "reasons are bits of a byte");

static inline struct ftri_flow *ftri_flow_at(const struct ftri_page_pool *pool, uint32_t flow)
{
    return (struct ftri_flow *)(void *)ftri_page_at(pool, flow);
}

/* Doubly linked by the neighbours that lie this far into a flow's head. */
struct ftri_flow_list {
    uint32_t first;
    uint32_t last;
    uint32_t offset;
};

static inline struct ftri_flow_neighbours *ftri_flow_neighbours(const struct ftri_flow_list *self,
                                                                const struct ftri_page_pool *pool,
                                                                uint32_t flow)
{
    uint8_t *head = (uint8_t *)ftri_page_at(pool, flow);
    return (struct ftri_flow_neighbours *)(void *)(head + self->offset);
}

static inline void ftri_flow_append(struct ftri_flow_list *self, const struct ftri_page_pool *pool,
                                    uint32_t flow)
{
    *ftri_flow_neighbours(self, pool, flow) = (struct ftri_flow_neighbours){self->last, 0};
    if (self->last)
        ftri_flow_neighbours(self, pool, self->last)->next = flow;
    else
        self->first = flow;
    self->last = flow;
}

/* It is in the list. */
static inline void ftri_flow_unlink(struct ftri_flow_list *self, const struct ftri_page_pool *pool,
                                    uint32_t flow)
{
    const struct ftri_flow_neighbours at = *ftri_flow_neighbours(self, pool, flow);
    if (at.previous)
        ftri_flow_neighbours(self, pool, at.previous)->next = at.next;
    else
        self->first = at.next;
    if (at.next)
        ftri_flow_neighbours(self, pool, at.next)->previous = at.previous;
    else
        self->last = at.previous;
}
