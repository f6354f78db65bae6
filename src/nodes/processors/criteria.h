/* SPDX-License-Identifier: Apache-2.0
 *
 * What processor/filter asks about an item; all that is configured must hold. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>
#include <regex.h>

struct config_value;
struct ftri_error;

struct criteria_options {
    const char *attribute;
    uint64_t min, max; /* of an integer attribute */
    const struct config_value *values;
    const char *matches;
    const char *name;
    int status;       /* 0: any; else the code + 1 */
    int min_severity; /* 0: any; else trace (1), debug, ... */
    bool is_required; /* an item without the attribute does not match */
};

struct criteria {
    const struct criteria_options *options;
    regex_t matches, name;
    bool has_matches, has_name, has_range;
};

/* What is known of an item. */
struct condition_subject {
    const ftr_value *attribute; /* NULL: it has none */
    ftr_str name;               /* of a record: its key */
    int32_t status;
    int32_t severity;
    bool is_span, is_log; /* what has no status or severity fulfils the condition */
};

enum { CRITERIA_NUMBER_BYTES = 32 };

/* A scalar as people write it; false: it is none. */
bool criteria_text_of(const ftr_value *value, char room[CRITERIA_NUMBER_BYTES], ftr_str *ret_text);

enum condition_result { CONDITION_FALSE, CONDITION_TRUE, CONDITION_UNKNOWN };

/* -EINVAL with the option's name. Borrows the options. */
int criteria_init(struct criteria *self, const struct criteria_options *options,
                  struct ftri_error *error) FTRI_MUST_CHECK;
void criteria_deinit(struct criteria *self);
/* UNKNOWN: only the attribute, which is not there, could tell. */
enum condition_result criteria_test(const struct criteria *self,
                                    const struct condition_subject *subject);
