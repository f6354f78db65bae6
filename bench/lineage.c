/* SPDX-License-Identifier: Apache-2.0
 *
 * Lineage, of row 18: a batch of 10,000 contributors, each of another trace, as its manifest names
 * them. What an edge takes is the difference between a block with the manifests and one without
 * their packed bytes; its CPU time is that of all that knows of edges: reading them at the door,
 * the index of what is gathered, the block's index. */
#include "base/payload.h"
#include "codec/manifest.h"
#include "codec/wire.h"
#include "codec/zstd.h"
#include "measure.h"
#include "payload.h"
#include "store/block.h"
#include "store/gather.h"
#include "store/mentions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTRIBUTORS = 10000, MANIFESTS_MAX = 8, ITEM_RUNS = 25 };

static void fail(const char *what)
{
    fprintf(stderr, "bench-lineage: %s\n", what);
    exit(1);
}

static void print_value(const char *name, const char *unit, double value, double limit)
{
    char goal[32];
    snprintf(goal, sizeof goal, "<= %g %s", limit, unit);
    const struct measure_row row = {
        .row = "18",
        .name = name,
        .unit = unit,
        .pairs = {.value = value},
        .goal = limit > 0 ? goal : NULL,
        .verdict = limit <= 0       ? MEASURE_NO_GOAL
                   : value <= limit ? MEASURE_HOLDS
                                    : MEASURE_FAILS,
    };
    measure_print(&row);
}

/* A batch's span and its manifests: checked bytes, and the spans in them. */
struct batch {
    struct ftri_bytes request;
    struct found_span spans[1 + MANIFESTS_MAX];
    size_t n_spans;
};

static void put(struct ftri_bytes *out, uint32_t number, const void *data, size_t len)
{
    payload_check(ftri_wire_put_bytes(out, number, ftri_view_of(data, len)), "a field");
}

static void put_batch_span(struct ftri_bytes *out, uint8_t number, const char *name,
                           struct ftri_view packed)
{
    const uint8_t trace_id[16] = {1}, parent_id[8] = {1}, id[8] = {number};
    size_t span, attribute, value;
    payload_check(ftri_wire_begin(out, 2, &span), "a span");
    put(out, 1, trace_id, 16);
    put(out, 2, id, 8);
    if (number > 1)
        put(out, 4, parent_id, 8);
    put(out, 5, name, strlen(name));
    payload_check(ftri_wire_put_fixed64(out, 7, 1000), "a start");
    payload_check(ftri_wire_put_fixed64(out, 8, 2000), "an end");
    if (packed.len) {
        payload_check(ftri_wire_begin(out, 9, &attribute), "an attribute");
        put(out, 1, FTRI_MANIFEST_KEY, strlen(FTRI_MANIFEST_KEY));
        payload_check(ftri_wire_begin(out, 2, &value), "a value");
        put(out, 7, packed.data, packed.len);
        payload_check(ftri_wire_end(out, value), "a value");
        payload_check(ftri_wire_end(out, attribute), "an attribute");
    }
    payload_check(ftri_wire_end(out, span), "a span");
}

static void make_manifest(struct ftri_manifest *manifest)
{
    uint64_t words[3], state = 1;
    ftri_manifest_init(manifest, FTRI_MANIFEST_VISIT_BYTES);
    for (size_t i = 0; i < CONTRIBUTORS; i++) {
        struct ftri_manifest_id id;
        for (size_t j = 0; j < 3; j++) {
            state += UINT64_C(0x9e3779b97f4a7c15);
            words[j] = (state ^ state >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
            words[j] ^= words[j] >> 27;
        }
        memcpy(&id, words, sizeof id);
        ftri_manifest_add(manifest, &id);
    }
}

static void read_batch(struct batch *self)
{
    struct ftri_otlp_counts counts;
    struct ftri_otlp_error error;
    struct ftri_otlp_cursor cursor;
    const struct ftri_otlp_span *span;
    if (ftri_otlp_traces_check(ftri_bytes_view(&self->request), &counts, &error) < 0)
        fail(error.reason);
    ftri_otlp_cursor_init(&cursor, ftri_bytes_view(&self->request));
    while (ftri_otlp_cursor_next(&cursor, &span))
        self->spans[self->n_spans++] = (struct found_span){.span = *span};
    self->n_spans = result_deduplicate(self->spans, self->n_spans);
}

static void make_batch(struct batch *self, bool is_named)
{
    struct ftri_manifest manifest;
    const struct ftri_manifest_string *cursor = NULL;
    struct ftri_view packed;
    size_t resource_spans, scope_spans;
    *self = (struct batch){.n_spans = 0};
    ftri_bytes_init(&self->request, SIZE_MAX / 2);
    payload_check(ftri_wire_begin(&self->request, 1, &resource_spans), "a request");
    payload_check(ftri_wire_begin(&self->request, 2, &scope_spans), "a request");
    put_batch_span(&self->request, 1, "processor/batch", (struct ftri_view){0});
    make_manifest(&manifest);
    for (uint8_t i = 2; ftri_manifest_next_string(&manifest, &cursor, &packed); i++)
        put_batch_span(&self->request, i, FTRI_MANIFEST_SPAN_NAME,
                       is_named ? packed : (struct ftri_view){0});
    ftri_manifest_deinit(&manifest);
    payload_check(ftri_wire_end(&self->request, scope_spans), "a request");
    payload_check(ftri_wire_end(&self->request, resource_spans), "a request");
    read_batch(self);
}

static double block_bytes(const struct batch *batch, double *ret_mentions)
{
    struct block block;
    struct ftri_zstd *zstd = ftri_zstd_new(1);
    double n_bytes = 0;
    block_init(&block);
    payload_check(zstd ? block_build(&block, batch->spans, batch->n_spans, zstd) : -ENOMEM,
                  "a block");
    for (enum block_piece piece = 0; piece < N_BLOCK_PIECES; piece++)
        n_bytes += (double)block.packed[piece].len;
    *ret_mentions = (double)block.packed[BLOCK_MENTIONS].len;
    block_deinit(&block);
    ftri_zstd_free(zstd);
    return n_bytes;
}

/* At the door, and when a block is built and shown. */
static void index_edges(const struct batch *batch, struct ftri_payload *payload,
                        struct gather *gather)
{
    struct mention_builder builder;
    struct ftri_bytes piece, hashes;
    const struct gathered values = {.payload = payload, .received_ns = 1};
    payload_check(gather_append(gather, &values, SIZE_MAX, UINT64_MAX), "gathering");
    if (gather->n_mentions != CONTRIBUTORS)
        fail("edges are missing");
    mention_builder_init(&builder);
    ftri_bytes_init(&piece, SIZE_MAX / 2);
    ftri_bytes_init(&hashes, SIZE_MAX / 2);
    for (uint32_t i = 0; i < batch->n_spans; i++)
        payload_check(mention_builder_add(&builder, &batch->spans[i].span, i), "an edge");
    payload_check(mention_builder_finish(&builder, &piece), "an index");
    payload_check(mentions_read_hashes(ftri_bytes_view(&piece), &hashes), "an index");
    mention_builder_deinit(&builder);
    ftri_bytes_deinit(&piece);
    ftri_bytes_deinit(&hashes);
    struct store_settled settled;
    gather_remove(gather, 1, 0);
    (void)gather_collect(gather, &settled, 1);
}

int main(void)
{
    static struct batch named, unnamed;
    double best = 0, mentions, no_mentions;
    make_batch(&named, true);
    make_batch(&unnamed, false);
    const double n_bytes = block_bytes(&named, &mentions) - block_bytes(&unnamed, &no_mentions);
    struct gather gather;
    struct ftri_payload *payload = ftri_payload_copy(ftri_bytes_view(&named.request));
    payload_check(payload ? gather_init(&gather) : -ENOMEM, "a gather");
    for (int i = 0; i < ITEM_RUNS; i++) {
        const double start = measure_thread_ns();
        index_edges(&named, payload, &gather);
        const double ns = (measure_thread_ns() - start) / CONTRIBUTORS;
        best = i == 0 || ns < best ? ns : best;
    }
    print_value("lineage, an edge of 10,000 in a block", "B", n_bytes / CONTRIBUTORS, 30);
    print_value("lineage, of it: index of who is named", "B",
                (mentions - no_mentions) / CONTRIBUTORS, 0);
    print_value("lineage, CPU of an edge (unpacking and both indexes)", "ns", best, 300);
    gather_deinit(&gather);
    ftri_payload_unref(payload);
    ftri_bytes_deinit(&named.request);
    ftri_bytes_deinit(&unnamed.request);
    return 0;
}
