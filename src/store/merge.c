/* SPDX-License-Identifier: Apache-2.0
 *
 * Two sorts: the first brings equal events together, so that repeats are found without comparing
 * each with each, the second makes the order. */
#include "store/merge.h"

#include "base/mem.h"
#include "codec/wire.h"
#include "store/result.h"

#include <errno.h>
#include <stdlib.h>

enum { EVENTS_FIELD = 11 };

struct event {
    struct ftri_otlp_event event;
    size_t place; /* in the order of the items */
    bool is_own;  /* of the first item */
};

struct events {
    struct event *rows;
    size_t n_rows;
};

static size_t count_events(const struct found_span *items, size_t n)
{
    struct ftri_otlp_event event;
    size_t n_events = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t next = 0; ftri_otlp_event_next(items[i].span.bytes, &next, &event);)
            n_events++;
    return n_events;
}

static int collect_events(struct events *self, const struct found_span *items, size_t n)
{
    self->rows = ftri_alloc_array(count_events(items, n), sizeof *self->rows);
    if (!self->rows)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct event row = {.is_own = i == 0};
        for (size_t next = 0; ftri_otlp_event_next(items[i].span.bytes, &next, &row.event);) {
            row.place = self->n_rows;
            self->rows[self->n_rows++] = row;
        }
    }
    return 0;
}

static int compare_places(const struct event *a, const struct event *b)
{
    return a->place < b->place ? -1 : a->place > b->place;
}

static int compare_content(const struct event *a, const struct event *b)
{
    return ftri_str_compare(ftri_view_str(a->event.bytes), ftri_view_str(b->event.bytes));
}

static int compare_bytes(const void *left, const void *right)
{
    const struct event *a = left, *b = right;
    const int order = compare_content(a, b);
    return order ? order : compare_places(a, b);
}

static int compare_times(const void *left, const void *right)
{
    const struct event *a = left, *b = right;
    if (a->event.time_ns != b->event.time_ns)
        return a->event.time_ns < b->event.time_ns ? -1 : 1;
    return compare_places(a, b);
}

/* What a span says itself stays, also twice. */
static void order_events(struct events *self)
{
    size_t n_left = 0;
    if (self->n_rows == 0)
        return;
    qsort(self->rows, self->n_rows, sizeof *self->rows, compare_bytes);
    for (size_t i = 0; i < self->n_rows; i++) {
        const struct event *row = &self->rows[i];
        if (n_left == 0 || row->is_own || compare_content(&self->rows[n_left - 1], row) != 0)
            self->rows[n_left++] = *row;
    }
    self->n_rows = n_left;
    qsort(self->rows, self->n_rows, sizeof *self->rows, compare_times);
}

/* The fields of a message without its events, as they stand. */
static int copy_fields(struct ftri_view message, struct ftri_bytes *out)
{
    struct ftri_wire_field field;
    size_t next = 0;
    int r = 0;
    for (size_t begin = 0; r == 0 && ftri_wire_next(message, &next, &field) == FTRI_WIRE_FIELD;
         begin = next)
        if (field.number != EVENTS_FIELD)
            r = ftri_bytes_append(out, message.data + begin, next - begin);
    return r;
}

static size_t size_of(const struct found_span *items, size_t n)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += items[i].span.bytes.len;
    return size;
}

int merge_events(const struct found_span *items, size_t n, struct ftri_bytes *ret_bytes)
{
    struct events events = {0};
    ftri_bytes_init(ret_bytes, size_of(items, n));
    int r = collect_events(&events, items, n);
    if (r == 0)
        order_events(&events);
    if (r == 0)
        r = copy_fields(items[0].span.bytes, ret_bytes);
    for (size_t i = 0; i < events.n_rows && r == 0; i++)
        r = ftri_wire_put_bytes(ret_bytes, EVENTS_FIELD, events.rows[i].event.bytes);
    ftri_free(events.rows);
    return r;
}
