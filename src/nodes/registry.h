/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct node_class;

/* Every class there is, NULL-terminated. */
extern const struct node_class *const nodes_registry[];
