/* SPDX-License-Identifier: Apache-2.0
 *
 * The tree of recorded spans: siblings in the order of their starts, those without a recorded
 * parent at the top. */
#include "base/mem.h"
#include "codec/json_writer.h"
#include "export/test_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_LIMIT ((size_t)64 << 20)

static const char *const kind_names[] = {"unspecified", "internal", "server",
                                         "client",      "producer", "consumer"};
static const char *const status_names[] = {"unset", "ok", "error"};

/* ---- labels ---- */

/* The details of one span: texts in `text`, found by their ends. */
struct details {
    struct ftri_bytes text;
    size_t *ends;
    size_t n;
};

static void write_value(struct ftri_json_writer *writer, const ftr_value *value);

static void write_items(struct ftri_json_writer *writer, const ftr_value *value)
{
    if (value->type == FTR_VALUE_ARRAY) {
        ftri_json_begin_array(writer);
        for (size_t i = 0; i < value->as.array.n_items; i++)
            write_value(writer, &value->as.array.items[i]);
        ftri_json_end_array(writer);
        return;
    }
    ftri_json_begin_object(writer);
    for (size_t i = 0; i < value->as.map.n_items; i++) {
        ftri_json_name(writer, value->as.map.items[i].key);
        write_value(writer, &value->as.map.items[i].value);
    }
    ftri_json_end_object(writer);
}

static void write_value(struct ftri_json_writer *writer, const ftr_value *value)
{
    switch (value->type) {
    case FTR_VALUE_STR:
        ftri_json_str(writer, value->as.str);
        break;
    case FTR_VALUE_BYTES:
        ftri_json_base64(writer, ftri_view_of(value->as.str.data, value->as.str.len));
        break;
    case FTR_VALUE_BOOL:
        ftri_json_bool(writer, value->as.boolean);
        break;
    case FTR_VALUE_I64:
        ftri_json_i64(writer, value->as.i64);
        break;
    case FTR_VALUE_F64:
        ftri_json_f64(writer, value->as.f64, FTRI_JSON_NONFINITE_TEXT);
        break;
    case FTR_VALUE_ARRAY:
    case FTR_VALUE_MAP:
        write_items(writer, value);
        break;
    case FTR_VALUE_EMPTY:
        ftri_json_null(writer);
        break;
    }
}

static int add(struct details *self, ftr_str key, const ftr_value *value)
{
    struct ftri_json_writer writer;
    int rc = ftri_test_write_name(&self->text, key);
    if (rc == 0)
        rc = ftri_bytes_append_char(&self->text, '=');
    if (rc < 0)
        return rc;
    ftri_json_writer_init(&writer, &self->text);
    write_value(&writer, value);
    self->ends[self->n++] = self->text.len;
    return ftri_json_writer_status(&writer);
}

static int add_text(struct details *self, ftr_str key, ftr_str text)
{
    const ftr_value value = ftr_value_str(text);
    return add(self, key, &value);
}

static int add_number(struct details *self, ftr_str key, uint64_t number)
{
    const ftr_value value = ftr_value_i64((int64_t)number);
    return add(self, key, &value);
}

static int add_event(struct details *self, ftr_str name)
{
    int rc = ftri_bytes_append_char(&self->text, '!');
    if (rc == 0)
        rc = ftri_test_write_name(&self->text, name);
    self->ends[self->n++] = self->text.len;
    return rc;
}

static int add_status(struct details *self, const ftr_span_data *span)
{
    const int rc = add_text(self, FTR_STR("status"), ftr_str_from(status_names[span->status % 3]));
    if (rc < 0 || span->status_description.len == 0)
        return rc;
    return add_text(self, FTR_STR("description"), span->status_description);
}

static int add_all(struct details *self, const ftr_span_data *span, const ftr_test_shown *shown)
{
    int rc = 0;
    if (shown->kind)
        rc = add_text(self, FTR_STR("kind"), ftr_str_from(kind_names[span->kind % 6]));
    if (rc == 0 && shown->status)
        rc = add_status(self, span);
    for (size_t i = 0; shown->attributes && i < span->n_attributes && rc == 0; i++)
        rc = add(self, span->attributes[i].key, &span->attributes[i].value);
    for (size_t i = 0; shown->events && i < span->n_events && rc == 0; i++)
        rc = add_event(self, span->events[i].name);
    if (rc == 0 && shown->links && span->n_links > 0)
        rc = add_number(self, FTR_STR("links"), span->n_links);
    if (rc == 0 && shown->start_time)
        rc = add_number(self, FTR_STR("start"), span->start_time_ns);
    if (rc == 0 && shown->end_time)
        rc = add_number(self, FTR_STR("end"), span->end_time_ns);
    return rc;
}

enum { OTHER_DETAILS = 6 };

static int write_label(struct ftri_bytes *out, const ftr_span_data *span,
                       const ftr_test_shown *shown)
{
    const size_t most = span->n_attributes + span->n_events + OTHER_DETAILS;
    struct details details = {.ends = ftri_alloc_array(most, sizeof *details.ends)};
    ftr_str *texts = ftri_alloc_array(most, sizeof *texts);
    ftri_bytes_init(&details.text, LABEL_LIMIT);
    int rc = details.ends && texts ? ftri_test_write_name(out, span->name) : -ENOMEM;
    if (rc == 0)
        rc = add_all(&details, span, shown);
    for (size_t i = 0, at = 0; rc == 0 && i < details.n; at = details.ends[i++])
        texts[i] = (ftr_str){(const char *)details.text.data + at, details.ends[i] - at};
    if (rc == 0)
        rc = ftri_test_write_details(out, texts, details.n);
    ftri_bytes_deinit(&details.text);
    ftri_free(details.ends);
    ftri_free(texts);
    return rc;
}

static int label_of(struct ftri_test_tree *tree, const ftr_span_data *span,
                    const ftr_test_shown *shown, ftr_str *ret_label)
{
    struct ftri_bytes text;
    ftri_bytes_init(&text, LABEL_LIMIT);
    int rc = write_label(&text, span, shown);
    if (rc == 0) {
        *ret_label = ftri_arena_copy(&tree->arena, ftri_view_str(ftri_bytes_view(&text)));
        rc = ret_label->data ? 0 : -ENOMEM;
    }
    ftri_bytes_deinit(&text);
    return rc;
}

/* ---- places ---- */

struct place {
    ftr_span_data span;
    size_t arrival;
    struct place *parent;        /* NULL: at the top */
    struct ftri_test_node *node; /* NULL: not yet */
};

static int compare_ids(const void *a, const void *b)
{
    return memcmp(&((const struct place *)a)->span.context.span_id,
                  &((const struct place *)b)->span.context.span_id, sizeof(ftr_span_id));
}

static int compare_starts(const void *a, const void *b)
{
    const struct place *x = *(struct place *const *)a;
    const struct place *y = *(struct place *const *)b;
    if (x->span.start_time_ns != y->span.start_time_ns)
        return x->span.start_time_ns < y->span.start_time_ns ? -1 : 1;
    return (x->arrival > y->arrival) - (x->arrival < y->arrival);
}

static struct place *find_parent(struct place *places, size_t n, const struct place *child)
{
    const struct place wanted = {.span.context.span_id = child->span.parent_span_id};
    if (!ftr_span_id_is_valid(&child->span.parent_span_id))
        return NULL;
    return bsearch(&wanted, places, n, sizeof *places, compare_ids);
}

/* Adds what is above it first: a parent may have started after its child. */
static int put(struct ftri_test_tree *tree, struct place *place, const ftr_test_shown *shown,
               size_t depth)
{
    if (place->node)
        return 0;
    if (depth > FTRI_TEST_DEPTH_MAX)
        return -E2BIG;
    int rc = place->parent ? put(tree, place->parent, shown, depth + 1) : 0;
    ftr_str label;
    if (rc == 0)
        rc = label_of(tree, &place->span, shown, &label);
    if (rc < 0)
        return rc;
    struct ftri_test_node *parent = place->parent ? place->parent->node : &tree->top;
    if (parent->depth == FTRI_TEST_DEPTH_MAX)
        return -E2BIG;
    place->node = ftri_test_tree_add(tree, parent, label);
    return place->node ? 0 : -ENOMEM;
}

static int put_all(struct ftri_test_tree *tree, struct place *places, size_t n,
                   const ftr_test_shown *shown)
{
    struct place **by_start = ftri_arena_alloc(&tree->arena, (n + 1) * sizeof(struct place *));
    if (!by_start)
        return -ENOMEM;
    qsort(places, n, sizeof *places, compare_ids);
    for (size_t i = 0; i < n; i++) {
        places[i].parent = find_parent(places, n, &places[i]);
        by_start[i] = &places[i];
    }
    qsort(by_start, n, sizeof(struct place *), compare_starts);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = put(tree, by_start[i], shown, 1);
    return rc;
}

int ftri_test_tree_of_spans(struct ftri_test_tree *self, ftr_memory_spans *spans,
                            const ftr_test_shown *shown)
{
    const size_t n = ftr_memory_spans_count(spans);
    struct place *places = ftri_arena_alloc(&self->arena, (n + 1) * sizeof *places);
    if (!places)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        places[i] = (struct place){.arrival = i};
        (void)ftr_memory_spans_get(spans, i, &places[i].span);
    }
    return put_all(self, places, n, shown);
}
