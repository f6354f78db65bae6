/* SPDX-License-Identifier: Apache-2.0
 *
 * OTLP requests for scenarios: so many spans of one trace, told apart by a number. Made where
 * nothing fails. */
#pragma once

#include "base/bytes.h"

struct ftri_payload;
struct store;

enum { SPANS_EACH = 10 };

void spans_trace_id(uint8_t number, uint8_t ret_id[16]);
/* ExportTraceServiceRequest with SPANS_EACH spans of that trace, as protobuf; deinit it. */
struct ftri_bytes spans_protobuf(uint8_t number);
/* The same, as OTLP JSON. */
struct ftri_bytes spans_json(uint8_t number);
struct ftri_payload *spans_payload(uint8_t number);
/* The trace is there with each span once (true), or not at all. */
bool spans_are_stored(struct store *store, uint8_t number);
