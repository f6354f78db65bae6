/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the traceparent header. What is read can be written, and is then read as the same.
 */
#include <flowtrace/context.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ftr_span_context untouched = {.trace_flags = 0xee};
    ftr_span_context first = untouched;
    ftr_span_context second;
    char text[FTR_TRACEPARENT_LEN + 1];
    if (!ftr_traceparent_parse((ftr_str){(const char *)data, size}, &first)) {
        demand(memcmp(&first, &untouched, sizeof first) == 0);
        return 0;
    }
    demand(ftr_trace_id_is_valid(&first.trace_id) && ftr_span_id_is_valid(&first.span_id));
    demand(first.is_remote && size >= FTR_TRACEPARENT_LEN);
    demand(ftr_traceparent_format(&first, text) && strlen(text) == FTR_TRACEPARENT_LEN);
    demand(ftr_traceparent_parse((ftr_str){text, FTR_TRACEPARENT_LEN}, &second));
    demand(memcmp(&first, &second, sizeof first) == 0);
    /* The ids stand in the header as they are written, lower case. */
    demand(memcmp(text + 3, data + 3, 49) == 0);
    return 0;
}
