/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML text to the values of config/tree.h, by the events of libfyaml. */
#pragma once

#include "config/owned.h"

/* Sets document->root; NULL when there is no value in the text. */
int config_yaml_read(struct config_document *document, ftr_str text,
                     struct ftri_error *error) FTRI_MUST_CHECK;
