/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether what is measured agrees with the accounts, which other statements counted. NULL, or what
 * does not hold. Of an edge at any time between turns, of a node when nothing is in flight. */
#pragma once

struct edge;
struct node;

const char *meter_fault_of_edge(const struct edge *edge);
const char *meter_fault_of_node(const struct node *node);
