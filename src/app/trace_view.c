/* SPDX-License-Identifier: Apache-2.0 */
#include "app/trace_view.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

int trace_view_init(struct trace_view *self, struct ftri_view otlp)
{
    *self = (struct trace_view){0};
    size_t capacity = 0;
    struct ftri_otlp_cursor cursor;
    ftri_otlp_cursor_init(&cursor, otlp);
    const struct ftri_otlp_span *span;
    while (ftri_otlp_cursor_next(&cursor, &span)) {
        if (self->n_spans == capacity) {
            capacity = capacity ? capacity * 2 : 64;
            struct ftri_otlp_span *grown = ftri_realloc(self->spans, capacity * sizeof *grown);
            if (!grown) {
                trace_view_deinit(self);
                return -ENOMEM;
            }
            self->spans = grown;
        }
        self->spans[self->n_spans++] = *span;
    }
    return 0;
}

void trace_view_deinit(struct trace_view *self)
{
    ftri_free(self->spans);
    *self = (struct trace_view){0};
}

size_t trace_view_next(const struct trace_view *self, size_t *cursor,
                       const struct ftri_otlp_span **ret_spans)
{
    const size_t first = *cursor;
    size_t end = first;
    while (end < self->n_spans &&
           memcmp(self->spans[end].trace_id, self->spans[first].trace_id, 16) == 0)
        end++;
    *ret_spans = self->spans + first;
    *cursor = end;
    return end - first;
}
