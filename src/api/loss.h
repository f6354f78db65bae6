/* SPDX-License-Identifier: Apache-2.0
 *
 * GET /api/flow/v1/loss?pipeline=NAME&since=D (a duration before now, default 1h):
 * {"result":[...]}, one object a pipeline, node and edge (query/loss.h). API's thread. */
#pragma once

#include <flowtrace/types.h>

struct http_exchange;
struct store;

void loss_get(struct store *store, struct http_exchange *exchange, ftr_str argument);
