/* SPDX-License-Identifier: Apache-2.0
 *
 * Jaeger's legacy JSON API over the store (docs/jaeger-api.md): what its UI, Grafana's data source
 * and scripts ask for. Each handler answers its exchange, errors in the envelope. API's thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct http_exchange;
struct store;

/* GET /api/traces/{trace id} */
void jaeger_trace(struct store *store, struct http_exchange *exchange, ftr_str trace_id);
/* GET /api/traces?service=... or ?traceID=... */
void jaeger_search(struct store *store, struct http_exchange *exchange, ftr_str unused);
/* GET /api/services */
void jaeger_services(struct store *store, struct http_exchange *exchange, ftr_str unused);
/* GET /api/services/{service}/operations */
void jaeger_service_operations(struct store *store, struct http_exchange *exchange, ftr_str rest);
/* GET /api/operations?service=...&spanKind=... */
void jaeger_operations(struct store *store, struct http_exchange *exchange, ftr_str unused);
/* GET /api/dependencies?endTs=...&lookback=... */
void jaeger_dependencies(struct store *store, struct http_exchange *exchange, ftr_str unused);
/* GET /api/metrics/...: 501, as Jaeger without a metrics storage. */
void jaeger_metrics(struct store *store, struct http_exchange *exchange, ftr_str unused);
