/* SPDX-License-Identifier: Apache-2.0
 *
 * The OTLP exporter behind include/flowtrace/otlp.h, as a class and an instance, so that it can be
 * driven without the rest of the library. The instance belongs to its exporter's thread. */
#pragma once

#include "export/otlp_settings.h"

struct ftr_exporter_class;
struct ftri_otlp_delivery;

/* Takes over the settings on success. NULL when memory is short or libcurl cannot start. */
struct ftri_otlp_delivery *
ftri_otlp_delivery_new(struct ftri_otlp_settings *settings) FTRI_MUST_CHECK;
/* Before its first export: settings of metrics, taken over. Without them it takes no metrics. */
void ftri_otlp_delivery_take_metrics(struct ftri_otlp_delivery *self,
                                     struct ftri_otlp_settings *settings);
/* Whether the last export of metrics came to nothing for a reason that may pass: the same may be
 * tried again. */
bool ftri_otlp_delivery_may_retry(const struct ftri_otlp_delivery *self);
/* The exporter class of an instance with these settings. */
const struct ftr_exporter_class *ftri_otlp_delivery_class(ftr_otlp_protocol protocol);
/* The same of user spans, whose settings have a routing_header. */
const struct ftr_exporter_class *ftri_otlp_delivery_user_class(void);
