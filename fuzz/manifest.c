/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: a packed string of a manifest. It gives no more entries than it claims and could
 * hold, all of them valid; packed anew they read as the same. */
#include "base/mem.h"
#include "codec/manifest.h"

#include <stdlib.h>
#include <string.h>

enum { ENTRY_BYTES_LEAST = 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

/* How many entries, or a failure of the reader; the ids go to ids, if there is room. */
static int read_all(struct ftri_view packed, struct ftri_manifest_id *ids, size_t n_most)
{
    struct ftri_manifest_reader reader;
    struct ftri_manifest_id id;
    size_t n = 0;
    int r = ftri_manifest_open(&reader, packed);
    while (r == 0 && (r = ftri_manifest_read(&reader, &id)) == 0) {
        demand(n < n_most);
        demand(ftr_trace_id_is_valid(&id.trace_id) && ftr_span_id_is_valid(&id.span_id));
        ids[n++] = id;
    }
    return r == FTRI_MANIFEST_END ? (int)n : r;
}

static void pack_again(const struct ftri_manifest_id *ids, size_t n)
{
    struct ftri_manifest manifest;
    const struct ftri_manifest_string *cursor = NULL;
    struct ftri_view packed;
    size_t at = 0;
    struct ftri_manifest_id *found = ftri_alloc_array(n + 1, sizeof *found);
    demand(found != NULL);
    ftri_manifest_init(&manifest, FTRI_MANIFEST_VISIT_BYTES);
    for (size_t i = 0; i < n; i++)
        ftri_manifest_add(&manifest, &ids[i]);
    demand(manifest.n_entries + manifest.n_dropped == n);
    while (ftri_manifest_next_string(&manifest, &cursor, &packed)) {
        demand(packed.len <= FTRI_MANIFEST_STRING_BYTES);
        const int n_read = read_all(packed, found, n + 1);
        demand(n_read > 0 && memcmp(found, ids + at, (size_t)n_read * sizeof *found) == 0);
        at += (size_t)n_read;
    }
    demand(at == manifest.n_entries);
    ftri_manifest_deinit(&manifest);
    ftri_free(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t n_most = size / ENTRY_BYTES_LEAST + 1;
    struct ftri_manifest_id *ids = ftri_alloc_array(n_most, sizeof *ids);
    demand(ids != NULL);
    const int n = read_all(ftri_view_of(data, size), ids, n_most);
    if (n > 0)
        pack_again(ids, (size_t)n);
    ftri_free(ids);
    return 0;
}
