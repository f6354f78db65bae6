/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct node_class;

extern const struct node_class receiver_file;
extern const struct node_class receiver_files;
extern const struct node_class receiver_generator;
extern const struct node_class receiver_health;
extern const struct node_class receiver_otlp;
extern const struct node_class receiver_stdin;
