/* SPDX-License-Identifier: Apache-2.0 */
#include "query/text.h"

#include <stdio.h>
#include <string.h>

enum { ESCAPE_COLUMNS = 4 }; /* "\x1b" */

void text_put(struct text *self, const char *data, size_t len)
{
    if (self->error == 0)
        self->error = ftri_bytes_append(self->out, data, len);
}

void text_put_words(struct text *self, const char *text)
{
    text_put(self, text, strlen(text));
}

void text_put_spaces(struct text *self, size_t n)
{
    for (size_t i = 0; i < n; i++)
        text_put(self, " ", 1);
}

/* One character and the columns it takes. */
struct glyph {
    size_t len, columns;
};

static struct glyph glyph_at(ftr_str text, size_t i)
{
    const unsigned char c = (unsigned char)text.data[i];
    const unsigned char following = i + 1 < text.len ? (unsigned char)text.data[i + 1] : 0;
    if (c < 0x20 || c == 0x7f)
        return (struct glyph){1, ESCAPE_COLUMNS};
    if (c == 0xc2 && following >= 0x80 && following < 0xa0) /* U+0080 to U+009F: controls, too */
        return (struct glyph){2, ESCAPE_COLUMNS};
    size_t len = 1;
    while (i + len < text.len && ((unsigned char)text.data[i + len] & 0xc0) == 0x80)
        len++;
    return (struct glyph){len, 1};
}

/* Stops counting beyond `enough`. */
size_t text_columns(ftr_str text, size_t enough)
{
    size_t columns = 0;
    for (size_t i = 0; i < text.len && columns <= enough;) {
        const struct glyph glyph = glyph_at(text, i);
        columns += glyph.columns;
        i += glyph.len;
    }
    return columns;
}

static void put_glyph(struct text *self, const char *character, struct glyph glyph)
{
    char escaped[8];
    if (glyph.columns == ESCAPE_COLUMNS)
        text_put(self, escaped,
                 (size_t)snprintf(escaped, sizeof escaped, "\\x%02x",
                                  (unsigned char)character[glyph.len - 1]));
    else
        text_put(self, character, glyph.len);
}

/* One printable piece of a line: at most limit columns (at least 1), escapes included. Returns its
 * columns. */
size_t text_put_printable(struct text *self, ftr_str text, size_t limit)
{
    const bool is_cut = text_columns(text, limit) > limit;
    const size_t room = is_cut ? limit - 1 : limit;
    size_t columns = 0;
    for (size_t i = 0; i < text.len;) {
        const struct glyph glyph = glyph_at(text, i);
        if (columns + glyph.columns > room)
            break;
        put_glyph(self, text.data + i, glyph);
        columns += glyph.columns;
        i += glyph.len;
    }
    if (is_cut)
        text_put_words(self, "…");
    return columns + is_cut;
}
