/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct node_class;

extern const struct node_class exporter_error;
extern const struct node_class exporter_file;
extern const struct node_class exporter_http;
extern const struct node_class exporter_noop;
extern const struct node_class exporter_otlp;
extern const struct node_class exporter_stdout;
extern const struct node_class exporter_store;
