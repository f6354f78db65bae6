/* SPDX-License-Identifier: Apache-2.0
 *
 * For engines: what they themselves say of a node, in the words of its convention. */
#include "flow/node.h"

ftr_str ftr_node_word(const ftr_node *node, ftr_str name)
{
    return node && node->convention != FTRI_CONVENTION_FLOWTRACE
               ? ftri_name_of(node->convention, name)
               : name;
}

void ftr_node_annotate(const ftr_node *node, ftr_span span)
{
    if (!node)
        return;
    ftr_span_set_str(span, node->names[FTRI_NAME_NODE_ID], node->id);
    ftr_span_set_str(span, node->names[FTRI_NAME_NODE_TYPE], node->type);
}
