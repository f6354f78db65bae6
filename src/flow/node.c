/* SPDX-License-Identifier: Apache-2.0
 *
 * Making and freeing nodes: one block that holds the texts too. */
#include "flow/node.h"

#include "base/mem.h"

#include <string.h>

static char *put_text(char *at, ftr_str text)
{
    if (text.len)
        memcpy(at, text.data, text.len);
    return at + text.len;
}

/* "type/id", as in the otel-arrow proposal's tree; one of the two alone when the other is empty. */
static void put_names(ftr_node *self, const ftr_node_options *options)
{
    const bool has_both = options->type.len && options->id.len;
    char *at = put_text(self->text, options->type);
    if (has_both)
        *at++ = '/';
    char *const id = at;
    at = put_text(at, options->id);
    self->type = (ftr_str){self->text, options->type.len};
    self->id = (ftr_str){id, options->id.len};
    self->span_name = (ftr_str){self->text, (size_t)(at - self->text)};
    self->pipeline = (ftr_str){at, options->pipeline.len};
    put_text(at, options->pipeline);
}

ftr_node *ftr_node_new(const ftr_node_options *options)
{
    ftr_node_options known = {0};
    memcpy(&known, options, ftri_size_min(options->size, sizeof known));
    const size_t n_chars = known.type.len + 1 + known.id.len + known.pipeline.len;
    ftr_node *const self = ftri_zalloc(sizeof *self + n_chars);
    if (!self)
        return NULL;
    self->names = ftri_names(FTRI_CONVENTION_FLOWTRACE);
    self->span_kind = ftri_node_span_kind(known.kind);
    self->is_stateful = known.is_stateful;
    self->lineage = known.lineage;
    put_names(self, &known);
    return self;
}

void ftr_node_free(ftr_node *node)
{
    ftri_free(node);
}
