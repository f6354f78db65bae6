/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/log_entry.h"

#include <flowtrace/exporter.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is(ftr_str text, const char *wanted)
{
    return text.len == strlen(wanted) && memcmp(text.data, wanted, text.len) == 0;
}

/* The fewest digits that read back as the same. */
static void write_f64(double value, char text[FTRI_LOG_TEXT_BYTES])
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, FTRI_LOG_TEXT_BYTES, "%.*g", digits, value);
        if (!(strtod(text, NULL) < value) && !(strtod(text, NULL) > value))
            return;
    }
}

/* False: it is a text already, or has none. */
static bool write_scalar(const ftr_value *value, char text[FTRI_LOG_TEXT_BYTES])
{
    switch (value->type) {
    case FTR_VALUE_BOOL:
        snprintf(text, FTRI_LOG_TEXT_BYTES, "%s", value->as.boolean ? "true" : "false");
        return true;
    case FTR_VALUE_I64:
        snprintf(text, FTRI_LOG_TEXT_BYTES, "%" PRId64, value->as.i64);
        return true;
    case FTR_VALUE_F64:
        write_f64(value->as.f64, text);
        return true;
    default:
        return false;
    }
}

size_t ftri_log_entry_make(ftr_event_data *event, ftr_attribute *items, char *room)
{
    size_t used = 0;
    for (size_t i = 1; i <= event->n_attributes; i++) {
        if (!write_scalar(&items[i].value, room + used))
            continue;
        items[i].value = ftr_value_str(ftr_str_from(room + used));
        used += FTRI_LOG_TEXT_BYTES;
    }
    const bool is_unnamed = is(event->name, "Log entry");
    items[0] = (ftr_attribute){FTR_STR("event"), ftr_value_str(event->name)};
    event->attributes = is_unnamed ? items + 1 : items;
    event->n_attributes += is_unnamed ? 0 : 1;
    event->name = FTR_STR("Log entry");
    return used;
}

void ftri_log_entry_close(ftr_span_data *span)
{
    if (span->kind == FTR_KIND_INTERNAL)
        span->kind = FTR_KIND_UNSPECIFIED;
    for (size_t i = 0; i < span->n_attributes; i++)
        if (is(span->attributes[i].key, "error"))
            span->status = FTR_SPAN_ERROR;
}
