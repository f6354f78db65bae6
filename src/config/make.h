/* SPDX-License-Identifier: Apache-2.0
 *
 * New values for a document that is loaded, for who turns one form of a configuration into another.
 * Each stands at the place of a value that is there, so that errors go on saying file:line:col, and
 * lives as long as the document; values of the document may be used in new ones. Once memory was
 * short everything made is NULL or incomplete, and is_short says so: looking once, at the end, is
 * enough. */
#pragma once

#include "base/check.h"

struct config_document;
struct config_value;

struct config_maker {
    struct config_document *document;
    bool is_short;
};

const struct config_value *config_make_text(struct config_maker *self,
                                            const struct config_value *place, const char *format,
                                            ...) FTRI_PRINTF(3, 4);
struct config_value *config_make_mapping(struct config_maker *self,
                                         const struct config_value *place);
struct config_value *config_make_list(struct config_maker *self, const struct config_value *place);
/* At the end; the key, which the mapping does not have yet, stands at the place given. */
void config_make_pair(struct config_maker *self, struct config_value *mapping,
                      const struct config_value *place, const char *key,
                      const struct config_value *value);
void config_make_item(struct config_maker *self, struct config_value *list,
                      const struct config_value *value);
