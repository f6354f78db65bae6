/* SPDX-License-Identifier: Apache-2.0 */
#include "app/trace_print.h"

#include "base/bytes.h"
#include "base/file.h"
#include "query/tree_text.h"

#include <unistd.h>

int trace_print(const struct ftri_otlp_span *spans, size_t n_spans, size_t columns)
{
    struct tree tree;
    int r = tree_init(&tree, spans, n_spans);
    if (r < 0)
        return r;
    struct ftri_bytes text;
    ftri_bytes_init(&text, SIZE_MAX / 2);
    const struct tree_text_options options = {.columns = columns};
    r = tree_text_write(&tree, &options, &text);
    if (r == 0)
        r = ftri_file_write_all(STDOUT_FILENO, text.data, text.len);
    ftri_bytes_deinit(&text);
    tree_deinit(&tree);
    return r;
}
