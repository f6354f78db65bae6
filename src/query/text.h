/* SPDX-License-Identifier: Apache-2.0
 *
 * Text for a terminal, as pieces of lines. A column is a character; control characters, which a
 * terminal would obey, are shown as \xNN and take four. A failure of the output sticks, so that
 * the drawing code stays quiet. Any one thread. */
#pragma once

#include "base/bytes.h"

struct text {
    struct ftri_bytes *out;
    int error; /* the first failure: -ENOMEM, -EMSGSIZE */
    size_t columns;
    unsigned max_depth; /* deeper spans are drawn at this depth */
};

void text_put(struct text *self, const char *data, size_t len);
void text_put_words(struct text *self, const char *words);
void text_put_spaces(struct text *self, size_t n);
/* At most limit columns (at least 1) of it, cut with an ellipsis. Returns its columns. */
size_t text_put_printable(struct text *self, ftr_str text, size_t limit);
/* Stops counting beyond `enough`. */
size_t text_columns(ftr_str text, size_t enough);
