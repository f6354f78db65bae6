/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as an OTLP JSON request. What is accepted must satisfy the check of protobuf bytes, and
 * its JSON must be accepted again with the same number of spans. */
#include "otlp/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT_MAX = 64 << 20 };

static void require(bool condition)
{
    if (!condition)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ftri_bytes bytes FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_bytes json FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_otlp_json_counts counts, again;
    struct ftri_otlp_counts checked;
    struct ftri_otlp_error error = {0};
    ftri_bytes_init(&bytes, OUTPUT_MAX);
    ftri_bytes_init(&json, OUTPUT_MAX);
    if (ftri_otlp_traces_from_json(ftri_view_of(data, size), &bytes, &counts, &error) < 0) {
        require(error.path[0] && error.reason[0] && error.offset <= size && bytes.len == 0);
        return 0;
    }
    require(ftri_otlp_traces_check(ftri_bytes_view(&bytes), &checked, &error) == 0);
    require(checked.n_spans == counts.n_items);
    require(ftri_otlp_traces_to_json(ftri_bytes_view(&bytes), &json) == 0);
    ftri_bytes_reset(&bytes);
    require(ftri_otlp_traces_from_json(ftri_bytes_view(&json), &bytes, &again, &error) == 0);
    require(again.n_items == counts.n_items);
    return 0;
}
