/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: configuration text of anybody. Every value of an accepted document is visited, and
 * a refusal must have a reason. */
#include "base/error.h"
#include "config/document.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_document *document = NULL;
    struct ftri_error error = {{0}};
    if (config_parse((ftr_str){(const char *)data, size}, "fuzz", &document, &error) == 0)
        (void)visit(config_root(document));
    else if (!error.text[0])
        abort();
    config_free(document);
    return 0;
}
