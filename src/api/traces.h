/* SPDX-License-Identifier: Apache-2.0
 *
 * Jaeger's v3 API over the store (jaeger-idl, api_v3/query_service.proto, HTTP mapping): traces as
 * OTLP JSON inside {"result": ...}. Parameters are accepted in camelCase and snake_case; ours
 * beyond Jaeger's: query.status=ok|error, and the header Flowtrace-Incomplete on an answer for
 * which a bound of api/search.h was reached. Each handler answers its exchange. API's thread. */
#pragma once

#include "net/http_server.h"

struct store;

/* GET /api/v3/traces/{trace id} */
void traces_get(struct store *store, struct http_exchange *exchange, ftr_str trace_id);
/* GET /api/v3/traces?query.serviceName=... */
void traces_search(struct store *store, struct http_exchange *exchange, ftr_str unused);
/* GET /api/v3/trace-summaries?query.serviceName=... */
void traces_summaries(struct store *store, struct http_exchange *exchange, ftr_str unused);
/* GET /api/v3/services */
void traces_services(struct store *store, struct http_exchange *exchange, ftr_str unused);
/* GET /api/v3/operations?service=... */
void traces_operations(struct store *store, struct http_exchange *exchange, ftr_str unused);
