/* SPDX-License-Identifier: Apache-2.0
 *
 * What a session is made by: its settings, and the resource that every batch names. Outlives the
 * session for those that were left behind; read only but for a fork. Any thread. */
#pragma once

#include "base/bytes.h"

#include <stdatomic.h>

struct ftr_config;
struct ftri_error;
struct ftri_settings;

struct ftri_origin {
    const ftr_attribute *resource;
    size_t n_resource;
    struct ftri_view resource_otlp;
    ftr_str scope_name, scope_version; /* empty: the scope has none */
    _Atomic uint32_t n_refs;
};

/* 0, or below 0 with error. */
int ftri_origin_new(const struct ftr_config *config, struct ftri_origin **ret_origin,
                    struct ftri_error *error) FTRI_MUST_CHECK;
struct ftri_origin *ftri_origin_ref(struct ftri_origin *self);
void ftri_origin_unref(struct ftri_origin *self);
const struct ftri_settings *ftri_origin_settings(const struct ftri_origin *self);
/* Empty: there is none. */
ftr_str ftri_origin_service(const struct ftri_origin *self);
/* In the child of a fork, which is another process. */
void ftri_origin_after_fork(struct ftri_origin *self);
