/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the tracestate header, alone and out of a carrier, which takes less than 20 KiB. Its
 * normal form is bounded, is its own normal form, and is what a context carries on. */
#include "context/tracestate.h"

#include <flowtrace/propagation.h>
#include <stdlib.h>
#include <string.h>

enum { CARRIED_MOST = 20 * 1024 - 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static void check_members(ftr_str text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.len; i++) {
        demand(text.data[i] >= ' ' && text.data[i] <= '~');
        n += text.data[i] == ',';
    }
    demand(n <= FTRI_TRACESTATE_MEMBERS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[FTRI_TRACESTATE_MAX], again[FTRI_TRACESTATE_MAX];
    ftr_str header = {(const char *)data, size};
    size_t len = 0, again_len = 0;
    const bool is_read = ftri_tracestate_read(header, text, &len);
    if (is_read) {
        demand(len <= FTRI_TRACESTATE_MAX);
        check_members((ftr_str){text, len});
        demand(ftri_tracestate_read((ftr_str){text, len}, again, &again_len));
        demand(again_len == len && memcmp(text, again, len) == 0);
    }
    if (size > CARRIED_MOST)
        return 0;
    ftr_field fields[] = {
        {FTR_STR("traceparent"),
         FTR_STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
        {FTR_STR("tracestate"), header},
    };
    ftr_field_list list = {.fields = fields, .n_fields = 2};
    ftr_context context = ftr_extract(&ftr_http_carrier, &list);
    const ftr_str carried = ftr_context_tracestate(&context);
    demand(ftr_trace_id_is_valid(&context.span.trace_id));
    demand(carried.len == len && (len == 0 || memcmp(carried.data, text, len) == 0));
    ftr_context_release(&context);
    return 0;
}
