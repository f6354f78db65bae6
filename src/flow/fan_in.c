/* SPDX-License-Identifier: Apache-2.0
 *
 * Gathering the contributors of a fan-in and writing them down. See fan_in.h. */
#include "flow/fan_in.h"

#include "base/mem.h"
#include "codec/manifest.h"
#include "flow/reservoir.h"

#include <string.h>

struct contributor {
    ftr_context context; /* a reference of its own, or empty */
    uint64_t input;
};

struct ftri_fan_in {
    const ftr_node *node;
    struct ftri_reservoir reservoir;
    struct ftri_manifest manifest; /* empty up to FTRI_RESERVOIR_CAP contributors */
    struct contributor contributors[FTRI_RESERVOIR_CAP]; /* by the reservoir's places */
};

struct ftri_fan_in *ftri_fan_in_new(const ftr_node *node)
{
    struct ftri_fan_in *const self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    self->node = node;
    ftri_reservoir_init(&self->reservoir);
    ftri_manifest_init(&self->manifest, FTRI_MANIFEST_VISIT_BYTES);
    return self;
}

void ftri_fan_in_free(struct ftri_fan_in *self)
{
    if (!self)
        return;
    for (size_t place = 0; place < FTRI_RESERVOIR_CAP; place++)
        ftr_context_release(&self->contributors[place].context);
    ftri_manifest_deinit(&self->manifest);
    ftri_free(self);
}

static bool is_same(const ftr_span_context *a, const ftr_span_context *b)
{
    return memcmp(&a->span_id, &b->span_id, sizeof a->span_id) == 0 &&
           memcmp(&a->trace_id, &b->trace_id, sizeof a->trace_id) == 0;
}

/* Places that were given up may still match: what was once kept need not be kept again. */
static bool is_known(const struct ftri_fan_in *self, const ftr_context *context)
{
    for (size_t place = 0; place < FTRI_RESERVOIR_CAP; place++)
        if (is_same(&self->contributors[place].context.span, &context->span))
            return true;
    return false;
}

static void list_in_manifest(struct ftri_fan_in *self, const ftr_context *context)
{
    const struct ftri_manifest_id id = {context->span.trace_id, context->span.span_id};
    ftri_manifest_add(&self->manifest, &id);
}

/* The 51st contributor comes: the manifest begins with the fifty that are all still kept. */
static void begin_manifest(struct ftri_fan_in *self)
{
    struct ftri_reservoir_kept kept[FTRI_RESERVOIR_CAP];
    const size_t n_kept = ftri_reservoir_list(&self->reservoir, kept);
    for (size_t i = 0; i < n_kept; i++)
        list_in_manifest(self, &self->contributors[kept[i].place].context);
}

void ftri_fan_in_add(struct ftri_fan_in *self, const ftr_context *context, uint64_t input)
{
    if (is_known(self, context))
        return;
    if (self->node->lineage == FTR_LINEAGE_FULL) {
        if (self->reservoir.n_offers == FTRI_RESERVOIR_CAP)
            begin_manifest(self);
        if (self->reservoir.n_offers >= FTRI_RESERVOIR_CAP)
            list_in_manifest(self, context);
    }
    struct contributor *const slot = &self->contributors[ftri_reservoir_offer(&self->reservoir)];
    ftr_context_release(&slot->context);
    *slot = (struct contributor){ftr_context_copy(context), input};
}

static void write_links(const struct ftri_fan_in *self, ftr_span span, bool has_parent)
{
    const ftr_str *const names = self->node->names;
    struct ftri_reservoir_kept kept[FTRI_RESERVOIR_CAP];
    const size_t n_kept = ftri_reservoir_list(&self->reservoir, kept);
    for (size_t i = has_parent ? 1 : 0; i < n_kept; i++) {
        const struct contributor *const contributor = &self->contributors[kept[i].place];
        const ftr_attribute attributes[] = {
            {names[FTRI_NAME_RELATION], ftr_value_str(FTR_STR("fan_in"))},
            {names[FTRI_NAME_INPUT_INDEX], ftr_value_i64((int64_t)contributor->input)},
        };
        ftr_span_link(span, &contributor->context, attributes, FTRI_COUNT(attributes));
    }
}

static void write_manifest_span(const struct ftri_fan_in *self, const ftr_context *parent,
                                struct ftri_view packed, size_t index)
{
    const ftr_str *const names = self->node->names;
    const ftr_attribute attributes[] = {
        {names[FTRI_NAME_MANIFEST_INDEX], ftr_value_i64((int64_t)index)},
        {names[FTRI_NAME_MANIFEST_COUNT], ftr_value_i64((int64_t)self->manifest.n_strings)},
        {names[FTRI_NAME_MANIFEST], ftr_value_bytes(packed.data, packed.len)},
    };
    const ftr_span_options options = {
        .size = sizeof options,
        .name = names[FTRI_NAME_SPAN_MANIFEST],
        .kind = FTR_KIND_INTERNAL,
        .parent = parent,
        .attributes = attributes,
        .n_attributes = FTRI_COUNT(attributes),
    };
    ftr_span_end(ftr_span_start_with(&options));
}

static void write_manifest(const struct ftri_fan_in *self, ftr_span span)
{
    ftr_context parent = ftr_span_context_of(span);
    const struct ftri_manifest_string *cursor = NULL;
    struct ftri_view packed;
    for (size_t i = 0; ftri_manifest_next_string(&self->manifest, &cursor, &packed); i++)
        write_manifest_span(self, &parent, packed, i);
    ftr_context_release(&parent);
}

void ftri_fan_in_record(const struct ftri_fan_in *self, ftr_span span, bool has_parent)
{
    write_links(self, span, has_parent);
    if (self->manifest.n_strings)
        write_manifest(self, span);
}

uint64_t ftri_fan_in_n_dropped(const struct ftri_fan_in *self)
{
    return self->manifest.n_dropped;
}
