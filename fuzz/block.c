/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a block whose unpacked pieces are any bytes. The input is three pieces, each with its
 * length in front as two bytes, little-endian: names, columns, bodies (the rest, without a length).
 * Whatever they hold, rows are read or refused, and what points somewhere points into the pieces;
 * every trace of the rows can then be read, in both ways, and its bytes walked. */
#include "base/bytes.h"
#include "base/mem.h"
#include "otlp/view.h"
#include "store/block.h"
#include "store/block_hashes.h"
#include "store/filter.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static struct ftri_view take(const uint8_t **next, size_t *left)
{
    if (*left < 2)
        return (struct ftri_view){0};
    const size_t len = ftri_size_min((size_t)(*next)[0] | (size_t)(*next)[1] << 8, *left - 2);
    const struct ftri_view piece = {*next + 2, len};
    *next += 2 + len;
    *left -= 2 + len;
    return piece;
}

static void copy(struct ftri_view view, struct ftri_bytes *ret_bytes)
{
    ftri_bytes_init(ret_bytes, view.len);
    demand(ftri_bytes_append(ret_bytes, view.data, view.len) == 0);
}

static void read_whole(const struct block_rows *rows, struct ftri_view bodies,
                       const uint8_t trace_id[16])
{
    struct result_builder builder;
    struct ftri_bytes owned;
    struct store_result result;
    copy(bodies, &owned);
    demand(result_builder_init(&builder) == 0);
    const int r = block_read_trace(rows, &owned, trace_id, &builder);
    ftri_bytes_deinit(&owned);
    if (r < 0) {
        result_builder_deinit(&builder);
        return;
    }
    demand(result_finish(&builder, 1000, &result) == 0);
    for (size_t i = 0; i < result.n_spans; i++) {
        struct ftri_otlp_attribute attribute;
        size_t next = 0;
        while (ftri_otlp_attribute_next(FTRI_OTLP_SPAN, result.spans[i].bytes, &next, &attribute))
            ;
        (void)ftri_otlp_service_name(result.spans[i].resource);
    }
    store_result_deinit(&result);
}

static void judge(const struct block_rows *rows, struct ftri_view columns,
                  const uint8_t trace_id[16])
{
    const struct store_query query = {.service = FTR_STR("shop"), .duration_min_ns = 1, .limit = 1};
    struct result_builder builder;
    struct ftri_bytes owned;
    uint64_t start_ns;
    copy(columns, &owned);
    demand(result_builder_init(&builder) == 0);
    builder.query = &query;
    if (block_judge_trace(rows, &owned, trace_id, &builder) == 0)
        (void)result_find_match(&builder, &start_ns);
    result_builder_deinit(&builder);
    ftri_bytes_deinit(&owned);
}

/* Where all rows can be read, those of one trace can. */
static void read_one(struct ftri_view names, struct ftri_view columns, struct ftri_view bodies,
                     const uint8_t trace_id[16])
{
    struct block_rows rows = {0};
    demand(block_read_rows(names, columns, trace_id, &rows) == 0);
    demand(rows.n_rows > 0 && memcmp(rows.rows[0].trace_id, trace_id, 16) == 0);
    read_whole(&rows, bodies, trace_id);
    block_rows_deinit(&rows);
}

static void read_rows(struct ftri_view names, struct ftri_view columns, struct ftri_view bodies)
{
    struct block_rows rows = {0};
    if (block_read_rows(names, columns, (const uint8_t *)"0123456789abcdef", &rows) == 0)
        block_rows_deinit(&rows);
    if (block_read_rows(names, columns, NULL, &rows) < 0)
        return;
    for (size_t i = 0; i < rows.n_rows && i < 8; i++) {
        demand(rows.rows[i].trace_id >= columns.data &&
               rows.rows[i].trace_id + 16 <= columns.data + columns.len);
        read_whole(&rows, bodies, rows.rows[i].trace_id);
        judge(&rows, columns, rows.rows[i].trace_id);
        read_one(names, columns, bodies, rows.rows[i].trace_id);
    }
    block_rows_deinit(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct store_query query = {.service = FTR_STR("shop"), .limit = 1};
    const uint8_t *next = data;
    size_t left = size;
    const struct ftri_view names = take(&next, &left);
    const struct ftri_view columns = take(&next, &left);
    const struct ftri_view bodies = {next, left};
    struct filter filter;
    if (filter_init(&filter, names) == 0) {
        (void)filter_may_match(&filter, &query);
        filter_deinit(&filter);
    }
    (void)block_hashes_have(bodies, 1);
    read_rows(names, columns, bodies);
    return 0;
}
