/* SPDX-License-Identifier: Apache-2.0
 *
 * Many batches of one signal become one. Records are copied together; OTLP requests are joined as
 * bytes (a concatenation of requests is one, by protobuf's merge rule). */
#pragma once

#include "base/check.h"

struct node;
struct pdata;

/* node_merge with the payload of all inputs. NULL: memory is short, and no input was consumed. */
struct pdata *join_merge(struct node *node, struct pdata **inputs, size_t n) FTRI_MUST_CHECK;
