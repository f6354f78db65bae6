/* SPDX-License-Identifier: Apache-2.0
 *
 * A YAML document as a tree of values that know where they stand. The only module that includes
 * libfyaml. ${env:NAME} and ${env:NAME:-default} are replaced in scalars; $$ is a dollar sign.
 * Immutable after loading; everything is freed with the document. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct config_document;
struct ftri_error;
struct config_value;

enum config_kind { CONFIG_SCALAR, CONFIG_SEQUENCE, CONFIG_MAPPING, CONFIG_NULL };

/* -EINVAL: "file:line:col: reason" for bad YAML, duplicate keys, an unset ${env:NAME}, more than 64
 * levels, anchors or aliases (refused: they can expand without bound). */
int config_load(const char *path, struct config_document **ret_document,
                struct ftri_error *error) FTRI_MUST_CHECK;
/* name stands for the file in errors. */
int config_parse(ftr_str text, const char *name, struct config_document **ret_document,
                 struct ftri_error *error) FTRI_MUST_CHECK;
void config_free(struct config_document *self);

const struct config_value *config_root(const struct config_document *self);
enum config_kind config_kind(const struct config_value *self);
/* Scalar text, NUL-terminated; "" for anything else. is_quoted tells "123" from 123. */
const char *config_text(const struct config_value *self);
bool config_is_quoted(const struct config_value *self);
size_t config_size(const struct config_value *self); /* of a sequence or mapping */
const struct config_value *config_item(const struct config_value *self, size_t i);
/* The i-th pair of a mapping, in the file's order. */
const struct config_value *config_key(const struct config_value *self, size_t i);
const struct config_value *config_value_at(const struct config_value *self, size_t i);
/* NULL when absent. */
const struct config_value *config_get(const struct config_value *self, const char *key);
/* The first value of `now` that is not as it was, in the file's order; NULL: there is none. Where a
 * list or mapping only became longer or shorter, all of it. */
const struct config_value *config_first_change(const struct config_value *before,
                                               const struct config_value *now);
/* Sets error to "file:line:col: " and the text for a value; returns code. */
int config_error(const struct config_value *self, struct ftri_error *error, int code,
                 const char *format, ...) FTRI_PRINTF(4, 5);
/* Whether error's text begins with the file of this value already. */
bool config_error_has_place(const struct config_value *self, const struct ftri_error *error);
