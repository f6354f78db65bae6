/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: whom a span names. The input is a Span message, or any bytes as the packed string
 * of a manifest span. Who is named has ids, a refused manifest names nobody, and what a block
 * remembers of it reads back. The input as the mentions of a block is read or refused. */
#include "base/bytes.h"
#include "codec/wire.h"
#include "otlp/view.h"
#include "store/contributors.h"
#include "store/mentions.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static int count(void *argument, const struct contributor *contributor)
{
    static const uint8_t zeros[16];
    demand(memcmp(contributor->trace_id, zeros, 16) != 0);
    demand(memcmp(contributor->span_id, zeros, 8) != 0);
    demand(contributor->relation < STORE_N_RELATIONS);
    ++*(size_t *)argument;
    return 0;
}

/* Each mention is found under its hash, and the hashes are those of the mentions. */
static void check_piece(struct ftri_view piece, size_t n_most)
{
    struct ftri_bytes all, hashes;
    ftri_bytes_init(&all, SIZE_MAX / 2);
    ftri_bytes_init(&hashes, SIZE_MAX / 2);
    const int r = mentions_read(piece, &all);
    /* The hashes alone do not look at the rows. */
    const int r_hashes = mentions_read_hashes(piece, &hashes);
    demand(r < 0 || r_hashes == 0);
    const struct mention *mentions = (const struct mention *)(const void *)all.data;
    const size_t n = r == 0 ? all.len / sizeof *mentions : 0;
    demand(n <= n_most && (r < 0 || hashes.len / 8 <= n));
    for (size_t i = 0; i < n && i < 100; i++) {
        size_t first;
        demand(mentions_find(mentions, n, mentions[i].hash, &first) > 0 && first <= i);
    }
    ftri_bytes_deinit(&all);
    ftri_bytes_deinit(&hashes);
}

static void look_at(struct ftri_view message)
{
    struct ftri_otlp_span span;
    struct mention_builder builder;
    struct ftri_bytes piece;
    enum store_refusal refusal;
    size_t n = 0;
    ftri_otlp_span_read(message, &span);
    if (!span.trace_id || !span.span_id)
        return;
    demand(contributors_each(&span, count, &n, &refusal) == 0);
    demand(refusal == STORE_REFUSAL_NONE || n == 0);
    demand(contributors_may_be_named(&span) || n == 0);
    mention_builder_init(&builder);
    ftri_bytes_init(&piece, SIZE_MAX / 2);
    demand(mention_builder_add(&builder, &span, 7) == 0);
    demand(mention_builder_finish(&builder, &piece) == 0);
    check_piece(ftri_bytes_view(&piece), n);
    mention_builder_deinit(&builder);
    ftri_bytes_deinit(&piece);
}

static void put(struct ftri_bytes *out, uint32_t number, const void *data, size_t len)
{
    demand(ftri_wire_put_bytes(out, number, ftri_view_of(data, len)) == 0);
}

static void look_at_manifest(const uint8_t *data, size_t size)
{
    struct ftri_bytes span;
    size_t attribute, value;
    ftri_bytes_init(&span, SIZE_MAX / 2);
    put(&span, 1, "0123456789abcdef", 16);
    put(&span, 2, "01234567", 8);
    put(&span, 4, "76543210", 8);
    put(&span, 5, "flow.manifest", 13);
    demand(ftri_wire_begin(&span, 9, &attribute) == 0);
    put(&span, 1, "flow.manifest", 13);
    demand(ftri_wire_begin(&span, 2, &value) == 0);
    put(&span, 7, data, size);
    demand(ftri_wire_end(&span, value) == 0 && ftri_wire_end(&span, attribute) == 0);
    look_at(ftri_bytes_view(&span));
    ftri_bytes_deinit(&span);
}

/* A Span message where a store finds it: in a request that was checked. */
static void look_at_request(const uint8_t *data, size_t size)
{
    struct ftri_bytes request;
    struct ftri_otlp_counts counts;
    struct ftri_otlp_error error;
    size_t resource_spans, scope_spans;
    ftri_bytes_init(&request, SIZE_MAX / 2);
    demand(ftri_wire_begin(&request, 1, &resource_spans) == 0);
    demand(ftri_wire_begin(&request, 2, &scope_spans) == 0);
    put(&request, 2, data, size);
    demand(ftri_wire_end(&request, scope_spans) == 0);
    demand(ftri_wire_end(&request, resource_spans) == 0);
    if (ftri_otlp_traces_check(ftri_bytes_view(&request), &counts, &error) == 0)
        look_at(ftri_view_of(data, size));
    ftri_bytes_deinit(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    look_at_manifest(data, size);
    look_at_request(data, size);
    check_piece(ftri_view_of(data, size), size);
    return 0;
}
