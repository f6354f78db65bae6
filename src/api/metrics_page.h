/* SPDX-License-Identifier: Apache-2.0
 *
 * GET /metrics: the process's metrics, in OpenMetrics for who accepts it, else as Prometheus' own
 * text. The API's thread; those who count are not waited for. */
#pragma once

#include <flowtrace/types.h>

struct http_exchange;
struct store;

void metrics_page(struct store *unused, struct http_exchange *exchange, ftr_str argument);
