/* SPDX-License-Identifier: Apache-2.0
 *
 * Which components there are. */
#pragma once

#include "nodes/collector/component.h"

#include <flowtrace/types.h>

/* NULL-terminated, by kind and name. */
extern const struct collector_component *const collector_components[];

/* By the part of an id before the slash. */
bool collector_component_is(const struct collector_component *component, ftr_str type);
const struct collector_component *collector_component_find(enum collector_kind kind, ftr_str type);
/* "file:line:col: exporters::otpl: ..." with what is known of such a component; -EINVAL. */
int collector_component_refuse(const struct collector_translation *translation,
                               enum collector_kind kind, const struct config_value *key,
                               ftr_str type);
