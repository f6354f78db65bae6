/* SPDX-License-Identifier: Apache-2.0
 *
 * What conditions and windows ask about a span, a log record or a data point. All answers point
 * into the item's bytes. */
#pragma once

#include "otlp/edit.h"

enum ftri_otlp_item_kind { FTRI_OTLP_ITEM_SPAN, FTRI_OTLP_ITEM_LOG, FTRI_OTLP_ITEM_POINT };

enum ftri_otlp_item_kind ftri_otlp_item_kind(const struct ftri_otlp_item *item);
/* The number of a message's repeated attributes; 0: it has none. */
uint32_t ftri_otlp_attributes_number(const struct ftri_otlp_message *message);
/* Its own attribute, or else its resource's. The value is an AnyValue message. */
bool ftri_otlp_item_attribute(const struct ftri_otlp_item *item, ftr_str key,
                              struct ftri_view *ret_value);
/* Its own attribute alone, and its resource's alone. */
bool ftri_otlp_item_own_attribute(const struct ftri_otlp_item *item, ftr_str key,
                                  struct ftri_view *ret_value);
bool ftri_otlp_item_resource_attribute(const struct ftri_otlp_item *item, ftr_str key,
                                       struct ftri_view *ret_value);
/* A span's name, a log record's event name, a data point's metric. */
ftr_str ftri_otlp_item_name(const struct ftri_otlp_item *item);
/* The 16 bytes of a span's or log record's trace id; empty: it has none. */
struct ftri_view ftri_otlp_item_trace_id(const struct ftri_otlp_item *item);
/* Status code of a span, severity number of a log record; 0 of anything else. */
int32_t ftri_otlp_item_status(const struct ftri_otlp_item *item);
int32_t ftri_otlp_item_severity(const struct ftri_otlp_item *item);
/* End of a span (start, if it has none), time of a log record (observed, if it has none) or data
 * point; Unix epoch, 0: unknown. */
uint64_t ftri_otlp_item_time_ns(const struct ftri_otlp_item *item);
