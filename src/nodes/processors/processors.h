/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct node_class;

extern const struct node_class processor_attributes;
extern const struct node_class processor_balance;
extern const struct node_class processor_batch;
extern const struct node_class processor_delay;
extern const struct node_class processor_fanout;
extern const struct node_class processor_filter;
extern const struct node_class processor_forward;
extern const struct node_class processor_memory_limiter;
extern const struct node_class processor_parse;
extern const struct node_class processor_retry;
extern const struct node_class processor_route;
extern const struct node_class processor_wal;
extern const struct node_class processor_window;
