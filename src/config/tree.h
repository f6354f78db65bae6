/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of a document, for the files of config/ alone. All of them, with their texts and
 * arrays, live in the document's arena and are immutable once it is loaded. */
#pragma once

#include "config/document.h"

struct config_value {
    const struct config_document *document;
    enum config_kind kind;
    bool is_quoted;
    uint32_t line, column;                   /* from 1 */
    const char *text;                        /* scalar; "" otherwise */
    size_t n;                                /* items or pairs */
    const struct config_value *const *keys;  /* mapping */
    const struct config_value *const *items; /* sequence, mapping */
    const char *const *texts;                /* sequence: text of each item */
};

/* "list", "mapping", ... for errors. */
const char *config_kind_name(enum config_kind kind);
/* Sets error to "name:line:column: " and a text; returns -EINVAL. */
int config_error_at(const struct config_document *self, const uint32_t place[2],
                    struct ftri_error *error, const char *format, ...) FTRI_PRINTF(4, 5);
