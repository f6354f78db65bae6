/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: configuration text of anybody. Every value of an accepted document is visited, one
 * in the Collector's form is turned into a graph, and a refusal must have a reason. */
#include "base/error.h"
#include "config/document.h"
#include "nodes/collector/form.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* At most 64 levels, which config_parse promises. */
static size_t visit(const struct config_value *value)
{
    size_t n = config_text(value)[0] != '\0';
    for (size_t i = 0; i < config_size(value); i++) {
        const struct config_value *key = config_key(value, i);
        if (key && !config_get(value, config_text(key)))
            abort();
        n += visit(config_item(value, i));
    }
    return n;
}

static void warn(void *argument, const char *text)
{
    (void)argument;
    if (!text[0])
        abort();
}

/* What is made has nodes, and connections between them. */
static void translate(struct config_document *document)
{
    const struct config_value *root = NULL;
    struct ftri_error error = {{0}};
    const struct collector_form form = {.document = document, .warn = warn};
    if (collector_form_read(&form, &root, &error) < 0) {
        if (!error.text[0])
            abort();
        return;
    }
    (void)visit(root);
    const struct config_value *nodes = config_get(root, "nodes");
    const struct config_value *connections = config_get(root, "connections");
    for (size_t i = 0; i < config_size(connections); i++)
        if (!config_get(nodes, config_text(config_get(config_item(connections, i), "to"))))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_document *document = NULL;
    struct ftri_error error = {{0}};
    if (config_parse((ftr_str){(const char *)data, size}, "fuzz", &document, &error) == 0) {
        (void)visit(config_root(document));
        if (collector_form_is(document))
            translate(document);
    } else if (!error.text[0]) {
        abort();
    }
    config_free(document);
    return 0;
}
