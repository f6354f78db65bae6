/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenTelemetry's names as Prometheus writes them (OpenTelemetry specification, "Prometheus and
 * OpenMetrics Compatibility"). Any thread. */
#pragma once

#include "base/bytes.h"

struct ftri_metric;

/* Of a label: letters, digits and _, the first no digit. 0, -ENOMEM or -EMSGSIZE. */
int ftri_text_label_name(ftr_str key, struct ftri_bytes *out) FTRI_MUST_CHECK;
bool ftri_text_same_label(ftr_str a, ftr_str b);
/* Of a family, with its unit, without _total. */
int ftri_text_family_name(const struct ftri_metric *metric, struct ftri_bytes *out) FTRI_MUST_CHECK;
/* "milliseconds" for "ms"; empty: names do not say it. */
ftr_str ftri_text_unit(ftr_str unit);
