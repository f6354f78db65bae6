/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/metric_name.h"

#include "codec/utf8.h"

#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool ftri_metric_name_is_valid(ftr_str text, const char *others)
{
    if (text.len == 0 || text.len > FTRI_METRIC_NAME_BYTES || !is_letter(text.data[0]))
        return false;
    for (size_t i = 1; i < text.len; i++) {
        const char c = text.data[i];
        if (c == '\0' || (!is_letter(c) && !(c >= '0' && c <= '9') && !strchr(others, c)))
            return false;
    }
    return true;
}

bool ftri_metric_help_is_valid(ftr_str text)
{
    return text.len <= FTRI_METRIC_HELP_BYTES && ftri_utf8_is_valid(text);
}

bool ftri_metric_unit_is_valid(ftr_str text)
{
    return text.len <= FTRI_METRIC_UNIT_BYTES && ftri_utf8_is_valid(text);
}

static bool begins_with(ftr_str text, const char *beginning)
{
    const size_t len = strlen(beginning);
    return text.len >= len && memcmp(text.data, beginning, len) == 0;
}

bool ftri_metric_name_is_reserved(ftr_str written)
{
    return begins_with(written, "traces_span_metrics_") || begins_with(written, "target_info") ||
           begins_with(written, "flowtrace_");
}
