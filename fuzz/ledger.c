/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: a MetricsData as the ledger reads it. What is selected is valid, all of it is
 * selected again, and every row of it survives the store's form. The input as that form is read or
 * refused. */
#include "base/bytes.h"
#include "otlp/ledger.h"
#include "otlp/signals.h"
#include "otlp/view.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static bool is_same(ftr_str a, ftr_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static int check_row(void *argument, const struct ledger_row *row)
{
    struct ftri_bytes key, value;
    struct ledger_row again;
    ftri_bytes_init(&key, 4096);
    ftri_bytes_init(&value, 4096);
    demand(row->instance.len > 0 && row->start_ns < row->end_ns);
    demand(row->series == LEDGER_INSTANCE || row->mask != 0);
    demand(ledger_write_key(row, &key) == 0 && ledger_write_value(row, &value) == 0);
    demand(ledger_read_pair(ftri_bytes_view(&key), ftri_bytes_view(&value), &again) == 0);
    demand(is_same(row->instance, again.instance) && is_same(row->pipeline, again.pipeline));
    demand(is_same(row->node, again.node) && is_same(row->port, again.port));
    demand(is_same(row->to, again.to) && row->series == again.series && row->mask == again.mask);
    demand(row->start_ns == again.start_ns && row->end_ns == again.end_ns);
    demand(memcmp(row->counters, again.counters, sizeof row->counters) == 0);
    ftri_bytes_deinit(&key);
    ftri_bytes_deinit(&value);
    ++*(size_t *)argument;
    return 0;
}

static void look_at(struct ftri_view metrics, size_t n_all)
{
    struct ftri_bytes selected, again;
    struct ftri_otlp_error error;
    size_t n_points, n_others, n_checked, n_rows = 0;
    ftri_bytes_init(&selected, SIZE_MAX / 2);
    ftri_bytes_init(&again, SIZE_MAX / 2);
    demand(ledger_select(metrics, &selected, &n_points, &n_others) == 0);
    demand(n_points <= n_all);
    const struct ftri_view view = ftri_bytes_view(&selected);
    demand(ftri_otlp_metrics_check(view, &ftri_otlp_unlimited, &n_checked, &error) == 0);
    demand(n_checked >= n_points);
    demand(ledger_select(view, &again, &n_checked, &n_others) == 0);
    demand(n_checked == n_points && n_others == 0);
    demand(ledger_read(view, check_row, &n_rows) == 0);
    demand(n_rows <= n_points);
    ftri_bytes_deinit(&selected);
    ftri_bytes_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ftri_view input = ftri_view_of(data, size);
    struct ftri_otlp_error error;
    struct ledger_row row;
    size_t n_points;
    if (ftri_otlp_metrics_check(input, &ftri_otlp_unlimited, &n_points, &error) == 0)
        look_at(input, n_points);
    for (size_t i = 0; i < 2; i++) {
        const size_t cut = i ? size / 2 : size > 9 ? size - 9 : 0;
        (void)!ledger_read_pair(ftri_view_of(data, cut), ftri_view_of(data + cut, size - cut),
                                &row);
    }
    return 0;
}
